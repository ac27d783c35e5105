"""Six recipes on one device in under nine minutes: steps a second, memory, seconds to a FID, and the bare loop's time.

    python -m benchmarks.gpu                              on the GPU, float32 without TF32
    python -m benchmarks.gpu --precision bfloat16         autocast, channels last
    python -m benchmarks.gpu --tf32                       products of float32 in TF32, where the GPU has it
    python -m benchmarks.gpu --deterministic              algorithms that give the same bits each time
    python -m benchmarks.gpu vae gan --device cpu --minutes 2

Each recipe has an equal share of the minutes. First ``fit`` and the bare loops of ``training_step.py`` are timed in
turns on copies of one model, both in float32, from the first step of each to the last, for which the device is waited.
The ratio is the median of the pairs. Then the recipe is trained for --seconds, and at an eighth, a quarter, a half and
the whole of them samples are held against the training images (EfficientNet-Lite0); training's clock stands still
meanwhile. Memory is the peak that torch allocated on the GPU for the recipe, else that of the process so far.
"""

from __future__ import annotations

import argparse
import copy
import math
import os
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch

import genbench
from benchmarks.training_step import BATCH, LOOPS, OPTIONS
from genbench import Budget, FitConfig, GenerativeModel, Progress, Splits, data
from genbench.interface import frozen
from genbench.metrics.fid import fid
from genbench.metrics.memory import peak_memory
from genbench.runs import measures
from genbench.seed import generator
from genbench.training import precision

MARKS = (1 / 8, 1 / 4, 1 / 2, 1.0)
PAIRS = 3

Measure = Callable[[GenerativeModel], float]


class Enough(Exception):
    """The recipe's share of the minutes is over."""


@dataclass(frozen=True)
class Found:
    """What was found of a recipe: steps a second by ``fit``, its time over the bare loop's, MB, and FIDs by seconds."""

    steps: float
    ratio: float
    memory: float
    fids: Sequence[tuple[float, float]]

    def seconds_to(self, target: float) -> float:
        """The seconds of training at the first mark with such a FID or a better one; infinite where there is none."""
        return next((seconds for seconds, value in self.fids if value <= target), math.inf)


def arithmetic(*, tf32: bool, deterministic: bool) -> None:
    """Set what products of float32 are computed in, and whether the same bits are asked for."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.deterministic = deterministic
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when the GPU is first used
    torch.use_deterministic_algorithms(deterministic, warn_only=True)


def rounds(model: GenerativeModel, splits: Splits, count: int, kind: str = "float32") -> list[float]:
    """Train for ``count`` rounds by ``fit``, without what a model does at the end; return when each was over."""
    times: list[float] = []

    def heard(progress: Progress) -> None:
        times.append(time.perf_counter())
        if len(times) == count:
            raise Enough

    with suppress(Enough):
        model.fit(splits, FitConfig(Budget(steps=count + 1), BATCH, precision=kind), callbacks=[heard])
    return times


def each(times: Sequence[float], device: str) -> float:
    """Seconds a step from the first step of a loop that is just over to the last, which the device has to end."""
    if device == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - times[0]) / (len(times) - 1)


def speeds(
    name: str, model: GenerativeModel, splits: Splits, device: str, steps: int, kind: str
) -> tuple[float, float]:
    """Steps a second by ``fit`` in the precision ``kind``, and fit's time over the bare loop's in float32."""

    def fit(kind: str = "float32") -> float:
        return each(rounds(copy.deepcopy(model), splits, steps, kind), device)

    def bare() -> float:
        with torch.device(device):  # where it draws its noise
            return each([wall for wall, _ in LOOPS[name](copy.deepcopy(model), splits, steps)], device)

    bare()
    times: dict[str, list[float]] = {"fit": [], "bare": []}
    for pair in range(PAIRS):
        for which, run in (("fit", fit), ("bare", bare))[:: 1 if pair % 2 else -1]:
            times[which].append(run())
    ratio = statistics.median(ours / plain for ours, plain in zip(times["fit"], times["bare"], strict=True))
    fast = times["fit"] if kind == "float32" else [fit(kind) for _ in range(PAIRS)]
    return 1 / statistics.median(fast), ratio


def trained(
    model: GenerativeModel, splits: Splits, measure: Measure, config: FitConfig, seconds: float, deadline: float
) -> list[tuple[float, float]]:
    """Train for ``seconds`` or to the ``deadline``; return seconds of training and the FID at each mark."""
    marks = [mark * seconds for mark in MARKS]
    found: list[tuple[float, float]] = []

    def heard(progress: Progress) -> None:
        if progress.seconds >= marks[0]:
            marks[:] = [mark for mark in marks if mark > progress.seconds]
            with frozen(model):
                found.append((progress.seconds, measure(model)))
        if not marks or time.monotonic() > deadline:
            raise Enough

    with suppress(Enough):
        model.fit(splits, config, callbacks=[heard])
    return found


def one(name: str, dataset: data.Dataset, measure: Measure, words: argparse.Namespace, deadline: float) -> Found:
    """Measure a recipe."""
    if words.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    model = genbench.build(name, dataset.spec, **OPTIONS.get(name, {})).to(words.device)
    splits = Splits(dataset.splits.train.to(words.device), dataset.splits.validation.to(words.device))
    rounds(model, splits, 2)  # started from the data: all copies go on from here
    fast, ratio = speeds(name, model, splits, words.device, words.steps, words.precision)
    config = FitConfig(Budget(seconds=1.01 * words.seconds), BATCH, precision=words.precision)
    fids = trained(model, splits, measure, config, words.seconds, deadline)
    memory = peak_memory(words.device)
    return Found(fast, ratio, memory.resident_mb if memory.cuda_mb is None else memory.cuda_mb, fids)


def judged(dataset: data.Dataset, device: str, samples: int) -> Measure:
    """The FID of so many samples against the training images."""
    extractor = measures.extractor("efficientnet-lite0", dataset, device)
    real = measures.real(extractor, dataset.train.images, dataset.spec).features

    def measure(model: GenerativeModel) -> float:
        drawn = model.sample(samples, generator=generator(0, "gpu")).cpu()
        return fid(real, extractor.features(drawn, dataset.spec.levels).features).fid

    return measure


def line(name: str, found: Found, target: float) -> str:
    """A recipe's row of the table."""
    when = found.seconds_to(target)
    reached = f"{when:.1f}" if math.isfinite(when) else "–"
    course = ", ".join(f"{value:.1f} at {seconds:.1f} s" for seconds, value in found.fids)
    return f"| `{name}` | {found.steps:.2f} | {found.ratio:.3f} | {found.memory:,.0f} | {reached} | {course} |"


def arguments(told: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="*", default=list(LOOPS))
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--dataset", default="mnist5k")
    parser.add_argument("--minutes", type=float, default=8.0, help="for all recipes together")
    parser.add_argument("--seconds", type=float, default=30.0, help="of training a recipe, at most")
    parser.add_argument("--steps", type=int, default=50, help="of each timed run")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--target", type=float, default=100.0, help="the FID that is waited for")
    parser.add_argument("--precision", default="float32", choices=precision.NAMES)
    parser.add_argument("--tf32", action="store_true")
    parser.add_argument("--deterministic", action="store_true")
    words = parser.parse_args(told)
    words.device = precision.chosen_device(words.device)
    precision.check(words.precision, words.device)
    return words


def main() -> None:
    """Print the table."""
    words = arguments()
    arithmetic(tf32=words.tf32, deterministic=words.deterministic)
    ends = time.monotonic() + 60 * words.minutes
    dataset = data.load(words.dataset)
    measure = judged(dataset, words.device, words.samples)
    where = torch.cuda.get_device_name() if words.device == "cuda" else f"{torch.get_num_threads()} threads"
    asked = [words.precision, *(name for name in ("tf32", "deterministic") if getattr(words, name))]
    print(f"torch {torch.__version__}, {where}, {dataset.name}, batches of {BATCH}, {', '.join(asked)}\n")
    heads = (
        f"recipe | steps/s | fit / bare, float32 | MB | s to FID {words.target:g} | FID of {words.samples:,} samples"
    )
    print(f"| {heads} |\n|---|---:|---:|---:|---:|---|")
    for place, name in enumerate(words.recipes):
        share = (ends - time.monotonic()) / (len(words.recipes) - place)
        print(line(name, one(name, dataset, measure, words, time.monotonic() + share), words.target), flush=True)


if __name__ == "__main__":
    main()
