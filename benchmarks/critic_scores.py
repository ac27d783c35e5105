"""What a saved GAN's critic says of images it learned from, of images it never saw, and of fakes.

    python benchmarks/critic_scores.py results/gans-long/cells/mnist5k/cgan/seed-0/checkpoint/model.safetensors

Mean logits in evaluation mode with the images' own labels, fakes under those of the test split. A critic that tells
test images from training images has learned the latter by heart: what it teaches the generator then is to copy.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import torch

import genbench
from families.gan.model import GAN
from families.layers.scaling import to_unit
from genbench import data
from genbench.seed import generator
from genbench.spec import Batch


def main() -> None:
    """Print a mean for each kind of image."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--dataset", default="mnist5k")
    words = parser.parse_args()
    dataset, model = data.load(words.dataset), genbench.load(words.model).eval()
    if not isinstance(model, GAN):
        parser.error(f"{words.model} is no GAN: give a model of the family gan")

    def mean(images: Batch) -> float:
        with torch.no_grad():
            return float(model.score(to_unit(images.images, dataset.spec.levels), images).mean())

    train, test = dataset.splits.train, dataset.test
    asked = test.labels if "label" in model.given else None
    fakes = model.sample(len(test), labels=asked, generator=generator(0, "fakes"))
    shown = {"training images": train, "test images": test, "fakes": replace(test, images=fakes)}
    print("\n".join(f"{name}: {mean(images):.1f}" for name, images in shown.items()))


if __name__ == "__main__":
    main()
