"""What the first part of a GAN of two parts makes of its share: surfaces of ``s2-gan``, small images of ``stackgan``.

    python benchmarks/stages.py results/gans-long/cells/mnist5k/s2-gan/seed-0/checkpoint/model.safetensors …

Of ``s2-gan``: how often the surface of a sample is of the class that it was made of, and of another sample's; FID of
made surfaces as pictures against those of training images, beside that of the validation split's; FID of images of real
surfaces, and of samples. Of ``stackgan``: FID of stage I's images, enlarged, and of stage II's, under the captions of
the test split. FIDs are of 1,000 samples under ``efficientnet-lite0``, against the training images.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

import genbench
from families.gan.s2_gan import S2GAN
from families.gan.stackgan import StackGAN
from families.gan.surface import surface
from families.layers.evaluation import evaluation
from families.layers.scaling import to_levels, to_uint8, to_unit
from genbench import data, features
from genbench.metrics import fid
from genbench.seed import generator

SAMPLES, EXTRACTOR = 1000, "efficientnet-lite0"


def distance(images: Tensor, real: Tensor) -> float:
    """Return FID of images against real ones, both uint8."""
    extractor = features.extractor(EXTRACTOR)
    return fid.fid(*(extractor.features(some, 256).features for some in (real, images))).fid


def seen(images: Tensor) -> Tensor:
    """Return images or normals on [-1, 1] as pictures of 256 levels."""
    return to_uint8(to_levels(images, 256), 256)


def of_surfaces(model: S2GAN, dataset: data.Dataset) -> Iterator[str]:
    """Yield what s2-gan's two parts come to, a line each."""
    own, others = model.agreement(SAMPLES, generator(0, "agreement"))
    yield f"surfaces of samples of the class that made them: {own:.3f}, of another sample's: {others:.3f}"
    real, unseen = (surface(to_unit(split.images, 256)) for split in (dataset.train, dataset.validation))
    u = model.draw_noise(SAMPLES, generator(0, "stages"))
    with evaluation(model):
        made, images = model.imagined(u)
        styled = model.styled(real[:SAMPLES], u.chunk(2, 1)[1])
    drawn, kept = (distance(seen(some), seen(real)) for some in (made, unseen))
    yield f"FID of surfaces: {drawn:.1f}, of the validation split's: {kept:.1f}"
    styled_by, sampled = (distance(seen(some), dataset.train.images) for some in (styled, images))
    yield f"FID of images of real surfaces: {styled_by:.1f}, of samples: {sampled:.1f}"


def of_stages(model: StackGAN, dataset: data.Dataset) -> Iterator[str]:
    """Yield what stackgan's two stages come to."""
    u = model.draw_noise(len(dataset.test), generator(0, "stages"))
    with evaluation(model):
        small, whole = model.drawn(u, dataset.test)
    large = F.interpolate(small, size=whole.shape[2:], mode="bilinear")
    first, second = (distance(seen(some), dataset.train.images) for some in (large, whole))
    yield f"FID of stage I, enlarged: {first:.1f}, of stage II: {second:.1f}"


def main() -> None:
    """Print the lines of each model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+")
    for path in parser.parse_args().models:
        model = genbench.load(path).eval()
        if isinstance(model, S2GAN):
            lines = of_surfaces(model, data.load("mnist5k"))
        elif isinstance(model, StackGAN):
            lines = of_stages(model, data.load("captions:mnist5k"))
        else:
            parser.error(f"{path}: give models of s2-gan or stackgan")
        with torch.no_grad():
            print("\n".join(lines))


if __name__ == "__main__":
    main()
