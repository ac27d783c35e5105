"""The variational autoencoder (1312.6114), its bound tightened at evaluation by importance weights (1509.00519)."""

from __future__ import annotations

from families.autoencoder.divergences import kl
from families.autoencoder.latents import code_size
from families.autoencoder.model import Autoencoder, Drawing
from families.autoencoder.networks import Decoder, Encoder
from families.autoencoder.priors import StandardNormal
from families.layers.convolutional import ImageDecoder, ImageEncoder
from families.layers.options import positive, whole
from families.outputs import output as output_by_name
from genbench.spec import DataSpec


def vae(
    spec: DataSpec,
    *,
    width: int = 32,
    depth: int = 0,
    latents: int | None = None,
    output: str = "logistic",
    pixels: str = "median",
    temperature: float = 1.0,
    lr: float = 3e-3,
) -> Autoencoder:
    """Build a VAE: Gaussian posterior and prior, and a decoder over the integer levels (1312.6114).

    Differs from the paper in its networks (convolutional for dense ones), its optimiser (Adam for AdaGrad) and its
    output, a distribution over integers for a density or a Bernoulli, so that its likelihood compares with others'.

    Args:
        spec: any shape and levels; the networks halve the shorter side down to 4.
        width: features at the image's own scale.
        depth: residual blocks a scale, 0 or more.
        latents: the size ``Z`` of a code; where not set, it goes with the root of the image's values, 32 at 1×28×28.
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
    whole(1, width=width)
    whole(0, depth=depth)
    size = code_size(latents, spec.shape, 32)
    distribution = output_by_name(output, spec.levels)
    encoder = ImageEncoder(spec.shape, width, depth, 2 * size)
    decoder = ImageDecoder(size, spec.shape, width, depth, distribution.parameters(spec.shape[0]))
    return Autoencoder(
        spec,
        Encoder(encoder),
        Decoder(decoder),
        StandardNormal(size),
        kl,
        distribution,
        lr=lr,
        drawing=Drawing(pixels, temperature),
    )
