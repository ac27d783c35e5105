"""What an estimated likelihood costs: how often an image's observation is differentiated, and how often decoded."""

from __future__ import annotations

from dataclasses import dataclass, replace

from genbench.likelihood import laplace
from genbench.likelihood.ais import WARM_UP
from genbench.likelihood.bidirectional import PILOT, SIMULATED
from genbench.likelihood.effort import HALF, Effort, effort_named

PATHS = 2  # of an image: from the prior, and from the approximation of its posterior


@dataclass(frozen=True)
class Cost:
    """Work in rows, each of an image under one value of a hidden category.

    Args:
        gradients: the number of times that ``log P(x given u)`` is computed with its gradient in u.
        decodings: the number of times that an image is decoded without, or with one directional derivative.
    """

    gradients: int
    decodings: int

    def __add__(self, other: Cost) -> Cost:
        """Return both."""
        return Cost(self.gradients + other.gradients, self.decodings + other.decodings)

    def __mul__(self, times: int) -> Cost:
        """Return as much so many times."""
        return Cost(self.gradients * times, self.decodings * times)


def of_estimate(effort: str, images: int, slopes: int, categories: int = 1) -> Cost:
    """Return what an estimate costs with half of its work behind it and its gap, where that is enough.

    One that is given twice and four times the work, since it moved, costs up to five times as much.

    Args:
        effort: the effort's name.
        images: the number of images; the gap is measured on half of them.
        slopes: the number of derivatives in which a Jacobian is computed: that of latents, or of pixels if these are
            fewer.
        categories: the number of values of a hidden category, under each of which chains run, but for those backward.
    """
    whole = effort_named(effort)
    twice = of_chains(effort_named(effort + HALF), slopes) + of_chains(whole, slopes)
    simulated = of_chains(replace(whole, search=max(whole.search // SIMULATED, 1)), slopes)
    backward = Cost(whole.chains * (1 + (whole.backward - 1) * whole.leapfrog), 1)
    made = (images + 1) // 2
    return (twice * images + simulated * made) * categories + backward * made


def of_chains(effort: Effort, slopes: int) -> Cost:
    """Return what the search for an image's mode and its chains forward cost.

    Args:
        effort: the effort.
        slopes: the number of derivatives in which a Jacobian is computed.
    """
    kept = laplace.KEPT + laplace.ROUNDS - 1  # rows of an image over all rounds behind the first
    search = effort.search * (laplace.STARTS + kept)
    pilot = max(effort.temperatures // PILOT, 2) - 1 + WARM_UP
    chains = effort.chains * (1 + (effort.temperatures - 1) * effort.leapfrog)
    around = (laplace.KEPT + kept) * (1 + slopes)
    decoded = laplace.DRAWS + 2 * laplace.STARTS + kept + around
    return Cost(search + PATHS * (1 + pilot * effort.leapfrog + chains), decoded)
