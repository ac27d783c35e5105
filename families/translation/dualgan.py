"""Unpaired translation by two Wasserstein games and the way there and back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from families.adversarial.losses import WASSERSTEIN
from families.adversarial.patch import PatchCritic
from families.adversarial.penalties import GradientPenalty
from families.layers.distances import l1
from families.layers.instance_norm import instance
from families.layers.options import one_of, positive
from families.translation.checks import unpaired, wide
from families.translation.critics import GlobalCritic
from families.translation.cyclic import Cyclic
from families.translation.unet import UNet
from genbench.interface import GenerativeModel
from genbench.spec import DataSpec

PENALTY = 10.0
CRITIC_STEPS = 2
CRITICS: dict[str, Callable[..., nn.Module]] = {"patch": PatchCritic, "global": GlobalCritic}


def dualgan(
    spec: DataSpec,
    *,
    width: int = 32,
    cycle: float = 500.0,
    dropout: float = 0.5,
    lipschitz: str = "clip",
    bound: float = 0.01,
    critic: str = "patch",
    lr: float = 5e-5,
) -> GenerativeModel:
    """DualGAN (1704.02510): two U-Nets under dropout, two Wasserstein critics, ``F(G(x, z), z') = x``; no pair is seen.

    Generators minimise, both ways, ``-E C(G(x, z)) + 500 |F(G(x, z), z') - x|``; critics ``E C(G(x, z)) - E C(y)``,
    their weights within ±0.01 behind every step, or under ``10 E (‖∇C‖ - 1)²``, the authors' code's later choice. z is
    the generators' dropout, whose masks are functions of u, in training and in sampling, drawn anew in each pass.

    RMSprop(5e-5) of decay 0.9; critics learn twice as often as generators (the paper: 2 to 4 times). Departures:
    instance normalisation, which the authors' code computes under the name of batch normalisation; batches of more than
    the paper's 1 to 4; networks sized by the shape as :class:`UNet` and :class:`PatchCritic` say; weights that start by
    their fan-in.

    Args:
        spec: the spec of the data, two unpaired domains of one height and width.
        width: channels at half the resolution, and of the critics' first convolution.
        cycle: the weight of the way there and back; the paper's are 100 to 1,000.
        dropout: the rate p.
        lipschitz: what keeps the critics smooth: ``"clip"`` or ``"penalty"``.
        bound: the bound of the critics' weights, where they are clipped; the paper's are 0.01 to 0.1.
        critic: what a logit sees: a ``"patch"``, or the whole image, ``"global"``, the code's default.
        lr: the learning rate.

    Raises:
        ValueError: for a spec of pairs, without a source or with one of other sides; for an option out of range.
    """
    source = unpaired(spec, "dualgan")
    wide(spec, "dualgan")
    one_of(("clip", "penalty"), lipschitz=lipschitz)
    one_of(CRITICS, critic=critic)
    positive(bound=bound, lr=lr)
    clipped = lipschitz == "clip"

    def judge(shape: tuple[int, int, int]) -> nn.Module:
        return CRITICS[critic](*shape, width, instance, bias=False)

    return Cyclic(
        spec,
        UNet(source[0], spec.shape, width, dropout, instance),
        UNet(spec.shape[0], source, width, dropout, instance),
        judge(spec.shape),
        judge(source),
        loss=WASSERSTEIN,
        distance=l1,
        cycle=cycle,
        penalty=None if clipped else GradientPenalty(PENALTY),
        bound=bound if clipped else None,
        optimizer=partial(torch.optim.RMSprop, lr=lr, alpha=0.9),
        critic_steps=CRITIC_STEPS,
        critics_first=True,
    )
