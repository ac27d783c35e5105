"""Where genbench keeps what it can make again: parsed data, features of real images, classifiers."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def cache_dir() -> Path:
    """``GENBENCH_CACHE``, else ``genbench`` in ``XDG_CACHE_HOME`` or ``~/.cache``; it need not exist."""
    named = os.environ.get("GENBENCH_CACHE")
    if named:
        return Path(named)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "genbench"
    except RuntimeError:  # a container's user without a home: no reason not to load data
        return Path(tempfile.gettempdir()) / f"genbench-{os.getuid()}"
