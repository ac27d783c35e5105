"""Super-resolution by a residual network, a critic of images and features of a trained network."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor, nn

from families.adversarial.losses import NON_SATURATING, weighted_generator
from families.layers.bounds import held
from families.layers.distances import l2
from families.layers.options import one_of, positive, positive_or_zero, share, whole
from families.layers.perceptual import CLASSIFIER, PLACES, Perceptual, chosen
from families.layers.scaling import halved
from families.translation.blocks import convolution, residual, shuffle
from families.translation.checks import enlarges
from families.translation.one_way import Alone, OneWay
from families.translation.terms import Distance
from genbench.interface import GenerativeModel
from genbench.spec import DataSpec


class SRResNet(nn.Module):
    """9×9, residual blocks and a long skip at the source's sides, a shuffle for each prime factor, 9×9, clamped.

    Args:
        channels: the channels of a source.
        out: the channels of an image.
        factor: how many times the image's sides are the source's.
        width: the channels between.
        blocks: the number of blocks.

    Raises:
        ValueError: for a width below 1, or a negative number of blocks.
    """

    def __init__(self, channels: int, out: int, factor: int, width: int, blocks: int) -> None:
        super().__init__()
        whole(1, width=width)
        whole(0, blocks=blocks)
        self.first = nn.Sequential(convolution(channels, width, 9), nn.PReLU())
        inner = [residual(width, nn.BatchNorm2d, activation=nn.PReLU) for _ in range(blocks)]
        self.inner = nn.Sequential(*inner, convolution(width, width, 3, nn.BatchNorm2d))
        larger = [nn.Sequential(shuffle(width, width, prime), nn.PReLU()) for prime in primes(factor)]
        self.larger = nn.Sequential(*larger)
        self.last = convolution(width, out, 9)

    def forward(self, source: Tensor, u: Tensor | None = None) -> Tensor:
        """Map sources ``(B, C', H', W')`` on [-1, 1] to images ``(B, C, H, W)`` there."""
        x = self.first(source)
        return held(self.last(self.larger(x + self.inner(x))), self.training)


class Critic(nn.Module):
    """3×3 convolutions of strides 1, 2, 1, 2 … down to a side of 4, LeakyReLU(0.2) behind each, two linear layers.

    Batch normalisation stands behind every convolution but the first.

    Args:
        shape: the shape ``(C, H, W)`` of an image.
        width: the channels of the first convolution, twice as many behind every halving but the first.
    """

    def __init__(self, shape: tuple[int, int, int], width: int) -> None:
        super().__init__()
        sides = halved(shape[1:], 0)
        layers: list[nn.Module] = [convolution(shape[0], width, 3), nn.LeakyReLU(0.2)]
        into = out = width
        while min(sides) > 4:
            if len(layers) > 2:
                layers += [convolution(into, out, 3, nn.BatchNorm2d), nn.LeakyReLU(0.2)]
            layers += [convolution(out, out, 3, nn.BatchNorm2d, stride=2), nn.LeakyReLU(0.2)]
            sides, into, out = halved(sides, 1), out, 2 * out
        dense = nn.Linear(into * math.prod(sides), 16 * width)
        self.layers = nn.Sequential(*layers, nn.Flatten(), dense, nn.LeakyReLU(0.2), nn.Linear(16 * width, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Map images ``(B, C, H, W)`` to logits ``(B,)``."""
        return self.layers(images)[:, 0]


def primes(number: int) -> list[int]:
    """Return the prime factors of a whole number from 1 on, in order: none of 1."""
    least = next((prime for prime in range(2, number + 1) if number % prime == 0), None)
    return [] if least is None else [least, *primes(number // least)]


def late_tenth(fraction: float) -> float:
    """Return the learning rate's factor: 1 over the first half, then a tenth."""
    return 1.0 if fraction < 0.5 else 0.1


def srgan(
    spec: DataSpec,
    *,
    width: int = 16,
    blocks: int = 4,
    content: float = 1.0,
    game: float = 1e-3,
    adversarial: float = 0.3,
    perceptual: str = "auto",
    layer: str = "high",
    lr: float = 1e-4,
) -> GenerativeModel:
    """SRGAN (1609.04802): SRResNet by ‖ŷ - y‖², then by features of a trained network and a critic of images.

    The second phase minimises ``‖φ(ŷ) - φ(y)‖² + 10⁻³ E softplus(-C(ŷ))``, φ a network's high layer. The features'
    distance is calibrated to be as large as the pixels' where a translator that does nothing begins, which is what the
    paper's factor 1/12.75 is for. ``adversarial=0`` is SRResNet, with neither critic nor features.

    Adam(1e-4, (0.9, 0.999)), in the second phase a tenth of it from half on. Departures: 16 channels and 4 blocks for
    the paper's 64 and 16; VGG-19's conv5_4 only where the user has its weights; a phase of a twentieth of the budget in
    front, where the network is a classifier; the upsampling is a shuffle for each prime factor of any enlargement; the
    critic is as deep as the image halves; images are held to [-1, 1], as stored ones are, or else the critic tells them
    by a background that is nowhere quite black, and the generator answers with a grid.

    Args:
        spec: the spec of the data, pairs whose image has the source's sides times a whole number.
        width: channels of the generator, and of the critic's first convolution.
        blocks: residual blocks.
        content: the weight of the features' distance.
        game: the weight of the game in the generator's loss.
        adversarial: the second phase's share of the budget; 0 for none.
        perceptual: the network of φ: ``"efficientnet-lite0"``, ``"classifier"``, ``"vgg19"``; ``"auto"`` is the
            classifier where the data have labels, else the first.
        layer: which of its layers is φ: ``"high"``, the paper's VGG54; ``"low"``, its VGG22; ``"middle"``.
        lr: the learning rate.

    Raises:
        ValueError: for a spec that is not of pairs or does not enlarge by a whole number; for an option out of range.
    """
    source, factor = enlarges(spec, "srgan")
    positive(lr=lr)
    positive_or_zero(game=game)
    one_of(PLACES[CLASSIFIER], layer=layer)
    share(adversarial=adversarial)
    perception, terms = None, []
    if adversarial:
        perception = Perceptual(chosen(perceptual, spec), layer, spec.shape, spec.classes, calibrated=True)
        terms = [Distance("content", content, perception.compared(l2))]
    return OneWay(
        spec,
        SRResNet(source[0], spec.shape[0], factor, width, blocks),
        Critic(spec.shape, width) if adversarial else nn.Identity(),
        loss=weighted_generator(NON_SATURATING, game) if adversarial else NON_SATURATING,
        terms=terms,
        before=[Alone("mse", 1 - adversarial, [Distance("l2", 1.0, l2)])],
        optimizer=partial(torch.optim.Adam, lr=lr, betas=(0.9, 0.999)),
        schedule=late_tenth,
        perception=perception,
    )
