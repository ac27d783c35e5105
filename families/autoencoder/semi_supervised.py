"""The semi-supervised adversarial autoencoder (1511.05644, section 5): a class and a style, few labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from families.autoencoder.adversarial import AdversarialAutoencoder, Discriminator
from families.autoencoder.model import MEDIANS, Drawing
from families.autoencoder.networks import ClassAndStyleEncoder, Decoder
from families.layers.coded import row_chunks
from families.layers.evaluation import evaluation
from families.layers.training import warm_turn
from families.outputs import Output
from genbench.interface import Phase, Step
from genbench.seed import normal
from genbench.spec import Batch, DataSpec


class SemiSupervisedAutoencoder(AdversarialAutoencoder):
    """An adversarial autoencoder whose code is a class y and a style z, with a turn on the images that have labels.

    The decoder learns from the softmax over classes, which the adversary drives to one-hot; the bound and samples take
    one-hot classes. The encoder is a ``ClassAndStyleEncoder``, the prior a ``ClassAndStyle``.

    Args:
        spec, encoder, decoder, prior, output, discriminators: the same as for ``AdversarialAutoencoder``.
        lr, game_lr, game_betas, drawing: the same as for it.
        noise: standard deviation of what is added to every image, on [-1, 1], that the encoder learns from.
    """

    def __init__(
        self,
        spec: DataSpec,
        encoder: ClassAndStyleEncoder,
        decoder: Decoder,
        prior: nn.Module,
        output: Output,
        discriminators: Sequence[Discriminator],
        *,
        lr: float,
        game_lr: float,
        game_betas: tuple[float, float],
        noise: float,
        drawing: Drawing = MEDIANS,
    ) -> None:
        super().__init__(
            spec,
            encoder,
            decoder,
            prior,
            output,
            discriminators,
            lr=lr,
            game_lr=game_lr,
            game_betas=game_betas,
            drawing=drawing,
        )
        self.encoder: ClassAndStyleEncoder
        self.noise = noise

    def noisy(self, batch: Batch, step: Step) -> Tensor:
        """Return the images as the encoder learns from them."""
        images = self.scaled(batch)
        return images + self.noise * normal(images.shape, step.generator, self.device).to(images.dtype)

    def learning_code(self, batch: Batch, step: Step) -> Tensor:
        """Return the classes' probabilities and the style of the noisy images, ``(B, K + Z)``."""
        return self._soft(self.noisy(batch, step))

    def _soft(self, images: Tensor) -> Tensor:
        logits, style = self.encoder.split(images)
        return torch.cat([logits.softmax(1), style], 1)

    def phases(self) -> Sequence[Phase]:
        """Return the three turns of the adversarial autoencoder, and behind them one on the labelled minibatch."""
        (phase,) = super().phases()
        adam = partial(torch.optim.Adam, lr=self.lr)
        classification = warm_turn("classification", [self.encoder], self.classification_loss, adam)
        return [replace(phase, turns=[*phase.turns, classification])]

    def encode(self, batch: Batch) -> Tensor:
        """Return the classes' probabilities and the style, ``(B, K + Z)``."""
        return self._soft(self.scaled(batch))

    def classification_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the cross-entropy on the labelled minibatch; log the accuracy there.

        Raises:
            ValueError: where the batch has no labelled minibatch.
        """
        if batch.labelled is None or batch.labelled.labels is None:
            raise ValueError("labelled=None: this recipe learns from a share of images that carry their label")
        logits, _ = self.encoder.split(self.noisy(batch.labelled, step))
        right = logits.argmax(1) == batch.labelled.labels
        return {"loss": F.cross_entropy(logits, batch.labelled.labels), "accuracy": right.float().mean()}

    def classify(self, batch: Batch) -> Tensor:
        """Return the probabilities of the classes, ``(B, classes)``; the batch's own labels play no part."""
        batch = self.checked(batch, given=())
        with evaluation(self):
            parts = [self.scaled(batch.rows(rows)) for rows in row_chunks(batch)]
            return torch.cat([self.encoder.split(part)[0].softmax(1) for part in parts])
