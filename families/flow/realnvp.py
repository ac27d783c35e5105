"""Real-valued non-volume preserving flow (1605.08803)."""

from __future__ import annotations

import math
from collections.abc import Callable

from nflows.transforms.base import Transform
from torch import Tensor

from families.flow.couplings import AffineCoupling, channelwise, checkerboard
from families.flow.dequantise import Dequantiser
from families.flow.distributions import StandardNormal
from families.flow.model import FlowModel
from families.flow.multiscale import (
    Chain,
    FactorOut,
    Flatten,
    Shape,
    Squeeze,
    fitting_scales,
    padding,
    shape_on,
    squeezed,
)
from families.flow.networks import CouplingNetwork
from families.flow.normalisation import BatchNorm
from families.flow.preprocess import OpenLogit
from families.layers.options import whole
from genbench.spec import DataSpec


def realnvp(
    spec: DataSpec,
    *,
    width: int = 32,
    depth: int = 1,
    scales: int | None = None,
    alpha: float = 0.05,
    dequantisation: str = "learned",
    lr: float = 5e-3,
    clip: float = 1.0,
    temperature: float = 1.0,
) -> FlowModel:
    """Build RealNVP: affine couplings under two kinds of masks, over scales that factor out half each (1605.08803).

    At each scale three checkerboard couplings, a squeeze, three channel couplings, and half of the channels goes to the
    base; at the last four checkerboard couplings. A batch normalisation follows each coupling.

    Differs from the paper in size (eight residual blocks of 64 features there), in the networks inside couplings, which
    have neither batch nor weight normalisation and are as wide at every scale, in batch normalisation, which learns by
    the batch's own statistics (running averages there), in the squeeze, which keeps a channel's four
    parts together, so that of colour images the first channels go on, in the ends of the logit, which are opened so
    that the probabilities of all images sum to one (see ``OpenLogit``), and in the noise of dequantisation, which is
    learned in the bins of the first and last level (see ``EndTails``). No weights are penalised.

    Args:
        spec: any shape and levels.
        width: features inside a coupling.
        depth: residual blocks inside a coupling, 0 or more.
        scales: squeezes; by default as often as the shorter side halves down to 4, so 28 → 14 → 7, and none where it
            is shorter than 8: four checkerboard couplings are then the whole flow. Sides that do not divide evenly are
            padded (see ``Dequantiser``), by default by a quarter of the image's pixels at most.
        alpha: how far the logit stays from its poles, between 0 and 0.5.
        dequantisation: ``"learned"``, noise that goes where the density is in the bins of the first and last level, or
            the paper's ``"uniform"``, whose bound is looser.
        lr: the learning rate.
        clip: largest 2-norm of a gradient.
        temperature: factor of the base's noise in sampling; 1 draws from the model.

    Raises:
        ValueError: for options out of range.
    """
    whole(1, width=width)
    whole(0, depth=depth)
    scales = fitting_scales(spec.shape, scales)
    dequantiser = Dequantiser(spec, padding(spec.shape, scales), dequantisation)
    shape = dequantiser.shape

    def network(channels: int) -> CouplingNetwork:
        return CouplingNetwork(channels, 2 * channels, width, depth)

    return FlowModel(
        spec,
        Chain([OpenLogit(spec.levels, alpha), multiscale(shape, scales, network)]),
        StandardNormal(math.prod(shape)),
        dequantiser=dequantiser,
        lr=lr,
        clip=clip,
        temperature=temperature,
    )


def couplings(
    shape: Shape, count: int, masks: Callable[[Shape, int], Tensor], network: Callable[[int], CouplingNetwork]
) -> list[Transform]:
    """Build ``count`` couplings whose masks take turns, each with a batch normalisation behind it."""
    steps: list[Transform] = []
    for index in range(count):
        steps += [AffineCoupling(masks(shape, index % 2), shape[0], network(shape[0])), BatchNorm(shape[0])]
    return steps


def multiscale(shape: Shape, scales: int, network: Callable[[int], CouplingNetwork]) -> Transform:
    """Build the map from ``(B, C, H, W)`` to vectors, with so many ``scales`` below the image's own (§3.6)."""
    if scales == 0:
        return Chain([*couplings(shape, 4, checkerboard, network), Flatten(shape)])
    below = squeezed(shape)
    return Chain(
        [
            *couplings(shape, 3, checkerboard, network),
            Squeeze(),
            *couplings(below, 3, channelwise, network),
            FactorOut(below, multiscale(shape_on(below), scales - 1, network)),
        ]
    )
