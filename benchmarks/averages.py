"""What the moving average of a generator is to take for its batch normalisation's statistics, by FID over training.

    OMP_NUM_THREADS=1 python benchmarks/averages.py gan lr=6e-3 [--dataset mnist5k] [--steps 1000] [--each 100]
        [--seeds 0 1 2]

One training a seed, whose average is looked at with three kinds of running statistics: the live generator's, their
moving average, which it has, and those that its own layers have of 1,024 images (16 batches). Prints the FID of 1,000
samples of each against the training images, at every so many of the generator's steps; then, for each, the mean over
checkpoints and seeds, how far a checkpoint lies from the mean of its neighbours, and the standard error of the
difference from the first kind over all seeds and checkpoints.
"""

from __future__ import annotations

import argparse
import copy
import math
import statistics

import torch
from torch import nn

import genbench
from families.layers.ema import Average
from genbench import data, features
from genbench.metrics import fid
from genbench.runs import measures
from genbench.runs.conditions import asked, conditions
from genbench.runs.overrides import literal
from genbench.seed import generator

SAMPLES, BATCHES, BATCH = 1000, 16, 64
LIVE, _, OWN = KINDS = ("live", "averaged", "its own")


def norms(module: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    """Return the batch normalisations of a module, in order."""
    return [part for part in module.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]


class Trial:
    """A training whose average is looked at in three ways."""

    def __init__(self, recipe: str, dataset: data.Dataset, options: dict, seed: int, each: int) -> None:
        self.dataset, self.seed, self.each = dataset, seed, each
        self.model = genbench.build(recipe, dataset.spec, seed=seed, **options)
        self.average: Average = self.model.average
        self.plain = self.average.update
        self.found: list[dict[str, float]] = []
        self.extractor = features.extractor("efficientnet-lite0")
        self.real = measures.real(self.extractor, dataset.train.images, dataset.spec).features
        if not norms(self.average.copies["generator"]):
            raise SystemExit(f"{recipe}: its generator has no batch normalisation")

    def update(self, modules: dict[str, nn.Module]) -> None:
        """Move the model's average, and look at it in all ways every so many steps."""
        self.plain(modules)
        steps = int(self.average.steps)
        if steps % self.each == 0:
            self.found.append({kind: self.look(kind) for kind in KINDS})
            print(steps, *(f"{kind} {value:.1f}" for kind, value in self.found[-1].items()), flush=True)

    def look(self, kind: str) -> float:
        """Return the FID of samples by the average with these statistics."""
        network = self.average.copies["generator"]
        kept = copy.deepcopy(network.state_dict())
        if kind == LIVE:
            for ours, live in zip(norms(network), norms(self.model.generator), strict=True):
                ours.running_mean.copy_(live.running_mean)
                ours.running_var.copy_(live.running_var)
        if kind == OWN:
            for part in norms(network):
                part.reset_running_stats()
                part.momentum = None  # an equal share to each batch
            self.pass_images(network)
        rows = asked(self.model.given, self.dataset, SAMPLES)
        source = generator(self.seed, "search")
        samples = self.model.sample(SAMPLES, **conditions(rows, self.model.given), generator=source)
        network.load_state_dict(kept)
        return fid.fid(self.real, self.extractor.features(samples, self.dataset.spec.levels).features).fid

    @torch.no_grad()
    def pass_images(self, network: nn.Module) -> None:
        """Show the network's layers what it makes of noise, under the conditions of training images."""
        source = generator(self.seed, "statistics")
        network.train()
        for start in range(0, BATCHES * BATCH, BATCH):
            given = self.dataset.train.rows(slice(start, start + BATCH))
            self.model.decode(self.model.draw_noise(BATCH, source), self.model.hidden(given, source))
        network.eval()

    def run(self, steps: int) -> list[dict[str, float]]:
        """Train, and return the FIDs of each checkpoint."""
        self.average.update = self.update  # type: ignore[method-assign]
        self.model.fit(self.dataset.splits, genbench.FitConfig(genbench.Budget(steps=steps), BATCH, seed=self.seed))
        return self.found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe")
    parser.add_argument("options", nargs="*", help="name=value")
    parser.add_argument("--dataset", default="mnist5k")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--each", type=int, default=100)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    words = parser.parse_args()
    dataset = data.load(words.dataset)
    options = {name: literal(value) for name, _, value in (word.partition("=") for word in words.options)}
    runs = [Trial(words.recipe, dataset, options, seed, words.each).run(words.steps) for seed in words.seeds]
    looks = [found for run in runs for found in run]
    print(f"\n| {words.recipe} | mean FID | from neighbours | less than {LIVE} by |\n|---|---:|---:|---:|")
    for kind in KINDS:
        rough = [
            abs(here[kind] - (before[kind] + after[kind]) / 2)
            for run in runs
            for before, here, after in zip(run, run[1:], run[2:], strict=False)
        ]
        less = [found[LIVE] - found[kind] for found in looks]
        error = statistics.stdev(less) / math.sqrt(len(less)) if len(less) > 1 else math.nan
        mean, apart = statistics.mean(found[kind] for found in looks), statistics.mean(rough or [math.nan])
        print(f"| {kind} | {mean:.1f} | {apart:.1f} | {statistics.mean(less):.1f} ± {error:.1f} |")


if __name__ == "__main__":
    main()
