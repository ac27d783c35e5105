"""Training in float32 against bfloat16 (autocast, channels last): steps a second, and the loss after equal steps.

    python benchmarks/precision.py                           six recipes, 5 rounds of 12 steps on mnist5k
    python benchmarks/precision.py gan vae --rounds 8 --steps 50

Each round trains both from the same weights on the same batches, one behind the other; the first two steps of each warm
up and do not count. ``--clock processor`` counts the process's own time: on a shared machine, with one thread.
The loss is the mean over the last quarter of a run's steps, of its last turn.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable

import torch

import genbench
from genbench import Budget, FitConfig, GenerativeModel, Progress, Splits, data
from genbench.training.precision import NAMES, check

RECIPES = ("gated-pixelcnn", "pixelcnn", "vae", "realnvp", "glow", "gan")
WARM_UPS = 2


CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


def run(
    model: GenerativeModel, splits: Splits, precision: str, steps: int, batch_size: int, clock: Callable[[], float]
) -> tuple[float, float]:
    """Seconds a step, and the loss at the end."""
    times: list[float] = []
    losses: list[float] = []

    def hear(progress: Progress) -> None:
        losses.extend(float(value) for name, value in list(progress.logs.items()) if name.endswith("/loss"))
        times.append(clock())  # the loss on the CPU means that the step is over

    config = FitConfig(Budget(steps=steps + WARM_UPS), batch_size, precision=precision)
    model.fit(splits, config, callbacks=[hear])
    per_round = len(losses) // len(times)
    last = losses[per_round - 1 :: per_round][-max(steps // 4, 1) :]
    return (times[-1] - times[WARM_UPS - 1]) / steps, statistics.fmean(last)


def main() -> None:
    """Compare the recipes named, or all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("recipes", nargs="*", default=list(RECIPES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall")
    words = parser.parse_args()
    check("bfloat16", words.device)
    dataset = data.load("mnist5k")
    print(
        f"torch {torch.__version__}, {words.device}, {torch.get_num_threads()} threads, batches of {words.batch_size}"
    )
    for name in words.recipes:
        model = genbench.build(name, dataset.spec).to(words.device)
        found: dict[str, list[tuple[float, float]]] = {precision: [] for precision in NAMES}
        for index in range(words.rounds):
            for precision in NAMES if index % 2 == 0 else NAMES[::-1]:
                one = copy.deepcopy(model)
                clock = CLOCKS[words.clock]
                found[precision].append(run(one, dataset.splits, precision, words.steps, words.batch_size, clock))
        speeds = [
            sorted(a / b for (a, _), (b, _) in zip(found["float32"], found["bfloat16"], strict=True)),
            *(sorted(1 / seconds for seconds, _ in found[precision]) for precision in NAMES),
        ]
        ratio, single, half = (statistics.median(values) for values in speeds)
        losses = [found[precision][0][1] for precision in NAMES]
        print(
            f"{name:<15} float32 {single:7.2f} steps/s, bfloat16 {half:7.2f}: {ratio:.2f}x "
            f"({speeds[0][0]:.2f} to {speeds[0][-1]:.2f}); loss {losses[0]:.4f} and {losses[1]:.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
