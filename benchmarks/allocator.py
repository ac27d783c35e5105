"""What keeping large blocks of memory saves a training step: the same steps in two processes, with and without.

    python benchmarks/allocator.py [RECIPE …]

glibc returns freed blocks above 32 MB to the system, and each step faults their pages in again. `genbench run` sets the
two variables for its cells (see ``spawn.warm_up``).
"""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys

KEEP = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**34)}
STEPS = 12
SCRIPT = f"""
import sys
import genbench
from genbench import data
digits = data.load("mnist5k")
times = []
config = genbench.FitConfig(genbench.Budget(steps={STEPS}))
model = genbench.build(sys.argv[1], digits.spec)
model.fit(digits.splits, config, callbacks=[lambda progress: times.append(progress.seconds)])
print(*times)
"""


def step(recipe: str, keep: bool) -> float:
    """Median seconds of a training step at a batch of 64, the first two left out."""
    env = {name: value for name, value in os.environ.items() if name not in KEEP} | (KEEP if keep else {})
    done = subprocess.run([sys.executable, "-c", SCRIPT, recipe], env=env, check=True, capture_output=True, text=True)
    times = [float(word) for word in done.stdout.split()]
    return statistics.median(b - a for a, b in itertools.pairwise(times[1:]))


def main() -> None:
    """Print milliseconds both ways, in turn, and the ratio."""
    for recipe in sys.argv[1:] or ["pixelcnn", "vae", "realnvp", "gan", "wgan-gp"]:
        pairs = [(step(recipe, False), step(recipe, True)) for _ in range(3)]
        without, with_ = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(a / b for a, b in pairs)
        print(
            f"{recipe:10} {1000 * without:7.1f} ms by default, {1000 * with_:7.1f} ms kept: {ratio:.2f} times as fast"
        )


if __name__ == "__main__":
    main()
