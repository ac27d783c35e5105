"""How hard annealed importance sampling works: the three efforts, by name."""

from __future__ import annotations

from dataclasses import dataclass

from genbench.errors import nearest

HALF = "/2"


@dataclass(frozen=True)
class Effort:
    """An effort of annealing.

    Args:
        temperatures: the number of temperatures of chains to the posterior, from the prior and from its approximation.
        leapfrog: the number of leapfrog steps at each.
        chains: the number of weights that an image gets by default, of two chains each.
        search: the number of gradient steps of each round of the search for the approximation's mode.
        backward: the number of temperatures of chains from the posterior back to the prior, which have farther to go.
    """

    temperatures: int
    leapfrog: int
    chains: int = 2
    search: int = 400
    backward: int = 100


EFFORTS = {
    "fast": Effort(80, 5, 2, 400, 150),
    "standard": Effort(500, 10, 4, 1_200, 1_000),
    "paper": Effort(5_000, 10, 16, 4_800, 10_000),
}


def effort_named(name: str) -> Effort:
    """Return an effort by name; ``"fast/2"`` does half of fast's work, to see whether doubling it moves a value.

    Raises:
        ValueError: for any other name.
    """
    whole = EFFORTS[check_effort(name.removesuffix(HALF))]
    if not name.endswith(HALF):
        return whole
    return Effort(whole.temperatures // 2, whole.leapfrog, whole.chains, whole.search // 2, whole.backward // 2)


def check_effort(name: str) -> str:
    """Return ``name``, if a suite or the command line may ask for it: a whole effort.

    Raises:
        ValueError: for any other name.
    """
    if name not in EFFORTS:
        raise ValueError(f"effort={name!r}: {nearest(name, EFFORTS)}")
    return name
