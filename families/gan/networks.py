"""The kinds of networks that a GAN may be made of, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from families.adversarial import dcgan, mlp, resnet
from families.adversarial.networks import ImageCritic


@dataclass(frozen=True)
class Networks:
    """How a generator and a critic of one kind are made.

    Args:
        generator: ``(shape, features of the code, width)`` → code ``(B, features)`` to images on [-1, 1].
        critic: ``(shape, width)`` → a critic; ``norm`` takes the place of its own normalisation.
        maps: whether both work on feature maps: generators then also take ``norm``, and both take ``attention``.
    """

    generator: Callable[..., nn.Module]
    critic: Callable[..., ImageCritic]
    maps: bool = True


NETWORKS = {
    "convolutional": Networks(dcgan.Generator, dcgan.Critic),
    "residual": Networks(resnet.Generator, resnet.Critic),
    "dense": Networks(mlp.Generator, mlp.Critic, maps=False),
}
