"""Rows that nobody trains, between which the others lie: real images, noise, simple models, lossless files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from genbench import measure, picture, record, sampled
from genbench.check import check_unchanged
from genbench.clock import Clock, Tell
from genbench.configuration import Cell, Setting
from genbench.exhibits import NEIGHBOURS
from genbench.metrics.nll import spread
from genbench.protocol import stamped
from genbench.seed import generator
from genbench.suite import ANCHOR_NAMES, slug

if TYPE_CHECKING:
    from genbench.data import Dataset

PICTURE = "samples.png"
BLOCK = 4096  # images at once
LEAST_PIXELS = 65  # a file's header outweighs an 8×8 image


def names(shape: tuple[int, int, int], levels: int) -> tuple[str, ...]:
    """The anchors of a data set: files hold 256 levels and more than 8×8 pixels of one or three channels."""
    files = levels == 256 and shape[1] * shape[2] >= LEAST_PIXELS and shape[0] in (1, 3)
    return ANCHOR_NAMES if files else tuple(name for name in ANCHOR_NAMES if name not in ("png", "webp"))


def work(cell: Cell, setting: Setting, parts: dict[str, Path], tell: Tell) -> Iterator[record.Record]:
    """Measure the anchors of a data set in folders ``parts``, by name; the records are not written."""
    from genbench import data

    clock = Clock(tell)
    with clock("load"):
        dataset = data.load(cell.dataset, root=setting.root, size=cell.size)
    check_unchanged(dataset, cell.data)
    for name, part in parts.items():
        clock.seconds = {}
        if (same := _of_twin(cell, part)) is not None:
            judge = {"judge": same.stamp["judge"]["hash"]} if "judge" in same.stamp else {}
            about = same.stamp.get("extractor")
            stamp = stamped(cell, setting, dataset, about and about | judge)
            stamp["measured"] = f"once, on {cell.twin}: the images are the same"
            yield same.model_copy(update={"dataset": cell.dataset, "seconds": {}, "stamp": stamp})
            continue
        found, extractor = _measured(name, cell, dataset, part, clock)
        yield record.Record(
            dataset=cell.dataset,
            recipe=name,
            label=name,
            family="anchor",
            seed=cell.seed,
            status="anchor",
            **found,
            seconds=clock.seconds,
            stamp=stamped(cell, setting, dataset, extractor),
        )


def _of_twin(cell: Cell, part: Path) -> record.Record | None:
    """The same anchor of the data set with the same images, its picture copied; None where it was not measured."""
    if cell.twin is None:
        return None
    folder = part.parents[2] / slug(cell.twin) / part.parent.name / part.name.removesuffix(".part")
    found = record.Record.read(folder) if (folder / record.FILE).is_file() else None
    if found is None or found.status != "anchor":
        return None
    for name in (PICTURE, NEIGHBOURS.file):
        if (folder / name).is_file():
            shutil.copyfile(folder / name, part / name)
    return found


def noise(shape: tuple[int, ...], levels: int, seed: int) -> Tensor:
    """Images of independent pixels, each level as likely as the others, uint8."""
    return torch.randint(levels, shape, generator=generator(seed, "noise"), dtype=torch.uint8)


def gaussian(images: Tensor, n: int, levels: int, seed: int) -> Tensor:
    """``n`` images whose pixels are independent Gaussians, uint8: what the first two moments of each pixel give.

    Each pixel of each channel has the mean and variance of ``images`` ``(N, C, H, W)`` there, is rounded and clamped to
    ``0 … levels-1``. No likelihood is named: where all images are black the variance is 0, so that one test image with
    another level there has no probability at all, and any floor under the variance would be what is measured.
    """
    parts = images.split(BLOCK)
    mean = sum(part.double().sum(0) for part in parts) / len(images)
    deviation = (sum(((part - mean) ** 2).sum(0) for part in parts) / len(images)).sqrt()
    source, drawn = generator(seed, "pixel-gaussian"), []
    for start in range(0, n, BLOCK):
        noise = torch.randn((min(BLOCK, n - start), *mean.shape), dtype=torch.float64, generator=source)
        drawn.append((mean + deviation * noise).round().clamp(0, levels - 1).to(torch.uint8))
    return torch.cat(drawn)


def _measured(
    name: str, cell: Cell, dataset: Dataset, part: Path, clock: Clock
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The figures of one anchor, and what the stamp says of the extractor where it was used."""
    spec, test = dataset.spec, dataset.test.images
    if name in ("uniform", "png", "webp"):
        with clock("nll"):
            if name == "uniform":
                bits = measure.uniform(cell.likelihoods, spec.levels)
                return {"test": bits, "train": bits}, None
            halves = {"test": test, "train": dataset.train.images}
            rows = {half: images[spread(len(images), cell.likelihoods)] for half, images in halves.items()}
            return {half: measure.codec(images, spec.levels, name) for half, images in rows.items()}, None
    asked = None
    if name == "real (test)":
        samples = test[: cell.samples]
        asked = None if dataset.test.labels is None else dataset.test.labels[: cell.samples]
    elif name == "noise":
        samples = noise((cell.samples, *spec.shape), spec.levels, cell.seed)
    else:
        samples = gaussian(dataset.train.images, cell.samples, spec.levels, cell.seed)
    with clock("write"):
        picture.write(part / PICTURE, samples, spec.levels)
    return sampled.measured(samples, asked, cell, dataset, part, clock, keep=True)
