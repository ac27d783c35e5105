"""Adversarial autoencoders (1511.05644): unsupervised, told the label, and told a few labels.

Departures: networks of images are convolutional for dense ones (but not the last recipe's); Adam, with all
rates brought down along a cosine, for momentum with rates in steps; reconstruction is the negative
log-likelihood of a distribution over integer levels for a squared error, so that the likelihood can be bounded and
compared.
"""

from __future__ import annotations

import math
from functools import partial

from torch import nn

from families.autoencoder.adversarial import AdversarialAutoencoder, Discriminator
from families.autoencoder.latents import code_size
from families.autoencoder.model import Drawing
from families.autoencoder.networks import ClassAndStyleEncoder, Decoder, PointEncoder
from families.autoencoder.priors import ClassAndStyle, StandardNormal
from families.autoencoder.semi_supervised import SemiSupervisedAutoencoder
from families.layers.convolutional import ImageDecoder, ImageEncoder, faint, he
from families.layers.dense import dense
from families.layers.options import positive, whole
from families.outputs import output as output_by_name
from genbench.spec import DataSpec

BETAS = (0.5, 0.999)  # of Adam in the game of every recipe here
FIRST_CODES = 0.3  # share of He's weights: at 1 images of 3×16×16 begin at up to four times the uniform's nats


def aae(
    spec: DataSpec,
    *,
    width: int = 16,
    depth: int = 0,
    latents: int | None = None,
    hidden: int = 256,
    output: str = "logistic",
    pixels: str = "median",
    temperature: float = 1.0,
    lr: float = 3e-3,
    game_lr: float = 1e-3,
) -> AdversarialAutoencoder:
    """A deterministic code (the paper's first choice) that an adversary makes N(0, I) over the images (1511.05644).

    The encoder is run three times a batch, and a short run gains more from steps than from width: on 3,500 digits, in
    100 s of one thread, width 16 left the codes' variances at 0.5 to 1.5 along their principal axes and width 32, with
    half the steps, at 0.06 to 2.2.

    Args:
        spec: any shape and levels.
        width: features at the image's own scale.
        depth: residual blocks a scale, 0 or more.
        latents: the size ``Z`` of a code; where not set, it goes with the root of the image's values, 16 at 1×28×28.
        hidden: units of each of the discriminator's two hidden layers.
        output: the name of a pixel's distribution.
        pixels: ``"median"``, where samples show each pixel's median, as papers decode, or ``"drawn"``, where the noise
            that the likelihood counts is drawn too.
        temperature: how far drawn pixels stray, given their code: 1 draws from the model, near 0 they are each pixel's
            median (logistic) or likeliest level (categorical).
        lr: the learning rate of reconstruction.
        game_lr: the learning rate of discriminator and encoder in their game.

    Raises:
        ValueError: for options out of range.
    """
    size = code_size(latents, spec.shape, 16)
    return _one_part(spec, 0, width, depth, size, hidden, output, Drawing(pixels, temperature), lr, game_lr)


def aae_supervised(
    spec: DataSpec,
    *,
    width: int = 16,
    depth: int = 0,
    latents: int | None = None,
    hidden: int = 256,
    output: str = "logistic",
    pixels: str = "median",
    temperature: float = 1.0,
    lr: float = 3e-3,
    game_lr: float = 3e-3,
) -> AdversarialAutoencoder:
    """The decoder is told the label as a one-hot vector, so that the code holds the style (1511.05644, 4).

    The discriminator is told the label too, as in the paper's 2.3: the codes of each class by itself become N(0, I),
    and what they say of the class is lost. The paper's own here sees nothing but codes, all of which together may be
    N(0, I) while each class keeps to a part of it: on digits the decoder then paid little heed to the label, and few
    samples were of the class asked for.
    A small code and a fast game press the class out of it: after 60 s of two threads a classifier finds 71 % of the
    samples in the class asked for, and 87 % of test images' codes follow another label that the decoder is told
    (docs/autoencoders.md).

    Args:
        spec: data with labels, of any shape and levels.
        width: features at the image's own scale.
        depth: residual blocks a scale, 0 or more.
        latents: the size ``Z`` of a code; where not set, it goes with the root of the image's values, 8 at 1×28×28.
        hidden: units of each of the discriminator's two hidden layers.
        output: the name of a pixel's distribution.
        pixels: ``"median"``, where samples show each pixel's median, as papers decode, or ``"drawn"``, where the noise
            that the likelihood counts is drawn too.
        temperature: how far drawn pixels stray, given their code: 1 draws from the model, near 0 they are each pixel's
            median (logistic) or likeliest level (categorical).
        lr: the learning rate of reconstruction.
        game_lr: the learning rate of discriminator and encoder in their game.

    Raises:
        ValueError: for data without labels, or options out of range.
    """
    if not spec.classes:
        raise ValueError("classes=0: aae-supervised needs a label for each image")
    size = code_size(latents, spec.shape, 8)
    return _one_part(spec, spec.classes, width, depth, size, hidden, output, Drawing(pixels, temperature), lr, game_lr)


def aae_semi_supervised(
    spec: DataSpec,
    *,
    width: int = 400,
    depth: int = 2,
    latents: int | None = None,
    hidden: int = 256,
    noise: float = 0.8,
    output: str = "logistic",
    pixels: str = "median",
    temperature: float = 1.0,
    lr: float = 1e-3,
    game_lr: float = 3e-4,
) -> SemiSupervisedAutoencoder:
    """A class by a softmax and a style, an adversary for each, and a step on the labelled share (1511.05644, 5).

    Networks are dense, as in the paper. Samples draw every class equally often, as the adversary imposes; the bound
    proposes class and style. The encoder's input is noisy in training, and strongly by default, a choice of ours:
    without it the classification step soon knows a hundred labelled images by heart.

    Args:
        spec: data with labels of which ``labelled`` are known, of any shape and levels.
        width: units of a hidden layer of encoder and decoder.
        depth: hidden layers of each, 0 or more.
        latents: the size ``Z`` of the style; where not set, it goes with the root of the image's values, 6 at 1×28×28.
        hidden: units of each of a discriminator's two hidden layers.
        noise: standard deviation of noise on the encoder's input in training, where images are on [-1, 1].
        output: the name of a pixel's distribution.
        pixels: ``"median"``, where samples show each pixel's median, as papers decode, or ``"drawn"``, where the noise
            that the likelihood counts is drawn too.
        temperature: how far drawn pixels stray, given their code: 1 draws from the model, near 0 they are each pixel's
            median (logistic) or likeliest level (categorical).
        lr: the learning rate of reconstruction and of classification.
        game_lr: the learning rate of discriminators and encoder in their game.

    Raises:
        ValueError: for data without classes or without a labelled share, or options out of range.
    """
    if not spec.classes:
        raise ValueError("classes=0: aae-semi-supervised needs data with classes")
    if spec.labelled is None:
        raise ValueError(
            "labelled=None: aae-semi-supervised learns from a labelled share; "
            "give the row labelled = 100, or the command --labelled 100"
        )
    positive(lr=lr, game_lr=game_lr)
    whole(1, width=width, hidden=hidden)
    whole(0, depth=depth)
    if not 0 <= noise < math.inf:
        raise ValueError(f"noise={noise}: give a standard deviation, 0 or more")
    style = code_size(latents, spec.shape, 6)
    distribution, size = output_by_name(output, spec.levels), spec.classes + style
    channels, *sides = spec.shape
    maps = (distribution.parameters(channels), *sides)
    # of both ends the encoder's alone begins faint, and less so: a decoder's leaves the classes to the few labels
    encoder = dense(spec.dimensions, width, depth, size, last=partial(faint, share=FIRST_CODES))
    decoder = nn.Sequential(dense(size, width, depth, math.prod(maps)), nn.Unflatten(1, maps))
    return SemiSupervisedAutoencoder(
        spec,
        ClassAndStyleEncoder(encoder, spec.classes, style),
        Decoder(decoder),
        ClassAndStyle(spec.classes, style),
        distribution,
        [Discriminator(spec.classes, hidden), Discriminator(style, hidden)],
        lr=lr,
        game_lr=game_lr,
        game_betas=BETAS,
        noise=noise,
        drawing=Drawing(pixels, temperature),
    )


def _one_part(
    spec: DataSpec,
    told: int,
    width: int,
    depth: int,
    latents: int,
    hidden: int,
    output: str,
    drawing: Drawing,
    lr: float,
    game_lr: float,
) -> AdversarialAutoencoder:
    """Build an autoencoder whose whole code has one adversary; it and the decoder are told so many classes."""
    positive(lr=lr, game_lr=game_lr)
    whole(1, width=width, hidden=hidden)
    whole(0, depth=depth)
    distribution = output_by_name(output, spec.levels)
    # codes do not begin faint: the game, which wants the prior's size of them, tangles faint ones before they say much
    encoder = ImageEncoder(spec.shape, width, depth, latents, last=he)
    decoder = ImageDecoder(latents + told, spec.shape, width, depth, distribution.parameters(spec.shape[0]))
    return AdversarialAutoencoder(
        spec,
        PointEncoder(encoder, latents),
        Decoder(decoder, told),
        StandardNormal(latents),
        distribution,
        [Discriminator(latents, hidden, told)],
        given=("label",) if told else (),
        lr=lr,
        game_lr=game_lr,
        game_betas=BETAS,
        drawing=drawing,
    )
