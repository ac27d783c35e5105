"""The adversarial autoencoder (1511.05644): a game over codes takes the place of a divergence from the prior."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from families.adversarial.losses import NON_SATURATING
from families.autoencoder.deterministic import PointAutoencoder
from families.autoencoder.networks import one_hot
from families.layers.convolutional import he
from families.layers.training import warm_cosine
from families.outputs import Output
from families.outputs.base import at_least_single
from genbench.interface import Phase, Step, Turn
from genbench.spec import Batch, DataSpec

BETAS = (0.5, 0.999)  # of Adam in the game, where a long memory of gradients lags behind the other side


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
        """``(B, features)`` → logits ``(B,)``."""
        if self.classes:
            codes = torch.cat([codes, one_hot(given, self.classes, codes)], 1)
        return at_least_single(self.layers(codes))[:, 0]


class AdversarialAutoencoder(PointAutoencoder):
    """Three turns a batch: reconstruct; tell the prior's codes from the encoder's; be told from the prior no longer.

    Args:
        spec, encoder, decoder, prior, output, given: as for ``PointAutoencoder``.
        discriminators: one for each part of the code, in order, each with its size as ``features``.
        lr: of reconstruction.
        game_lr: Adam's learning rate in the two turns of the game, along the same cosine: a game that goes on at full
            rate while reconstruction comes to rest was seen to undo it.
    """

    def __init__(
        self,
        spec: DataSpec,
        encoder: nn.Module,
        decoder: nn.Module,
        prior: nn.Module,
        output: Output,
        discriminators: Sequence[Discriminator],
        *,
        given: tuple[str, ...] = (),
        lr: float,
        game_lr: float,
    ) -> None:
        super().__init__(spec, encoder, decoder, prior, output, given=given, lr=lr)
        self.discriminators, self.game_lr = nn.ModuleList(discriminators), game_lr
        self.sizes = [discriminator.features for discriminator in discriminators]

    def phases(self) -> Sequence[Phase]:
        """Reconstruction, discriminator, encoder as the discriminator's opponent: in turns on every batch."""
        adam = partial(torch.optim.Adam, lr=self.game_lr, betas=BETAS)
        discriminator = Turn(
            "discriminator", [self.discriminators], self.discriminator_loss, adam, schedule=warm_cosine
        )
        generator = Turn("generator", [self.encoder], self.generator_loss, adam, schedule=warm_cosine)
        return [Phase("adversarial", 1.0, [self.reconstruction_turn(), discriminator, generator])]

    def discriminator_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """``-log D(z) - log(1 - D(code))``, z from the prior, summed over the code's parts; logs the mean logits."""
        reals = self.prior(batch).draw(step.generator)
        with torch.no_grad():
            fakes = self.learning_code(batch, step)
        real, fake = self.judge(reals, batch), self.judge(fakes, batch)
        loss = torch.stack([NON_SATURATING.critic(*pair) for pair in zip(real, fake, strict=True)]).sum()
        return {"loss": loss, "real": torch.stack(real).mean(), "fake": torch.stack(fake).mean()}

    def generator_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """``-log D(code)``, summed over the code's parts."""
        nobody = torch.empty(0)
        logits = self.judge(self.learning_code(batch, step), batch)
        return {"loss": torch.stack([NON_SATURATING.generator(nobody, fake) for fake in logits]).sum()}

    def judge(self, codes: Tensor, given: Batch) -> list[Tensor]:
        """Each discriminator's logits of its own part of the codes, ``(B,)``."""
        pieces = codes.split(self.sizes, 1)
        return [discriminator(piece, given) for discriminator, piece in zip(self.discriminators, pieces, strict=True)]
