"""A critic that scores an image by how badly it copies it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor, nn

from families.adversarial.networks import ImageCritic
from families.layers.convolutional import he
from families.layers.options import whole

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class CopyingError:
    """How far copies are from their images.

    Args:
        setting: which error it is, in words for a column of the table.
        distance: ``(images, copies)``, both ``(B, C, H, W)``, → ``(B,)``, at least 0.
    """

    setting: str
    distance: Callable[[Tensor, Tensor], Tensor]

    def __call__(self, images: Tensor, copies: Tensor) -> Tensor:
        """Return the distance of each copy from its image, ``(B,)``."""
        return self.distance(images, copies)


def root_mean_square(images: Tensor, copies: Tensor) -> Tensor:
    """Return ``‖x - x̂‖ / √(C·H·W)`` of each image ``(B, C, H, W)``: ``(B,)``."""
    return (images - copies).flatten(1).norm(dim=1) / math.sqrt(images[0].numel())


def mean_absolute(images: Tensor, copies: Tensor) -> Tensor:
    """Return ``‖x - x̂‖₁ / (C·H·W)`` of each image ``(B, C, H, W)``: ``(B,)``."""
    return (images - copies).abs().flatten(1).mean(1)


ROOT_MEAN_SQUARE = CopyingError("root mean square error", root_mean_square)
MEAN_ABSOLUTE = CopyingError("mean absolute error", mean_absolute)


class AutoencodingCritic(ImageCritic):
    """A critic whose logit is minus the energy ``error(x, Dec(Enc(x)))`` and whose features are the codes ``Enc(x)``.

    A logit is high where a critic says real, an energy low, hence the sign.

    Args:
        encoder: a critic, whose features a linear layer turns into the code; its own logit is dropped.
        decoder: a map of codes ``(B, F)`` to images on [-1, 1].
        features: the size F of the code.
        error: the error of the copies.

    Raises:
        ValueError: for a code of less than one number.
    """

    def __init__(self, encoder: ImageCritic, decoder: nn.Module, features: int, error: CopyingError) -> None:
        super().__init__()
        whole(1, features=features)
        encoder.logit = nn.Identity()
        self.encoder, self.decoder, self.error = encoder, decoder, error
        self.code, self.features = he(nn.Linear(encoder.features, features)), features
        self.setting = f"autoencoder {features}, {error.setting}" + (f"; {encoder.setting}" if encoder.setting else "")

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map images ``(B, C, H, W)`` to minus their energy ``(B,)`` and to codes ``(B, F)``."""
        codes = self.code(self.encoder(images)[1])
        return -self.error(images, self.decoder(codes)), codes


def unsquashed(network: Network) -> Network:
    """Return the network, changed in place, without tanh, which has no slope left where a pixel is black or white."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Tanh):
                setattr(module, name, nn.Identity())
    return network
