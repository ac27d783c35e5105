"""The part of a record's stamp that the machine and the installation decide."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genbench.records.record import Record


PACKAGES = ("torch", "torchvision", "torch-fidelity", "torchmetrics", "nflows", "numpy", "scipy", "pillow")


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str | None]:
    """Return the versions of genbench, Python and each of ``packages``; None for one that is not installed."""
    return {"genbench": _version("genbench"), "python": platform.python_version()} | {
        name: _version(name) for name in packages
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def revision() -> str | None:
    """Return the git revision of the checkout, ``-dirty`` with changes; None where genbench is installed."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        # Installed below somebody's repository, in a .venv, that repository's revision says nothing of genbench.
        subprocess.run([*git, "ls-files", "--error-unmatch", "__init__.py"], check=True, capture_output=True)
        described = [*git, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
        return subprocess.run(described, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def of_training(stamp: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stamp that says where the model was trained, where it was measured again elsewhere."""
    trained = stamp.get("trained")
    trained = trained if isinstance(trained, Mapping) else {}
    versions = {**stamp.get("versions", {}), **trained.get("versions", {})}
    return {**stamp, **trained} | ({"versions": versions} if versions else {})


def legs(stamp: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the budgets that a training had spent before it was given more; none where a stamp says no such thing."""
    said = stamp.get("trained_on")
    return [leg for leg in said if isinstance(leg, Mapping)] if isinstance(said, list) else []


@cache
def processor() -> str:
    """Return the processor's name, as its maker calls it where the system says."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or sys.platform


def machine(device: str) -> dict[str, object]:
    """Return the device, the threads of this process, and the machine that they are of."""
    import torch

    return {
        "device": device,
        "threads": torch.get_num_threads(),
        "machine": {
            "processor": processor(),
            "accelerator": torch.cuda.get_device_name() if device == "cuda" else None,
            **({"cuda": torch.version.cuda} if device == "cuda" else {}),
            "system": f"{platform.system()} {platform.machine()}",
        },
    }


# What a configuration from before a key was known did.
EARLIER = {"effort": "fast", "alpha": "white", "devices": 1, "checkpoint": "last"}


# By the name of a group of figures, raised with each change of a measure after which they are not those from before; a
# group that is not named is at 1, and so are all of older stamps. ``estimates`` counts how likelihoods of this kind are
# found, beside what counts for all of them.
MEASURES = {"likelihood": 3, "estimates": 5, "quality": 2, "speed": 1, "pairs": 1, "labels": 1}


def older(record: Record) -> bool:
    """Return whether measures of earlier versions than these measured the record, or did not measure all of it.

    A record of a model that reconstructs, whose reconstructions nobody has measured yet, is one of the latter; so are
    one of samples without density and coverage, and one of translations without L1.
    """
    measured = record.stamp.get("measures") or {}
    of = {group: version for group, version in MEASURES.items() if annealed(record) or group != "estimates"}
    outdated = any(measured.get(group, 1) < version for group, version in of.items())
    outdated = outdated or (record.quality is not None and record.quality.density is None)
    outdated = outdated or (record.paired is not None and record.paired.l1 is None)
    drawn = not record.abilities.get("reconstruct", "failed").startswith("failed")
    return outdated or (drawn and record.reconstruction is None and "reconstruction" not in record.abilities)


def annealed(record: Record) -> bool:
    """Return whether a record's likelihood is an estimate by chains: that of a model without noise is told directly."""
    return record.test is not None and record.test.kind == "estimate" and record.test.method != "direct"


def lacks(record: Record, groups: Iterable[str]) -> bool:
    """Return whether a record was made without some of these groups: :data:`genbench.runs.config.GROUPS`."""
    never = {"speed"} if record.status == "anchor" else set()
    return bool((set(groups) - never) & set(record.stamp.get("left_out", ())))
