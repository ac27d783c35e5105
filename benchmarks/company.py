"""What a neighbour on the machine costs a training, under settings of OpenMP that are said to help.

    python benchmarks/company.py [pixelcnn realnvp] [--steps 12] [--neighbours 1]

Each setting trains in a process of its own on mnist5k, in batches of 64: alone, and beside processes that only count.
Prints seconds a step, medians, and what company costs in times the same setting alone. On an idle machine only.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

SETTINGS = {
    "as it comes": {},
    "OMP_WAIT_POLICY=PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"},
    "GOMP_SPINCOUNT=0": {"GOMP_SPINCOUNT": "0"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
COUNT = "while True: pass"
WARM_UP = 3  # steps that are not counted


def train(recipe: str, steps: int) -> list[float]:
    """Return the seconds of each of ``steps`` steps of a recipe on digits."""
    import genbench
    from genbench import Budget, FitConfig, data

    digits = data.load("mnist5k")
    times: list[float] = []
    config = FitConfig(Budget(steps=steps + WARM_UP), batch_size=64)
    model = genbench.build(recipe, digits.spec, seed=0)
    model.fit(digits.splits, config, callbacks=[lambda progress: times.append(progress.seconds)])
    return [after - before for before, after in itertools.pairwise(times)][WARM_UP - 1 :]


@contextmanager
def company(neighbours: int) -> Iterator[None]:
    """Keep so many processes busy inside the block."""
    others = [subprocess.Popen([sys.executable, "-c", COUNT]) for _ in range(neighbours)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def measured(recipe: str, steps: int, setting: dict[str, str]) -> float:
    """Return the median seconds of a step, in a process under ``setting``."""
    command = [sys.executable, __file__, recipe, "--steps", str(steps), "--child"]
    made = subprocess.run(command, env=os.environ | setting, check=True, capture_output=True, text=True)
    return statistics.median(float(word) for word in made.stdout.split())


def main() -> None:
    """Print the table, or, as a child, the seconds of each step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="*", default=["pixelcnn", "realnvp"])
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--neighbours", type=int, default=1)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(*train(given.recipes[0], given.steps))
        return
    print("| recipe | setting | alone, s a step | in company | times |\n|---|---|---:|---:|---:|")
    for recipe in given.recipes:
        for name, setting in SETTINGS.items():
            alone = measured(recipe, given.steps, setting)
            with company(given.neighbours):
                time.sleep(0.5)
                beside = measured(recipe, given.steps, setting)
            print(f"| `{recipe}` | {name} | {alone:.3f} | {beside:.3f} | {beside / alone:.2f} |", flush=True)


if __name__ == "__main__":
    main()
