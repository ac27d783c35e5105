"""Pictures of what a model can do beyond samples: the first test images, never chosen ones, put through it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import torch
from torch import Generator, Tensor

from genbench.abilities import Completes, Interpolates, Reconstructs, Returns, Traverses
from genbench.errors import disk_full, reason
from genbench.interface import GenerativeModel
from genbench.plots.grid import draw_grid
from genbench.plots.sample_grid import bands, like
from genbench.records.pictures import PICTURES
from genbench.seed import generator
from genbench.spec import Batch, from_bytes

COLUMNS = 8
RECONSTRUCTED = 16
PAIRS = 4
LATENTS = 8
COMPLETED = 4
Result = TypeVar("Result")


def write(folder: Path, model: GenerativeModel, test: Batch, seed: int) -> dict[str, str]:
    """Draw each ability that ``model`` has into its file; return ability → file, or ``"failed: …"`` with the reason.

    An ability that fails costs its picture, not the cell. A full disk is no fault of the ability's, and is raised.

    Args:
        folder: the cell's folder.
        model: the trained model.
        test: the test split.
        seed: the seed of what is drawn.
    """
    said: dict[str, str] = {}
    for picture in PICTURES:
        if picture.ability is not None and hasattr(model, picture.ability):

            def draw(name: str = picture.ability, file: str = picture.file) -> str:
                images = DRAWN[name](model, test, generator(seed, name)).cpu()
                draw_grid(images.numpy(), folder / file, levels=model.spec.levels, columns=COLUMNS)
                return file

            (folder / picture.file).unlink(missing_ok=True)  # of an attempt that was cut off
            said[picture.ability] = attempted(said, picture.ability, draw) or said[picture.ability]
    return said


def attempted(said: dict[str, str], ability: str, act: Callable[[], Result]) -> Result | None:
    """Return what ``act`` returns, or None with the reason in ``said[ability]`` where it fails; raise a full disk."""
    try:
        return act()
    except Exception as error:  # a third party's method may fail in any way
        if disk_full(error):
            raise
        said[ability] = f"failed: {reason(error)}"
        return None


def reconstructions(model: GenerativeModel, test: Batch, noise: Generator) -> Tensor:
    """Return rows of images, each above a row of their reconstructions, and between them what these are made of.

    That is what a model shows that reconstructs by way of the other domain.
    """
    batch = test.rows(slice(RECONSTRUCTED)).to(model.device)
    rows = [batch.images, cast("Reconstructs", model).reconstruct(batch)]
    if isinstance(model, Returns):
        rows.insert(1, from_bytes(like(model.between(batch), batch.images), model.spec.levels))
    return bands(rows, COLUMNS)


def interpolations(model: GenerativeModel, test: Batch, noise: Generator) -> Tensor:
    """Return a row from each of the first images to one of the next."""
    ends = test.rows(slice(2 * PAIRS)).to(model.device)
    pairs = len(ends) // 2
    first = ends.rows(slice(pairs))
    second = ends.rows(slice(pairs, 2 * pairs))
    return cast("Interpolates", model).interpolate(first, second, COLUMNS).flatten(0, 1)


def traversals(model: GenerativeModel, test: Batch, noise: Generator) -> Tensor:
    """Return a row of images for each latent that is traversed."""
    return cast("Traverses", model).traverse(LATENTS, COLUMNS, generator=noise).flatten(0, 1)


def completions(model: GenerativeModel, test: Batch, noise: Generator) -> Tensor:
    """Return a row for each image: itself, then what else its upper half might belong to."""
    originals = test.rows(slice(COMPLETED)).to(model.device)
    many = originals.rows(torch.arange(len(originals), device=model.device).repeat_interleave(COLUMNS - 1))
    drawn = cast("Completes", model).complete(many, model.spec.shape[1] // 2, generator=noise)
    rows = zip(originals.images.split(1), drawn.split(COLUMNS - 1), strict=True)
    return torch.cat([torch.cat(row) for row in rows])


DRAWN: dict[str, Callable[[GenerativeModel, Batch, Generator], Tensor]] = {
    "reconstruct": reconstructions,
    "interpolate": interpolations,
    "traverse": traversals,
    "complete": completions,
}
