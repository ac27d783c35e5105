"""Terms of a translator's loss that compare its image with what it was made of, or with what it should be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import Tensor

from families.adversarial.terms import GameStep, GameView, Term
from families.layers.options import positive_or_zero
from families.translation.model import copy_of


class Distance(Term):
    """``λ d(ŷ, y)``, or ``λ d(ŷ, x)`` from the source; logged by its name, weight included.

    Args:
        name: the name that it is logged by.
        weight: the weight λ.
        between: the distance d, of two batches on [-1, 1].
        against: what the translation is compared with: ``"target"``, where training is of pairs, or ``"source"``, grey
            ones in each of the image's channels.
        option: the option whose value the weight is, if it is called otherwise.

    Raises:
        ValueError: for a negative weight.
    """

    def __init__(
        self,
        name: str,
        weight: float,
        between: Callable[[Tensor, Tensor], Tensor],
        against: Literal["target", "source"] = "target",
        option: str = "",
    ) -> None:
        super().__init__()
        positive_or_zero(**{option or name: weight})
        self.name, self.weight, self.between, self.against = name, weight, between, against

    @property
    def setting(self) -> str:
        """The distance and its weight in words."""
        return f"{self.weight:g} {self.name}"

    def generator(self, game: GameView, step: GameStep) -> dict[str, Tensor]:
        """Return the weighted distance."""
        other = step.target if self.against == "target" else step.source
        if other is None:
            raise ValueError(f"{self.against}=None: the term {self.name!r} compares a translation with it")
        fake = step.fake.images
        other = other if self.against == "target" else copy_of(other, fake.shape[1:])
        return {self.name: self.weight * self.between(fake, other)}
