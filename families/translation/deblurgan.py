"""Deblurring by what a residual translator adds to the source, a critic of images and features of a trained network."""

from __future__ import annotations

from functools import partial

import torch

from families.adversarial.losses import WASSERSTEIN
from families.adversarial.patch import PatchCritic
from families.adversarial.penalties import GradientPenalty
from families.layers.distances import l2
from families.layers.instance_norm import instance
from families.layers.options import positive, whole
from families.layers.perceptual import Perceptual, chosen
from families.layers.training import half_then_linear
from families.translation.checks import pairs, wide
from families.translation.one_way import OneWay
from families.translation.resnet import Decoder, Encoder, Translator
from families.translation.terms import Distance
from genbench.interface import GenerativeModel
from genbench.spec import DataSpec


def deblurgan(
    spec: DataSpec,
    *,
    width: int = 16,
    blocks: int = 3,
    dropout: float = 0.5,
    content: float = 100.0,
    penalty: float = 10.0,
    critic_steps: int = 5,
    perceptual: str = "auto",
    lr: float = 1e-4,
) -> GenerativeModel:
    """DeblurGAN (1711.07064): a translator adds to the blurred image what it lacks, under a Wasserstein critic.

    ``ŷ = clamp(x + G(x, u), -1, 1)`` minimises ``-E C(ŷ) + 100 ‖φ(ŷ) - φ(y)‖²``, φ a network's low layer, the distance
    calibrated to begin as large as the pixels'. The critic sees images alone and minimises
    ``E C(ŷ) - E C(y) + 10 E (‖∇C‖ - 1)²``, the norm over all of an interpolate, whose share is its row's own; it has
    five steps, each on a batch of its own, for one of the generator. u are the masks of dropout in every residual
    block, in training and in sampling; ``dropout=0`` has none, and one image of each source.

    Adam(1e-4, (0.5, 0.999)), constant over the first half, then down to 0. Departures: 16 channels and 3 blocks for the
    paper's 64 and 9, batches of more than 1; patches of 16×16, as in pix2pix; features of EfficientNet-Lite0, or of a
    classifier where the data have labels, for VGG-19's conv3_3, which is taken where the user has its weights; the
    critic's patches have a loss each, whose mean is taken, as the authors' code does.

    Args:
        spec: the spec of the data, pairs of one height and width.
        width: channels at the image's sides, and of the critic's first convolution.
        blocks: residual blocks.
        dropout: the rate of dropout behind each block's first convolution; 0 for none.
        content: the weight of the features' distance.
        penalty: the weight of the gradient penalty.
        critic_steps: the critic's steps for each of the generator's.
        perceptual: the network of φ: ``"efficientnet-lite0"``, ``"classifier"``, ``"vgg19"``; ``"auto"`` is the
            classifier where the data have labels, else the first.
        lr: the learning rate.

    Raises:
        ValueError: for a spec without pairs, or with sources of other sides or channels; for an option out of range.
    """
    source = pairs(spec, "deblurgan")
    wide(spec, "deblurgan")
    if source[0] not in (1, spec.shape[0]):
        raise ValueError(f"source={source}: deblurgan adds to the source, and the image has {spec.shape[0]} channels")
    positive(lr=lr, penalty=penalty)
    whole(1, width=width)
    perception = Perceptual(chosen(perceptual, spec), "low", spec.shape, spec.classes, calibrated=True)
    return OneWay(
        spec,
        Translator(
            Encoder(source, width, blocks, instance, "reflect", dropout=dropout),
            Decoder(spec.shape, width, 0, instance, "reflect"),
            skip=True,
        ),
        PatchCritic(*spec.shape, width, instance, bias=False),
        loss=WASSERSTEIN,
        terms=[Distance("content", content, perception.compared(l2))],
        penalty=GradientPenalty(penalty),
        optimizer=partial(torch.optim.Adam, lr=lr, betas=(0.5, 0.999)),
        schedule=half_then_linear,
        critic_steps=critic_steps,
        perception=perception,
    )
