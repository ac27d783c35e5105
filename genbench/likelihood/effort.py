"""How hard annealed importance sampling works: the three efforts, by name, and parts and multiples of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from genbench.errors import nearest

HALF = "/2"
# How many times its work an effort does, one after the other, until a value holds still; the others do it once.
WORKS = {"fast": (1, 2, 4)}


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

    def scaled(self, by: float) -> Effort:
        """Return so many times the work: temperatures, and the search."""
        counts = {name: int(by * getattr(self, name)) for name in ("temperatures", "search", "backward")}
        return replace(self, **counts)


EFFORTS = {
    "fast": Effort(80, 5, 2, 400, 150),
    "standard": Effort(500, 10, 4, 1_200, 1_000),
    "paper": Effort(5_000, 10, 16, 4_800, 10_000),
}


def effort_named(name: str) -> Effort:
    """Return an effort by name.

    ``"fast/2"`` does half of fast's work, to see whether doubling it moves a value; ``"fast*2"`` and ``"fast*4"`` do
    more of it, where it did.

    Raises:
        ValueError: for any other name.
    """
    if name.endswith(HALF):
        return EFFORTS[check_effort(name.removesuffix(HALF))].scaled(0.5)
    for plain, works in WORKS.items():
        for work in works:
            if name == with_work(plain, work):
                return EFFORTS[plain].scaled(work)
    return EFFORTS[check_effort(name)]


def with_work(name: str, work: int) -> str:
    """Return the name of an effort that does so many times its work."""
    return name if work == 1 else f"{name}*{work}"


def check_effort(name: str) -> str:
    """Return ``name``, if a suite or the command line may ask for it: a whole effort.

    Raises:
        ValueError: for any other name.
    """
    if name not in EFFORTS:
        raise ValueError(f"effort={name!r}: {nearest(name, EFFORTS)}")
    return name
