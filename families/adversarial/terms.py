"""What one turn of an adversarial game sees, and the terms that a recipe adds to either side's loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from genbench.interface import Step


@dataclass(frozen=True)
class Scored:
    """A batch of images, or of codes, and what a critic says of it.

    Args:
        images: what the critic saw, ``(B, C, H, W)`` on [-1, 1], or codes ``(B, Z)``.
        logits: scores ``(B,)``, or a map of them.
        features: what the critic's last layer reads, ``(B, F)``; ``(B, 0)`` of a critic that shows none.
        given: what the images were scored under, as the game's holder gave it: a batch, a source, a code; or None.
        hidden: maps of the critic's hidden layers in order, of a critic that shows them for matching.
        classes: logits of classes ``(B, K)``, of a critic that tells them.
    """

    images: Tensor
    logits: Tensor
    features: Tensor
    given: Any = None
    hidden: tuple[Tensor, ...] = ()
    classes: Tensor | None = None


@dataclass(frozen=True)
class GameStep:
    """One turn of a game: the fakes, the noise they were made of, and the real images where the turn scores them.

    Args:
        step: where training stands; all further noise comes from its generator.
        fake: the generator's images; without gradient towards the generator in the critic's turn.
        real: real images; None in the generator's turn unless the loss or a term needs them.
        u: noise that the fakes were made of, ``(B, Z)``; None where the holder of the game gives none.
        source: what the fakes were translated from, on [-1, 1]; None where nothing was.
        target: images of the domain that they were translated into, ``(B, C, H, W)`` on [-1, 1], each fake's own where
            training is of pairs; None where nothing was translated.
    """

    step: Step
    fake: Scored
    real: Scored | None = None
    u: Tensor | None = None
    source: Tensor | None = None
    target: Tensor | None = None


class GameView(Protocol):
    """What a term sees of the game that it belongs to: the networks and nothing of how they are trained."""

    @property
    def generator(self) -> nn.Module:
        """The network that makes the fakes."""
        ...

    @property
    def critic(self) -> nn.Module:
        """The network that scores real images and fakes."""
        ...

    @property
    def sides(self) -> Mapping[str, Sequence[nn.Module]]:
        """The modules of each side by the name of its turn, ``"critic"`` or ``"generator"``, with head and code."""
        ...


class Term(nn.Module):
    """Something beside the loss: each side gets a dictionary of weighted scalars, which are added and logged by name.

    A term's weights learn in the critic's turn, its buffers are saved with the model.

    Attributes:
        setting: what the term is in words, with its weight, for the table's column; empty where it says nothing.
        needs_real: whether the generator's side needs the real images, which costs a pass through the critic.
    """

    needs_real = False

    @property
    def setting(self) -> str:
        """What the term is in words, with its weight: nothing, unless it says more."""
        return ""

    def critic(self, game: GameView, step: GameStep) -> dict[str, Tensor]:
        """Return what the critic minimises beside its loss."""
        return {}

    def generator(self, game: GameView, step: GameStep) -> dict[str, Tensor]:
        """Return what the generator minimises beside its loss."""
        return {}

    def logs(self, game: GameView, turn: str, step: GameStep) -> dict[str, Tensor]:
        """Return what is logged of the turn, ``"critic"`` or ``"generator"``, and added to nothing."""
        return {}

    def after(self, game: GameView, turn: str, logs: Mapping[str, Tensor]) -> None:
        """Act behind a step of ``"critic"`` or ``"generator"``, without gradient; ``logs`` are those of the step."""
