"""Unpaired translation by two games and the way there and back."""

from __future__ import annotations

from functools import partial

import torch

from families.adversarial.losses import LEAST_SQUARES_WHOLE, slow_critic
from families.adversarial.patch import PatchCritic
from families.layers.distances import l1
from families.layers.instance_norm import instance
from families.layers.options import positive
from families.layers.training import half_then_linear
from families.translation.checks import unpaired, wide
from families.translation.cyclic import Cyclic
from families.translation.resnet import Decoder, Encoder, Translator
from genbench.interface import GenerativeModel
from genbench.spec import DataSpec


def cyclegan(
    spec: DataSpec,
    *,
    width: int = 16,
    blocks: int = 3,
    cycle: float = 10.0,
    identity: float = 0.5,
    pool: int = 50,
    lr: float = 2e-4,
) -> GenerativeModel:
    """CycleGAN (1703.10593): two translators, two critics, and ``F(G(x)) = x``; no pair is ever seen.

    Generators minimise, both ways, ``E (C(G(x)) - 1)² + 10 |F(G(x)) - x| + 5 |G(y) - y|``; critics half of
    ``E (C(y) - 1)² + E C(G(x))²``, on fakes from pools of past ones. The identity term, the paper's for paintings and
    the authors' default, is a share of the cycle's weight; it has no meaning and is left out where source and image
    differ in channels, as the setting says.

    Adam(2e-4, (0.5, 0.999)), constant over the first half, then down to 0. Departures: 16 channels and 3 blocks for the
    paper's 64 and 6 to 9, which would see a few hundred updates; batches of more than 1; patches of 16×16 as in
    :class:`PatchCritic`, which 70×70 is too large for; weights that start by their fan-in.

    Args:
        spec: the spec of the data, two unpaired domains of one height and width.
        width: channels at the image's sides, and of the critics' first convolution.
        blocks: residual blocks of each translator.
        cycle: the weight of the way there and back.
        identity: the weight of the identity, in shares of ``cycle``; 0 for none.
        pool: past fakes that each critic is shown again; 0 for none.
        lr: the learning rate.

    Raises:
        ValueError: for a spec of pairs, without a source or with one of other sides; for an option out of range.
    """
    source = unpaired(spec, "cyclegan")
    wide(spec, "cyclegan")
    positive(lr=lr)

    def translator(into: tuple[int, int, int], out: tuple[int, int, int]) -> Translator:
        encoder = Encoder(into, width, blocks, instance, "reflect")
        return Translator(encoder, Decoder(out, width, 0, instance, "reflect"))

    return Cyclic(
        spec,
        translator(source, spec.shape),
        translator(spec.shape, source),
        PatchCritic(*spec.shape, width, instance),
        PatchCritic(*source, width, instance),
        loss=slow_critic(LEAST_SQUARES_WHOLE),
        distance=l1,
        cycle=cycle,
        identity=identity if source == spec.shape else 0.0,
        pool=pool,
        optimizer=partial(torch.optim.Adam, lr=lr, betas=(0.5, 0.999)),
        schedule=half_then_linear,
    )
