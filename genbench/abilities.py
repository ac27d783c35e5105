"""What a model may be able to do beyond its three answers. Having an ability is having the method: no base class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from genbench.spec import Batch


@runtime_checkable
class Reconstructs(Protocol):
    """Models with a code for each image."""

    def reconstruct(self, batch: Batch, *, generator: Generator | None = None) -> Tensor:
        """Return every image made from its own code, uint8 ``(B, C, H, W)``; without a generator always the same."""
        ...


@runtime_checkable
class Returns(Protocol):
    """Models that reconstruct an image by way of the other domain, where its sources stand."""

    def between(self, batch: Batch, *, generator: Generator | None = None) -> Tensor:
        """Return where ``reconstruct`` of every image leads through, uint8 ``(B, C', H', W')`` as sources are."""
        ...


@runtime_checkable
class Interpolates(Protocol):
    """Models with codes between which there are others."""

    def interpolate(self, batch: Batch, others: Batch, steps: int) -> Tensor:
        """Return the ways from images of ``batch`` to those of ``others``, ends included: ``(B, steps, C, H, W)``."""
        ...


@runtime_checkable
class Traverses(Protocol):
    """Models with latents that can be moved one at a time."""

    def traverse(self, rows: int, steps: int, *, generator: Generator) -> Tensor:
        """Return images in which one latent is moved a row: uint8 ``(at most rows, steps, C, H, W)``.

        Codes that a model has beside its noise come in their order, a category's values over as many rows as it takes;
        of latents without a meaning of their own, those that change images most come first. A label stays as drawn.
        """
        ...


@runtime_checkable
class Completes(Protocol):
    """Models that fill in what is missing."""

    def complete(self, batch: Batch, rows: int, *, generator: Generator) -> Tensor:
        """Return every image with its top ``rows`` rows kept and the rest drawn: uint8 ``(B, C, H, W)``."""
        ...


@runtime_checkable
class Classifies(Protocol):
    """Models that say what class an image is of, having seen labels of some."""

    def classify(self, batch: Batch) -> Tensor:
        """Return the probabilities of the classes, ``(B, classes)``; the batch's own labels play no part."""
        ...


@runtime_checkable
class Detects(Protocol):
    """Models that say how strange an image is to them."""

    def anomaly(self, batch: Batch, *, generator: Generator | None = None) -> Tensor:
        """Return a score for each image, float64 ``(B,)``: the larger, the stranger.

        Without a generator it is the same at every call, and for an image alone or in company. A model that is given
        the label is not measured by its scores, since the labels of anomalous images are unknown.
        """
        ...


@runtime_checkable
class Pairs(Protocol):
    """Models that draw an image and its source together, though they have never seen a pair."""

    def pairs(self, n: int, *, generator: Generator) -> tuple[Tensor, Tensor]:
        """Return images, uint8 ``(n, C, H, W)``, and the source that belongs to each, uint8 ``(n, C', H', W')``."""
        ...


@runtime_checkable
class Segments(Protocol):
    """Models that say which pixels of a source lie in shadow."""

    def detect(self, batch: Batch) -> Tensor:
        """Return the pixels of each source that lie in shadow, bool ``(B, 1, H, W)``; the batch has no mask."""
        ...
