"""Which options a recipe learns best with in a given time, by the validation split: the test split is never looked at.

    python benchmarks/search.py pixelcnn lr=3e-3,6e-3,1.2e-2 [width=16,32] --seconds 60 [--dataset mnist5k] [--seeds 0]

Every combination is trained afresh for the same seconds, one after another; prints a markdown table, best first. Models
that are not conditioned are compared by bits/dim, exact or a bound by ten importance weights.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from collections.abc import Sequence

import genbench
from genbench import data
from genbench.metrics.nll import nll
from genbench.seed import generator
from genbench.suite import literal

DRAWS = 10


def combinations(words: Sequence[str]) -> list[dict]:
    """``["lr=1e-3,2e-3", "width=16"]`` as every combination of options."""
    grid = {name: [literal(v) for v in values.split(",")] for name, _, values in (w.partition("=") for w in words)}
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def trial(recipe: str, dataset: data.Dataset, options: dict, seconds: float, seed: int) -> tuple[float, int]:
    """Validation bits/dim and the steps that fitted into the budget."""
    model = genbench.build(recipe, dataset.spec, seed=seed, **options)
    report = model.fit(dataset.splits, genbench.FitConfig(genbench.Budget(seconds=seconds), seed=seed))
    noise = generator(seed, "search")
    found = nll(model, dataset.validation, dimensions=dataset.spec.dimensions, draws=DRAWS, generator=noise)
    return found.bpd, report.steps


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe")
    parser.add_argument("options", nargs="*", help="name=value,value,…")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--dataset", default="mnist5k")
    parser.add_argument("--labelled", type=int)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    words = parser.parse_args()
    dataset = data.load(words.dataset)
    if words.labelled:
        dataset = dataset.with_labels(words.labelled)
    found = []
    for options in combinations(words.options):
        trials = [trial(words.recipe, dataset, options, words.seconds, seed) for seed in words.seeds]
        bits, steps = (statistics.mean(column) for column in zip(*trials, strict=True))
        found.append((bits, steps, options))
        print(f"… {words.recipe} {options}: {bits:.4f} bits/dim after {steps:.0f} steps", flush=True)
    print(f"\n| {words.recipe}, {words.seconds:g} s | steps | validation bits/dim |\n|---|---:|---:|")
    for bits, steps, options in sorted(found, key=lambda item: item[0]):
        said = ", ".join(f"{name} {value}" for name, value in options.items())
        print(f"| {said} | {steps:.0f} | {bits:.3f} |")


if __name__ == "__main__":
    main()
