"""Glow: generative flow with invertible 1×1 convolutions (1807.03039)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nflows.transforms.base import Transform

from families.flow.convolution import InvertibleConv
from families.flow.couplings import ChannelCoupling
from families.flow.dequantise import Dequantiser
from families.flow.distributions import StandardNormal
from families.flow.model import FlowModel
from families.flow.multiscale import Chain, FactorOut, Flatten, Shape, Squeeze, shape_on, squeezed
from families.flow.networks import PointwiseNetwork, PriorNetwork
from families.flow.normalisation import ActNorm
from families.flow.preprocess import OpenLogit
from families.flow.priors import LabelPrior
from families.layers.options import whole
from families.layers.scaling import halvings
from genbench.spec import DataSpec


@dataclass(frozen=True)
class Glow:
    """What builds Glow's chain of bijections, by its sizes.

    Args:
        width: features inside a coupling.
        depth: steps a scale.
        classes: number of labels that the priors are told, 0 for none.
    """

    width: int
    depth: int
    classes: int = 0

    def step(self, shape: Shape) -> list[Transform]:
        """Build actnorm, an invertible 1×1 convolution and an affine coupling (figure 2a)."""
        channels = shape[0]
        passes = shape_on(shape)[0]
        network = PointwiseNetwork(passes, 2 * (channels - passes), self.width)
        return [ActNorm(channels), InvertibleConv(channels), ChannelCoupling(passes, channels - passes, network)]

    def prior(self, shape: Shape) -> Transform:
        """Build what standardises the finished half of the channels by what the half that goes on says of it."""
        on = shape_on(shape)[0]
        rest = shape[0] - on
        return ChannelCoupling(on, rest, PriorNetwork(on, 2 * rest, self.classes))

    def scales(self, shape: Shape, count: int) -> Transform:
        """Build the map from ``(B, C, H, W)`` to vectors, with ``count`` squeezes (figure 2b)."""
        below = squeezed(shape) if count else shape
        bijections: list[Transform] = [Squeeze()] if count else []
        for _ in range(self.depth):
            bijections += self.step(below)
        if count > 1:
            return Chain([*bijections, self.prior(below), FactorOut(below, self.scales(shape_on(below), count - 1))])
        top = [LabelPrior(below, self.classes)] if self.classes else []
        return Chain([*bijections, *top, Flatten(below)])


def glow(
    spec: DataSpec,
    *,
    width: int = 32,
    depth: int = 8,
    scales: int | None = None,
    alpha: float = 0.05,
    conditional: bool = False,
    lr: float = 2e-3,
    temperature: float = 1.0,
) -> FlowModel:
    """Build Glow: actnorm, invertible 1×1 convolutions, affine couplings, and scales with learned priors (1807.03039).

    Differs from the paper in size (32 steps a scale of 512 features, three scales, on CIFAR-10 there), in the networks
    inside couplings, which begin with He's weights and have no actnorm of their own, in the bound of a coupling's scale
    (see ``ChannelCoupling``), in the rate at which actnorm's scales learn (see ``ActNorm``), in the logit in front,
    which is RealNVP's, in the squeeze, which keeps a channel's four parts together, and in the last prior, which is
    N(0, I) unless it is told labels and then has numbers of its own for each value (see ``LabelPrior``).

    Args:
        spec: any shape and levels.
        width: features inside a coupling.
        depth: steps a scale.
        scales: squeezes; by default as often as both sides divide, down to 4, so 28 → 14 → 7, and at least one for
            images of a single channel, which has nothing to be coupled with. Sides that do not divide as often are
            padded (see ``Dequantiser``).
        alpha: how far the logit stays from its poles, between 0 and 0.5.
        conditional: whether the priors are told the label.
        lr: the learning rate.
        temperature: factor of the base's noise in sampling; 1 draws from the model, 0.7 is the paper's for pictures.

    Raises:
        ValueError: for options out of range, or labels that the data do not have.
    """
    whole(1, width=width, depth=depth)
    channels, height, breadth = spec.shape
    least = 1 if channels == 1 else 0
    if scales is None:
        scales = max(halvings(height, breadth), least)
    most = max((max(height, breadth) - 1).bit_length(), 1)
    if not least <= scales <= most:
        raise ValueError(f"scales={scales}: images of shape {spec.shape} take {least} to {most}")
    padding = (-height % 2**scales, -breadth % 2**scales)
    shape = Dequantiser(spec, padding).shape
    chain = Glow(width, depth, spec.classes if conditional else 0).scales(shape, scales)
    return FlowModel(
        spec,
        Chain([OpenLogit(spec.levels, alpha), chain]),
        StandardNormal(math.prod(shape)),
        lr=lr,
        clip=50.0,
        conditional=conditional,
        temperature=temperature,
        padding=padding,
    )
