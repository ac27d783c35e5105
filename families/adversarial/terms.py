"""What one turn of the game sees, and the terms that a recipe adds to either side's loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

from genbench.interface import Step
from genbench.spec import Batch

if TYPE_CHECKING:
    from families.gan.model import GAN


@dataclass(frozen=True)
class Scored:
    """A batch of images and what the critic says of it.

    Args:
        images: ``(B, C, H, W)`` on [-1, 1], as the critic saw them.
        logits: scores ``(B,)``.
        features: what the critic's last layer reads, ``(B, F)``.
        given: conditions of the images.
    """

    images: Tensor
    logits: Tensor
    features: Tensor
    given: Batch


@dataclass(frozen=True)
class GameStep:
    """One turn: the fakes, the noise they were made of, and the real images where the turn judges them.

    Args:
        step: where training stands; all further noise comes from its generator.
        u: noise of the fakes, ``(B, Z)``.
        fake: the generator's images; without gradient towards the generator in the critic's turn.
        real: real images; None in the generator's turn unless the loss or a term reads them.
    """

    step: Step
    u: Tensor
    fake: Scored
    real: Scored | None = None


class Term(nn.Module):
    """Something beside the loss: each side gets a dictionary of weighted scalars, which are added and logged by name.

    A term's weights learn in the critic's turn, its buffers are saved with the model.

    Attributes:
        setting: what it is in words, with its weight, for :attr:`GAN.setting`.
        reads_real: whether the generator's side reads the real images, which costs a pass through the critic.
    """

    reads_real = False

    @property
    def setting(self) -> str:
        """Its name, unless it says more."""
        return type(self).__name__

    def critic(self, game: GAN, play: GameStep) -> dict[str, Tensor]:
        """What the critic minimises beside its loss."""
        return {}

    def generator(self, game: GAN, play: GameStep) -> dict[str, Tensor]:
        """What the generator minimises beside its loss."""
        return {}

    def watch(self, game: GAN, turn: str, play: GameStep) -> dict[str, Tensor]:
        """What is logged of the turn, ``"critic"`` or ``"generator"``, and added to nothing."""
        return {}

    def after(self, game: GAN, turn: str, logs: Mapping[str, Tensor]) -> None:
        """Runs behind a step of ``"critic"`` or ``"generator"``, without gradient."""
