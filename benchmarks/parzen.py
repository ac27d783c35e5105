"""What Parzen windows prefer: sets of images that no model drew, judged as samples are.

    python benchmarks/parzen.py [--dataset mnist5k] [--samples 1000]

Each set has as many images. Half of the training split are the model's data; the other half plays a perfect model,
whose samples are new real images. Prints a markdown table, best first.
"""

from __future__ import annotations

import argparse

import torch
from sklearn.cluster import KMeans
from torch import Tensor

from genbench import data
from genbench.metrics.parzen import parzen
from genbench.seed import generator


def sets(train: Tensor, n: int, levels: int) -> dict[str, Tensor]:
    """``n`` images a set, uint8, made of ``train`` uint8 ``(N, C, H, W)``."""
    order = torch.randperm(len(train), generator=generator(0, "parzen"))
    seen, unseen = train[order[: len(train) // 2]], train[order[len(train) // 2 :]]
    flat, noise = seen.flatten(1).double(), generator(0, "noise")

    def image(values: Tensor) -> Tensor:
        return values.round().clamp(0, levels - 1).to(torch.uint8).view(-1, *train.shape[1:])

    centres = KMeans(n, n_init=1, random_state=0).fit(flat.numpy()).cluster_centers_
    few = KMeans(n // 10, n_init=1, random_state=0).fit(flat.numpy()).cluster_centers_
    _, singular, directions = torch.linalg.svd(flat - flat.mean(0), full_matrices=False)
    scale = singular[:, None] * directions / len(flat) ** 0.5
    drawn = torch.randn(n, len(singular), generator=noise, dtype=torch.float64) @ scale
    return {
        "new real images: what a perfect model draws": unseen[:n],
        "training images": seen[:n],
        "k-means centres of the training images": image(torch.from_numpy(centres)),
        f"{len(few)} k-means centres, each {n // len(few)} times": image(torch.from_numpy(few)).repeat(
            n // len(few), 1, 1, 1
        ),
        "a Gaussian of the training images' mean and covariance": image(flat.mean(0) + drawn),
        "new real images, half of them replaced by uniform noise": torch.cat(
            [unseen[: n - n // 2], torch.randint(levels, unseen[: n // 2].shape, generator=noise, dtype=torch.uint8)]
        ),
        "uniform noise": torch.randint(levels, unseen[:n].shape, generator=noise, dtype=torch.uint8),
    }


def main() -> None:
    """Print the table."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--dataset", default="mnist5k")
    words.add_argument("--samples", type=int, default=1000)
    given = words.parse_args()
    dataset = data.load(given.dataset)
    levels, test = dataset.spec.levels, dataset.test.images
    found = {
        name: parzen(images, dataset.validation.images, test, levels)
        for name, images in sets(dataset.train.images, given.samples, levels).items()
    }
    print("| samples | nats | σ |\n|---|---:|---:|")
    for name, figure in sorted(found.items(), key=lambda item: -item[1].nats):
        print(f"| {name} | {figure.nats:.1f} ± {figure.standard_error:.1f} | {figure.sigma:.3f} |")


if __name__ == "__main__":
    main()
