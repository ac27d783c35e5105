"""Paired translation by a critic whose hidden layers measure the distance from the target, and which enlarges it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from families.adversarial.losses import NON_SATURATING
from families.adversarial.terms import GameStep, GameView
from families.layers.options import positive, positive_or_zero
from families.translation.checks import pairs
from families.translation.critics import AlternatingCritic
from families.translation.one_way import OneWay
from families.translation.terms import FeatureMatching
from families.translation.unet import UNet
from genbench.interface import GenerativeModel
from genbench.spec import DataSpec

SHARES = (5.0, 1.5, 1.5, 1.0)  # of the paper's layers 1, 4, 6 and 8, which are eight in all


class PerceptualAdversarial(FeatureMatching):
    """``Σ_i λ_i |H_i(ŷ) - H_i(y)|`` for the generator, ``max(0, m - Σ_i λ_i |H_i(ŷ) - H_i(y)|)`` for the critic.

    Args:
        weight: what all λ = (5, 1.5, 1.5, 1) are multiplied by.
        margin: the margin m, beyond which the critic no longer drives translation and target apart.

    Raises:
        ValueError: for a negative weight or margin.
    """

    def __init__(self, weight: float, margin: float) -> None:
        super().__init__(weight, option="weight")
        positive_or_zero(margin=margin)
        self.margin = margin

    @property
    def setting(self) -> str:
        """The term, its weight and the margin in words."""
        return f"{super().setting}, margin {self.margin:g}"

    def shares(self, layers: int) -> Sequence[float]:
        """Return λ of each layer: the first one, the last, and those a third and two thirds of the way between.

        Thirds are rounded up, so that eight layers give the paper's. Where there are fewer than four, a layer has the
        sum of what falls to it.
        """
        out = [0.0] * layers
        for i, share in enumerate(SHARES):
            out[math.ceil(i * (layers - 1) / (len(SHARES) - 1))] += share
        return out

    def critic(self, game: GameView, step: GameStep) -> dict[str, Tensor]:
        """Return by how much the distance falls short of the margin, 0 where it does not."""
        return {"margin": F.relu(self.margin - self.distance(step.fake, step.real))}


def pan(
    spec: DataSpec,
    *,
    width: int = 32,
    weight: float = 1.0,
    margin: float = 3.0,
    lr: float = 2e-4,
) -> GenerativeModel:
    """PAN (1706.09138): a GAN on images, and a perceptual distance that the critic learns; no distance of pixels.

    With ``P_i = |H_i(y) - H_i(G(x))|`` of the critic's hidden layers and λ = (5, 1.5, 1.5, 1), the generator minimises
    ``-E log D(G(x)) + Σ λ_i P_i`` and the critic ``-E log D(y) - E log(1 - D(G(x))) + max(0, m - Σ λ_i P_i)``: it looks
    for what still tells a translation from its target, until they are m apart. It sees images alone; pairs enter by P.

    Adam(2e-4, (0.5, 0.999)), a step of each network in turn. Departures: the generator's side of the game is the
    non-saturating one, where the paper has ``log(1 - D)``; batches are larger than the paper's 4; networks are as deep
    as the shape halves, four hidden layers of the critic at 28 px for the paper's eight. The generator is pix2pix's
    without dropout, so that a source has one image.

    Args:
        spec: the spec of the data, with a source of the image's height and width.
        width: channels at half the resolution, and behind the critic's first convolution; the paper's is 64.
        weight: what all λ are multiplied by; 0 for the game alone.
        margin: the margin m; 0 for a critic that only plays the game.
        lr: the learning rate.

    Raises:
        ValueError: for a spec without pairs, or with a source of another size; for an option out of range.
    """
    source = pairs(spec, "pan")
    positive(lr=lr)
    return OneWay(
        spec,
        UNet(source[0], spec.shape, width, 0.0),
        AlternatingCritic(*spec.shape, width),
        loss=NON_SATURATING,
        terms=[PerceptualAdversarial(weight, margin)],
        optimizer=partial(torch.optim.Adam, lr=lr, betas=(0.5, 0.999)),
    )
