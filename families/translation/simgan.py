"""Simulated images refined to look real, while each stays what it was."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from families.adversarial.losses import NON_SATURATING, over_places
from families.layers.distances import l1
from families.layers.options import positive, whole
from families.translation.blocks import convolution, residual
from families.translation.checks import unpaired
from families.translation.model import copy_of
from families.translation.one_way import Alone, OneWay
from families.translation.terms import Distance
from genbench.interface import GenerativeModel
from genbench.spec import DataSpec


class Refiner(nn.Module):
    """A residual network at the image's own sides: 3×3, blocks without normalisation, 1×1, tanh.

    Args:
        channels: the channels of a source.
        out: the channels of an image.
        width: the channels between.
        blocks: the number of blocks.

    Raises:
        ValueError: for a width below 1, or a negative number of blocks.
    """

    def __init__(self, channels: int, out: int, width: int, blocks: int) -> None:
        super().__init__()
        whole(1, width=width)
        whole(0, blocks=blocks)
        inner = [residual(width) for _ in range(blocks)]
        self.layers = nn.Sequential(
            convolution(channels, width, 3), nn.ReLU(), *inner, convolution(width, out, 1), nn.Tanh()
        )

    def forward(self, source: Tensor, u: Tensor | None = None) -> Tensor:
        """Map sources ``(B, C', H, W)`` to images ``(B, C, H, W)``, all on [-1, 1]."""
        return self.layers(source)


def patch_critic(channels: int, width: int) -> nn.Sequential:
    """Make a critic whose logits ``(B, 1, ⌈H/2⌉, ⌈W/2⌉)`` see 11×11 patches: two 3×3, the first of stride 2, and 1×1.

    Behind the 3×3 convolutions stands a maximum over 3×3 of stride 1; the logits are linear.

    Args:
        channels: the channels of an image.
        width: the channels of every hidden layer.
    """
    return nn.Sequential(
        convolution(channels, width, 3, stride=2),
        nn.ReLU(),
        convolution(width, width, 3),
        nn.ReLU(),
        nn.MaxPool2d(3, 1, 1),
        convolution(width, width, 1),
        nn.ReLU(),
        convolution(width, 1, 1),
    )


def simgan(
    spec: DataSpec,
    *,
    width: int = 32,
    blocks: int = 4,
    regularisation: float = 0.1,
    history: int = 512,
    refiner: float = 0.05,
    critic: float = 0.02,
    lr: float = 2e-4,
) -> GenerativeModel:
    """SimGAN (1612.07828): a refiner of simulated images, a critic of patches, and ``λ ‖ŷ - x‖₁``, so that labels hold.

    The refiner minimises ``Σ softplus(-C(ŷ)) + λ Σ |ŷ - x|`` and the critic ``Σ softplus(-C(y)) + Σ softplus(C(ŷ))``:
    sums over the critic's places and over pixels, means over the batch. C is high for real images, where the paper's D
    is the probability of a refined one. First the refiner learns by its second term alone, then the critic alone, then
    both, the refiner twice for each of the critic's steps; half of the fakes that the critic sees come from a history.

    Departures: Adam(2e-4, (0.5, 0.999)) for the paper's SGD; shares of the budget for 1,000 and 200 steps; 32 channels
    for 64 of the refiner and 96, 64 and 32 of the critic; as the paper does not tell λ for these images, 0.1 is a
    choice. Where source and image differ in channels, x is made grey or repeated in front of the comparison.

    Args:
        spec: the spec of the data, two unpaired domains of one height and width: simulated sources, real images.
        width: channels of both networks.
        blocks: residual blocks of the refiner.
        regularisation: the weight λ of what keeps an image like its source.
        history: past fakes that the critic is shown again; 0 for none.
        refiner: the share of the budget in which the refiner learns to leave images as they are.
        critic: the share of the budget in which the critic alone learns then.
        lr: the learning rate.

    Raises:
        ValueError: for a spec of pairs, without a source or with one of other sides; for an option out of range.
    """
    source = unpaired(spec, "simgan")
    positive(lr=lr)

    def far(image: Tensor, source: Tensor) -> Tensor:
        return image[0].numel() * l1(image, copy_of(source, spec.shape))

    stay = Distance("regularisation", regularisation, far, "source")
    return OneWay(
        spec,
        Refiner(source[0], spec.shape[0], width, blocks),
        patch_critic(spec.shape[0], width),
        loss=over_places(NON_SATURATING),
        terms=[stay],
        history=history,
        before=[Alone("refiner", refiner, [stay]), Alone("critic", critic)],
        optimizer=partial(torch.optim.Adam, lr=lr, betas=(0.5, 0.999)),
        critic_every=2,
    )
