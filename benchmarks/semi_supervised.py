"""Does the unlabelled rest help? Semi-supervised recipes against their own classifier on the labels alone.

    python benchmarks/semi_supervised.py [aae-semi-supervised] [--steps 1500] [--seeds 0 1 2] [--labelled 100]
    python benchmarks/semi_supervised.py triple-gan s3-gan --seconds 600

Every seed draws labels of its own, known to both sides. The labels' side is the network that classifies, under the
cross-entropy of labelled images and nothing else. For the autoencoder both sides are searched in the same way: as many
steps for each learning rate and input noise of one grid, the trial of the best validation accuracy is kept, and its
test accuracy alone is measured. A GAN has one trial, under the options of ``gans-long``, against as many trials of the
labels' side as there are rates. ``--seconds`` is the time of a trial of all that the recipe does; trials of the labels'
side take their steps in any case.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

import genbench
from families.gan.few_labels import labelled_of
from families.gan.s3_gan import S3GAN
from families.gan.triple_gan import TripleGAN
from families.layers.scaling import to_unit
from genbench import Batch, Budget, DataSpec, FitConfig, GenerativeModel, Phase, Split, Step, Turn, data
from genbench.abilities import Classifies
from genbench.data import Dataset
from genbench.runs import suite
from genbench.seed import fork_rng, generator
from genbench.tables.ranks import interval

RATES = (3e-4, 1e-3, 3e-3)
NOISES = (0.3, 0.8)
# The rate that the classifier of each recipe learns at.
RATE = {"aae-semi-supervised": "lr", "triple-gan": "classifier_lr", "s3-gan": "critic_lr"}
BATCH = 64


def alone(recipe: GenerativeModel) -> Turn:
    """Return the turn in which a recipe's classifier learns from labelled images, and from nothing else.

    Args:
        recipe: a model of one of the three recipes.
    """
    turns = recipe.phases()[0].turns
    if isinstance(recipe, TripleGAN):
        layers, logits = [recipe.classifier], recipe.classifier
    elif isinstance(recipe, S3GAN):
        layers = [recipe.critic, recipe.classes]

        def logits(images: Tensor) -> Tensor:
            return recipe.classes(recipe.critic(images)[1])

    else:
        return turns[-1]

    def loss(batch: Batch, step: Step) -> dict[str, Tensor]:
        labelled, labels = labelled_of(batch)
        return {"loss": F.cross_entropy(logits(to_unit(labelled.images, recipe.spec.levels)), labels)}

    return replace(turns[0], learns=layers, loss=loss)


class Learner(GenerativeModel):
    """A semi-supervised recipe, which learns by all of its turns or from labelled images alone.

    Args:
        spec: the spec of the data.
        name: the recipe's name.
        only_labels: whether the labelled images are all that it learns from.
        seed: the seed of the weights.
        options: the recipe's options.
    """

    def __init__(self, spec: DataSpec, name: str, only_labels: bool, seed: int, options: dict[str, Any]) -> None:
        super().__init__(spec)
        self.recipe = genbench.build(name, spec, seed=seed, **options)
        self.only_labels = only_labels

    def phases(self) -> list[Phase]:
        """Return the recipe's phases, or one with nothing but the classifier's turn."""
        phases = list(self.recipe.phases())
        return [replace(phases[0], share=1.0, turns=[alone(self.recipe)])] if self.only_labels else phases

    def accuracy(self, split: Split) -> float:
        """Return the share of images whose likeliest class is theirs.

        Raises:
            ValueError: for a split without labels.
        """
        if split.labels is None:
            raise ValueError("labels=None: accuracy needs the label of every image")
        found = cast(Classifies, self.recipe).classify(split).argmax(1).cpu()
        return float((found == split.labels).double().mean())


def with_fresh_labels(dataset: Dataset, count: int, seed: int) -> Dataset:
    """Return the data with ``count`` labels known, a stratified choice of this seed's own."""
    order = torch.randperm(len(dataset.train), generator=generator(seed, "labelled"))
    shuffled = cast(Split, dataset.train.rows(order))
    return replace(dataset, train=shuffled).with_labels(count)


def trials(name: str, only_labels: bool) -> Iterator[dict[str, Any]]:
    """Yield the options of each trial of a recipe's side."""
    if name == "aae-semi-supervised":
        yield from ({"lr": lr, "noise": noise} for lr in RATES for noise in NOISES)
        return
    (chosen,) = (row.options for row in suite.read("gans-long").row if row.recipe == name)
    yield from ({**chosen, RATE[name]: rate} for rate in RATES) if only_labels else [chosen]


def searched(dataset: Dataset, name: str, only_labels: bool, budget: Budget, seed: int) -> tuple[float, str]:
    """Return the test accuracy of the trial that is best on validation images, and its options.

    Args:
        dataset: the data, few of whose labels are known.
        name: the recipe's name.
        only_labels: whether these are all that it learns from.
        budget: the budget of each trial.
        seed: the seed of weights and batches.
    """
    found = []
    for options in trials(name, only_labels):
        model = Learner(dataset.spec, name, only_labels, seed, options)
        model.fit(dataset.splits, FitConfig(budget, batch_size=BATCH, seed=seed))
        said = ", ".join(f"{key} {value:g}" for key, value in options.items())
        found.append((model.accuracy(dataset.validation), model, said))
    _, best, said = max(found, key=lambda trial: trial[0])
    return best.accuracy(dataset.test), said


def main() -> None:
    """Print a table of test accuracies and the paired difference, for each recipe."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recipes", nargs="*", default=["aae-semi-supervised"])
    parser.add_argument("--dataset", default="mnist5k")
    parser.add_argument("--labelled", type=int, default=100)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    asked = parser.parse_args()
    for name in asked.recipes:
        if name not in RATE:
            parser.error(f"{name}: give {', '.join(RATE)}")
    dataset = data.load(asked.dataset)
    steps = Budget(steps=asked.steps)
    whole = steps if asked.seconds is None else Budget(seconds=asked.seconds)
    for name in asked.recipes:
        print(
            f"{name} on {asked.dataset}, {asked.labelled} of {len(dataset.train)} labels known; on the labels alone "
            f"{asked.steps} steps of {BATCH}, all of it {', '.join(f'{n:g} {of}' for of, n in whole.given.items())}"
        )
        print("| seed | labels alone | all of it | difference |\n|---|---|---|---|", flush=True)
        differences = []
        for seed in asked.seeds:
            known = with_fresh_labels(dataset, asked.labelled, seed)
            with fork_rng(seed):
                few, its = searched(known, name, True, steps, seed)
                helped, theirs = searched(known, name, False, whole, seed)
            differences.append(helped - few)
            cells = f"{100 * few:.1f} % ({its}) | {100 * helped:.1f} % ({theirs}) | {100 * (helped - few):+.1f}"
            print(f"| {seed} | {cells} |", flush=True)
        ends = interval(differences)
        margin = f" ± {50 * (ends[1] - ends[0]):.1f} points (95 %)" if ends else " points"
        print(f"paired difference {100 * statistics.mean(differences):+.1f}{margin}")


if __name__ == "__main__":
    main()
