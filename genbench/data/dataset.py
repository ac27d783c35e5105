"""What is made of a source: three fixed splits, each with a hash."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from genbench.check import check_split
from genbench.data.arrays import as_images, as_labels, brought_forward, flat
from genbench.data.items import gathered
from genbench.data.raw import Raw
from genbench.data.splits import HELD_OUT, SHARES, places, stratified
from genbench.data.vocabulary import Vocabulary
from genbench.files import written_whole
from genbench.image_file import WHITE
from genbench.seed import generator
from genbench.spec import Batch, DataSpec, Split, Splits

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

SPLITS = ("train", "validation", "test", "anomalous")


@dataclass(frozen=True)
class Dataset:
    """A data set, split once and for all. Each split is in random order: the first images of one are a sample of it.

    Args:
        name: the data set's name, as asked: ``"edges:mnist5k"``.
        title: its title, for people.
        spec: the spec that models are built from.
        train: the split that training learns from.
        validation: the split that training sees, and learns from by no gradient.
        test: the split that no model sees before it is measured.
        hashes: the SHA-256 of each split that there is, hexadecimal.
        aligned: whether source i belongs to image i in validation and test, even where training is unpaired. No model
            hears of it: it says what may be measured.
        anomalous: the held-out images of a class that no split has, for what detects them.
        source_of: the map from uint8 images ``(N, C, H, W)`` to their sources, where sources are known maps of images.
        vocabulary: the words of captions, where these are made of the images and their labels.
        told: what was read of files, skipped and converted, in a line; empty where there is nothing to say.
        class_names: the name of each class, where they have names.
    """

    name: str
    title: str
    spec: DataSpec
    train: Split
    validation: Split
    test: Split
    hashes: Mapping[str, str]
    aligned: bool = False
    anomalous: Split | None = None
    source_of: Callable[[Tensor], Tensor] | None = None
    vocabulary: Vocabulary | None = None
    told: str = ""
    class_names: tuple[str, ...] = ()

    @classmethod
    def from_torch(
        cls,
        dataset: Any,  # noqa: ANN401 - a class of torch's, of Hugging Face's, or of anybody's
        *,
        test: Any = None,  # noqa: ANN401
        name: str = "given",
        image: str | None = None,
        label: str | None = None,
        alpha: str = WHITE,
    ) -> Dataset:
        """Return a data set of torch's, torchvision's or Hugging Face's, split as a folder of the same images is.

        Each item is read once, so that what its transforms draw at random is drawn once and for all.

        Args:
            dataset: the data set, of pairs of image and label, of images, or of mappings with a column of images. An
                image is one of PIL, or a tensor or an array of uint8, or of floats from 0 to 1.
            test: the same of an official test split, where there is one.
            name: the data set's name.
            image: the column of images, where items are mappings and nothing says which it is.
            label: the column of labels, likewise.
            alpha: the ground behind transparent pixels, a colour, or ``"refuse"``.

        Raises:
            ValueError: in one line, for items that are no such images, sizes that differ, or odd labels.
        """
        found = gathered([dataset] if test is None else [dataset, test], image, label, alpha)
        images, labels, n = found.images, found.labels, found.counts[0]
        held = None if test is None else (images[n:], None if labels is None else labels[n:])
        return _given(images[:n], None if labels is None else labels[:n], held, name, found.class_names)

    @classmethod
    def from_arrays(
        cls,
        images: ArrayLike | Tensor,
        labels: ArrayLike | Tensor | None = None,
        *,
        test: tuple[ArrayLike | Tensor, ArrayLike | Tensor | None] | None = None,
        name: str = "given",
        class_names: Sequence[str] = (),
    ) -> Dataset:
        """Return the data set of some arrays, split as an ``.npz`` of the same is; the arrays stay as they are.

        Args:
            images: the images, uint8 N×H×W, N×H×W×C, or N×C×H×W where the last axis has not 1 or 3.
            labels: the labels, N integers numbered from 0.
            test: the images and labels of an official test split, where there is one.
            name: the data set's name.
            class_names: the name of each class, where they have names.

        Raises:
            ValueError: in one line, for arrays that are not that.
        """
        given = [(images, labels)] if test is None else [(images, labels), test]
        pixels = [as_images(np.array(array, order="C"), "images") for array, _ in given]  # copies
        numbered = [flat(np.asarray(array)) for _, array in given if array is not None]
        if 0 < len(numbered) < len(given):
            raise ValueError("labels: of images or of test alone; give both, or neither")
        counts = list(map(len, pixels))
        found = as_labels(np.concatenate(numbered), sum(counts)) if numbered else None
        if class_names and (found is None or len(class_names) != int(found.max()) + 1):
            raise ValueError(f"class_names: {len(class_names)}; give one for each class that labels number")
        parts = [None] * len(given) if found is None else found.split(list(map(len, numbered)))
        held = None if test is None else (pixels[1], parts[1])
        return _given(pixels[0], parts[0], held, name, tuple(class_names))

    @property
    def splits(self) -> Splits:
        """The splits that a model may see. Validation images have a source each where it is theirs, and else none."""
        if self.spec.source is None or self.aligned:
            return Splits(self.train, self.validation)
        kept = {name: v for name, v in self.validation.fields.items() if self.spec.fields[name].of == "image"}
        return Splits(self.train, replace(self.validation, sources=None, fields=kept))

    @property
    def facts(self) -> dict[str, Any]:
        """What ``genbench datasets`` shows of it: shape, levels, classes, counts, and what was read of files."""
        counts = {name: len(getattr(self, name)) for name in ("train", "validation", "test")}
        spec = self.spec
        of_images = {"shape": spec.shape, "levels": spec.levels, "classes": spec.classes, "sources": spec.source}
        return {"name": self.name, "title": self.title, **of_images, **counts, "read": self.told or None}

    def each(self, change: Callable[[Split, str], Split]) -> Dataset:
        """Return the data with ``change(split, name)`` in place of each split that there is, anomalous images too."""
        strange = self.anomalous
        return replace(
            self,
            train=change(self.train, "train"),
            validation=change(self.validation, "validation"),
            test=change(self.test, "test"),
            anomalous=None if strange is None else change(strange, "anomalous"),
        )

    def save(self, path: Path | str) -> str:
        """Write images, labels and splits into an ``.npz`` and return the name that runs have it by, ``npz:PATH``.

        Raises:
            ValueError: for a path of another suffix, and for data of which a file would not hold all.
        """
        path = Path(path).absolute()
        if path.suffix != ".npz":
            raise ValueError(f"{path}: give a name that ends in .npz")
        spec = self.spec
        if spec.levels != Raw.levels or spec.source or spec.fields or spec.labelled or self.anomalous is not None:
            raise ValueError(f"{self.name}: save takes images of {Raw.levels} levels and labels; vary them when loaded")
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        order = torch.arange(sum(map(len, splits.values()))).split(list(map(len, splits.values())))
        arrays: dict[str, Any] = {"images": torch.cat([split.images for split in splits.values()]).numpy()}
        arrays |= {name: rows.numpy() for name, rows in zip(splits, order, strict=True)}
        if spec.classes:
            arrays["labels"] = torch.cat([s.labels for s in splits.values() if s.labels is not None]).numpy()
        if self.class_names:
            arrays["class_names"] = np.array(self.class_names)
        with written_whole(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)
        return f"npz:{path}"

    def with_labels(self, n: int | None) -> Dataset:
        """Return the data with ``n`` training labels and -1 for the others: what semi-supervised recipes learn from.

        Each class has one label at least and otherwise its share: the first of the split, which is in random order
        under a fixed seed. A greater ``n`` adds labels to those of a smaller one. Name and hashes stay: it is the same
        data set, of which less is known.

        Raises:
            ValueError: for data without labels, fewer labels than classes, or more than there are.
        """
        if n is None:
            return self
        labels = self.train.labels
        classes = self.spec.classes
        if labels is None or not classes:
            raise ValueError(f"labelled={n}: {self.name} has no labels")
        known = int((labels >= 0).sum())
        if not classes <= n <= known:
            raise ValueError(f"labelled={n}: give {classes}, one a class of {self.name}, to {known}, all that it has")
        kept = places(labels).masked_fill(labels < 0, torch.inf).argsort(stable=True)[:n]
        few = torch.full_like(labels, -1)
        few[kept] = labels[kept]
        return replace(self, spec=replace(self.spec, labelled=n), train=replace(self.train, labels=few))


def digest(split: Batch) -> str:
    """Return the SHA-256 over name, type, shape and bytes of every array of a split."""
    # Pairs, not a dict: a field takes no array's place, whatever it is called.
    arrays = [("images", split.images), ("labels", split.labels), ("sources", split.sources), *split.fields.items()]
    summed = hashlib.sha256()
    for name, values in arrays:
        if values is not None:
            summed.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
            summed.update(values.contiguous().numpy().data)
    return summed.hexdigest()


def split_up(raw: Raw, name: str, title: str, class_names: tuple[str, ...], *, shuffled: bool) -> Dataset:
    """Return the data set of a source, in the memory of its images, which are put in order; it has no hashes yet.

    Rows go into splits first, and only then is anything taken from them.

    Args:
        raw: the images and what belongs to them, for whose order nobody else asks any more.
        name: the data set's name.
        title: its title, for people.
        class_names: the name of each class, where they have names.
        shuffled: whether an official test split is put in random order, since it may be sorted.

    Raises:
        ValueError: for too few images.
    """
    shares = SHARES if raw.test is None else HELD_OUT
    rows = raw.parts or tuple(stratified(raw.labels, len(raw.images), shares))
    order, counts = torch.cat(rows), [len(part) for part in rows]

    def parts(values: Tensor | None) -> Sequence[Any]:
        return [None] * len(counts) if values is None else brought_forward(values, order).split(counts)

    labels = parts(raw.labels if raw.classes else None)
    fields = {name: parts(values) for name, values in raw.fields.items()}
    splits = [
        Split(images, labels[i], sources, {name: values[i] for name, values in fields.items()})
        for i, (images, sources) in enumerate(zip(parts(raw.images), parts(raw.sources), strict=True))
    ]
    if raw.test is not None:
        images, held_out = raw.test
        held_out = held_out if raw.classes else None
        if shuffled:
            order = torch.randperm(len(images), generator=generator(0, "test"))
            images, held_out = brought_forward(images, order), None if held_out is None else held_out[order]
        splits.append(Split(images, held_out))
    train, validation, test = splits
    whole = Dataset(name, title, raw.spec, train, validation, test, {}, aligned=raw.sources is not None)
    return replace(whole, told=raw.told, class_names=class_names)


def _given(
    images: Tensor,
    labels: Tensor | None,
    test: tuple[Tensor, Tensor | None] | None,
    name: str,
    class_names: tuple[str, ...],
) -> Dataset:
    """Return the data set of images and labels that somebody handed over, which are put in order where they lie."""
    raw = Raw(images, labels, classes=0 if labels is None else int(labels.max()) + 1, test=test)
    return finished(split_up(raw, name, name, class_names, shuffled=True), name)


def finished(dataset: Dataset, name: str) -> Dataset:
    """Return the data set under its name with its hashes; a split that is not as the spec says is refused."""
    splits = {part: split for part in SPLITS if (split := getattr(dataset, part)) is not None}
    for part, split in splits.items():
        check_split(dataset.spec, split, f"{name} {part}")
    return replace(dataset, name=name, hashes={part: digest(split) for part, split in splits.items()})


def check_unchanged(dataset: Dataset, hashes: Mapping[str, str]) -> None:
    """Raise ``ValueError`` where the data are no longer those that a run was laid out for: folders may change."""
    if dict(dataset.hashes) != hashes:
        raise ValueError(f"{dataset.name}: its files have changed since the run began; run again")
