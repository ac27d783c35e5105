"""Sets of images against a reference, without any training: folders, files of arrays, data sets, statistics."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genbench import data, features
from genbench.data import folder, npz
from genbench.features import Extractor, Features
from genbench.metrics import fid, statistics
from genbench.metrics.frechet import Moments, blocks
from genbench.metrics.neighbours import Neighbours, neighbours
from genbench.metrics.quality import MINIMUM_IMAGES, quality
from genbench.runs.evaluate import EXTRACTOR, few_levels, levels_used
from genbench.spec import Batch, DataSpec
from genbench.tables.texts import ABSENT, number

SHARES = ("precision", "recall", "density", "coverage")


@dataclass(frozen=True)
class ImageSet:
    """All images of a folder, a file or a training split, in an order that is that of no file.

    Args:
        name: what was asked for.
        images: the images, uint8 ``(N, C, H, W)``.
        levels: the number of their levels.
        labels: their labels, int64 ``(N,)``, where there are any.
        classes: the number of labels.
    """

    name: str
    images: Tensor
    levels: int = 256
    labels: Tensor | None = None
    classes: int = 0

    @property
    def size(self) -> str:
        """Width and height, in words."""
        return f"{self.images.shape[3]}×{self.images.shape[2]}"


def compare(
    reference: str,
    others: Sequence[str],
    *,
    extractor: str = EXTRACTOR,
    size: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    root: Path | None = None,
) -> list[dict[str, Any]]:
    """Measure all images of each set against all of the reference, with what a table measures quality with.

    The same images are at a Fréchet distance of exactly 0, in whatever order their files are named.

    Args:
        reference: a folder, an ``.npz`` or ``.npy`` of images, the name of a data set, whose training split it is, or
            an ``.npz`` of statistics, against which there is a Fréchet distance and nothing else.
        others: the sets to measure: the same, but statistics.
        extractor: the name of the feature extractor; ``"classifier"`` learns the reference's classes.
        size: the side in pixels that images in folders are resized and cropped to.
        seed: the seed of the images that KID takes of large sets.
        device: the device of the extractor.
        root: the folder of data sets.

    Returns:
        A row for each set, by the keys of ``genbench table --format json``.

    Raises:
        ValueError: in one line, for what is no set of images, sets of several sizes, or too few images.
    """
    path = Path(reference).expanduser()
    if statistics.holds(path):
        network = _extractor(extractor, None, device)
        against: Moments | Features = statistics.read(path, network)
        theirs = None
    else:
        theirs = read(reference, size, root)
        network = _extractor(extractor, theirs, device)
        against = network.features(theirs.images, theirs.levels)
    near = neighbours(against.features) if isinstance(against, Features) else None
    usual = 0 if theirs is None else levels_used(theirs.images)
    rows = []
    for other in others:
        found = read(other, size, root)
        if theirs is not None and (found.size, found.levels) != (theirs.size, theirs.levels):
            sizes = f"{theirs.name} is {theirs.size} in {theirs.levels} levels, {other} {found.size} in {found.levels}"
            raise ValueError(f"{sizes}; say --size N to resize and crop folders")
        figures = _measured(against, network.features(found.images, found.levels), near, seed)
        if theirs is not None:
            figures["notes"] += few_levels(found.images, usual, "the reference")
        rows.append({"set": other, "reference": reference, "extractor": network.name, "hash": network.hash} | figures)
    return rows


def write_reference(
    source: str,
    output: Path,
    *,
    extractor: str = EXTRACTOR,
    size: int | None = None,
    device: str = "cpu",
    root: Path | None = None,
) -> Moments:
    """Write the statistics of a set's features, which :func:`compare` takes in place of the set, and return them.

    Raises:
        ValueError: for what is no set of images, or an output that is no ``.npz``.
    """
    if output.suffix != ".npz":
        raise ValueError(f"-o {output}: statistics are written as .npz; give a name such as ref.npz")
    network = _extractor(extractor, None, device)
    images = read(source, size, root)
    moments = Moments.of(blocks(network.features(images.images, images.levels).features))
    statistics.write(output, moments, network)
    return moments


def read(source: str, size: int | None = None, root: Path | None = None) -> ImageSet:
    """Return all images of a folder or file, or of the training split of a data set.

    Raises:
        ValueError: for what is none of them.
    """
    path = Path(source).expanduser()
    if not path.exists():
        try:
            loaded = data.load(source, root=root, size=size)
        except ValueError as error:
            raise ValueError(f"{source}: no folder or file, and no data set either ({error})") from error
        found = ImageSet(source, loaded.train.images, loaded.spec.levels, loaded.train.labels, loaded.spec.classes)
    elif path.is_dir():
        raw = folder.load(path, size)
        parts = [(raw.images, raw.labels), *([raw.test] if raw.test is not None else [])]
        labels = torch.cat([part for _, part in parts if part is not None]) if raw.classes else None
        found = ImageSet(
            source,
            parts[0][0] if len(parts) == 1 else torch.cat([part for part, _ in parts]),
            raw.levels,
            labels,
            raw.classes,
        )
    elif path.suffix == ".npy":
        found = ImageSet(source, npz.load_array(path))
    else:
        raw = npz.load(path)
        found = ImageSet(source, raw.images, raw.levels, raw.labels, raw.classes)
    if len(found.images) < MINIMUM_IMAGES:
        raise ValueError(f"{source}: {len(found.images)} images, and measures of quality need {MINIMUM_IMAGES} or more")
    order = _order(found.images)
    labels = None if found.labels is None else found.labels[order]
    return ImageSet(source, found.images[order], found.levels, labels, found.classes)


def table(rows: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """Return the rows in texts, with a column for each figure."""
    return [
        {
            "set": row["set"],
            "images": f"{row['images']:,}",
            "FID ↓": _with_error(row["fid"], row["fid_se"]),
            "KID ×10³ ↓": _with_error(row["kid"], row["kid_se"], 1000),
            **{f"{name.capitalize()} ↑": ABSENT if row[name] is None else number(row[name], 3) for name in SHARES},
            "notes": "; ".join(row["notes"]),
        }
        for row in rows
    ]


def _with_error(value: float | None, error: float | None, factor: float = 1) -> str:
    if value is None:
        return ABSENT
    return number(factor * value) + (f" ± {number(factor * error)}" if error is not None else "")


def _measured(against: Moments | Features, samples: Features, near: Neighbours | None, seed: int) -> dict[str, Any]:
    """Return the figures of one set; those that need the reference's own features are None where it has none."""
    if isinstance(against, Moments):
        distance = fid.against(against, samples.features)
        notes = ["fewer images than features: FID is biased upwards"] if distance.rank_deficient else []
        figures = {"fid": distance.fid, "fid_se": distance.standard_error, "kid": None, "kid_se": None}
        counts = {"images": len(samples), "reference_images": against.count}
        return counts | figures | dict.fromkeys(SHARES) | {"notes": notes}
    found = quality(against, samples, seed=seed, near=near)
    figures = {"fid": found.fid, "fid_se": found.fid_standard_error, "kid": found.kid}
    figures |= {"kid_se": found.kid_standard_error} | {name: getattr(found, name) for name in SHARES}
    counts = {"images": found.images, "reference_images": found.reference_images}
    return counts | figures | {"notes": list(found.notes)}


def _extractor(name: str, reference: ImageSet | None, device: str) -> Extractor:
    if name != "classifier":
        return features.extractor(name, device=device)
    if reference is None:
        raise ValueError("extractor 'classifier': it learns from labelled images, which statistics do not hold")
    _, channels, height, width = reference.images.shape
    spec = DataSpec((channels, height, width), reference.levels, reference.classes)
    return features.extractor(name, classifier_data=Batch(reference.images, reference.labels), spec=spec, device=device)


def _order(images: Tensor) -> Tensor:
    """Return the rows of images by their contents: features are computed in batches, whose rounding they share."""
    digests = [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images.numpy()]
    return torch.tensor(sorted(range(len(digests)), key=digests.__getitem__))
