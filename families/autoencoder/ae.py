"""The plain autoencoder, made a generative model by a density fitted to its codes."""

from __future__ import annotations

from families.autoencoder.deterministic import PointAutoencoder
from families.autoencoder.latents import code_size
from families.autoencoder.model import Drawing
from families.autoencoder.networks import Decoder, PointEncoder
from families.autoencoder.priors import Mixture
from families.layers.convolutional import ImageDecoder, ImageEncoder
from families.layers.options import positive, whole
from families.outputs import output as output_by_name
from genbench.spec import DataSpec


def ae(
    spec: DataSpec,
    *,
    width: int = 32,
    depth: int = 0,
    latents: int | None = None,
    components: int = 10,
    output: str = "logistic",
    pixels: str = "median",
    temperature: float = 1.0,
    lr: float = 3e-3,
) -> PointAutoencoder:
    """Build an autoencoder of deterministic codes, trained on ``-log p(x given code)``; nothing shapes the codes.

    A baseline, the method of none of the papers here.

    Behind training a mixture of Gaussians is fitted to the training images' codes, and samples decode draws from it.
    The likelihood is bounded with that mixture as the prior, by importance sampling round each image's code.

    Args:
        spec: any shape and levels; the networks halve the shorter side down to 4.
        width: features at the image's own scale.
        depth: residual blocks a scale, 0 or more.
        latents: the size ``Z`` of a code; where not set, it goes with the root of the image's values, 16 at 1×28×28.
        components: Gaussians in the mixture that is fitted to the codes.
        output: ``"logistic"``, a discretised logistic with a scale of its own for every pixel, or ``"categorical"``.
        pixels: ``"median"``, where samples show each pixel's median, as papers decode, or ``"drawn"``, where the noise
            that the likelihood counts is drawn too.
        temperature: how far drawn pixels stray, given their code: 1 draws from the model, near 0 they are each pixel's
            median (logistic) or likeliest level (categorical).
        lr: the learning rate.

    Raises:
        ValueError: for options out of range.
    """
    positive(lr=lr)
    whole(1, width=width, components=components)
    whole(0, depth=depth)
    size = code_size(latents, spec.shape, 16)
    distribution = output_by_name(output, spec.levels)
    encoder = ImageEncoder(spec.shape, width, depth, size)
    decoder = ImageDecoder(size, spec.shape, width, depth, distribution.parameters(spec.shape[0]))
    return PointAutoencoder(
        spec,
        PointEncoder(encoder, size),
        Decoder(decoder),
        Mixture(size, components),
        distribution,
        lr=lr,
        drawing=Drawing(pixels, temperature),
    )
