"""Where a network that ends in an output begins: at what is likeliest of a pixel that nothing else is known of."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from families.outputs.base import Output

PIXELS = 2**16  # of the images, drawn at random


def fitted(output: Output, images: Tensor, generator: Generator) -> Tensor:
    """Return the parameters ``(P,)``, float32, that the output fits to random pixels of the images.

    Args:
        output: the distribution of a pixel.
        images: levels, uint8 ``(N, C, H, W)``.
        generator: draws the pixels.
    """
    count, _, height, width = images.shape
    drawn = torch.randint(count * height * width, (PIXELS,), generator=generator, device=generator.device)
    image, place = drawn.to(images.device).div(height * width, rounding_mode="floor"), drawn % (height * width)
    return output.fitted(images.flatten(2)[image, :, place.to(images.device)])


@torch.no_grad()
def begin(bias: Tensor, parameters: Tensor) -> None:
    """Set a last layer's bias to a pixel's parameters ``(P,)``; where it has one for each pixel, to the same at all."""
    bias.copy_(parameters.repeat_interleave(len(bias) // len(parameters)))


def fit_start(bias: Tensor, output: Output, images: Tensor, generator: Generator) -> None:
    """Move a last layer's bias from ``output.start`` to the start that is fitted to the images.

    A bias that is elsewhere has learned already, and stays.
    """
    untouched = torch.empty_like(bias)
    begin(untouched, output.start(images.shape[1]))
    if torch.equal(bias, untouched):
        begin(bias, fitted(output, images, generator))
