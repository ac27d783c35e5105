"""Draw what mechanisms of docs/gans.md do, from a run of ``gans-long`` that has its checkpoints: ``gans.py RUN``."""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import genbench
from families.gan.styles import Styles
from families.layers.growing import enlarged
from families.layers.scaling import to_levels, to_uint8
from genbench import data
from genbench.interface import frozen
from genbench.plots.grid import draw_grid
from genbench.records import layout
from genbench.seed import generator, normal
from genbench.spec import Batch

HERE = Path(__file__).parent
COLUMNS, LEVELS = 8, 256
FINER = 3  # the layer from which on StyleGAN's columns give the style
Model = Any  # each function knows the one that it draws
Rows = list[Tensor]  # of pictures, each uint8 (8, C, H, W)


def shown(images: Tensor) -> Tensor:
    """Return images on [-1, 1] as uint8, of their own shape ``(B, C, H, W)``."""
    return to_uint8(to_levels(images, LEVELS), LEVELS)


def pyramid(model: Model, dataset: data.Dataset) -> Rows:
    """Return images of every level of LAPGAN, or scale of StackGAN++, of the same noise, all as large."""
    made = model.pyramid(model.draw_noise(COLUMNS, generator(0)), first(dataset))
    return [shown(enlarged(images, len(made) - 1 - i)) for i, images in enumerate(made)]


def scales(model: Model, dataset: data.Dataset) -> Rows:
    """Return :func:`pyramid`, and below it the images whose captions StackGAN++ was given."""
    return [*pyramid(model, dataset), first(dataset).images]


def stages(model: Model, dataset: data.Dataset) -> Rows:
    """Return the images of StackGAN's stage I, those of stage II, and the ones whose captions they were given."""
    small, whole = model.drawn(model.draw_noise(COLUMNS, generator(0)), first(dataset))
    return [shown(enlarged(small, 1)), shown(whole), first(dataset).images]


def mixing(model: Model, dataset: data.Dataset) -> Rows:
    """Return StyleGAN's images whose coarse styles are those of their row, and whose finer ones of their column."""
    source, network = generator(1), model.maker()
    u, other = model.draw_noise(4, source), normal((COLUMNS - 1, network.sizes[0]), source, model.device)
    rows = []
    for row in u:
        mixed = network(row.expand(COLUMNS - 1, -1), model.finest, 1.0, Styles(other=other, cut=FINER))
        rows.append(shown(torch.cat([network(row[None], model.finest, 1.0), mixed])))
    plain = u[:1].expand(COLUMNS - 1, -1).clone()
    plain[:, : network.sizes[0]] = other
    columns = shown(network(plain, model.finest, 1.0))
    return [torch.cat([torch.full_like(columns[:1], LEVELS - 1), columns]), *rows]


def surfaces(model: Model, dataset: data.Dataset) -> Rows:
    """Return S²-GAN's normals as colours, and the image of each."""
    normals, images = model.imagined(model.draw_noise(COLUMNS, generator(0)))
    halvings = (images.shape[3] // normals.shape[3]).bit_length() - 1
    return [shown(enlarged(normals, halvings)), shown(images).expand(-1, 3, -1, -1)]


def pairs(model: Model, dataset: data.Dataset) -> Rows:
    """Return CoGAN's images, and the source of each."""
    return list(model.pairs(COLUMNS, generator=generator(0)))


def anomalies(model: Model, dataset: data.Dataset) -> Rows:
    """Return images, the last four of the class held out, what AnoGAN finds for each, and how far they are apart."""
    half = COLUMNS // 2
    images = torch.cat([dataset.test.images[:half], dataset.anomalous.images[:half]])
    found = model.reconstruct(Batch(images))
    return [images, found, (images.int() - found.int()).abs().byte()]


def codes(model: Model, dataset: data.Dataset) -> Rows:
    """Return test images, BiGAN's copies of them by their codes, and walks along one number of a code, three rows."""
    images = first(dataset)
    walks = model.traverse(3, COLUMNS, generator=generator(0))
    return [images.images, model.reconstruct(images, generator=generator(0)), *walks]


DRAWN = {
    "bigan": codes,
    "lapgan": pyramid,
    "stylegan": mixing,
    "stackgan": stages,
    "stackgan-pp": scales,
    "s2-gan": surfaces,
    "co-gan": pairs,
    "ano-gan": anomalies,
}


def first(dataset: data.Dataset) -> Batch:
    """Return the first test images with what they are given."""
    return dataset.test.rows(slice(COLUMNS))


def main(run: Path) -> None:
    """Draw a picture of the first cell of each of these recipes, and say so."""
    drawn: set[str] = set()
    for cell in sorted(run.glob("cells/*/*/seed-*")):
        record = json.loads((cell / layout.RECORD).read_text())
        if (recipe := record["recipe"]) not in DRAWN or recipe in drawn:
            continue
        drawn.add(recipe)
        model = genbench.load(cell / layout.MODEL)
        with frozen(model), torch.no_grad():
            rows = DRAWN[recipe](model, data.load(record["dataset"]))
        path = HERE / f"gan-{recipe}.png"
        draw_grid(torch.cat(rows), path, columns=COLUMNS)
        print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
