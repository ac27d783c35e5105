"""Dense networks for the game, after the first one (1406.2661): two hidden layers each, He's initialisation."""

from __future__ import annotations

import math

from torch import Tensor, nn

from families.adversarial.dcgan import Norm, unnormalised
from families.adversarial.networks import ImageCritic
from families.layers.convolutional import he
from families.layers.dense import dense
from families.layers.options import whole


class Generator(nn.Module):
    """A dense generator: code, two hidden layers of rectifiers, tanh; nothing is normalised.

    Args:
        shape: the shape ``(C, H, W)``.
        features: size of the code.
        width: units of a hidden layer.

    Raises:
        ValueError: for a width below 1.
    """

    def __init__(self, shape: tuple[int, int, int], features: int, width: int) -> None:
        super().__init__()
        whole(1, width=width)
        self.layers = nn.Sequential(dense(features, width, 2, math.prod(shape)), nn.Tanh(), nn.Unflatten(1, shape))

    def forward(self, code: Tensor) -> Tensor:
        """Map codes ``(B, features)`` to images ``(B, C, H, W)`` on [-1, 1]."""
        return self.layers(code)


class Critic(ImageCritic):
    """A dense critic: image, two hidden layers of LeakyReLU(0.2), one linear logit.

    The second hidden layer is a map of side one, so that any normalisation of maps fits behind it. Batch
    normalisation is not the default: so near to the logit it hides where a whole batch of fakes lies (after 1,500
    steps on 8×8 digits the pixels' Fréchet distance was 3,746 with it and 385 without).
    Departures: leaky rectifiers where the paper has maxout and dropout.

    Args:
        shape: the shape ``(C, H, W)``.
        width: units of a hidden layer.
        norm: a function that makes a normalisation behind every hidden layer but the first.

    Attributes:
        features: F, the width.

    Raises:
        ValueError: for a width below 1.
    """

    setting = "dense networks"

    def __init__(self, shape: tuple[int, int, int], width: int, norm: Norm = unnormalised) -> None:
        super().__init__()
        whole(1, width=width)
        self.features = width
        self.layers = nn.Sequential(
            nn.Flatten(),
            he(nn.Linear(math.prod(shape), width)),
            nn.LeakyReLU(0.2),
            he(nn.Linear(width, width)),
            nn.Unflatten(1, (width, 1, 1)),
            norm(width),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
        )
        self.logit = he(nn.Linear(width, 1, bias=False))  # a game of differences could not learn one
