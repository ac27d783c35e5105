"""Glow: generative flow with invertible 1×1 convolutions (1807.03039)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nflows.transforms.base import Transform
from torch import nn

from families.flow.convolution import InvertibleConv
from families.flow.couplings import ChannelCoupling
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
from families.flow.networks import CouplingNetwork, PointwiseNetwork, PriorNetwork
from families.flow.normalisation import ActNorm
from families.flow.preprocess import OpenLogit
from families.flow.priors import LabelPrior
from families.layers.options import one_of, switch, whole
from genbench.spec import DataSpec

NETWORKS = ("pointwise", "residual")


@dataclass(frozen=True)
class Glow:
    """What builds Glow's chain of bijections, by its sizes.

    Args:
        width: features inside a coupling.
        depth: steps a scale.
        classes: number of labels that the priors are told, 0 for none.
        network: which network is inside a coupling, ``"pointwise"`` or ``"residual"``.
        blocks: residual blocks of a residual network.
    """

    width: int
    depth: int
    classes: int
    network: str
    blocks: int

    def coupling(self, inputs: int, outputs: int) -> nn.Module:
        """Build the network inside a coupling, from ``inputs`` channels to ``outputs``."""
        if self.network == "residual":
            return CouplingNetwork(inputs, outputs, self.width, self.blocks)
        return PointwiseNetwork(inputs, outputs, self.width)

    def step(self, shape: Shape) -> list[Transform]:
        """Build actnorm, an invertible 1×1 convolution and an affine coupling (figure 2a)."""
        channels = shape[0]
        passes = shape_on(shape)[0]
        network = self.coupling(passes, 2 * (channels - passes))
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
    network: str = "pointwise",
    blocks: int = 1,
    scales: int | None = None,
    alpha: float = 0.05,
    conditional: bool = False,
    dequantisation: str = "learned",
    lr: float = 5e-3,
    clip: float = 1.0,
    temperature: float = 1.0,
) -> FlowModel:
    """Build Glow: actnorm, invertible 1×1 convolutions, affine couplings, and scales with learned priors (1807.03039).

    Differs from the paper in size (32 steps a scale of 512 features, three scales, on CIFAR-10 there), in the networks
    inside couplings, which begin with He's weights and have no actnorm of their own, in the bound of a coupling's scale
    (see ``ChannelCoupling``), in the rate at which actnorm's scales learn (see ``ActNorm``), in the logit in front,
    which is RealNVP's, in the noise of dequantisation, which is learned in the bins of the first and last level (see
    ``EndTails``), in the squeeze, which keeps a channel's four parts together, and in the last prior, which is N(0, I)
    unless it is told labels and then has numbers of its own for each value (see ``LabelPrior``).

    Args:
        spec: any shape and levels.
        width: features inside a coupling.
        depth: steps a scale.
        network: the network inside a coupling. ``"pointwise"`` is the paper's, a 1×1 convolution between two 3×3 ones;
            ``"residual"`` is RealNVP's, residual blocks of 3×3 convolutions.
        blocks: residual blocks inside a coupling of residual networks, 0 or more; a pointwise network has none.
        scales: squeezes; by default as often as the shorter side halves down to 4, so 28 → 14 → 7, none where it is
            shorter than 8, but at least one for images of a single channel, which has nothing to be coupled with.
            Sides that do not divide evenly are padded (see ``Dequantiser``), by default by a quarter of the image's
            pixels at most if the shorter side is 8 or more.
        alpha: how far the logit stays from its poles, between 0 and 0.5.
        conditional: whether the priors are told the label.
        dequantisation: ``"learned"``, noise that goes where the density is in the bins of the first and last level, or
            the paper's ``"uniform"``, whose bound is looser.
        lr: the learning rate.
        clip: largest 2-norm of a gradient.
        temperature: factor of the base's noise in sampling; 1 draws from the model, 0.7 is the paper's for pictures.

    Raises:
        ValueError: for options out of range, or labels that the data do not have.
    """
    whole(1, width=width, depth=depth)
    whole(0, blocks=blocks)
    one_of(NETWORKS, network=network)
    switch(conditional=conditional)
    scales = fitting_scales(spec.shape, scales, least=1 if spec.shape[0] == 1 else 0)
    dequantiser = Dequantiser(spec, padding(spec.shape, scales), dequantisation)
    shape = dequantiser.shape
    chain = Glow(width, depth, spec.classes if conditional else 0, network, blocks).scales(shape, scales)
    return FlowModel(
        spec,
        Chain([OpenLogit(spec.levels, alpha), chain]),
        StandardNormal(math.prod(shape)),
        dequantiser=dequantiser,
        lr=lr,
        clip=clip,
        conditional=conditional,
        temperature=temperature,
    )
