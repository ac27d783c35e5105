"""Which options a recipe learns best with in a given time, by the validation split: the test split is never looked at.

    python benchmarks/search.py pixelcnn lr=3e-3,6e-3,1.2e-2 [width=16,32] --seconds 60 [--dataset mnist5k] [--seeds 0]

Every combination is trained afresh for the same seconds (or --steps), one after another; prints a markdown table, best
first, and beside the validation split's bits/dim those of as many training images: exact, or a bound by ten importance
weights.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from collections.abc import Sequence

import genbench
from genbench import data
from genbench.interface import Batch
from genbench.metrics.nll import nll
from genbench.overrides import literal
from genbench.seed import generator

DRAWS = 10


def combinations(words: Sequence[str]) -> list[dict]:
    """``["lr=1e-3,2e-3", "width=16"]`` as every combination of options."""
    grid = {name: [literal(v) for v in values.split(",")] for name, _, values in (w.partition("=") for w in words)}
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def trial(
    recipe: str, dataset: data.Dataset, options: dict, budget: genbench.Budget, seed: int
) -> tuple[float, float, int]:
    """Bits/dim of the validation split and of as many training images, and the steps spent."""
    model = genbench.build(recipe, dataset.spec, seed=seed, **options)
    report = model.fit(dataset.splits, genbench.FitConfig(budget, seed=seed))
    images, size = len(dataset.validation), dataset.spec.dimensions

    def bits(split: Batch) -> float:
        return nll(model, split, dimensions=size, draws=DRAWS, limit=images, generator=generator(seed, "search")).bpd

    return bits(dataset.validation), bits(dataset.splits.train), report.steps


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe")
    parser.add_argument("options", nargs="*", help="name=value,value,…")
    spent = parser.add_mutually_exclusive_group()
    spent.add_argument("--seconds", type=float, default=60.0)
    spent.add_argument("--steps", type=int)
    parser.add_argument("--dataset", default="mnist5k")
    parser.add_argument("--labelled", type=int)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    words = parser.parse_args()
    dataset = data.load(words.dataset)
    if words.labelled:
        dataset = dataset.with_labels(words.labelled)
    budget = genbench.Budget(steps=words.steps) if words.steps else genbench.Budget(seconds=words.seconds)
    found = []
    for options in combinations(words.options):
        trials = [trial(words.recipe, dataset, options, budget, seed) for seed in words.seeds]
        bits, training, steps = (statistics.mean(column) for column in zip(*trials, strict=True))
        found.append((bits, training, steps, options))
        print(f"… {words.recipe} {options}: {bits:.4f} bits/dim after {steps:.0f} steps", flush=True)
    cost = f"{words.steps} steps" if words.steps else f"{words.seconds:g} s"
    print(f"\n| {words.recipe}, {cost} | steps | bits/dim, validation | training |\n|---|---:|---:|---:|")
    for bits, training, steps, options in sorted(found, key=lambda item: item[0]):
        said = ", ".join(f"{name} {value}" for name, value in options.items())
        print(f"| {said} | {steps:.0f} | {bits:.3f} | {training:.3f} |")


if __name__ == "__main__":
    main()
