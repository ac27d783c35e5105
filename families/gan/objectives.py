"""Recipes that differ in their objective and share all else: networks, noise, sizes (see ``builder.py``).

Samples come from a moving average of the generator, which none of these papers has; networks are convolutional ones of
1511.06434's kind, whatever a paper's own were; what is left to say of each recipe stands with it. The critic has its
network's own normalisation (batch normalisation; a dense one has none) unless a penalty or a bound of its gradients
forbids it.
"""

from __future__ import annotations

from functools import partial

import torch

from families.adversarial.dcgan import unnormalised
from families.adversarial.f_divergences import DIVERGENCES
from families.adversarial.losses import (
    HINGE,
    LEAST_SQUARES,
    MINIMAX,
    NON_SATURATING,
    RELATIVISTIC,
    RELATIVISTIC_AVERAGE,
    WASSERSTEIN,
    Loss,
)
from families.adversarial.penalties import DivergencePenalty, GradientPenalty, LocalPenalty, OneSidedPenalty
from families.adversarial.spectral import spectrally_normalised
from families.gan.builder import ADAM, GANBuilder, gan_recipe
from families.gan.model import GAN
from families.layers.options import one_of, positive_or_zero, switch

ADAM_WITHOUT_MOMENTUM = partial(torch.optim.Adam, betas=(0.0, 0.9))  # as gradient penalties want it (1704.00028)


@gan_recipe()
def gan(builder: GANBuilder) -> GAN:
    """The first GAN (1406.2661), with the non-saturating loss: critic and generator step once on each batch.

    Departures: Adam(2e-4, (0.5, 0.999)) where the paper has momentum; Gaussian noise; samples of a moving average.
    """
    return builder.build(NON_SATURATING, optimizer=ADAM)


@gan_recipe()
def gan_minimax(builder: GANBuilder) -> GAN:
    """The first GAN (1406.2661) with the game as its equation 1 writes it: the generator minimises E log(1 - D(fake)).

    Departures: as ``gan``.
    """
    return builder.build(MINIMAX, optimizer=ADAM)


@gan_recipe()
def f_gan(builder: GANBuilder, *, divergence: str = "kl", saturating: bool = False, clip: float = 10.0) -> GAN:
    """f-GAN (1606.00709): the critic raises ``E g_f(V(x)) - E f*(g_f(V(G(u))))``, a lower bound of ``D_f(data‖model)``.

    The Jensen–Shannon bound and the GAN's own differ by a constant: the game of either is that of ``gan``, or of
    ``gan_minimax`` with ``saturating``.

    Departures: one optimiser and network for all divergences; gradients are clipped, since KL, reverse KL and squared
    Hellinger are exponential in V: one batch was seen to give a norm of 5e7, after which Adam stood still for the rest
    of 11,000 steps.

    Args:
        builder: what all recipes share.
        divergence: ``kl``, ``reverse-kl``, ``pearson``, ``squared-hellinger``, ``jensen-shannon`` or ``gan``.
        saturating: whether the generator lowers the bound itself (algorithm 1) or raises ``E g_f(V)`` (section 3.2).
        clip: largest 2-norm of either side's gradient; 0 for any.

    Raises:
        ValueError: for a divergence that there is not, a ``saturating`` that is neither True nor False, or a clip that
            is negative.
    """
    one_of(DIVERGENCES, divergence=divergence)
    switch(saturating=saturating)
    positive_or_zero(clip=clip)
    return builder.build(DIVERGENCES[divergence].loss(saturating), optimizer=ADAM, clip=clip or None)


@gan_recipe()
def lsgan(builder: GANBuilder) -> GAN:
    """Least squares GAN (1611.04076): ``½(C - 1)²`` on real images and ``½C²`` on fakes, ``½(C - 1)²`` the generator's.

    Departures: Adam(2e-4), the paper's rate for characters; for scenes it has 1e-3.
    """
    return builder.build(LEAST_SQUARES, optimizer=ADAM)


@gan_recipe(lr=5e-5, critic_steps=5)
def wgan(builder: GANBuilder, *, bound: float = 0.01) -> GAN:
    """Wasserstein GAN (1701.07875): a linear critic whose weights are clipped, five of its steps to one, RMSprop.

    Clipped are all of the critic's weights, gains and biases of its batch normalisation among them, as in the authors'
    code. A step of 5e-4 is a twentieth of the way to a bound: a critic that learns as fast as that rattles.

    Args:
        builder: what all recipes share.
        bound: weights are clipped to ±bound after every critic step.
    """
    return builder.build(WASSERSTEIN, optimizer=torch.optim.RMSprop, bound=bound)


@gan_recipe(lr=1e-3, critic_steps=5)
def wgan_gp(builder: GANBuilder, *, weight: float = 10.0) -> GAN:
    """Wasserstein GAN with a two-sided gradient penalty on interpolates (1704.00028); no batch normalisation in C.

    The critic minimises ``E C(G(u)) - E C(x) + λ E (‖∇C(x̂)‖ - 1)²`` in five steps to one of the generator, which
    minimises ``-E C(G(u))``; ``x̂ = ε x + (1 - ε) G(u)`` one uniform ε an image, the norm over all its pixels.

    Departures: a learning rate of 1e-3 where the paper has 1e-4, since runs here have hundreds of generator steps
    where the paper's have a hundred thousand (at 1e-4, 50,000 digits left noise; at 1e-3, strokes).

    Args:
        builder: what all recipes share.
        weight: the weight λ of the penalty.
    """
    return builder.build(
        WASSERSTEIN,
        critic=builder.critic(unnormalised),
        penalty=GradientPenalty(weight),
        optimizer=ADAM_WITHOUT_MOMENTUM,
    )


@gan_recipe(lr=1e-3, critic_steps=5)
def wgan_lp(builder: GANBuilder, *, weight: float = 10.0) -> GAN:
    """Wasserstein GAN with the one-sided penalty ``λ E max(0, ‖∇C‖ - 1)²`` (1709.08894).

    Departures: on interpolates, as ``wgan-gp``, so that the side is all that differs; the learning rate too is its.

    Args:
        builder: what all recipes share.
        weight: the weight λ of the penalty.
    """
    return builder.build(
        WASSERSTEIN,
        critic=builder.critic(unnormalised),
        penalty=OneSidedPenalty(weight),
        optimizer=ADAM_WITHOUT_MOMENTUM,
    )


@gan_recipe(lr=1e-3, critic_steps=5)
def wgan_div(builder: GANBuilder, *, weight: float = 2.0, power: float = 6.0) -> GAN:
    """Wasserstein divergence (1712.01026): ``k E ‖∇C‖^p`` on interpolates and no Lipschitz constraint.

    Departures: critic steps and learning rate of ``wgan-gp``, so that the penalty is all that differs, where the
    authors' code has four steps and 2e-4; no layer normalisation.

    Args:
        builder: what all recipes share.
        weight: the weight k.
        power: p, at least 1: below, the penalty's slope is not finite where the critic is flat.

    Raises:
        ValueError: for an option out of range.
    """
    return builder.build(
        WASSERSTEIN,
        critic=builder.critic(unnormalised),
        penalty=DivergencePenalty(weight, power),
        optimizer=ADAM_WITHOUT_MOMENTUM,
    )


@gan_recipe()
def dragan(builder: GANBuilder, *, weight: float = 10.0, spread: float = 0.5) -> GAN:
    """DRAGAN (1705.07215): the non-saturating game with ``λ E (‖∇C(x + δ)‖ - 1)²`` round real images.

    Departures: no batch normalisation in the critic, where a sample's gradient would depend on its neighbours; C is
    the logit, as in the authors' code, where the paper writes D. δ is the paper's, from N(0, cI); √c is given in
    units of the pixels' deviation, as in that code, whose δ is uniform and only ever brightens.

    Args:
        builder: what all recipes share.
        weight: the weight λ of the penalty.
        spread: deviation of δ, in the batch's own.
    """
    return builder.build(
        NON_SATURATING,
        critic=builder.critic(unnormalised),
        penalty=LocalPenalty(weight, spread),
        optimizer=ADAM,
    )


@gan_recipe()
def sngan(builder: GANBuilder) -> GAN:
    """Spectrally normalised GAN (1802.05957): every layer of the critic divided by its spectral norm, hinge loss.

    Departures: one critic step and Adam(2e-4, (0.5, 0.999)) on any networks; with the hinge loss on residual ones the
    paper has ``critic_steps=5`` and betas (0, 0.9).
    """
    critic = spectrally_normalised(builder.critic(unnormalised))
    return builder.build(HINGE, critic=critic, optimizer=ADAM)


@gan_recipe()
def rgan(builder: GANBuilder, *, weight: float = 0.0) -> GAN:
    """Relativistic GAN (1807.00734): both sides learn from ``C(real) - C(fake)``, image by image.

    Args:
        builder: what all recipes share.
        weight: λ of a gradient penalty as in ``wgan-gp``, whose critic has no batch normalisation; 0 for none.
    """
    return _relativistic(builder, RELATIVISTIC, weight)


@gan_recipe()
def ragan(builder: GANBuilder, *, weight: float = 0.0) -> GAN:
    """Relativistic average GAN (1807.00734): each image against the mean of the other kind, on both sides.

    Args:
        builder: what all recipes share.
        weight: λ of a gradient penalty as in ``wgan-gp``, whose critic has no batch normalisation; 0 for none.
    """
    return _relativistic(builder, RELATIVISTIC_AVERAGE, weight)


def _relativistic(builder: GANBuilder, loss: Loss, weight: float) -> GAN:
    """Return the relativistic game of a loss, with a gradient penalty unless its weight is 0."""
    positive_or_zero(weight=weight)
    if weight == 0:
        return builder.build(loss, optimizer=ADAM)
    return builder.build(
        loss,
        critic=builder.critic(unnormalised),
        penalty=GradientPenalty(weight),
        optimizer=ADAM,
    )
