"""Modes that each objective covers of two-dimensional mixtures: a ring of 8 Gaussians and a grid of 25.

    OMP_NUM_THREADS=1 python benchmarks/modes.py [gan wgan-gp …] [--steps 8000] [--seeds 0 1 2] [--picture modes.png]

Points are images of two channels and one pixel, so that they go through the same loop as any data set: coordinates are
levels of 256. The ring has a radius of 100 levels and deviations of 1 (2 and 0.02 in 1611.02163), the grid a spacing of
50 and deviations of 1.25 (2 and 0.05 in 1705.07761). All recipes play with dense networks of one size. A mode is
covered where a sample falls within three deviations; beside it stands the share of samples that are so near to any.
"""

from __future__ import annotations

import argparse
import itertools
import math
import statistics
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

import genbench
from genbench import catalog
from genbench.interface import DataSpec, GenerativeModel, Split, Splits
from genbench.seed import generator, normal

SPEC = DataSpec((2, 1, 1), levels=256)
BATCH, POINTS, SAMPLES = 256, 50_000, 2_500
MIDDLE = 127.5


@dataclass(frozen=True)
class Mixture:
    """Equal Gaussians: their ``centres`` ``(K, 2)`` and ``deviation``, in levels."""

    centres: Tensor
    deviation: float

    def draw(self, n: int, seed: int) -> Tensor:
        """Uint8 ``(n, 2, 1, 1)``."""
        source = generator(seed, "points")
        which = torch.randint(len(self.centres), (n,), generator=source)
        points = self.centres[which] + self.deviation * normal((n, 2), source)
        return points.round().clamp(0, 255).to(torch.uint8)[:, :, None, None]

    def covered(self, samples: Tensor) -> tuple[int, float]:
        """Modes with a sample within three deviations, and the share of samples that are so near to any."""
        distance, which = torch.cdist(samples.flatten(1).double(), self.centres.double()).min(1)
        near = distance <= 3 * self.deviation
        return len(which[near].unique()), float(near.double().mean())


def ring() -> Mixture:
    """Eight on a circle."""
    turns = torch.arange(8) * math.tau / 8
    return Mixture(MIDDLE + 100 * torch.stack([turns.cos(), turns.sin()], 1), 1.0)


def grid() -> Mixture:
    """Five by five."""
    places = [MIDDLE + 50.0 * (k - 2) for k in range(5)]
    return Mixture(torch.tensor(list(itertools.product(places, places))), 1.25)


MIXTURES = {"ring": ring(), "grid": grid()}


def build(recipe: str, width: int, seed: int) -> GenerativeModel:
    """The recipe with the dense pair, which has no batch normalisation to make a virtual one of."""
    switches = {"virtual_batch_normalisation": False} if recipe == "improved-gan" else {}
    return genbench.build(recipe, SPEC, seed=seed, network="dense", width=width, latents=16, **switches)


def trained(recipe: str, mixture: Mixture, steps: int, width: int, seed: int) -> GenerativeModel:
    """The recipe after so many batches, with the dense pair."""
    model = build(recipe, width, seed)
    data = Splits(Split(mixture.draw(POINTS, seed)), Split(mixture.draw(256, seed + 1)))
    model.fit(data, genbench.FitConfig(genbench.Budget(steps=steps), batch_size=BATCH, seed=seed))
    return model


def on_pair() -> list[str]:
    """Every recipe without a condition that takes the dense pair."""
    every = catalog.recipes()
    return [name for name in every if not every[name].given and "network" in every[name].options()]


def main() -> None:
    """Print the table, and draw the samples of the first seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="*", default=on_pair())
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--picture", type=Path)
    words = parser.parse_args()
    print("| recipe | ring: modes of 8 | near | grid: modes of 25 | near |\n|---|---:|---:|---:|---:|", flush=True)
    drawn: dict[tuple[str, str], Tensor] = {}
    for recipe in words.recipes:
        cells = []
        for name, mixture in MIXTURES.items():
            found = []
            for seed in words.seeds:
                model = trained(recipe, mixture, words.steps, words.width, seed)
                samples = model.sample(SAMPLES, generator=generator(seed, "modes"))
                drawn.setdefault((recipe, name), samples)
                found.append(mixture.covered(samples))
            modes, share = (statistics.mean(column) for column in zip(*found, strict=True))
            cells += [f"{modes:.1f}", f"{share:.0%}"]
        print(f"| `{recipe}` | {' | '.join(cells)} |", flush=True)
    if words.picture:
        draw(drawn, words.picture)


def draw(drawn: dict[tuple[str, str], Tensor], path: Path) -> None:
    """A scatter plot for each recipe and mixture."""
    from matplotlib.figure import Figure

    recipes = list(dict.fromkeys(recipe for recipe, _ in drawn))
    figure = Figure(figsize=(1.6 * len(recipes), 3.4), layout="constrained")
    axes = figure.subplots(len(MIXTURES), len(recipes), squeeze=False)
    for row, name in enumerate(MIXTURES):
        for column, recipe in enumerate(recipes):
            axis, points = axes[row][column], drawn[recipe, name].flatten(1)
            axis.scatter(points[:, 0], points[:, 1], s=1, alpha=0.3, linewidths=0)
            axis.set(xlim=(0, 255), ylim=(0, 255), xticks=[], yticks=[], aspect="equal")
            if row == 0:
                axis.set_title(recipe, fontsize=8)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
