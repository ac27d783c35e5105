"""Tensors kept on disk by what they are of: written whole, verified on reading, and never needed to go on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from genbench.files import digest, written_whole


def write(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> bool:
    """Write tensors and what they are of as one safetensors file; return whether the folder let it.

    A cache that cannot be written (no permission, full disk) costs time, not results: no error.
    """
    note = json.dumps({"about": dict(about), "sha256": digest(tensors)}, sort_keys=True)
    whole = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    try:
        with written_whole(path) as part:
            save_file(whole, part, metadata={"genbench": note})
    except (OSError, SafetensorError):
        return False
    return True


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Return the tensors that :func:`write` wrote and what they are of; None for a file that is missing or damaged."""
    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            note = json.loads((file.metadata() or {})["genbench"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        identity = note["about"]
        written = note["sha256"]
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None
    # A flipped bit among the values leaves a file that reads well: only the digest tells.
    return (tensors, identity) if written == digest(tensors) else None
