"""Shadow detection and removal by two translators in a row, each with a critic of its own."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from families.adversarial.losses import NON_SATURATING, by_parts, weighted_generator
from families.adversarial.patch import PatchCritic
from families.adversarial.terms import Scored
from families.layers.distances import l1
from families.layers.evaluation import evaluation
from families.layers.options import positive, positive_or_zero
from families.layers.scaling import to_unit
from families.translation.checks import needs, pairs
from families.translation.paired import Paired
from families.translation.terms import Distance
from families.translation.unet import UNet
from genbench.interface import GenerativeModel, Step
from genbench.spec import Batch, DataSpec

SHADOW = "shadow"  # the field that holds the true mask


class StackedGenerator(nn.Module):
    """Two translators in a row: ``m̂ = G1(x)``, then ``ŷ = G2(x, m̂)``.

    Args:
        detector: G1, ``(x, u)`` → a mask ``(B, 1, H, W)``.
        remover: G2, ``((x, m̂), u)`` → an image.
    """

    latents = 0

    def __init__(self, detector: nn.Module, remover: nn.Module) -> None:
        super().__init__()
        self.detector, self.remover = detector, remover

    def joint(self, source: Tensor, u: Tensor) -> Tensor:
        """Return mask and image of sources ``(B, C', H, W)``, in this order in the channels: ``(B, 1 + C, H, W)``."""
        mask = self.detector(source, u)
        return torch.cat([mask, self.remover(torch.cat([source, mask], 1), u)], 1)

    def forward(self, source: Tensor, u: Tensor) -> Tensor:
        """Return the images ``(B, C, H, W)`` of sources, under noise of no numbers ``(B, 0)``."""
        return self.joint(source, u)[:, 1:]


class StackedCritic(nn.Module):
    """Two critics side by side: D1 of (x, m), D2 of (x, m, y).

    Args:
        mask: D1, masks and sources → logits.
        image: D2, masks with images and sources → logits.

    Attributes:
        places: logits of an image, those of D1 and those of D2.
    """

    def __init__(self, mask: PatchCritic, image: PatchCritic) -> None:
        super().__init__()
        self.mask, self.image = mask, image
        self.places = (mask.places, image.places)

    def forward(self, joint: Tensor, source: Tensor) -> Scored:
        """Score masks and images ``(B, 1 + C, H, W)`` beside their sources: logits ``(B, P)``, D1's before D2's."""
        logits = [self.mask(joint[:, :1], source).logits, self.image(joint, source).logits]
        together = torch.cat([one.flatten(1) for one in logits], 1)
        return Scored(joint, together, together.new_empty(len(joint), 0))


class STCGAN(Paired):
    """A translator that learns mask and image together; what its game calls an image is the mask in front of it."""

    generator: StackedGenerator

    def target(self, batch: Batch) -> Tensor:
        """Return the batch's masks and images on [-1, 1], ``(B, 1 + C, H, W)``.

        Raises:
            ValueError: for a batch without masks.
        """
        if SHADOW not in batch.fields:
            raise ValueError(f"fields={sorted(batch.fields)}: this model learns from a field {SHADOW!r}")
        images = super().target(batch)
        mask = to_unit(batch.fields[SHADOW], self.spec.fields[SHADOW].levels)
        return torch.cat([mask.to(images.dtype), images], 1)

    def translate(self, batch: Batch, step: Step) -> Tensor:
        """Return each source's mask and image on [-1, 1]."""
        return self.generator.joint(self.source(batch), self.draw_noise(len(batch), step.generator))

    def detect(self, batch: Batch) -> Tensor:
        """Return the pixels of each source that lie in shadow, bool ``(B, 1, H, W)``; no field is read."""
        with evaluation(self):
            source = self.source(batch)
            return self.generator.detector(source, source.new_empty(len(source), 0)) > 0


def st_cgan(
    spec: DataSpec,
    *,
    width: int = 32,
    mask: float = 1.0,
    weight: float = 5.0,
    game: float = 0.1,
    lr: float = 2e-4,
) -> GenerativeModel:
    """ST-CGAN (1712.02478): a first network finds the shadow, a second is told where it is and takes it away.

    ``m̂ = G1(x)`` and ``ŷ = G2(x, m̂)`` minimise ``|m̂ - m| + 5 |ŷ - y| - .1 E log D1(x, m̂) - .1 E log D2(x, m̂, ŷ)``
    together (equations 5 to 9), against critics of (x, m) and (x, m, y). G2 never sees the true mask, so that G1 learns
    from all four terms. The true masks are read in training alone; :meth:`STCGAN.detect` says where shadow is found.

    Both generators learn in one turn, both critics in the other, with Adam(2e-4, (0.5, 0.999)). Departures: sides of
    the game are not saturating; networks are as deep as the shape halves, and the patches 16×16, as in pix2pix; there
    is no dropout, so that one source has one image.

    Args:
        spec: the spec of the data, pairs of one height and width with a field ``shadow`` ``(1, H, W)``.
        width: channels at half the resolution, and of the critics' first convolution.
        mask: the weight of ``|m̂ - m|``.
        weight: the weight of ``|ŷ - y|``.
        game: the weight of either game on the generators' side.
        lr: the learning rate.

    Raises:
        ValueError: for a spec without pairs, without masks or with other ones; for an option out of range.
    """
    source, shape = pairs(spec, "st-cgan"), spec.shape
    needs(spec, "st-cgan", SHADOW)
    if spec.fields[SHADOW].shape != (1, *shape[1:]):
        raise ValueError(f"shadow={spec.fields[SHADOW].shape}: st-cgan needs a mask of each image, {(1, *shape[1:])}")
    if spec.fields[SHADOW].levels != 2:
        raise ValueError(f"shadow={spec.fields[SHADOW].levels} levels: st-cgan needs masks of two, 1 in the shadow")
    positive(lr=lr)
    positive_or_zero(game=game)
    told = source[0] + 1
    critic = StackedCritic(PatchCritic(told, *shape[1:], width), PatchCritic(told + shape[0], *shape[1:], width))
    return STCGAN(
        spec,
        StackedGenerator(UNet(source[0], (1, *shape[1:]), width, 0.0), UNet(told, shape, width, 0.0)),
        critic,
        loss=weighted_generator(by_parts(NON_SATURATING, critic.places), game),
        terms=[
            Distance("mask", mask, lambda fake, real: l1(fake[:, :1], real[:, :1])),
            Distance("l1", weight, lambda fake, real: l1(fake[:, 1:], real[:, 1:]), option="weight"),
        ],
        optimizer=partial(torch.optim.Adam, lr=lr, betas=(0.5, 0.999)),
    )
