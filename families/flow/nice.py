"""Non-linear independent components estimation (1410.8516)."""

from __future__ import annotations

import math

from families.flow.couplings import AdditiveCoupling
from families.flow.dequantise import Dequantiser
from families.flow.distributions import StandardLogistic, StandardNormal
from families.flow.model import FlowModel
from families.flow.multiscale import Chain, Flatten
from families.flow.normalisation import Scaling
from families.flow.preprocess import OpenLinear
from families.layers.convolutional import silent
from families.layers.dense import dense
from families.layers.options import whole
from genbench.spec import DataSpec

PRIORS = {"logistic": StandardLogistic, "gaussian": StandardNormal}


def nice(
    spec: DataSpec,
    *,
    width: int = 512,
    depth: int = 2,
    couplings: int = 4,
    prior: str = "logistic",
    dequantisation: str = "learned",
    lr: float = 3e-3,
    clip: float = 1.0,
    temperature: float = 1.0,
) -> FlowModel:
    """Build NICE: additive couplings of odd and even dimensions, then a number that stretches each (1410.8516).

    Differs from the paper in size (five hidden layers of 1,000 units there), in where it begins (networks answer zero
    but for a bias; biases and scaling give one training batch mean 0 and variance 1), in the ends of [0, 1], which are
    opened so that the probabilities of all images sum to one (see ``OpenLinear``), and in the noise of dequantisation,
    uniform in the paper, which is learned in the bins of the first and last level: their opened ends have tails that
    uniform noise does not find (see ``EndTails``). An image of a single value is padded to two.

    Args:
        spec: any shape and levels.
        width: units of a hidden layer.
        depth: hidden layers of a coupling, 0 or more.
        couplings: two or more; odd and even dimensions take turns.
        prior: ``"logistic"``, or ``"gaussian"``: of scoring and of sampling.
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
    whole(2, couplings=couplings)
    if prior not in PRIORS:
        raise ValueError(f"prior={prior!r}: give one of {', '.join(PRIORS)}")
    padding = (0, 1) if spec.dimensions == 1 else (0, 0)
    dequantiser = Dequantiser(spec, padding, dequantisation)
    size = math.prod(dequantiser.shape)
    sides = ((size + 1) // 2, size // 2)  # dimensions 0, 2, 4 … and 1, 3, 5 …
    networks = [dense(sides[k % 2], width, depth, sides[1 - k % 2], last=silent) for k in range(couplings)]
    bijections = [AdditiveCoupling(k % 2, network) for k, network in enumerate(networks)]
    transform = Chain([OpenLinear(spec.levels), Flatten(dequantiser.shape), *bijections, Scaling(size)])
    base = PRIORS[prior](size)
    return FlowModel(spec, transform, base, dequantiser=dequantiser, lr=lr, clip=clip, temperature=temperature)
