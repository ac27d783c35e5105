"""Paired translation by a conditional GAN and an L1 distance."""

from __future__ import annotations

from functools import partial

import torch

from families.adversarial.losses import NON_SATURATING, slow_critic
from families.adversarial.patch import PatchCritic
from families.layers.distances import l1
from families.layers.options import positive
from families.translation.checks import pairs
from families.translation.paired import Paired
from families.translation.terms import Distance
from families.translation.unet import UNet
from genbench.interface import GenerativeModel
from genbench.spec import DataSpec


def pix2pix(
    spec: DataSpec,
    *,
    width: int = 32,
    weight: float = 100.0,
    dropout: float = 0.5,
    lr: float = 2e-4,
) -> GenerativeModel:
    """Image-to-image translation (1611.07004): U-Net, PatchGAN on pairs, 100·L1, dropout as the noise.

    ``G = argmin_G max_D L_GAN(G, D) + λ E ‖y - G(x, z)‖₁`` (equation 4); the critic scores an image y beside its source
    x, and half its side is minimised. z is the generator's dropout, whose masks are functions of u, in training and in
    sampling. They are piecewise constant in u, so that the likelihood has no gradient there and annealed importance
    sampling moves by Hamiltonian transitions under the prior's gradient alone, which are valid, and refused or accepted
    by the whole of π_β.

    Adam(2e-4, (0.5, 0.999)), one step of each network in turn, as in the paper. Departures: batches are larger than the
    paper's 1 to 10, and samples use batch normalisation's running statistics where the paper uses those of the test
    batch (instance normalisation at its batch of 1), since a sample must not depend on its neighbours. Weights start by
    their fan-in, since the paper's N(0, 0.02²) suits layers of a thousand inputs. The network is as deep as the shape
    halves, dropout sits where :class:`UNet` says, and the patch is 16×16 for sides from 16 (the paper's smaller
    PatchGAN; 70×70 is meant for 256 pixels).

    Args:
        spec: the spec of the data, with a source of the image's height and width.
        width: channels at half the resolution; the paper's is 64.
        weight: the weight λ of the L1 distance; 0 for the critic alone.
        dropout: the rate p; 0 for none, and one image of each source.
        lr: the learning rate.

    Raises:
        ValueError: for a spec without a source, or with one of another size; for an option out of range.
    """
    source = pairs(spec, "pix2pix")
    positive(lr=lr)
    return Paired(
        spec,
        UNet(source[0], spec.shape, width, dropout),
        PatchCritic(source[0] + spec.shape[0], *spec.shape[1:], width),
        loss=slow_critic(NON_SATURATING),
        terms=[Distance("l1", weight, l1, option="weight")],
        optimizer=partial(torch.optim.Adam, lr=lr, betas=(0.5, 0.999)),
    )
