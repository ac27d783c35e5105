"""Translation between several domains by an encoder, a decoder and a critic for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from families.adversarial.losses import LEAST_SQUARES_WHOLE, slow_critic
from families.adversarial.patch import PatchCritic
from families.layers.instance_norm import instance
from families.layers.options import positive, whole
from families.layers.training import half_then_linear
from families.translation.checks import domains, wide
from families.translation.domains import Domains, another
from families.translation.resnet import Decoder, Encoder
from genbench.interface import GenerativeModel
from genbench.spec import DataSpec


def each_by_its_own(networks: Sequence[Callable[[Tensor], Tensor]], x: Tensor, domain: Tensor) -> Tensor:
    """Return what the network of each row's domain makes of it, rows in their order.

    Args:
        networks: a network for each domain; those of domains that no row is in are not called.
        x: the rows ``(B, …)``.
        domain: the rows' domains, int64 ``(B,)``.
    """
    order = domain.argsort(stable=True)
    parts = [networks[one](x[domain == one]) for one in domain.unique().tolist()]
    return torch.cat(parts)[order.argsort()]


class Assembled(nn.Module):
    """A translator by parts: ``D_b(E_a(x))`` from domain a to domain b; nothing is common to two domains.

    Args:
        encoders: images → maps, for each domain.
        decoders: maps → images, for each domain.
    """

    def __init__(self, encoders: Sequence[Encoder], decoders: Sequence[Decoder]) -> None:
        super().__init__()
        self.encoders, self.decoders = nn.ModuleList(encoders), nn.ModuleList(decoders)

    def forward(self, images: Tensor, own: Tensor, wanted: Tensor) -> Tensor:
        """Map images ``(B, C, H, W)`` of their own domains ``(B,)`` into the wanted ones, on [-1, 1]."""
        return each_by_its_own(_of(self.decoders), each_by_its_own(_of(self.encoders), images, own), wanted)


class CriticOfEach(nn.Module):
    """A critic for each domain, which judges the images of that domain and the translations into it.

    Args:
        critics: images → :class:`Scored`, for each domain.
    """

    def __init__(self, critics: Sequence[PatchCritic]) -> None:
        super().__init__()
        self.critics = nn.ModuleList(critics)

    def forward(self, images: Tensor, domain: Tensor) -> Tensor:
        """Map images ``(B, C, H, W)`` and the domains ``(B,)`` they should be in to logits ``(B, 1, h, w)``."""
        logits = [lambda x, critic=critic: critic(x).logits for critic in self.critics]
        return each_by_its_own(logits, images, domain)


def _of(modules: nn.ModuleList) -> Sequence[Callable[[Tensor], Tensor]]:
    return cast("Sequence[Callable[[Tensor], Tensor]]", modules)


def combogan(
    spec: DataSpec,
    *,
    width: int = 16,
    blocks: int = 3,
    reconstruct: float = 10.0,
    identity: float = 0.0,
    pool: int = 50,
    lr: float = 2e-4,
) -> GenerativeModel:
    """ComboGAN (1712.06909): CycleGAN between any two of several domains, cut in the middle: halves that fit together.

    An image x of domain a becomes ``ŷ = D_b(E_a(x))`` of domain b. Encoders and decoders minimise
    ``E (C_b(ŷ) - 1)² + 10 |D_a(E_b(ŷ)) - x|``, critics half of ``E (C_b(y) - 1)² + E C_b(ŷ)²``, on fakes from a pool
    of each domain. So the networks grow with the number of domains and not with its square.

    Adam(2e-4, (0.5, 0.999)), constant over the first half, then down to 0. Departures: the paper draws two domains an
    iteration, here every image of a batch draws the domain it goes to, which is the same in expectation; 16 channels
    and 3 blocks, the larger half in the encoder, for the paper's 64 and 9; patches of 16×16 as in
    :class:`PatchCritic`; weights that start by their fan-in.

    Args:
        spec: the spec of the data, images with a field ``domain``, sources of their shape with ``source_domain``.
        width: channels at the image's sides, and of the critics' first convolution.
        blocks: residual blocks, of an encoder and a decoder together.
        reconstruct: the weight of the way there and back.
        identity: the weight of ``|D_a(E_a(x)) - x|``.
        pool: past fakes of each domain that its critic is shown again; 0 for none.
        lr: the learning rate.

    Raises:
        ValueError: for data of fewer than two domains, or with sources of another shape; for an option out of range.
    """
    count = domains(spec, "combogan", "source_domain")
    wide(spec, "combogan")
    positive(lr=lr)
    whole(0, blocks=blocks)
    late = blocks // 2
    encoders = [Encoder(spec.shape, width, blocks - late, instance, "reflect") for _ in range(count)]
    decoders = [Decoder(spec.shape, width, late, instance, "reflect") for _ in range(count)]
    return Domains(
        spec,
        Assembled(encoders, decoders),
        CriticOfEach([PatchCritic(*spec.shape, width, instance) for _ in range(count)]),
        loss=slow_critic(LEAST_SQUARES_WHOLE),
        reconstruct=reconstruct,
        identity=identity,
        wanted=another,
        given=("source", "source_domain", "domain"),
        pool=pool,
        optimizer=partial(torch.optim.Adam, lr=lr, betas=(0.5, 0.999)),
        schedule=half_then_linear,
        critic_first=False,
    )
