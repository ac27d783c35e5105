"""Pictures of one size, gathered one by one in one piece of memory: of one channel as long as all of them are grey."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from genbench.memory import check_fits

SHARE = 1.25  # of the pixels: what loading them takes at most


def is_grey(picture: np.ndarray) -> bool:
    """Return whether a picture, ``(H, W)`` or ``(H, W, 3)``, is grey in every pixel."""
    return picture.ndim == 2 or bool((picture == picture[..., :1]).all())


def channels_first(picture: np.ndarray, channels: int) -> np.ndarray:
    """Return a picture, ``(H, W)`` or ``(H, W, 3)``, as ``(1, H, W)`` or ``(3, H, W)``."""
    if channels == 1:
        return (picture if picture.ndim == 2 else picture[..., 0])[None]
    return np.broadcast_to(picture, (3, *picture.shape)) if picture.ndim == 2 else picture.transpose(2, 0, 1)


class Stack:
    """Room for ``count`` pictures.

    Memory is reserved for colour and used for what there is: the system gives what is written to.

    Args:
        count: the number of pictures.
        advice: what would do where memory does not hold them.
    """

    def __init__(self, count: int, advice: str) -> None:
        self.count = count
        self.advice = advice
        self.filled = 0
        self.grey = True
        self.side: tuple[int, ...] = ()
        self.room = torch.empty(0, dtype=torch.uint8)

    def add(self, picture: np.ndarray, name: object) -> bool:
        """Add a picture, uint8 ``(H, W)`` or ``(H, W, 3)``, all of one size; return whether it is grey.

        Raises:
            ValueError: for more than memory holds.
        """
        grey = is_grey(picture)
        if not self.side:
            self.side = picture.shape[:2]
            self._check(1 if grey else 3, name)
            self.room = torch.empty(self.count * 3 * picture.shape[0] * picture.shape[1], dtype=torch.uint8)
        if self.grey and not grey:
            self._check(3, name)
            greys = self._images(1)
            self.grey = False
            colours = self._images(3)
            for i in reversed(range(self.filled)):  # the last moves first, so that none is written over
                colours[i] = greys[i].clone()
        channels = 1 if self.grey else 3
        self._images(channels)[self.filled].numpy()[...] = channels_first(picture, channels)
        self.filled += 1
        return grey

    @property
    def images(self) -> Tensor:
        """The pictures so far, uint8 ``(N, 1 or 3, H, W)``."""
        return self._images(1 if self.grey else 3)[: self.filled]

    def _images(self, channels: int) -> Tensor:
        height, width = self.side
        return self.room[: self.count * channels * height * width].view(self.count, channels, height, width)

    def _check(self, channels: int, name: object) -> None:
        values = self.count * channels * self.side[0] * self.side[1]
        check_fits(f"{self.count} images as large as {name}", int(SHARE * values), self.advice)
