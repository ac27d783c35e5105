"""What a model may be able to do beyond its three answers. Having an ability is having the method: no base class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from genbench.interface import Batch


@runtime_checkable
class Reconstructs(Protocol):
    """Models with a code for each image."""

    def reconstruct(self, batch: Batch, *, generator: Generator | None = None) -> Tensor:
        """Every image from its own code, uint8 ``(B, C, H, W)``; without a generator the same one at every call."""
        ...


@runtime_checkable
class Interpolates(Protocol):
    """Models with codes between which there are others."""

    def interpolate(self, batch: Batch, others: Batch, steps: int) -> Tensor:
        """From each image of ``batch`` to its partner in ``others``, both ends included: ``(B, steps, C, H, W)``."""
        ...


@runtime_checkable
class Traverses(Protocol):
    """Models with latents that can be moved one at a time."""

    def traverse(self, rows: int, steps: int, *, generator: Generator) -> Tensor:
        """One latent moved a row, those that change images most first: uint8 ``(at most rows, steps, C, H, W)``.

        What has no order, a class, stays as it was drawn.
        """
        ...


@runtime_checkable
class Completes(Protocol):
    """Models that fill in what is missing."""

    def complete(self, batch: Batch, rows: int, *, generator: Generator) -> Tensor:
        """The top ``rows`` rows of every image kept and the rest drawn: uint8 ``(B, C, H, W)``."""
        ...


@runtime_checkable
class Classifies(Protocol):
    """Models that say what class an image is of, having seen labels of some."""

    def classify(self, batch: Batch) -> Tensor:
        """Probabilities of the classes, ``(B, classes)``; the batch's own labels play no part."""
        ...


@dataclass(frozen=True)
class Picture:
    """What a cell draws of an ability.

    Args:
        ability: the method.
        file: in the cell's folder.
        title: on the report page.
        hint: how to read it.
    """

    ability: str
    file: str
    title: str
    hint: str


PICTURES = (
    Picture(
        "reconstruct",
        "reconstructions.png",
        "Reconstructions",
        "The first 16 test images; below each, the model's image from its code. None was chosen.",
    ),
    Picture(
        "interpolate",
        "interpolations.png",
        "Interpolations",
        "From the code of one test image to that of another, in eight steps: the first eight, as they came.",
    ),
    Picture(
        "traverse",
        "traversals.png",
        "Latent traversals",
        "One latent moved a row, the others and any class as they were drawn: the eight that change the image most.",
    ),
    Picture(
        "complete",
        "completions.png",
        "Completions",
        "The first four test images, and seven completions of each, not chosen: the upper half is kept.",
    ),
)
