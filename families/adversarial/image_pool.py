"""Past fakes for a critic to see again, so that it does not forget what a generator has stopped making."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from families.layers.options import whole
from genbench.seed import uniform


class ImagePool(nn.Module):
    """A store of past fakes, all of whose state is in buffers: a saved model goes on with the same store.

    A model uses either :meth:`exchange` (1703.10593) or :meth:`replace_half` (1612.07828), in the critic's turn alone.

    Args:
        size: how many images it holds.
        shape: ``(C, H, W)`` of an image, or the shape of whatever else the critic sees.

    Attributes:
        images: the store, ``(size, *shape)``, of which the first ``count`` are filled.
        count: how many images are stored, at most ``size``; int64, no dimensions.

    Raises:
        ValueError: for a size below 1.
    """

    images: Tensor
    count: Tensor

    def __init__(self, size: int, shape: Sequence[int]) -> None:
        super().__init__()
        whole(1, size=size)
        self.size = size
        self.register_buffer("images", torch.zeros(size, *shape))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def exchange(self, fakes: Tensor, generator: Generator) -> Tensor:
        """Return the batch with each image, once the store is full, swapped for a stored one with probability ½.

        Rows go in order: below its capacity the store takes a copy of the fake, which is returned; then either the fake
        is returned and forgotten, or a stored image is returned and the fake takes its place.

        Args:
            fakes: the fakes ``(B, *shape)``.
            generator: where the chances and the places come from: two numbers a row, whether they are needed or not.
        """
        shown = fakes.detach().clone()
        chances, places = uniform((2, len(fakes)), generator).tolist()
        count = int(self.count)
        for row, (chance, place) in enumerate(zip(chances, places, strict=True)):
            if count < self.size:
                self.images[count] = fakes[row]
                count += 1
            elif chance < 0.5:
                at = min(int(place * self.size), self.size - 1)
                shown[row] = self.images[at]
                self.images[at] = fakes[row]
        self.count.fill_(count)
        return shown

    @torch.no_grad()
    def replace_half(self, fakes: Tensor, generator: Generator) -> Tensor:
        """Return the batch with its first half, once the store is full, replaced by stored images.

        Below its capacity the store takes copies of the fakes, as many as fit, and the batch is returned as it came.
        Once it is full, ``B // 2`` different stored images (all of them, if it holds fewer) come in place of the
        batch's first ones, which then overwrite as many different places, drawn anew.

        Args:
            fakes: the fakes ``(B, *shape)``.
            generator: where the places come from: two orders of the store, whether they are needed or not.
        """
        shown = fakes.detach().clone()
        leaving, overwritten = uniform((2, self.size), generator, self.images.device).argsort(1)
        count = int(self.count)
        if count < self.size:
            room = min(self.size - count, len(fakes))
            self.images[count : count + room] = fakes[:room]
            self.count.fill_(count + room)
            return shown
        old = min(len(fakes) // 2, self.size)
        shown[:old] = self.images[leaving[:old]].to(shown)
        self.images[overwritten[:old]] = fakes[:old].to(self.images)
        return shown
