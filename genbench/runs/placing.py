"""The engine that ``--jobs`` and ``--ray`` ask for, and the refusal of what cannot be had."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from genbench import processor

if TYPE_CHECKING:
    from genbench.runs.engine import Engine

MISSING = "Ray is not installed: pip install 'genbench[ray]'"


def check(
    jobs: int, address: str | None, threads: int | None, devices: int = 1, storage: str | None = None
) -> int | None:
    """Return the threads of each cell, None for as many as torch takes; imports neither torch nor Ray.

    Raises:
        ValueError: in one line, for numbers that do not go together or with this machine, or without Ray.
    """
    for name, number in (("jobs", jobs), ("threads", threads)):
        if number is not None and number < 1:
            raise ValueError(f"--{name} {number}: give at least 1")
    if storage is not None and address is None:
        raise ValueError(f"--storage {storage}: goes with --ray; on one machine checkpoints are in the run's folder")
    if address is None and jobs == 1:
        return threads
    if devices > 1:
        raise ValueError(f"--devices-per-cell {devices}: goes with one cell at a time; leave --jobs and --ray out")
    if address is not None and jobs > 1:
        raise ValueError(
            f"--jobs {jobs} and --ray {address}: give one; a cluster runs as many cells as it has room for"
        )
    if address is not None and address.startswith("ray://"):
        raise ValueError(f"--ray {address}: give auto or HOST:PORT, and run on a machine of the cluster")
    if find_spec("ray") is None:
        raise ValueError(f"{f'--ray {address}' if address else f'--jobs {jobs}'}: {MISSING}")
    cores = len(processor.cores())
    each = threads or (max(cores // jobs, 1) if address is None else 1)
    if address is None and jobs * each > cores:
        raise ValueError(f"--jobs {jobs}: {jobs * each} cores are needed, and there are {cores}; give fewer")
    return each


def engine(
    jobs: int,
    address: str | None,
    threads: int | None,
    device: str,
    *,
    travels: bool = True,
    storage: str | None = None,
    out: Path = Path(),
    busy: float | None = None,
) -> Engine:
    """Return the engine that was asked for, not yet open.

    Args:
        jobs: the number of cells at once on this machine.
        address: the address of a Ray cluster, ``"auto"`` for the one at hand; None for this machine.
        threads: the number of threads of each cell, as asked for.
        device: the device, ``"cpu"`` or ``"cuda"``.
        travels: whether a cluster is sent data sets; else each node reads them from its own disk.
        storage: a URI of fsspec, where a cluster keeps checkpoints that are too large to be sent.
        out: the folder of the run, by which its part of the storage is told from others'.
        busy: how many cores others keep busy, if cells of the CPU are to leave these alone.

    Raises:
        ValueError: as :func:`check` does.
    """
    from genbench.runs.here import Here

    each = check(jobs, address, threads, storage=storage)
    if address is None and jobs == 1:
        if each is None and busy is not None and device == "cpu":
            import torch

            each = processor.free(busy, torch.get_num_threads())
        return Here(each)
    # Read as Ray begins: it tells nobody that it is used, leaves CUDA's variables alone, and cells are as nice as here.
    for name in ("RAY_USAGE_STATS_ENABLED", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "RAY_worker_niceness"):
        os.environ.setdefault(name, "0")
    from genbench.runs.on_ray import OnRay
    from genbench.runs.storage import Storage

    kept = None if storage is None else Storage.of_run(storage, out)
    return OnRay(address, jobs, each or 1, device, travels=travels and address is not None, storage=kept)
