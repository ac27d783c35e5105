"""Which options a recipe learns best with in a given time. The test split is never looked at.

    python benchmarks/search.py pixelcnn lr=3e-3,6e-3,1.2e-2 [width=16,32] --seconds 60 [--dataset mnist5k] [--seeds 0]
    python benchmarks/search.py sagan lr/critic_lr=1e-4/4e-4,2e-4/8e-4 --seconds 60

Every combination is trained afresh for the same seconds (or --steps), one after another; options with a slash between
move together. Prints a markdown table, best first. A density is judged by the validation split's bits/dim, exact or a
bound by ten importance weights, beside those of as many training images; a model without one by the FID of 1,000
samples against the training split, beside the share of them that a classifier puts in the class asked for.
"""

from __future__ import annotations

import argparse
import itertools
import math
import statistics
from collections.abc import Sequence

import genbench
from genbench import catalog, data, features
from genbench.interface import GenerativeModel
from genbench.likelihood.nll import nll
from genbench.metrics import fid
from genbench.runs import measures
from genbench.runs.overrides import literal
from genbench.seed import generator
from genbench.spec import Batch

DRAWS, SAMPLES = 10, 1000
EXTRACTOR = "efficientnet-lite0"
DENSITY = ("bits/dim, validation", "training")
IMPLICIT = (f"FID ({EXTRACTOR})", "agreement")


def combinations(words: Sequence[str]) -> list[dict]:
    """``["lr=1e-3,2e-3", "width=16"]`` as every combination of options."""
    choices: list[list[dict]] = []
    for word in words:
        names, _, values = word.partition("=")
        together = [[literal(part) for part in value.split("/")] for value in values.split(",")]
        choices.append([dict(zip(names.split("/"), parts, strict=True)) for parts in together])
    return [{name: value for part in parts for name, value in part.items()} for parts in itertools.product(*choices)]


def density(model: GenerativeModel, dataset: data.Dataset, seed: int) -> tuple[float, float]:
    """Bits/dim of the validation split and of as many training images."""
    images, size = len(dataset.validation), dataset.spec.dimensions

    def bits(split: Batch) -> float:
        return nll(model, split, dimensions=size, draws=DRAWS, limit=images, generator=generator(seed, "search")).bpd

    return bits(dataset.validation), bits(dataset.splits.train)


def implicit(model: GenerativeModel, dataset: data.Dataset, seed: int) -> tuple[float, float]:
    """FID of samples against the training split, and their agreement with their labels: NaN where they have none."""
    labels, spec = dataset.train.labels, dataset.spec
    asked = None if "label" not in model.given else measures.proportional(labels, spec.classes, SAMPLES)
    samples = model.sample(SAMPLES, labels=asked, generator=generator(seed, "search")).cpu()
    extractor = features.extractor(EXTRACTOR)
    real = measures.real(extractor, dataset.train.images, spec)
    found = fid.fid(real.features, extractor.features(samples, spec.levels).features).fid
    if asked is None:
        return found, float("nan")
    predicted = measures.extractor("classifier", dataset, "cpu").predict(samples, spec.levels).argmax(1)
    return found, float((predicted == asked).double().mean())


def trial(
    recipe: str, dataset: data.Dataset, options: dict, budget: genbench.Budget, seed: int
) -> tuple[float, float, int]:
    """The two figures of a recipe under these options, and the steps spent; infinite where training diverged."""
    model = genbench.build(recipe, dataset.spec, seed=seed, **options)
    try:
        report = model.fit(dataset.splits, genbench.FitConfig(budget, seed=seed))
    except genbench.Diverged as diverged:
        print(f"… {options}: {diverged}", flush=True)
        return math.inf, math.nan, 0
    look = implicit if catalog.recipe(recipe).likelihood == "estimate" else density
    return (*look(model, dataset, seed), report.steps)


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
        first, second, steps = (statistics.mean(column) for column in zip(*trials, strict=True))
        found.append((first, second, steps, options))
        print(f"… {words.recipe} {options}: {first:.4f} after {steps:.0f} steps", flush=True)
    cost = f"{words.steps} steps" if words.steps else f"{words.seconds:g} s"
    heads = IMPLICIT if catalog.recipe(words.recipe).likelihood == "estimate" else DENSITY
    print(f"\n| {words.recipe}, {cost} | steps | {' | '.join(heads)} |\n|---|---:|---:|---:|")
    for first, second, steps, options in sorted(found, key=lambda item: item[0]):
        said = ", ".join(f"{name} {value}" for name, value in options.items())
        beside = "–" if math.isnan(second) else f"{second:.3f}"
        print(f"| {said} | {steps:.0f} | {first:.3f} | {beside} |")


if __name__ == "__main__":
    main()
