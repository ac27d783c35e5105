"""A folder of images: class folders or none, with train/ and test/ above them or not."""

from __future__ import annotations

import hashlib
import math
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from genbench.data.classes import in_order
from genbench.data.mapped import Pages, mapped, state
from genbench.data.raw import Raw
from genbench.data.splits import in_splits
from genbench.data.stack import SHARE, Stack, channels_first, is_grey
from genbench.errors import printable
from genbench.image_file import MOST_PIXELS, SUFFIXES, WHITE, decoded
from genbench.memory import check_fits, holds

BESIDE_SIZE = "bring them to one size"  # the advice of those who resize nothing
ADVICE = "say --size N to resize and crop all"
LESS = "give fewer, or a smaller --size"
GREY = "stored in colour and grey in every pixel"
SHOWN = 5  # reasons for which files were skipped, by name


@dataclass
class Reading:
    """How folders are read, and what came of it.

    Args:
        size: the side in pixels that pictures are resized and cropped to, if any.
        alpha: the ground that transparent pixels lie on: see :func:`genbench.image_file.ground`.
        skipped: how many files were left out, by reason.
        done: how many pictures were converted, by conversion.

    Raises:
        ValueError: for a size below 1, or of pictures that are too large to be read.
    """

    size: int | None = None
    alpha: str = WHITE
    skipped: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 1:
            raise ValueError(f"size={self.size}: give the side in pixels, at least 1")
        if self.size is not None and self.size**2 > MOST_PIXELS:
            raise ValueError(f"size={self.size}: a picture of more than {MOST_PIXELS:,} pixels; give a smaller side")

    def said(self, counts: str) -> str:
        """Return ``counts``, what was skipped and why, and what was converted, in a line."""
        parts = [counts]
        if self.skipped:
            first = self.skipped.most_common(SHOWN)
            left = self.skipped.total() - sum(count for _, count in first)
            why = ", ".join([*(f"{count} {why}" for why, count in first), *([f"{left} others"] if left else [])])
            parts.append(f"{_counted(self.skipped.total(), 'file')} skipped ({why})")
        parts += [f"{_counted(count, 'image')} {what}" for what, count in self.done.items()]
        return printable(", ".join(parts))


def load(path: Path, size: int | None, alpha: str = WHITE, *, laid_out: bool = False) -> Raw:
    """Read every image below ``path``; labels are the class folders with all below them, in alphabetical order.

    Folders whose names are numbers are in the order of these.

    With ``size`` each image is resized, its shorter side to ``size``, and cropped to the centre; without it all must
    have one size. Where every image is grey, in whatever colours it is stored, they have one channel, else three.
    Hidden files and those without an image's suffix are skipped, and counted.

    ``laid_out``, images that memory does not hold are mapped, in the order of the splits that they are to be in.

    Raises:
        ValueError: for a missing or empty folder, a corrupt image (with its path), images of several sizes, training
            and test classes that differ.
    """
    reading = Reading(size, alpha)
    if not path.is_dir():
        raise ValueError(f"folder {path}: there is none; give the folder that holds the images")
    parts = [_files(part, reading) for part in _parts(path)]
    classes = parts[0][1]
    for _, others in parts[1:]:
        if others != classes:
            raise ValueError(f"folder {path}: classes of test/ {others} are not those of train/ {classes}")
    files = [file for inside, _ in parts for file, _ in inside]
    labels = [torch.tensor([label for _, label in inside]) for inside, _ in parts]
    of_classes = "no classes" if not classes else "1 class" if len(classes) == 1 else f"{len(classes):,} classes"
    counted = f"{_counted(len(files), 'image')}, {of_classes}"
    if laid_out and not holds(_bytes(files, reading)):
        rows = in_splits(labels[0], labels[1] if len(labels) > 1 else None)
        order = torch.cat(rows)
        images = _mapped(path, [files[row] for row in order.tolist()], reading)
        places = torch.arange(len(files)).split([len(part) for part in rows])
        own = {"parts": places, "told": reading.said(counted)}
        return Raw(images, torch.cat(labels)[order], classes=len(classes), class_names=tuple(classes), **own)
    images = pixels(files, reading)
    split = list(zip(images.split([len(part) for part in labels]), labels, strict=True))
    test = split[1] if len(split) > 1 else None
    told = reading.said(counted)
    return Raw(*split[0], classes=len(classes), test=test, told=told, class_names=tuple(classes))


def load_as_it_is(path: Path, alpha: str = WHITE) -> Raw:
    """Return what :func:`load` returns without a size, for those who resize nothing: nor does their advice.

    Raises:
        ValueError: where :func:`load` raises it.
    """
    try:
        return load(path, None, alpha)
    except ValueError as error:
        raise ValueError(str(error).replace(ADVICE, BESIDE_SIZE)) from error


def pictures(path: Path, alpha: str = WHITE, size: int | None = None) -> Tensor:
    """Return the image of a file, or every image below a folder in order, uint8 ``(N, 1 or 3, H, W)``.

    With ``size`` each is resized and cropped as :func:`load` does.

    Raises:
        ValueError: where :func:`load` raises it.
    """
    if not path.is_dir():
        return pixels([path], Reading(size, alpha))
    raw = load_as_it_is(path, alpha) if size is None else load(path, size, alpha)
    return raw.images if raw.test is None else torch.cat([raw.images, raw.test[0]])


def _parts(path: Path) -> list[Path]:
    """Return the folders with images: ``train/`` and ``test/`` where there are any, else ``path`` itself."""
    if not (path / "train").is_dir():
        return [path]
    beside = sorted(child.name for child in path.iterdir() if child.is_dir() and not child.name.startswith("."))
    if odd := [name for name in beside if name not in ("train", "test")]:
        raise ValueError(f"folder {path}: beside train/ stands {odd[0]}/, which would not be read; move it away")
    return [path / name for name in ("train", "test") if name in beside]


def _files(path: Path, reading: Reading) -> tuple[list[tuple[Path, int]], list[str]]:
    """Return the images with class numbers, and the classes; a flat folder has none."""
    own = image_files(path, reading)
    names = in_order(child.name for child in path.iterdir() if child.is_dir() and not child.name.startswith("."))
    below = {name: image_files(path / name, reading, deep=True) for name in names}
    kept = {name: files for name, files in below.items() if files}
    if own and kept:
        raise ValueError(f"folder {path}: images both beside and inside class folders; keep one of the two")
    if not own and not kept:
        raise ValueError(f"folder {path}: no images in it (looked for {', '.join(sorted(SUFFIXES))})")
    files = [(file, label) for label, inside in enumerate(kept.values()) for file in inside]
    return files or [(file, 0) for file in own], list(kept)


def image_files(folder: Path, reading: Reading | None = None, *, deep: bool = False) -> list[Path]:
    """Return the images that lie in a folder itself, or all that are ``deep`` below it, by path.

    Which are images their suffixes say. Hidden files, such as the ``._a.png`` that macOS leaves, are none; hidden
    folders, and links to folders, are not entered. ``reading`` counts what is skipped.

    Raises:
        ValueError: for a folder that cannot be read.
    """
    skipped = Counter[str]() if reading is None else reading.skipped
    found = []
    try:
        for place, folders, names in os.walk(folder, onerror=_raise):
            folders[:] = [name for name in folders if deep and not name.startswith(".")]
            for file in (Path(place, name) for name in names):
                if why := _no_image(file):
                    skipped[why] += 1
                else:
                    found.append(file)
    except OSError as error:
        raise ValueError(f"folder {error.filename}: cannot be read ({error.strerror})") from error
    return sorted(found)


def _raise(error: OSError) -> None:
    raise error


def _no_image(file: Path) -> str | None:
    """Return why a file is none of the images, in a word or two; None for one that is."""
    if file.name.startswith("."):
        return "hidden"
    if file.suffix.lower() not in SUFFIXES:
        return file.suffix.lower() or "without suffix"
    return None if file.is_file() else "no regular files"


def pixels(files: Sequence[Path], reading: Reading, half: int | None = None) -> Tensor:
    """Return the pictures of all files, uint8 ``(N, C, H, W)``: of one channel where all are grey, else of three.

    Args:
        files: the files.
        reading: how they are read; it counts what is converted.
        half: 0 or 1, for the left or right half of each alone.

    Raises:
        ValueError: for files that cannot be read, sizes that differ, widths that cannot be halved, or more images than
            memory holds.
    """
    size = reading.size
    if size is not None:
        check_fits(f"size={size}", int(SHARE * len(files) * size * size), LESS)
    stack = Stack(len(files), LESS)
    turned = 0
    done: Counter[str] = Counter()
    for file, array in _pictures(files, reading, done, half):
        turned += stack.add(array, file) and array.ndim == 3
    reading.done.update(done if half != 1 else {})  # a picture of two halves is one
    if stack.grey and turned:
        reading.done[GREY] += turned
    return stack.images


def _mapped(path: Path, files: Sequence[Path], reading: Reading) -> Tensor:
    """Return the pictures of all files as :func:`pixels` does, in the cache's file of them."""
    listed = hashlib.sha256()
    for file in files:
        listed.update(f"{file.relative_to(path)}\0{state(file)}\0".encode(errors="replace"))
    identity = {"folder": str(path.absolute()), "files": listed.hexdigest(), "count": len(files)}

    def written(pages: Pages, channels: int) -> Counter[str] | None:
        """Write all, and return what was done to them; None where one channel does not do."""
        done: Counter[str] = Counter()
        for place, (_, array) in enumerate(_pictures(files, reading, done)):
            if channels == 1 and not is_grey(array):
                return None
            if place == 0:
                pages.begin((len(files), channels, *array.shape[:2]))
            pages.put(place, channels_first(array, channels))
            done[GREY] += channels == 1 and array.ndim == 3
        return +done

    def fill(pages: Pages) -> Counter[str]:
        grey = written(pages, 1)
        return written(pages, 3) or Counter() if grey is None else grey

    images, done = mapped(identity | {"size": reading.size, "alpha": reading.alpha}, fill)
    reading.done.update(done)
    return images


def _bytes(files: Sequence[Path], reading: Reading) -> int:
    """Return how much memory the pictures of all files take, in colour; the first says it."""
    array, _ = _array(files[0], reading, None)
    return 3 * len(files) * math.prod(array.shape[:2])


def _pictures(
    files: Sequence[Path], reading: Reading, done: Counter[str], half: int | None = None
) -> Iterator[tuple[Path, np.ndarray]]:
    """Yield each file with its pixels, all of one size, and count in ``done`` what was done to them.

    Raises:
        ValueError: for files that cannot be read, or sizes that differ.
    """
    side: tuple[int, ...] = ()
    for file in files:
        array, conversions = _array(file, reading, half)
        done.update(conversions)
        if side not in ((), array.shape[:2]):
            a, b = ("×".join(map(str, one[::-1])) for one in (side, array.shape[:2]))
            raise ValueError(f"{file} is {b} and {files[0]} is {a}; {ADVICE}")
        side = array.shape[:2]
        yield file, array


def _array(file: Path, reading: Reading, half: int | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return a picture's pixels, ``(H, W)`` of a grey one or ``(H, W, 3)``, and how it was converted."""
    from PIL import Image, ImageOps

    known = decoded(file, reading.alpha)
    picture = known.image
    if half is not None:
        width, height = picture.size
        if width % 2:
            raise ValueError(f"{file}: is {width} pixels wide, which two pictures side by side cannot be")
        picture = picture.crop((half * width // 2, 0, (half + 1) * width // 2, height))
    if reading.size is not None:
        picture = ImageOps.fit(picture, (reading.size, reading.size), Image.Resampling.BICUBIC)
    return np.asarray(picture, dtype=np.uint8).copy(), known.done


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" + "s" * (number != 1)
