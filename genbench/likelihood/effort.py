"""How hard annealed importance sampling works: the three efforts, by name."""

from __future__ import annotations

from dataclasses import dataclass

from genbench.errors import nearest

HALF = "/2"


@dataclass(frozen=True)
class Effort:
    """An effort of annealing: temperatures, leapfrog steps at each, and how many chains an image gets by default."""

    temperatures: int
    leapfrog: int
    chains: int = 2


EFFORTS = {
    "fast": Effort(200, 5, 2),
    "standard": Effort(1_000, 10, 4),
    "paper": Effort(10_000, 10, 16),
}


def effort_named(name: str) -> Effort:
    """Return an effort by name; ``"fast/2"`` has half of fast's temperatures, to see whether doubling moves a value.

    Raises:
        ValueError: for any other name.
    """
    whole = EFFORTS[check_effort(name.removesuffix(HALF))]
    if not name.endswith(HALF):
        return whole
    return Effort(whole.temperatures // 2, whole.leapfrog, whole.chains)


def check_effort(name: str) -> str:
    """Return ``name``, if a suite or the command line may ask for it: a whole effort.

    Raises:
        ValueError: for any other name.
    """
    if name not in EFFORTS:
        raise ValueError(f"effort={name!r}: {nearest(name, EFFORTS)}")
    return name
