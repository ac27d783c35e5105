"""How many latents a code has where nobody says: more for larger images."""

from __future__ import annotations

import math
from collections.abc import Sequence

from families.layers.options import whole

DIGIT = 28 * 28  # values of the image that recipes' own numbers are meant for
LEAST = 2


def code_size(latents: int | None, shape: Sequence[int], at_digits: int) -> int:
    """Return ``latents``, or without it ``at_digits · √(C·H·W / 784)``, rounded and at least 2.

    The root, since what tells images apart grows more slowly than their values, of which neighbours say the same: 32 of
    a digit of 28×28 are 63 of a colour image of 32×32, and 9 of a digit of 8×8.

    Args:
        latents: the option, or None.
        shape: the image's, ``(C, H, W)``.
        at_digits: the size for an image of 1×28×28.

    Raises:
        ValueError: for latents that are not a whole number from 1 on.
    """
    if latents is None:
        return max(round(at_digits * math.sqrt(math.prod(shape) / DIGIT)), LEAST)
    whole(1, latents=latents)
    return latents
