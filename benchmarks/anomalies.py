"""How well strange digits are found: by a GAN's search, by principal components, by the nearest training image.

    OMP_NUM_THREADS=1 python benchmarks/anomalies.py [RUN …] [--digits 0 1 4 8] [--components 32]

Of each digit AUROC ± DeLong's error on the test images of ``without-K:mnist5k`` and all images of the digit, by the
distance to what as many principal components of the training images keep, and by that to the nearest training image,
both squared over pixels; last their means. Cells of runs that were trained without the digit, by a recipe that detects
(``genbench run gans-long --recipe ano-gan --dataset without-0:mnist5k``), stand beside them by their records.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import torch
from torch import Tensor

from genbench import data
from genbench.metrics.anomaly import auroc
from genbench.records.parts import Anomaly
from genbench.records.record import records

AT_ONCE = 250  # images that are compared with all training images at once


def flat(images: Tensor) -> Tensor:
    """Return images as vectors on [0, 1], float64."""
    return images.flatten(1).double() / 255


def residuals(train: Tensor, images: Tensor, components: int) -> Tensor:
    """Return the squared distance of images from the span of the first principal components, ``(N,)``."""
    mean = train.mean(0)
    axes = torch.linalg.svd(train - mean, full_matrices=False).Vh[:components]
    off = images - mean
    return (off - off @ axes.T @ axes).square().sum(1)


def nearest(train: Tensor, images: Tensor) -> Tensor:
    """Return the squared distance of images from the nearest training image, ``(N,)``."""
    return torch.cat([torch.cdist(part, train).square().amin(1) for part in images.split(AT_ONCE)])


def found(runs: list[Path], name: str) -> dict[str, Anomaly]:
    """Return what detecting cells of a data set have in their records, by label and seed."""
    cells = [cell.record for run in runs for cell in records(run).cells]
    return {f"{cell.label}, seed {cell.seed}": cell.anomaly for cell in cells if cell.dataset == name and cell.anomaly}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="*", type=Path)
    parser.add_argument("--digits", type=int, nargs="+", default=[0, 1, 4, 8])
    parser.add_argument("--components", type=int, default=32)
    words = parser.parse_args()
    rows: dict[str, dict[int, Anomaly]] = {}
    for digit in words.digits:
        dataset = data.load(f"without-{digit}:mnist5k")
        train, normal, strange = (flat(split.images) for split in (dataset.train, dataset.test, dataset.anomalous))
        by = {
            f"{words.components} components": auroc(
                *(residuals(train, images, words.components) for images in (normal, strange))
            ),
            "nearest training image": auroc(*(nearest(train, images) for images in (normal, strange))),
            **found(words.runs, dataset.name),
        }
        for name, one in by.items():
            rows.setdefault(name, {})[digit] = one
    heads = " | ".join(map(str, words.digits))
    print(f"| AUROC of | {heads} | mean |\n|---|{'---:|' * (len(words.digits) + 1)}")
    for name, ones in rows.items():
        cells = [
            f"{ones[k].auroc:.3f} ± {ones[k].auroc_standard_error:.3f}" if k in ones else "–" for k in words.digits
        ]
        mean = f"{statistics.mean(one.auroc for one in ones.values()):.3f}" if len(ones) == len(words.digits) else "–"
        print(f"| {name} | {' | '.join(cells)} | {mean} |")


if __name__ == "__main__":
    main()
