"""The variational autoencoder (1312.6114), its bound tightened at evaluation by importance weights (1509.00519)."""

from __future__ import annotations

from families.autoencoder.divergences import kl
from families.autoencoder.model import Autoencoder
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
    latents: int = 32,
    output: str = "logistic",
    lr: float = 3e-3,
) -> Autoencoder:
    """Build a VAE: Gaussian posterior and prior, and a decoder over the integer levels (1312.6114).

    Differs from the paper in its networks (convolutional for dense ones), its optimiser (Adam for AdaGrad) and its
    output, a distribution over integers for a density or a Bernoulli, so that its likelihood compares with others'.

    Args:
        spec: any shape and levels; the networks halve the sides as often as they divide, down to 4.
        width: features at the image's own scale.
        depth: residual blocks a scale, 0 or more.
        latents: the size ``Z`` of a code.
        output: ``"logistic"``, a discretised logistic with a scale of its own for every pixel, or ``"categorical"``.
        lr: the learning rate.

    Raises:
        ValueError: for options out of range.
    """
    positive(lr=lr)
    whole(1, width=width, latents=latents)
    whole(0, depth=depth)
    pixels = output_by_name(output, spec.levels)
    encoder = ImageEncoder(spec.shape, width, depth, 2 * latents)
    decoder = ImageDecoder(latents, spec.shape, width, depth, pixels.parameters(spec.shape[0]))
    return Autoencoder(spec, Encoder(encoder), Decoder(decoder), StandardNormal(latents), kl, pixels, lr=lr)
