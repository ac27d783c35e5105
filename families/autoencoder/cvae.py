"""The conditional variational autoencoder (Sohn, Lee and Yan, NeurIPS 2015): every part is told the label."""

from __future__ import annotations

from families.autoencoder.divergences import kl
from families.autoencoder.latents import code_size
from families.autoencoder.model import Autoencoder, Drawing
from families.autoencoder.networks import Decoder, Encoder
from families.autoencoder.priors import LabelNormal
from families.layers.convolutional import ImageDecoder, ImageEncoder
from families.layers.options import positive, whole
from families.outputs import output as output_by_name
from genbench.spec import DataSpec


def cvae(
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
    """Build ``q(z given x, y)``, ``p(x given z, y)`` and a prior ``p(z given y)``, learned by the ELBO (NeurIPS 2015).

    In the paper the condition is an image and what is generated its labelling; here the condition is the label and the
    image is generated, from the same three parts and the same bound. The prior of a label is a table's entry, where
    the paper needs a network, and the paper's hybrid with a prediction network has no part to play.

    Args:
        spec: data with labels, of any shape and levels.
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
        ValueError: for data without labels, or options out of range.
    """
    if not spec.classes:
        raise ValueError("classes=0: cvae needs a label for each image")
    positive(lr=lr)
    whole(1, width=width)
    whole(0, depth=depth)
    size = code_size(latents, spec.shape, 32)
    distribution = output_by_name(output, spec.levels)
    channels, height, breadth = spec.shape
    encoder = ImageEncoder((channels + spec.classes, height, breadth), width, depth, 2 * size)
    decoder = ImageDecoder(size + spec.classes, spec.shape, width, depth, distribution.parameters(channels))
    return Autoencoder(
        spec,
        Encoder(encoder, spec.classes),
        Decoder(decoder, spec.classes),
        LabelNormal(size, spec.classes),
        kl,
        distribution,
        given=("label",),
        lr=lr,
        drawing=Drawing(pixels, temperature),
    )
