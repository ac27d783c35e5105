"""A user's own images through the codes of a trained cell: made again, and the way from one to another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from genbench.abilities import Interpolates, Reconstructs
from genbench.data import folder
from genbench.image_file import WHITE
from genbench.interface import GenerativeModel
from genbench.memory import check_fits
from genbench.plots import sample_grid
from genbench.plots.grid import draw_animation, draw_grid
from genbench.runs import outputs
from genbench.runs.inference import SAMPLE_BYTES, label_of, laid_out, model_of, origin_of
from genbench.spec import Batch, DataSpec, from_bytes
from genbench.stats import spread

GIF = ".gif"


def reconstruct(
    cell: Path,
    path: Path,
    number: int,
    output: Path,
    *,
    label: int | str | None = None,
    device: str,
    alpha: str | None = None,
) -> tuple[int, int]:
    """Write ``number`` images of a file or folder, spread evenly over it, as the cell makes them from their own codes.

    One picture shows each image above what was made of it; an ``.npz`` or a PNG each hold what was made alone.

    Returns:
        The number of images shown, and of those found.

    Raises:
        ValueError: for an output of another kind, a cell whose model has no codes of images, images that are not as
            its data are, or a label that it does not take, or lacks.
    """
    outputs.check(output)
    model = model_of(cell, device)
    name = origin_of(model, cell).recipe
    if not isinstance(model, Reconstructs):
        raise ValueError(f"--reconstruct: {name} has no code for an image; the autoencoders and bigan have")
    found = own_images(path, model.spec, _ground(cell, alpha), "--reconstruct")
    batch = _asked(found[spread(len(found), number)], label, model, name, cell, "--reconstruct")
    made = model.reconstruct(batch.to(model.device)).cpu()
    if outputs.is_picture(output):
        columns = min(len(made), sample_grid.COLUMNS)
        pairs = sample_grid.bands([batch.images, made], columns)
        draw_grid(pairs.numpy(), output, levels=model.spec.levels, columns=columns)
    else:
        outputs.write(output, made, model.spec, None, ())
    return len(made), len(found)


def interpolate(
    cell: Path,
    ends: Sequence[Path],
    number: int,
    output: Path,
    *,
    label: int | str | None = None,
    device: str,
    alpha: str | None = None,
) -> None:
    """Write the way from one image to another through their codes, ``number`` images with what is made of both ends.

    One picture shows it as a strip, a ``.gif`` as an animation; an ``.npz`` or a PNG each hold its images.

    Raises:
        ValueError: for an output of another kind, fewer than two images, a cell whose model has nothing between its
            codes, ends that are not one image each, or not as its data are, or a label that it does not take, or lacks.
    """
    if output.suffix.lower() != GIF:
        outputs.check(output)
    if number < 2:
        raise ValueError(f"-n {number}: an interpolation has 2 images or more, its two ends")
    model = model_of(cell, device)
    name = origin_of(model, cell).recipe
    if not isinstance(model, Interpolates):
        raise ValueError(f"--interpolate: {name} has no codes to go between; the autoencoders and bigan have")
    check_fits(f"-n {number}", number * model.spec.dimensions * SAMPLE_BYTES, "give fewer")
    both = []
    for end in ends:
        images = own_images(end, model.spec, _ground(cell, alpha), "--interpolate")
        if len(images) != 1:
            raise ValueError(f"--interpolate {end}: {len(images)} images; give one file for each end")
        both.append(_asked(images, label, model, name, cell, "--interpolate").to(model.device))
    first, last = both
    way = model.interpolate(first, last, number)[0].cpu()
    if output.suffix.lower() == GIF:
        draw_animation(way.numpy(), output, levels=model.spec.levels)
    elif outputs.is_picture(output):
        draw_grid(way.numpy(), output, levels=model.spec.levels, columns=number)
    else:
        outputs.write(output, way, model.spec, None, ())


def _ground(cell: Path, alpha: str | None) -> str:
    """Return what is asked for behind transparent pixels, else what was there when the cell was trained."""
    return alpha or laid_out(cell).get("alpha") or WHITE


def own_images(path: Path, spec: DataSpec, alpha: str, option: str) -> Tensor:
    """Return a user's images as those of ``spec``: in its channels, and each pixel at the nearest of its levels.

    Where its images are square the middle square of each is resized, as ``--size`` does when a folder is trained on.

    Raises:
        ValueError: for colour where images are grey, or another size where they are not square.
    """
    channels, height, width = spec.shape
    images = folder.pictures(path, alpha, height if height == width else None)
    found, *sides = images.shape[1:]
    if sides != [height, width]:
        theirs = f"{sides[1]}×{sides[0]}"
        raise ValueError(f"{option} {path}: images are {theirs}; this cell's are {width}×{height}; resize them")
    if found not in (1, channels):
        raise ValueError(f"{option} {path}: {found} channels where this cell's images have {channels}; convert them")
    return from_bytes(images.expand(-1, channels, -1, -1).contiguous(), spec.levels)


def _asked(
    images: Tensor, label: int | str | None, model: GenerativeModel, name: str, cell: Path, option: str
) -> Batch:
    """Return the images as a batch, all of the class that ``label`` means where the model is told one."""
    if "label" in model.given and label is None:
        raise ValueError(f"{option}: {name} is told the class of an image; say --label")
    number = label_of(label, model, name, cell)
    return Batch(images, None if number is None else torch.full((len(images),), number))
