"""Rows that nobody trains, between which the others lie: real images, noise, simple models and maps, lossless files."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from genbench.likelihood.codecs import CODECS, available, codec_nll
from genbench.likelihood.histogram import Histogram
from genbench.plots import sample_grid
from genbench.records import layout, parts
from genbench.records.pictures import NEIGHBOURS
from genbench.records.record import Record
from genbench.records.stamp import lacks, older
from genbench.runs import measures, simple_translators
from genbench.runs.clock import Clock, Tell
from genbench.runs.conditions import asked_labels, of_translation, shown
from genbench.runs.config import Cell, Setting
from genbench.runs.stamping import stamped
from genbench.runs.suite import ANCHOR_NAMES, TRANSLATORS
from genbench.runs.translations import TranslationMeasures, translation_measures
from genbench.seed import generator
from genbench.spec import DataSpec
from genbench.stats import spread

if TYPE_CHECKING:
    from genbench.data import Dataset

BLOCK = 4096  # images at once
LEAST_PIXELS = 65  # a file's header outweighs an 8×8 image
CENTRES = 1000  # of k-means, at most
OF_ANY = ("real (test)", "noise", "k-means", "uniform")  # what says something of translations too
MEMBERS = 10  # images a centre: a centre of one image would be a copy of it


def names(spec: DataSpec) -> tuple[str, ...]:
    """Return the anchors of a data set: of one to translate from, simple translations in place of simple models.

    All but ``copy`` learn from pairs. Files hold 256 levels and more than 8×8 pixels of one or three channels.
    """
    if spec.source is not None:
        learned = [name for name in TRANSLATORS if name != "copy"] if spec.paired else []
        small = math.prod(spec.source) <= simple_translators.MOST_NUMBERS
        return (*OF_ANY, "copy", *(name for name in learned if name != "affine" or small))
    channels, height, width = spec.shape
    files = spec.levels == 256 and height * width >= LEAST_PIXELS and channels in (1, 3)
    here = available() if files else ()
    simple = [name for name in ANCHOR_NAMES if name not in TRANSLATORS]
    return tuple(name for name in simple if name not in CODECS or name in here)


def work(cell: Cell, setting: Setting, folders: dict[str, Path], tell: Tell) -> Iterator[Record]:
    """Measure the anchors of a data set in ``folders``, by name; the records are not written."""
    clock = Clock(tell)
    with clock("load"):
        dataset = setting.data(cell)
    for name, unfinished in folders.items():
        clock.seconds = {}
        translates = name in TRANSLATORS
        if not translates and (same := _of_twin(name, cell, unfinished)) is not None:
            judge = {"judge": same.stamp["judge"]["hash"]} if "judge" in same.stamp else {}
            extractor_info = same.stamp.get("extractor")
            stamp = stamped(cell, setting, dataset, extractor_info and extractor_info | judge)
            stamp["measured"] = f"once, on {cell.twin}: the images are the same"
            yield same.model_copy(update={"dataset": cell.dataset, "seconds": {}, "stamp": stamp})
            continue
        with clock("nll"):
            test, train = _likelihoods(name, cell, dataset) if "nll" in cell.measures else (None, None)
        of_samples = measures.SampleMeasures()
        of_translations = TranslationMeasures()
        if "fid" in cell.measures and name != "uniform" and name not in CODECS:
            of_samples, of_translations = _of_samples(name, cell, dataset, unfinished, clock)
        told = cell.model_copy(update={"given": ("source",) if translates else ()})
        yield Record(
            dataset=cell.dataset,
            recipe=name,
            label=name,
            family="anchor",
            seed=cell.seed,
            given=told.given,
            status="anchor",
            test=test,
            train=train,
            **of_samples.parts,
            **vars(of_translations),
            seconds=clock.seconds,
            stamp=stamped(told, setting, dataset, of_samples.extractor_info),
        )


def _of_twin(name: str, cell: Cell, unfinished: Path) -> Record | None:
    """Return the anchor of the data set with the same images, its picture copied; None where it was not measured."""
    if cell.twin is None:
        return None
    folder = layout.cell_folder(unfinished.parents[3], cell.twin, name, cell.seed)
    twin = Record.read(folder) if (folder / layout.RECORD).is_file() else None
    if twin is None or twin.status != "anchor" or older(twin) or lacks(twin, cell.measures):
        return None
    for name in (layout.GRID, NEIGHBOURS.file):
        if (folder / name).is_file():
            shutil.copyfile(folder / name, unfinished / name)
    return twin


def noise(shape: tuple[int, ...], levels: int, seed: int) -> Tensor:
    """Draw images of independent pixels, each level as likely as the others, uint8."""
    return torch.randint(levels, shape, generator=generator(seed, "noise"), dtype=torch.uint8)


def gaussian(images: Tensor, n: int, levels: int, seed: int) -> Tensor:
    """Draw ``n`` images whose pixels are independent Gaussians, uint8: what the first two moments of each pixel give.

    Each pixel of each channel has the mean and variance of ``images`` ``(N, C, H, W)`` there, is rounded and clamped to
    ``0 … levels-1``. No likelihood is named: where all images are black the variance is 0, so that one test image with
    another level there has no probability at all, and any floor under the variance would be what is measured.
    """
    parts = images.split(BLOCK)
    mean = sum(part.double().sum(0) for part in parts) / len(images)
    deviation = (sum(((part - mean) ** 2).sum(0) for part in parts) / len(images)).sqrt()
    source = generator(seed, "pixel-gaussian")
    drawn = []
    for start in range(0, n, BLOCK):
        noise = torch.randn((min(BLOCK, n - start), *mean.shape), dtype=torch.float64, generator=source)
        drawn.append((mean + deviation * noise).round().clamp(0, levels - 1).to(torch.uint8))
    return torch.cat(drawn)


def centres(images: Tensor, n: int, seed: int) -> Tensor:
    """Return ``n`` images that are means of training images: near to them in pixels, and none of them.

    There are ten images a centre, a thousand centres at most (Lloyd's k-means from random images); they come again
    where ``n`` is more than there are, since every row has equally many images.

    Args:
        images: the training images, uint8 ``(N, C, H, W)``.
        n: the number of images wanted.
        seed: the seed of the first centres.
    """
    from sklearn.cluster import KMeans

    count = max(1, min(n, CENTRES, len(images) // MEMBERS))
    some = images[spread(len(images), count * MEMBERS)].flatten(1).float().numpy()
    model = KMeans(count, init="random", n_init=1, max_iter=20, random_state=seed).fit(some)
    means = torch.from_numpy(model.cluster_centers_).round().to(torch.uint8).reshape(-1, *images.shape[1:])
    return means[torch.arange(n) % count]


def _samples(name: str, cell: Cell, dataset: Dataset) -> Tensor:
    """Return the images of an anchor, uint8 ``(N, C, H, W)``."""
    train = dataset.train.images
    n = cell.samples
    levels = dataset.spec.levels
    if name in TRANSLATORS:
        return _translated(name, dataset, n)
    if name == "real (test)":
        return dataset.test.images[:n]
    if name == "noise":
        return noise((n, *dataset.spec.shape), levels, cell.seed)
    if name == "k-means":
        return centres(train, n, cell.seed)
    if name == "pixel-histogram":
        return Histogram.of(train, levels).sample(n, generator(cell.seed, name))
    return gaussian(train, n, levels, cell.seed)


def _likelihoods(name: str, cell: Cell, dataset: Dataset) -> tuple[parts.Likelihood | None, parts.Likelihood | None]:
    """Return the bits per dimension of the test and the training split, for an anchor that has them."""
    levels = dataset.spec.levels
    if name == "uniform":
        same = measures.uniform(cell.likelihoods, levels)
        return same, same
    splits = (dataset.test.images, dataset.train.images)
    rows = [images[spread(len(images), cell.likelihoods)] for images in splits]
    if name == "pixel-histogram":
        model = Histogram.of(dataset.train.images, levels)
        test, train = (model.nll(images) for images in rows)
        return test, train
    if name in CODECS:
        test, train = (codec_nll(images, levels, name) for images in rows)
        return test, train
    return None, None


def _translated(name: str, dataset: Dataset, n: int) -> Tensor:
    """Return simple translations of the first ``n`` test sources."""
    spec = dataset.spec
    sources = dataset.test.sources
    if sources is None:
        raise ValueError(f"{name}: {dataset.name} has no sources to translate")
    if name == "copy":
        return simple_translators.copy(sources[:n], spec)
    if name == "linear":
        return simple_translators.linear(dataset.train, sources[:n], spec)
    if name == "nearest source":
        return simple_translators.nearest_source(dataset.train, sources[:n])
    return simple_translators.affine(dataset.train, dataset.validation, sources[:n], spec)


def _of_samples(
    name: str, cell: Cell, dataset: Dataset, unfinished: Path, clock: Clock
) -> tuple[measures.SampleMeasures, TranslationMeasures]:
    """Measure the images of an anchor; those that translate as what they are asked for too."""
    with clock("sample"):
        samples = _samples(name, cell, dataset)
    rows = dataset.test.rows(slice(cell.samples))
    wanted = of_translation(dataset.spec) if name in TRANSLATORS else ()
    asked = rows.labels if name == "real (test)" else asked_labels(rows, wanted, dataset)
    with clock("write"):
        beside = shown(rows, wanted, dataset) if wanted else None
        sample_grid.write(unfinished / layout.GRID, samples, dataset.spec.levels, beside)
    of_samples = measures.sample_measures(samples, asked, cell, dataset, unfinished, clock, keep=True)
    return of_samples, translation_measures(samples, rows, wanted, cell, dataset, clock)
