"""Recipes that differ in their objective and share all else: generator, critic, noise, sizes.

Each has the options ``width`` (channels at half the resolution), ``latents`` (size Z of the noise, drawn from N(0, I)),
``rate`` (Adam's learning rate, of both networks) and ``average`` (decay of the moving average of the generator that
samples come from, 0 for none; its batch normalisation uses the live generator's running statistics).
"""

from __future__ import annotations

from functools import partial

import torch

from families.gan.codes import Code
from families.gan.heads import Head
from families.gan.model import GAN
from families.layers.adversarial import NON_SATURATING, WASSERSTEIN
from families.layers.dcgan import Critic, Generator, unnormalised
from families.layers.penalties import gradient_penalty
from families.layers.training import positive
from genbench.interface import DataSpec, GenerativeModel


def gan(
    spec: DataSpec, *, width: int = 32, latents: int = 64, rate: float = 2e-4, average: float = 0.99
) -> GenerativeModel:
    """The first one (1406.2661), with the non-saturating loss: critic and generator step once on each batch.

    Departures: convolutional networks and Adam(2e-4, (0.5, 0.999)) as in 1511.06434, where the paper has
    fully connected ones and momentum; Gaussian noise; samples from a moving average.

    Args:
        spec: of the data.
        width: channels at half the resolution.
        latents: Z.
        rate: learning rate.
        average: decay of the generator's moving average.

    Raises:
        ValueError: for an option out of range.
    """
    positive(rate=rate)
    code = Code(latents)
    return GAN(
        spec,
        Generator(spec.shape, code.features, width),
        Critic(spec.shape, width),
        code,
        Head(),
        loss=NON_SATURATING,
        optimizer=partial(torch.optim.Adam, lr=rate, betas=(0.5, 0.999)),
        average=average,
    )


def wgan_gp(
    spec: DataSpec,
    *,
    width: int = 32,
    latents: int = 64,
    rate: float = 1e-3,
    weight: float = 10.0,
    critic_steps: int = 5,
    average: float = 0.99,
) -> GenerativeModel:
    """Wasserstein GAN with gradient penalty (1704.00028): five critic steps for each of the generator's.

    Departures: the learning rate is 1e-3 where the paper has 1e-4, since runs here have hundreds of generator steps
    where the paper's have a hundred thousand (at 1e-4, 50,000 digits left noise; at 1e-3, strokes); samples
    from a moving average.

    Args:
        spec: of the data.
        width: channels at half the resolution.
        latents: Z.
        rate: learning rate; Adam's betas are (0, 0.9).
        weight: λ of the penalty.
        critic_steps: for each generator step.
        average: decay of the generator's moving average.

    Raises:
        ValueError: for an option out of range.
    """
    positive(rate=rate, weight=weight)
    code = Code(latents)
    return GAN(
        spec,
        Generator(spec.shape, code.features, width),
        Critic(spec.shape, width, unnormalised),
        code,
        Head(),
        loss=WASSERSTEIN,
        penalty=partial(gradient_penalty, weight=weight),
        optimizer=partial(torch.optim.Adam, lr=rate, betas=(0.0, 0.9)),
        critic_steps=critic_steps,
        average=average,
    )
