"""Which options a recipe learns best with in a given time. The test split is never looked at.

    python benchmarks/search.py pixelcnn lr=3e-3,6e-3,1.2e-2 [width=16,32] --seconds 60 [--dataset mnist5k] [--seeds 0]
    python benchmarks/search.py sagan lr/critic_lr=1e-4/4e-4,2e-4/8e-4 --seconds 60

Every combination is trained afresh for the same seconds (or --steps), one after another; options with a slash between
move together. Prints a markdown table, best first. A density is judged by the validation split's bits/dim, exact or a
bound by ten importance weights, beside those of as many training images; a model without one by the FID of 1,000
samples (of as many as the validation split has, where they need its sources or captions) against the training split,
beside the share of them that a classifier puts in the class asked for, and PSNR against their targets.
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
from genbench.metrics.paired import psnr
from genbench.runs import measures
from genbench.runs.conditions import asked, asked_labels, conditions
from genbench.runs.overrides import literal
from genbench.seed import generator
from genbench.spec import Batch

DRAWS, SAMPLES = 10, 1000
EXTRACTOR = "efficientnet-lite0"


def combinations(words: Sequence[str]) -> list[dict]:
    """``["lr=1e-3,2e-3", "width=16"]`` as every combination of options."""
    choices: list[list[dict]] = []
    for word in words:
        names, _, values = word.partition("=")
        together = [[literal(part) for part in value.split("/")] for value in values.split(",")]
        choices.append([dict(zip(names.split("/"), parts, strict=True)) for parts in together])
    return [{name: value for part in parts for name, value in part.items()} for parts in itertools.product(*choices)]


def density(model: GenerativeModel, dataset: data.Dataset, seed: int) -> dict[str, float]:
    """Return validation bits/dim, and those of as many training images."""
    images, size = len(dataset.validation), dataset.spec.dimensions

    def bits(split: Batch) -> float:
        return nll(model, split, dimensions=size, draws=DRAWS, limit=images, generator=generator(seed, "search")).bpd

    return {"bits/dim, validation": bits(dataset.validation), "training": bits(dataset.splits.train)}


def implicit(model: GenerativeModel, dataset: data.Dataset, seed: int) -> dict[str, float]:
    """Return the FID of samples against the training split, and agreement and PSNR where they have labels, targets.

    Sources and captions are those of the validation split, of which there are fewer.
    """
    spec, n = dataset.spec, SAMPLES if set(model.given) <= {"label"} else len(dataset.validation)
    rows = asked(model.given, dataset, n, of="validation")
    samples = model.sample(n, **conditions(rows, model.given), generator=generator(seed, "search")).cpu()
    extractor = features.extractor(EXTRACTOR)
    real = measures.real(extractor, dataset.train.images, spec)
    found = {f"FID ({EXTRACTOR})": fid.fid(real.features, extractor.features(samples, spec.levels).features).fid}
    if (labels := asked_labels(rows, model.given, dataset)) is not None:
        predicted = measures.extractor("classifier", dataset, "cpu").predict(samples, spec.levels).argmax(1)
        found["agreement"] = float((predicted == labels).double().mean())
    if "source" in model.given and dataset.aligned:
        found["PSNR"] = psnr(samples, dataset.validation.images, spec.levels).mean
    return found


def trial(recipe: str, dataset: data.Dataset, options: dict, config: genbench.FitConfig) -> dict[str, float] | None:
    """Return the steps that a recipe took under these options and its figures; None where training diverged."""
    model = genbench.build(recipe, dataset.spec, seed=config.seed, **options)
    try:
        report = model.fit(dataset.splits, config)
    except genbench.Diverged as diverged:
        print(f"… {options}: {diverged}", flush=True)
        return None
    look = density if catalog.recipe(recipe).likelihood in ("exact", "bound") else implicit
    return {"steps": report.steps, **look(model, dataset, config.seed)}


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
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    words = parser.parse_args()
    dataset = data.load(words.dataset)
    if words.labelled:
        dataset = dataset.with_labels(words.labelled)
    budget = genbench.Budget(steps=words.steps) if words.steps else genbench.Budget(seconds=words.seconds)
    table = []
    for options in combinations(words.options):
        configs = [genbench.FitConfig(budget, words.batch_size, seed=seed) for seed in words.seeds]
        trials = [trial(words.recipe, dataset, options, config) for config in configs]
        done = [found for found in trials if found is not None]
        means = {name: statistics.mean(found[name] for found in done) for name in done[0]} if done else {}
        said = ", ".join(f"{name} {value}" for name, value in options.items())
        said += f" ({len(trials) - len(done)} diverged)" if len(done) < len(trials) else ""
        table.append((said, means))
        print(
            f"… {words.recipe} {said}: " + ", ".join(f"{name} {value:.4g}" for name, value in means.items()), flush=True
        )
    heads = next((list(means) for _, means in table if means), ["steps", "figures"])
    cost = f"{words.steps} steps" if words.steps else f"{words.seconds:g} s"
    print(f"\n| {words.recipe}, {cost} | {' | '.join(heads)} |\n|---|{'---:|' * len(heads)}")
    for said, means in sorted(table, key=lambda row: row[1].get(heads[1], math.inf)):
        print(f"| {said} | " + " | ".join(f"{means[name]:.4g}" if means else "diverged" for name in heads) + " |")


if __name__ == "__main__":
    main()
