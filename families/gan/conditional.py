"""Recipes that are told the label."""

from __future__ import annotations

from functools import partial

import torch

from families.gan.codes import LabelCode
from families.gan.heads import JointHead
from families.gan.model import GAN
from families.layers.adversarial import NON_SATURATING
from families.layers.dcgan import Critic, Generator
from families.layers.training import positive
from genbench.interface import DataSpec, GenerativeModel


def cgan(
    spec: DataSpec,
    *,
    width: int = 32,
    latents: int = 64,
    hidden: int = 128,
    rate: float = 2e-4,
    average: float = 0.99,
) -> GenerativeModel:
    """Conditional GAN (1411.1784): the label goes into the generator's code and into a joint layer of the critic.

    Departures: as for ``gan``; the joint layer multiplies image and label and is LeakyReLU where the paper's is
    maxout, and the critic's own logit is added to its output.

    Args:
        spec: of the data, with classes.
        width: channels at half the resolution.
        latents: Z.
        hidden: units of the critic's joint layer.
        rate: learning rate.
        average: decay of the generator's moving average.

    Raises:
        ValueError: for data without classes, or an option out of range.
    """
    if not spec.classes:
        raise ValueError("classes=0: cgan needs a label for each image")
    positive(rate=rate)
    code, critic = LabelCode(latents, spec.classes), Critic(spec.shape, width)
    return GAN(
        spec,
        Generator(spec.shape, code.features, width),
        critic,
        code,
        JointHead(critic.features, spec.classes, hidden),
        loss=NON_SATURATING,
        optimizer=partial(torch.optim.Adam, lr=rate, betas=(0.5, 0.999)),
        average=average,
    )
