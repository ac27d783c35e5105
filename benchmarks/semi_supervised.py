"""Does the unlabelled rest help? The semi-supervised adversarial autoencoder against its encoder on the labels alone.

    python benchmarks/semi_supervised.py [--steps 1500] [--seeds 3] [--labelled 100] [--dataset mnist5k]

Every seed draws labels of its own, known to both sides, and both are searched in the same way: as many steps for each
learning rate and input noise of one grid, the trial of the best validation accuracy is kept, and its test accuracy
alone is measured. The supervised side is the recipe's own encoder under its own classification turn and nothing else.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from dataclasses import replace
from typing import cast

import torch

import genbench
from genbench import Budget, DataSpec, FitConfig, GenerativeModel, Phase, Split, data
from genbench.abilities import Classifies
from genbench.data import Dataset
from genbench.seed import fork_rng, generator
from genbench.tables.ranks import interval

RATES = (3e-4, 1e-3, 3e-3)
NOISES = (0.3, 0.8)
BATCH = 64


class Learner(GenerativeModel):
    """The semi-supervised recipe, which learns by all of its turns or by its classification alone.

    Args:
        spec: of the data.
        alone: whether the labelled images are all that it learns from.
        lr: of classification, and of reconstruction where there is one.
        noise: on the encoder's input.
        seed: of the weights.
    """

    def __init__(self, spec: DataSpec, alone: bool, lr: float, noise: float, seed: int) -> None:
        super().__init__(spec)
        self.recipe = genbench.build("aae-semi-supervised", spec, seed=seed, lr=lr, noise=noise)
        self.alone = alone

    def phases(self) -> list[Phase]:
        """The recipe's round, or the last of its turns."""
        (phase,) = self.recipe.phases()
        return [replace(phase, turns=phase.turns[-1:] if self.alone else phase.turns)]

    def accuracy(self, split: Split) -> float:
        """Share of images whose likeliest class is theirs.

        Raises:
            ValueError: for a split without labels.
        """
        if split.labels is None:
            raise ValueError("labels=None: accuracy needs the label of every image")
        found = cast(Classifies, self.recipe).classify(split).argmax(1).cpu()
        return float((found == split.labels).double().mean())


def with_fresh_labels(dataset: Dataset, count: int, seed: int) -> Dataset:
    """``count`` labels known, a stratified choice of this seed's own."""
    order = torch.randperm(len(dataset.train), generator=generator(seed, "labelled"))
    shuffled = cast(Split, dataset.train.rows(order))
    return replace(dataset, train=shuffled).with_labels(count)


def searched(dataset: Dataset, alone: bool, steps: int, seed: int) -> tuple[float, str]:
    """Test accuracy of the trial that is best on validation images, and what it was."""
    trials = []
    for lr, noise in itertools.product(RATES, NOISES):
        model = Learner(dataset.spec, alone, lr, noise, seed)
        model.fit(dataset.splits, FitConfig(Budget(steps=steps), batch_size=BATCH, seed=seed))
        trials.append((model.accuracy(dataset.validation), model, f"lr {lr:g}, noise {noise:g}"))
    _, best, options = max(trials, key=lambda trial: trial[0])
    return best.accuracy(dataset.test), options


def main() -> None:
    """Print a table of test accuracies and the paired difference."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", default="mnist5k")
    parser.add_argument("--labelled", type=int, default=100)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    dataset = data.load(asked.dataset)
    print(
        f"{asked.dataset}, {asked.labelled} of {len(dataset.train)} labels known, "
        f"{asked.steps} steps of {BATCH}, lr in {RATES}, noise in {NOISES}"
    )
    print("| seed | supervised | semi-supervised | difference |\n|---|---|---|---|")
    differences = []
    for seed in range(asked.seeds):
        known = with_fresh_labels(dataset, asked.labelled, seed)
        with fork_rng(seed):
            alone, its = searched(known, True, asked.steps, seed)
            helped, theirs = searched(known, False, asked.steps, seed)
        differences.append(helped - alone)
        cells = f"{100 * alone:.1f} % ({its}) | {100 * helped:.1f} % ({theirs}) | {100 * (helped - alone):+.1f}"
        print(f"| {seed} | {cells} |", flush=True)
    ends = interval(differences)
    margin = f" ± {50 * (ends[1] - ends[0]):.1f} points (95 %)" if ends else " points"
    print(f"paired difference {100 * statistics.mean(differences):+.1f}{margin}")


if __name__ == "__main__":
    main()
