"""What two translators owe to a part of theirs: each trained whole, and again with nothing in the part's place.

    OMP_NUM_THREADS=1 python benchmarks/taken_out.py [--steps 1000] [--seeds 0]

`st-cgan` on ``shadow:photos`` with its mask and with zeros for it, by the error inside the shadow; `tp-gan` on
``profile:faces`` with its local paths and with zeros for their maps, by the error where eyes, nose and mouth belong.
Both errors are of validation images, roots of mean squares in levels, beside PSNR of the whole image. Both ways take as
many batches, at the rates of ``translation``. What an option takes out, ``benchmarks/search.py`` shows.
"""

from __future__ import annotations

import argparse
import statistics

import torch
from torch import Tensor, nn

import genbench
from families.translation.st_cgan import StackedGenerator
from families.translation.two_pathway import TwoPathway, face_parts
from genbench import data
from genbench.metrics.paired import psnr
from genbench.metrics.shadow import shadow
from genbench.runs.conditions import asked, conditions
from genbench.seed import generator

DATA = {"st-cgan": "shadow:photos", "tp-gan": "profile:faces"}
OPTIONS = {"st-cgan": {"lr": 6e-4}, "tp-gan": {"lr": 3e-4}}
BATCH = 16


class Unmasked(nn.Module):
    """The second of `st-cgan`'s networks, shown zeros for the mask that stands behind the source's channels.

    Args:
        remover: the network.
    """

    def __init__(self, remover: nn.Module) -> None:
        super().__init__()
        self.remover = remover

    def forward(self, told: Tensor, u: Tensor) -> Tensor:
        """Map sources and masks ``(B, C' + 1, H, W)`` to images ``(B, C, H, W)``."""
        return self.remover(torch.cat([told[:, :-1], torch.zeros_like(told[:, -1:])], 1), u)


class Nothing(nn.Module):
    """A layer whose maps are zeros.

    Args:
        maps: how many there are.
    """

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.maps = maps

    def forward(self, seen: Tensor) -> Tensor:
        """Map what is seen ``(B, C, H, W)`` to zeros ``(B, maps, H, W)``."""
        return seen.new_zeros(len(seen), self.maps, *seen.shape[2:])


def take_out(network: nn.Module) -> None:
    """Put nothing in the place of a generator's part.

    Args:
        network: the generator of one of the two recipes.

    Raises:
        TypeError: for any other network.
    """
    if isinstance(network, StackedGenerator):
        network.remover = Unmasked(network.remover)
    elif isinstance(network, TwoPathway):
        for path in network.paths():
            convolutions = [layer for layer in path.maps.modules() if isinstance(layer, nn.Conv2d)]
            path.maps = Nothing(convolutions[-1].out_channels)
    else:
        raise TypeError(f"{type(network).__name__}: no part of it is taken out here")


def place(recipe: str, dataset: data.Dataset) -> Tensor:
    """Return the pixels of validation images that the recipe's part is for, bool ``(N, 1, H, W)``.

    Args:
        recipe: the name of one of the two recipes.
        dataset: its data.
    """
    if recipe == "st-cgan":
        return dataset.validation.fields["shadow"] > 0
    sides = dataset.spec.shape[1:]
    laid = [part.laid(torch.ones(1, 1, part.height, part.width), sides) for part in face_parts(sides)]
    return (torch.stack(laid).amax(0) > 0).expand(len(dataset.validation), -1, -1, -1)


def errors(recipe: str, dataset: data.Dataset, steps: int, seed: int, *, whole: bool) -> tuple[float, float]:
    """Train a recipe; return its error in the part's place, in levels, and its PSNR, in dB.

    Args:
        recipe: the name of one of the two recipes.
        dataset: its data.
        steps: the number of batches.
        seed: the seed of weights and batches.
        whole: whether the part stays.
    """
    model = genbench.build(recipe, dataset.spec, seed=seed, **OPTIONS[recipe])
    if not whole:
        take_out(model.generator)
    model.fit(dataset.splits, genbench.FitConfig(genbench.Budget(steps=steps), BATCH, seed=seed))
    n = len(dataset.validation)
    rows = asked(model.given, dataset, n, of="validation")
    samples = model.sample(n, **conditions(rows, model.given), generator=generator(seed, "taken out"))
    true = dataset.validation.images
    return shadow(samples, true, place(recipe, dataset)).rmse, psnr(samples, true, dataset.spec.levels).mean


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    words = parser.parse_args()
    print("| recipe | | error in its place, levels | PSNR, dB |\n|---|---|---:|---:|", flush=True)
    for recipe, name in DATA.items():
        dataset = data.load(name)
        for whole in (True, False):
            found = [errors(recipe, dataset, words.steps, seed, whole=whole) for seed in words.seeds]
            means = [statistics.mean(one) for one in zip(*found, strict=True)]
            said = "whole" if whole else "taken out"
            print(f"| `{recipe}` | {said} | {means[0]:.1f} | {means[1]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
