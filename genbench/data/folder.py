"""A folder of images: class folders or none, with train/ and test/ above them or not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from genbench.data.classes import in_order
from genbench.data.dataset import Raw

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"}
GREY = {"1", "L"}
ADVICE = "say --size N to resize and crop all"
DEEP = {"I", "F", "I;16", "I;16B", "I;16L", "I;16N"}  # more than 8 bits, which a conversion would clip at white


def load(path: Path, size: int | None) -> Raw:
    """Read every image below ``path``; labels are the class folders in alphabetical order, numbers by their value.

    With ``size`` each image is resized, its shorter side to ``size``, and cropped to the centre; without it all must
    have one size. Where every file is grey the images have one channel, else three.

    Raises:
        ValueError: for a missing or empty folder, a corrupt image (with its path), images of several sizes, training
            and test classes that differ.
    """
    if not path.is_dir():
        raise ValueError(f"folder {path}: there is none; give the folder that holds the images")
    if size is not None and size < 1:
        raise ValueError(f"size={size}: give the side in pixels, at least 1")
    parts = [_files(part) for part in _parts(path)]
    classes = parts[0][1]
    for _, others in parts[1:]:
        if others != classes:
            raise ValueError(f"folder {path}: classes of test/ {others} are not those of train/ {classes}")
    mode = common_mode([file for files, _ in parts for file, _ in files])
    loaded = [
        (pixels([file for file, _ in files], mode, size), torch.tensor([label for _, label in files]))
        for files, _ in parts
    ]
    images, labels = loaded[0]
    test = loaded[1] if len(loaded) > 1 else None
    if test is not None and test[0].shape[1:] != images.shape[1:]:
        raise _sizes(parts[0][0][0][0], images.shape, parts[1][0][0][0], test[0].shape)
    return Raw(images, labels, classes=len(classes), test=test, class_names=tuple(classes))


def load_as_it_is(path: Path) -> Raw:
    """Return what :func:`load` returns without a size, for those who resize nothing: nor does their advice.

    Raises:
        ValueError: where :func:`load` raises it.
    """
    try:
        return load(path, None)
    except ValueError as error:
        raise ValueError(str(error).replace(ADVICE, "bring them to one size")) from error


def pictures(path: Path) -> Tensor:
    """Return the image of a file, or every image below a folder in order, uint8 ``(N, 1 or 3, H, W)``.

    Raises:
        ValueError: where :func:`load` raises it.
    """
    if path.is_file():
        return pixels([path], common_mode([path]), None)
    raw = load_as_it_is(path)
    return raw.images if raw.test is None else torch.cat([raw.images, raw.test[0]])


def _parts(path: Path) -> list[Path]:
    """Return the folders with images: ``train/`` and ``test/`` where there are any, else ``path`` itself."""
    if not (path / "train").is_dir():
        return [path]
    beside = sorted(child.name for child in path.iterdir() if child.is_dir() and not child.name.startswith("."))
    if odd := [name for name in beside if name not in ("train", "test")]:
        raise ValueError(f"folder {path}: beside train/ stands {odd[0]}/, which would not be read; move it away")
    return [path / name for name in ("train", "test") if name in beside]


def _files(path: Path) -> tuple[list[tuple[Path, int]], list[str]]:
    """Return the images with class numbers, and the classes; a flat folder has none."""
    names = in_order(child.name for child in path.iterdir() if child.is_dir() and not child.name.startswith("."))
    folders = [path / name for name in names]
    own = [(file, 0) for file in image_files(path)]
    if own and folders and any(True for folder in folders for _ in image_files(folder)):
        raise ValueError(f"folder {path}: images both beside and inside class folders; keep one of the two")
    if own:
        return own, []
    kept = [folder for folder in folders if any(True for _ in image_files(folder))]
    files = [(file, label) for label, folder in enumerate(kept) for file in image_files(folder)]
    if not files:
        raise ValueError(f"folder {path}: no images in it (looked for {', '.join(sorted(SUFFIXES))})")
    return files, [folder.name for folder in kept]


def image_files(folder: Path) -> list[Path]:
    """Return the images that lie in a folder itself, by name."""
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())


def common_mode(files: Sequence[Path]) -> str:
    """Return ``"L"`` where every file is grey, else ``"RGB"``.

    Raises:
        ValueError: for a file that cannot be read, or has more than 8 bits.
    """
    modes = {_mode(file) for file in files}  # of every file: each may be refused
    return "L" if modes <= GREY else "RGB"


def _mode(file: Path) -> str:
    from PIL import Image

    try:
        with Image.open(file) as image:
            mode = image.mode
    except Exception as error:  # a decoder fails in many ways on a damaged file
        raise ValueError(f"{file}: cannot be read as an image ({_short(error)}); repair or remove it") from error
    if mode in DEEP:
        raise ValueError(f"{file}: has pixels of more than 8 bits ({mode}); convert it to 8 bits")
    return mode


def pixels(files: Sequence[Path], mode: str, size: int | None, half: int | None = None) -> Tensor:
    """Return the pictures of all files, uint8 ``(N, C, H, W)``.

    Args:
        files: the files.
        mode: the mode that they are brought to, ``"L"`` or ``"RGB"``.
        size: the side in pixels that they are resized and cropped to, if any.
        half: 0 or 1, for the left or right half of each alone.

    Raises:
        ValueError: for files that cannot be read, sizes that differ, or widths that cannot be halved.
    """
    arrays: list[np.ndarray] = []
    for file in files:
        arrays.append(_array(file, mode, size, half))
        if arrays[-1].shape != arrays[0].shape:
            a, b = ("×".join(map(str, array.shape[1::-1])) for array in (arrays[0], arrays[-1]))
            raise ValueError(f"{file} is {b} and {files[0]} is {a}; {ADVICE}")
    images = torch.from_numpy(np.stack(arrays))
    return images[:, None] if images.dim() == 3 else images.permute(0, 3, 1, 2).contiguous()


def _array(file: Path, mode: str, size: int | None, half: int | None) -> np.ndarray:
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as image:
            image.load()
            picture = image.convert(mode)
    except Exception as error:  # as above
        raise ValueError(f"{file}: cannot be read as an image ({_short(error)}); repair or remove it") from error
    if half is not None:
        width, height = picture.size
        if width % 2:
            raise ValueError(f"{file}: is {width} pixels wide, which two pictures side by side cannot be")
        picture = picture.crop((half * width // 2, 0, (half + 1) * width // 2, height))
    if size is not None:
        picture = ImageOps.fit(picture, (size, size), Image.Resampling.BICUBIC)
    return np.asarray(picture, dtype=np.uint8).copy()


def _sizes(first: Path, shape: torch.Size, second: Path, other: torch.Size) -> ValueError:
    a, b = (f"{size[3]}×{size[2]}" for size in (shape, other))
    return ValueError(f"{second} is {b} and {first} is {a}; {ADVICE}")


def _short(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:100]
