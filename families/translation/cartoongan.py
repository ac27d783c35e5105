"""Photographs into cartoons: a critic that is shown blurred edges, and features of the photograph that must stay."""

from __future__ import annotations

from functools import partial

import torch

from families.adversarial.losses import NON_SATURATING
from families.layers.distances import l1
from families.layers.edges import smoothed_edges
from families.layers.instance_norm import instance
from families.layers.options import one_of, positive, positive_or_zero, share
from families.layers.perceptual import Perceptual, chosen
from families.translation.blocks import NORMS
from families.translation.checks import coloured, unpaired, wide
from families.translation.critics import DrawingCritic
from families.translation.one_way import Alone, Decoy, OneWay
from families.translation.resnet import Decoder, Encoder, Translator
from families.translation.terms import Distance
from genbench.interface import GenerativeModel
from genbench.spec import DataSpec


def cartoongan(
    spec: DataSpec,
    *,
    width: int = 16,
    blocks: int = 4,
    content: float = 10.0,
    edges: float = 1.0,
    initialise: float = 0.1,
    norm: str = "batch",
    perceptual: str = "auto",
    lr: float = 2e-4,
) -> GenerativeModel:
    """CartoonGAN (CVPR 2018): drawings of photographs, by a critic that must call drawings with blurred edges fakes.

    The critic minimises ``E sp(-C(c)) + E sp(C(e)) + E sp(C(G(p)))`` for photographs p and cartoons c, e the same
    cartoons as :func:`smoothed_edges` makes them: without e, clear lines, which are few of the pixels, hardly count.
    The generator minimises ``E sp(-C(G(p))) + 10 |φ(G(p)) - φ(p)|``, φ the middle layer of a trained network; in a
    first tenth the second term alone, so that the game begins with photographs.

    Adam(2e-4, (0.5, 0.999)). Departures: 16 channels and 4 blocks for the paper's 64 and 8; φ is on a scale of its own
    and VGG-19's only where the user has its weights; the authors' code has 1e-5 in the game, least squares for the
    paper's logarithms and a pool of 50; edges are found by Sobel's gradient for Canny's, and blurred over 3×3 for 5×5
    at 256 px; weights start by their fan-in; the generator normalises batches, where the authors' code normalises
    images: of a patch of 32 px that leaves nothing of how bright it is, and the drawing should be as bright.

    Args:
        spec: the spec of the data, unpaired photographs and grey or colour cartoons of one height and width.
        width: channels at the image's sides, and of the critic's first convolution.
        blocks: residual blocks.
        content: the weight of the photograph's features.
        edges: the weight of cartoons with blurred edges among the fakes; 0 for none.
        initialise: the first phase's share of the budget; 0 for none.
        norm: the generator's normalisation, ``"batch"`` or ``"instance"``, which takes a photograph's brightness and
            contrast away.
        perceptual: the network of φ: ``"efficientnet-lite0"``, ``"classifier"``, ``"vgg19"``; ``"auto"`` is the
            classifier where the data have labels, else the first.
        lr: the learning rate.

    Raises:
        ValueError: for a spec of pairs, without a source or with one of other sides; for an option out of range.
    """
    source = unpaired(spec, "cartoongan")
    wide(spec, "cartoongan")
    coloured(spec, "cartoongan", 1, 3)
    one_of(NORMS, norm=norm)
    positive(lr=lr)
    positive_or_zero(edges=edges)
    share(initialise=initialise)
    perception = Perceptual(chosen(perceptual, spec), "middle", spec.shape, spec.classes)
    kept = Distance("content", content, perception.compared(l1), "source")
    return OneWay(
        spec,
        Translator(
            Encoder(source, width, blocks, NORMS[norm], "reflect", twice=True),
            Decoder(spec.shape, width, 0, NORMS[norm], "reflect", twice=True),
        ),
        DrawingCritic(spec.shape, width, instance),
        loss=NON_SATURATING,
        terms=[kept],
        decoys=[Decoy("edges", edges, smoothed_edges)] if edges else [],
        before=[Alone("initialise", initialise, [kept])],
        optimizer=partial(torch.optim.Adam, lr=lr, betas=(0.5, 0.999)),
        perception=perception,
    )
