"""A critic that judges an image by how badly it copies it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

from torch import Tensor, nn

from families.adversarial.networks import ImageCritic
from families.layers.convolutional import he
from families.layers.options import whole

Network = TypeVar("Network", bound=nn.Module)
Error = Callable[[Tensor, Tensor], Tensor]


def root_mean_square(images: Tensor, copies: Tensor) -> Tensor:
    """``‖x - x̂‖ / √(C·H·W)`` of each image ``(B, C, H, W)``: ``(B,)``."""
    return (images - copies).flatten(1).norm(dim=1) / math.sqrt(images[0].numel())


def mean_absolute(images: Tensor, copies: Tensor) -> Tensor:
    """``‖x - x̂‖₁ / (C·H·W)`` of each image ``(B, C, H, W)``: ``(B,)``."""
    return (images - copies).abs().flatten(1).mean(1)


class AutoencodingCritic(ImageCritic):
    """Images x → minus their energy ``error(x, Dec(Enc(x)))`` as the logit, and the codes ``Enc(x)`` as features.

    A logit is high where a critic says real, an energy low, hence the sign.

    Args:
        encoder: a critic, whose features a linear layer turns into the code; its own logit is dropped.
        decoder: codes ``(B, F)`` → images on [-1, 1].
        features: size F of the code.
        error: ``(images, copies) → (B,)``, at least 0.

    Raises:
        ValueError: for a code of less than one number.
    """

    def __init__(self, encoder: ImageCritic, decoder: nn.Module, features: int, error: Error) -> None:
        super().__init__()
        whole(1, features=features)
        encoder.logit = nn.Identity()
        self.encoder, self.decoder, self.error = encoder, decoder, error
        self.code, self.features = he(nn.Linear(encoder.features, features)), features
        kind = getattr(error, "__name__", "own").replace("_", " ")
        self.setting = f"autoencoder {features}, {kind} error" + (f"; {encoder.setting}" if encoder.setting else "")

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images ``(B, C, H, W)`` → minus their energy ``(B,)`` and codes ``(B, F)``."""
        codes = self.code(self.encoder(images)[1])
        return -self.error(images, self.decoder(codes)), codes


def unsquashed(network: Network) -> Network:
    """The network, changed in place: no tanh, which has no slope left where a pixel is black or white."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Tanh):
                setattr(module, name, nn.Identity())
    return network
