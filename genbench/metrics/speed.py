"""How fast a model samples: inference mode, two warm-ups, synchronised device, medians of at least five runs."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from time import perf_counter

import torch
from torch import Tensor

from genbench.records.parts import Speed

WARM_UPS = 2
LEAST_RUNS = 5
MOST_RUNS = 50
BATCH = 64
# Upwards first: throughput usually grows with the batch, and time may run out.
SEARCH = (128, 256, 512, 32, 16)

Draw = Callable[[int], Tensor]


def speed(draw: Draw, *, device: torch.device | str = "cpu", seconds: float = 10.0) -> Speed:
    """Time ``draw``, conversion to uint8 included.

    Args:
        draw: a function that draws ``n`` images, uint8 ``(n, C, H, W)``.
        device: the device that ``draw`` works on: it is waited for before the clock is read.
        seconds: the cap. Five runs at one image and at 64 are timed even beyond it, unless a single run already is
            beyond; other batch sizes are tried only while they are expected to end within it.

    Returns:
        Medians and quartiles; ``runs`` is the fewer of those at one image and at 64: 1 where a single run exceeded the
        cap and was timed without a warm-up.

    Raises:
        ValueError: for a cap that is not above 0, or a ``draw`` that does not give ``n`` images of uint8.
    """
    if seconds <= 0:
        raise ValueError(f"seconds={seconds}: give a cap above 0")
    on = torch.device(device)
    began = perf_counter()
    with torch.inference_mode():
        # A tenth of the cap each for sizes that take no time: more runs, steadier quartiles.
        times = {size: _times(draw, size, on, seconds, least=seconds / 10) for size in (1, BATCH)}
        for size in SEARCH:
            known = max(times) if size > BATCH else BATCH
            run = statistics.median(times[known]) * max(1, size / known)  # or less: an upper guess
            if perf_counter() - began + run * (WARM_UPS + LEAST_RUNS) > seconds:
                continue
            try:
                times[size] = _times(draw, size, on, seconds, least=0)
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
    low, middle, high = _quartiles(times[1])
    slow, usual, fast = (BATCH / time for time in reversed(_quartiles(times[BATCH])))
    rates = {size: size / statistics.median(runs) for size, runs in times.items() if size > 1}
    best = max(rates, key=lambda size: rates[size])
    return Speed(
        latency_ms=1000 * middle,
        latency_quartiles=(1000 * low, 1000 * high),
        images_per_second=usual,
        throughput_quartiles=(slow, fast),
        best_images_per_second=rates[best],
        best_batch=best,
        runs=min(len(times[1]), len(times[BATCH])),
    )


def _times(draw: Draw, size: int, device: torch.device, cap: float, least: float) -> list[float]:
    """Return the seconds of each run: at least five, until ``least`` seconds are spent, or one beyond the cap."""
    first = _time(draw, size, device)
    if first > cap:
        return [first]
    for _ in range(WARM_UPS - 1):
        _time(draw, size, device)
    runs: list[float] = []
    while len(runs) < LEAST_RUNS or (sum(runs) < least and len(runs) < MOST_RUNS):
        runs.append(_time(draw, size, device))
    return runs


def _time(draw: Draw, size: int, device: torch.device) -> float:
    _wait(device)
    began = perf_counter()
    images = draw(size)
    _wait(device)
    taken = perf_counter() - began
    if images.dtype != torch.uint8 or len(images) != size:
        raise ValueError(f"draw({size}) gives {len(images)} images of {images.dtype}: give {size} of uint8")
    return taken


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _quartiles(times: list[float]) -> tuple[float, float, float]:
    if len(times) == 1:
        return times[0], times[0], times[0]
    low, middle, high = statistics.quantiles(times, n=4, method="inclusive")
    return low, middle, high
