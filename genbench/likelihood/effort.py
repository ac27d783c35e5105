"""How hard annealed importance sampling works: the three efforts, by name."""

from __future__ import annotations

from dataclasses import dataclass, replace

from genbench.errors import nearest

HALF, TIMES = "/2", "*"
MOST = {
    "fast": 4
}  # times its work that an effort may take until a value holds still; others have no more than they say


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

    ``"fast/2"`` does half of fast's work, to see whether doubling it moves a value, ``"fast*4"`` four times as much.

    Raises:
        ValueError: for any other name.
    """
    if name.endswith(HALF):
        return EFFORTS[check_effort(name.removesuffix(HALF))].scaled(0.5)
    plain, _, times = name.partition(TIMES)
    whole = EFFORTS[check_effort(plain)]
    if not times:
        return whole
    if times not in map(str, range(2, most_work(plain) + 1)):
        raise ValueError(f"effort={name!r}: {plain} takes at most {most_work(plain)} times its work")
    return whole.scaled(int(times))


def most_work(name: str) -> int:
    """Return how many times its work an effort of this name may take."""
    return MOST.get(name, 1)


def more(name: str, times: int) -> str:
    """Return the name of an effort with so many times its work."""
    return name if times == 1 else f"{name}{TIMES}{times}"


def check_effort(name: str) -> str:
    """Return ``name``, if a suite or the command line may ask for it: a whole effort.

    Raises:
        ValueError: for any other name.
    """
    if name not in EFFORTS:
        raise ValueError(f"effort={name!r}: {nearest(name, EFFORTS)}")
    return name
