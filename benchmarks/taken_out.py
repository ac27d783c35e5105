"""What two translators owe to a part of theirs: each trained whole, and again with nothing in the part's place.

    OMP_NUM_THREADS=1 python benchmarks/taken_out.py [--seconds 120] [--seeds 0]

`st-cgan` on ``shadow:photos`` with its mask and with zeros for it, by the error inside the shadow; `tp-gan` on
``profile:faces`` with its local paths and with zeros for their maps, by the error where eyes, nose and mouth belong.
Both errors are of validation images, roots of mean squares in levels, beside PSNR of the whole image; options are those
of ``translation``. What an option takes out, ``benchmarks/search.py`` shows.
"""

from __future__ import annotations

import argparse
import statistics
from typing import cast

import torch
from torch import Tensor, nn

import genbench
from families.translation.st_cgan import StackedGenerator
from families.translation.two_pathway import TwoPathway, face_parts
from genbench import data
from genbench.interface import GenerativeModel
from genbench.metrics.paired import psnr
from genbench.metrics.shadow import shadow
from genbench.runs.conditions import asked, conditions
from genbench.seed import generator

DATA = {"st-cgan": "shadow:photos", "tp-gan": "profile:faces"}
OPTIONS = {"st-cgan": {"lr": 6e-4}, "tp-gan": {"lr": 3e-4}}
BATCH = 16


class Unmasked(nn.Module):
    """The second of `st-cgan`'s networks, shown zeros for the mask that stands behind the source's channels."""

    def __init__(self, remover: nn.Module) -> None:
        super().__init__()
        self.remover = remover

    def forward(self, told: Tensor, u: Tensor) -> Tensor:
        """Map sources and masks ``(B, C' + 1, H, W)`` to images."""
        return self.remover(torch.cat([told[:, :-1], torch.zeros_like(told[:, -1:])], 1), u)


class Nothing(nn.Module):
    """Maps of zeros, as many as a local path of `tp-gan` has."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, seen: Tensor) -> Tensor:
        """Return zeros ``(B, width, H, W)``."""
        return seen.new_zeros(len(seen), self.width, *seen.shape[2:])


def take_out(generator_: nn.Module) -> None:
    """Put nothing in the part's place."""
    if isinstance(generator_, StackedGenerator):
        generator_.remover = Unmasked(generator_.remover)
    for path in generator_.paths() if isinstance(generator_, TwoPathway) else ():
        path.maps = Nothing(path.image[0].in_channels)


def place(recipe: str, dataset: data.Dataset) -> Tensor:
    """Return the pixels of validation images that the part is for, bool ``(N, 1, H, W)``."""
    if recipe == "st-cgan":
        return dataset.validation.fields["shadow"] > 0
    sides = dataset.spec.shape[1:]
    laid = [part.laid(torch.ones(1, 1, part.height, part.width), sides) for part in face_parts(sides)]
    return (torch.stack(laid).amax(0) > 0).expand(len(dataset.validation), -1, -1, -1)


def errors(recipe: str, dataset: data.Dataset, seconds: float, seed: int, *, whole: bool) -> tuple[float, float]:
    """Train a recipe; return its error in the part's place and its PSNR."""
    model: GenerativeModel = genbench.build(recipe, dataset.spec, seed=seed, **OPTIONS[recipe])
    if not whole:
        take_out(cast("nn.Module", model.generator))
    model.fit(dataset.splits, genbench.FitConfig(genbench.Budget(seconds=seconds), BATCH, seed=seed))
    n = len(dataset.validation)
    rows = asked(model.given, dataset, n, of="validation")
    samples = model.sample(n, **conditions(rows, model.given), generator=generator(seed, "taken out"))
    true = dataset.validation.images
    return shadow(samples, true, place(recipe, dataset)).rmse, psnr(samples, true, dataset.spec.levels).mean


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    words = parser.parse_args()
    print("| recipe | | error in its place, levels | PSNR, dB |\n|---|---|---:|---:|")
    for recipe, name in DATA.items():
        dataset = data.load(name)
        for whole in (True, False):
            found = [errors(recipe, dataset, words.seconds, seed, whole=whole) for seed in words.seeds]
            means = [statistics.mean(one) for one in zip(*found, strict=True)]
            said = "whole" if whole else "taken out"
            print(f"| `{recipe}` | {said} | {means[0]:.1f} | {means[1]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
