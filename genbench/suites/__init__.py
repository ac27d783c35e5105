"""The suites that come with genbench. Nothing but Python's own is imported: ``--help`` lists them."""

from __future__ import annotations

import tomllib
from importlib import resources


def texts() -> dict[str, str]:
    """Name → TOML text, by name."""
    folder = resources.files("genbench") / "suites"
    files = {item.name.removesuffix(".toml"): item for item in folder.iterdir() if item.name.endswith(".toml")}
    return {name: files[name].read_text(encoding="utf-8") for name in sorted(files)}


def titles() -> dict[str, str]:
    """Name → title, by name."""
    return {name: tomllib.loads(text)["title"] for name, text in texts().items()}
