"""Terms of a translator's loss: its image beside its source or its target, in pixels or as a critic sees both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from families.adversarial.terms import GameStep, GameView, Scored, Term
from families.layers.distances import l1
from families.layers.options import positive_or_zero
from families.outputs.base import at_least_single
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


class FeatureMatching(Term):
    """``λ Σ_i |H_i(ŷ) - H_i(y)|`` over the critic's hidden layers, y each translation's own target; for pairs.

    The generator makes it small, in the critic as it stands; the critic's loss has nothing of it. Every layer's
    difference is a mean, logged together as ``features``, weight included.

    Args:
        weight: the weight λ.
        option: the option whose value the weight is, if it is called otherwise.

    Raises:
        ValueError: for a negative weight.
    """

    needs_real = True

    def __init__(self, weight: float, option: str = "features") -> None:
        super().__init__()
        positive_or_zero(**{option: weight})
        self.weight = weight

    @property
    def setting(self) -> str:
        """The term and its weight in words."""
        return f"{self.weight:g} features"

    def shares(self, layers: int) -> Sequence[float]:
        """Return each layer's share of the sum: alike for all."""
        return [1.0] * layers

    def distance(self, fake: Scored, real: Scored | None) -> Tensor:
        """Return the weighted sum over layers, in single precision or better.

        Raises:
            ValueError: where real images are not scored, or the critic shows no hidden layers.
        """
        if real is None or not real.hidden:
            raise ValueError("hidden=(): features are matched in the layers of a critic that shows them")
        layers = zip(self.shares(len(real.hidden)), fake.hidden, real.hidden, strict=True)
        apart = [share * l1(at_least_single(one), at_least_single(other)) for share, one, other in layers]
        return self.weight * torch.stack(apart).sum()

    def generator(self, game: GameView, step: GameStep) -> dict[str, Tensor]:
        """Return the weighted distance, whose real side is fixed."""
        real = step.real and replace(step.real, hidden=tuple(layer.detach() for layer in step.real.hidden))
        return {"features": self.distance(step.fake, real)}
