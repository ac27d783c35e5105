"""Draw what each mechanism of docs/gans.md does, from cells of a run of ``gans-long``: ``gans.py RUN``."""

import json
import sys
from pathlib import Path

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


def shown(images: Tensor) -> Tensor:
    """Return images on [-1, 1] as uint8."""
    return to_uint8(to_levels(images, LEVELS), LEVELS)


def pyramid(model, test: Batch) -> list[Tensor]:  # noqa: ANN001
    """LAPGAN, and the scales of StackGAN++: images of 7, 14 and 28 px of one noise, all as large."""
    made = model.pyramid(model.draw_noise(COLUMNS, generator(0)), test)
    return [shown(enlarged(images, len(made) - 1 - i)) for i, images in enumerate(made)]


def growth(model, test: Batch) -> list[Tensor]:  # noqa: ANN001
    """PGGAN: what the ends of all levels make of the same codes."""
    u = model.draw_noise(COLUMNS, generator(0))
    levels = range(model.stages[0].level, model.finest + 1)
    return [shown(enlarged(model.maker()(u, level, 1.0), model.finest - level)) for level in levels]


def mixing(model, test: Batch) -> list[Tensor]:  # noqa: ANN001
    """StyleGAN: a row a source of coarse styles, a column a source of those from the fourth layer on."""
    source, network = generator(1), model.maker()
    u, other = model.draw_noise(4, source), normal((COLUMNS - 1, network.sizes[0]), source, model.device)
    rows = []
    for row in u:
        each = row.expand(COLUMNS - 1, -1)
        mixed = network(each, model.finest, 1.0, Styles(other=other, cut=3))
        rows.append(shown(torch.cat([network(row[None], model.finest, 1.0), mixed])))
    plain = u[:1].expand(COLUMNS - 1, -1).clone()
    plain[:, : network.sizes[0]] = other
    columns = shown(network(plain, model.finest, 1.0))
    return [torch.cat([torch.full_like(columns[:1], LEVELS - 1), columns]), *rows]


def stages(model, test: Batch) -> list[Tensor]:  # noqa: ANN001
    """StackGAN: stage I, stage II, and the images whose captions they were given."""
    small, whole = model.drawn(model.draw_noise(COLUMNS, generator(0)), test)
    return [shown(enlarged(small, 1)), shown(whole), test.images]


def scales(model, test: Batch) -> list[Tensor]:  # noqa: ANN001
    """StackGAN++: the images of all scales, and those whose captions they were given."""
    return [*pyramid(model, test), test.images]


def surfaces(model, test: Batch) -> list[Tensor]:  # noqa: ANN001
    """S²-GAN: normals as colours, and the image of each."""
    normals, images = model.imagined(model.draw_noise(COLUMNS, generator(0)))
    larger = enlarged(normals, int(images.shape[3] // normals.shape[3]).bit_length() - 1)
    return [shown(larger), shown(images).expand(-1, 3, -1, -1)]


def pairs(model, test: Batch) -> list[Tensor]:  # noqa: ANN001
    """CoGAN: images, and the source of each."""
    images, sources = model.pairs(COLUMNS, generator=generator(0))
    return [images, sources]


def anomalies(model, test: Batch) -> list[Tensor]:  # noqa: ANN001
    """AnoGAN: images, what the search finds, and how far apart they are; the last four are of the class held out."""
    strange = data.load("without-8:mnist5k").anomalous
    images = torch.cat([test.images[: COLUMNS // 2], strange.images[: COLUMNS // 2]])
    found = model.reconstruct(Batch(images))
    return [images, found, (images.int() - found.int()).abs().byte()]


DRAWN = {
    "lapgan": pyramid,
    "pggan": growth,
    "stylegan": mixing,
    "stackgan": stages,
    "stackgan-pp": scales,
    "s2-gan": surfaces,
    "co-gan": pairs,
    "ano-gan": anomalies,
}


def main(run: Path) -> None:
    """Draw what there are cells of."""
    for cell in sorted(run.glob("cells/*/*/seed-0")):
        record = json.loads((cell / layout.RECORD).read_text())
        if (recipe := record["recipe"]) not in DRAWN:
            continue
        model = genbench.load(cell / layout.MODEL)
        test = data.load(record["dataset"]).test.rows(slice(COLUMNS))
        with frozen(model), torch.no_grad():
            rows = DRAWN[recipe](model, test)
        draw_grid(torch.cat(rows), HERE / f"gan-{recipe}.png", columns=COLUMNS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
