"""Samplers whose fault is known, each of which a column must show: what every figure is worth.

    OMP_NUM_THREADS=1 python benchmarks/known_cases.py [--dataset mnist5k] [--extractor NAME] [--images 500]

All cases are made of real images. Those that no model has seen are of the test split, and half of a test split holds
as many images of half of the classes: hence 500 of mnist5k's 1,000.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from genbench import data
from genbench.records.parts import Collapse, Quality
from genbench.runs import measures
from genbench.seed import generator
from genbench.stats import spread
from genbench.tables.texts import number

if TYPE_CHECKING:
    from genbench.data import Dataset
    from genbench.features import Extractor

REPEATED = 100
BLUR = 1 / 20  # of the side: the kernel's standard deviation
NOISE = 1 / 3  # of the levels: the noise's


@dataclass(frozen=True)
class Found:
    """What the columns say of a case."""

    quality: Quality
    collapse: Collapse


def cases(dataset: Dataset, n: int, blur: float = BLUR) -> dict[str, Tensor]:
    """``n`` images each, uint8, by the name of what is wrong with them; ``blur`` is the kernel's width over the side.

    Raises:
        ValueError: where half of the classes has fewer than ``n`` test images.
    """
    test, labels, levels = dataset.test.images, dataset.test.labels, dataset.spec.levels
    if labels is None or (half := test[labels < dataset.spec.classes // 2]).shape[0] < n:
        raise ValueError(f"images={n}: half of the classes has fewer test images")
    real = test[:n]
    blurred = gaussian_blur(real.float(), 7, blur * dataset.spec.shape[1]).round()
    noise = torch.randn(real.shape, generator=generator(0, "known cases"))
    noisy = (real + NOISE * levels * noise).round().clamp(0, levels - 1)
    train = dataset.train.images
    return {
        "real": real,
        "blurred": blurred.to(torch.uint8),
        "noisy": noisy.to(torch.uint8),
        "half of the classes": half[:n],
        f"{REPEATED} images repeated": real[torch.arange(n) % REPEATED],
        "copies of training images": train[spread(len(train), n)],
    }


def measured(extractor: Extractor, judge: Extractor, dataset: Dataset, samples: Tensor) -> Found:
    """A case as a cell's samples are measured."""
    seen = measures.real(extractor, samples, dataset.spec)
    predicted = judge.predict(samples, dataset.spec.levels).argmax(1)
    return Found(
        measures.quality(extractor, dataset, seen, None, 0),
        measures.collapse(extractor, dataset, samples, seen, predicted)[0],
    )


def line(name: str, found: Found) -> str:
    """The case as a row of the table."""
    q, c = found.quality, found.collapse
    parts = [f"{number(q.fid, 1)} ± {number(q.fid_standard_error, 1)}"]
    parts += [f"{number(1e3 * q.kid, 2)} ± {number(1e3 * (q.kid_standard_error or 0), 2)}"]
    parts += [number(q.precision, 2), number(q.recall, 2), f"{c.covered} of {c.classes}", number(c.divergence, 2)]
    parts += [f"{100 * c.duplicates:.1f}", f"{100 * c.copies:.1f}"]
    return f"| {name} | {' | '.join(parts)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="mnist5k")
    parser.add_argument("--extractor", default="efficientnet-lite0")
    parser.add_argument("--images", type=int, default=500)
    words = parser.parse_args()
    dataset = data.load(words.dataset)
    extractor, judge = (measures.extractor(name, dataset, "cpu") for name in (words.extractor, "classifier"))
    heads = ["FID", "KID ×10³", "precision", "recall", "classes", "class KL, bits", "duplicates, %", "copies, %"]
    print(f"| samples | {' | '.join(heads)} |\n|---|{'---:|' * len(heads)}", flush=True)
    for name, samples in cases(dataset, words.images).items():
        print(line(name, measured(extractor, judge, dataset, samples)), flush=True)


if __name__ == "__main__":
    main()
