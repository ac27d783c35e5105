"""Translation between several domains by one generator that is told which."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from families.adversarial.losses import WASSERSTEIN
from families.adversarial.penalties import GradientPenalty
from families.layers.instance_norm import instance
from families.layers.options import positive
from families.layers.training import half_then_linear
from families.translation.checks import domains, wide
from families.translation.critics import ClassifyingCritic
from families.translation.domains import Domains
from families.translation.resnet import Decoder, Encoder, Translator
from genbench.interface import GenerativeModel
from genbench.spec import DataSpec


class ToldWanted(nn.Module):
    """A translator that is told the domain to translate into, and not the one that an image is in.

    Args:
        translator: ``(images, None, wanted)`` → images.
    """

    def __init__(self, translator: Translator) -> None:
        super().__init__()
        self.translator = translator

    def forward(self, images: Tensor, own: Tensor | None, wanted: Tensor) -> Tensor:
        """Map images ``(B, C, H, W)`` into their wanted domains ``(B,)``, on [-1, 1]."""
        return self.translator(images, None, wanted)


def stargan(
    spec: DataSpec,
    *,
    width: int = 16,
    blocks: int = 3,
    reconstruct: float = 10.0,
    classify: float = 1.0,
    penalty: float = 10.0,
    critic_steps: int = 5,
    lr: float = 1e-4,
) -> GenerativeModel:
    """StarGAN (1711.09020): one generator of all domains, told which to translate into, and a critic that tells them.

    With x an image of domain c, c' the batch's domains in another order and ``ŷ = G(x, c')``, the critic minimises
    ``E C(ŷ) - E C(x) + 10 E (‖∇C(x̂)‖ - 1)² + CE(class(x), c)``, the generator
    ``-E C(ŷ) + CE(class(ŷ), c') + 10 |x - G(ŷ, c)|``. The critic learns to tell domains from real images alone.

    The generator gets the domain as maps beside the image; it pads by zeros, for a constant map under mirrored padding
    would vanish in the normalisation. Five steps of the critic go with one of the generator, Adam(1e-4, (0.5, 0.999)),
    constant over the first half, then down to 0. Departures: 16 channels and 3 blocks for the paper's 64 and 6, a
    critic as deep as the image halves for its 6 layers at 128 px, and weights that start by their fan-in.

    Args:
        spec: the spec of the data, images with a field ``domain`` and sources of their shape.
        width: channels at the image's sides, and of the critic's first convolution.
        blocks: residual blocks.
        reconstruct: the weight of the way back.
        classify: the weight of the domains' cross-entropy on either side.
        penalty: the weight of the gradient penalty.
        critic_steps: the critic's steps for each of the generator's.
        lr: the learning rate.

    Raises:
        ValueError: for data of fewer than two domains, or with sources of another shape; for an option out of range.
    """
    count = domains(spec, "stargan")
    wide(spec, "stargan")
    positive(lr=lr, penalty=penalty)
    channels, *sides = spec.shape
    encoder = Encoder((channels + count, sides[0], sides[1]), width, blocks, instance, "zeros", kernel=4)
    decoder = Decoder(spec.shape, width, 0, instance, "zeros", kernel=4)
    return Domains(
        spec,
        ToldWanted(Translator(encoder, decoder, conditions=count)),
        ClassifyingCritic(spec.shape, width, count),
        loss=WASSERSTEIN,
        reconstruct=reconstruct,
        classify=classify,
        penalty=GradientPenalty(penalty),
        optimizer=partial(torch.optim.Adam, lr=lr, betas=(0.5, 0.999)),
        schedule=half_then_linear,
        critic_steps=critic_steps,
    )
