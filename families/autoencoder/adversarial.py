"""The adversarial autoencoder (1511.05644): a game over codes takes the place of a divergence from the prior."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from families.adversarial.game import Game
from families.adversarial.losses import NON_SATURATING
from families.adversarial.terms import Scored
from families.autoencoder.deterministic import PointAutoencoder
from families.autoencoder.model import MEDIANS, Drawing
from families.autoencoder.networks import Decoder, one_hot
from families.layers.convolutional import he
from families.layers.training import warm_turn
from families.outputs import Output
from families.outputs.base import at_least_single
from genbench.interface import Phase, Step
from genbench.spec import Batch, DataSpec


class Discriminator(nn.Module):
    """Two hidden layers between a code, or a part of one, and the logit that it came from the prior.

    Args:
        features: numbers of the code that it sees.
        hidden: units of each hidden layer.
        classes: labels that it is told, as a one-hot vector behind the code; 0 for none.
    """

    def __init__(self, features: int, hidden: int, classes: int = 0) -> None:
        super().__init__()
        self.features, self.classes = features, classes
        first, second, last = nn.Linear(features + classes, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, 1)
        self.layers = nn.Sequential(he(first), nn.LeakyReLU(0.2), he(second), nn.LeakyReLU(0.2), he(last))

    def forward(self, codes: Tensor, given: Batch) -> Tensor:
        """Map codes ``(B, features)`` to logits ``(B,)``, told the labels of ``given`` if it has classes."""
        if self.classes:
            codes = torch.cat([codes, one_hot(given, self.classes, codes)], 1)
        return at_least_single(self.layers(codes))[:, 0]


class AdversarialAutoencoder(PointAutoencoder):
    """Three turns a batch: reconstruct; tell the prior's codes from the encoder's; be told from the prior no longer.

    Args:
        spec, encoder, decoder, prior, output, given, drawing: the same as for ``PointAutoencoder``.
        discriminators: one for each part of the code, in order, each with its size as ``features``.
        lr: Adam's learning rate in reconstruction.
        game_lr: Adam's learning rate in the two turns of the game, along the same cosine: a game that goes on at full
            rate while reconstruction comes to rest was seen to undo it.
        game_betas: Adam's β₁ and β₂ in the game, where a long memory of gradients lags behind the other side.
    """

    def __init__(
        self,
        spec: DataSpec,
        encoder: nn.Module,
        decoder: Decoder,
        prior: nn.Module,
        output: Output,
        discriminators: Sequence[Discriminator],
        *,
        given: tuple[str, ...] = (),
        lr: float,
        game_lr: float,
        game_betas: tuple[float, float],
        drawing: Drawing = MEDIANS,
    ) -> None:
        super().__init__(spec, encoder, decoder, prior, output, given=given, lr=lr, drawing=drawing)
        self.discriminators = nn.ModuleList(discriminators)
        self.game_lr = game_lr
        self.game_betas = game_betas
        self.sizes = [discriminator.features for discriminator in discriminators]

    def phases(self) -> Sequence[Phase]:
        """Return the one phase: reconstruction, discriminator, encoder as its opponent, in turns on every batch."""
        adam = partial(torch.optim.Adam, lr=self.game_lr, betas=self.game_betas)
        discriminator = warm_turn("discriminator", [self.discriminators], self.discriminator_loss, adam)
        generator = warm_turn("generator", [self.encoder], self.generator_loss, adam)
        turns = [self.reconstruction_turn(), discriminator, generator]
        return [Phase("adversarial", 1.0, turns, enter=self.enter)]

    @property
    def games(self) -> Sequence[Game]:
        """A game of the encoder with each discriminator, over its own part of the code."""
        return [Game(self.encoder, discriminator, loss=NON_SATURATING) for discriminator in self.discriminators]

    def discriminator_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return ``-log D(z) - log(1 - D(code))``, z from the prior, summed over the code's parts; log mean logits."""
        prior_codes = self.prior(batch).draw(step.generator)
        with torch.no_grad():
            codes = self.learning_code(batch, step)
        reals = self.scored(prior_codes, batch)
        fakes = self.scored(codes, batch)
        rounds = zip(self.games, reals, fakes, strict=True)
        losses = [game.critic_loss(real, fake, step)["loss"] for game, real, fake in rounds]
        return {
            "loss": torch.stack(losses).sum(),
            "real": torch.stack([real.logits for real in reals]).mean(),
            "fake": torch.stack([fake.logits for fake in fakes]).mean(),
        }

    def generator_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return ``-log D(code)``, summed over the code's parts."""
        fakes = self.scored(self.learning_code(batch, step), batch)
        losses = [game.generator_loss(fake, step)["loss"] for game, fake in zip(self.games, fakes, strict=True)]
        return {"loss": torch.stack(losses).sum()}

    def scored(self, codes: Tensor, given: Batch) -> list[Scored]:
        """Return what each discriminator says of its own part of the codes."""
        pieces = codes.split(self.sizes, 1)
        return [game.scored(piece, given) for game, piece in zip(self.games, pieces, strict=True)]
