"""Encoders and decoders: networks that see images or codes, and what the batch is given beside them.

An encoder answers with a distribution over codes, a decoder with the numbers that an output distribution takes.
Whatever precision a network runs in, what leaves it is float32 or better: likelihoods are made of it.
"""

from __future__ import annotations

import math

import torch
from einops import repeat
from torch import Tensor, nn
from torch.nn import functional as F

from families.autoencoder.distributions import Gaussian, Joint, OneHot
from families.outputs.base import at_least_single
from genbench.spec import Batch

LOG_STD_RANGE = 10.0
DEFENCE = 0.1  # share of the uniform in a proposed class, so that no class is ever out of reach


class Encoder(nn.Module):
    """The Gaussian ``q(z given x) = N(μ(x), σ(x)²)`` from a network that answers ``2Z`` numbers an image.

    ``log σ`` is kept within ±10 softly: an untrained or strayed network cannot overflow.

    Args:
        network: ``(B, C + classes, H, W)`` to ``(B, 2Z)``.
        classes: labels that it is told, each as a plane beside the image's channels; 0 for none.
    """

    def __init__(self, network: nn.Module, classes: int = 0) -> None:
        super().__init__()
        self.network = network
        self.classes = classes

    def forward(self, x: Tensor, given: Batch) -> Gaussian:
        """Map images ``(B, C, H, W)`` on [-1, 1] to a Gaussian over codes ``(B, Z)``."""
        if self.classes:
            planes = repeat(one_hot(given, self.classes, x), "b k -> b k y x", y=x.shape[2], x=x.shape[3])
            x = torch.cat([x, planes], 1)
        mean, raw = at_least_single(self.network(x)).chunk(2, 1)
        return Gaussian(mean, LOG_STD_RANGE * torch.tanh(raw / LOG_STD_RANGE))


class PointEncoder(nn.Module):
    """An encoder to a deterministic code. The width round it serves to propose codes where the likelihood is bounded.

    Args:
        network: ``(B, C, H, W)`` to ``(B, Z)``.
        latents: the size ``Z`` of a code.
    """

    log_std: Tensor

    def __init__(self, network: nn.Module, latents: int) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("log_std", torch.zeros(latents))

    def forward(self, x: Tensor, given: Batch) -> Gaussian:
        """Map images on [-1, 1] to a Gaussian round their codes ``(B, Z)``."""
        mean = at_least_single(self.network(x))
        return Gaussian(mean, self.log_std.expand_as(mean))


class ClassAndStyleEncoder(nn.Module):
    """An encoder to a class, by a softmax, and a deterministic style from one network (1511.05644, section 5).

    Args:
        network: ``(B, C, H, W)`` to ``(B, K + Z)``.
        classes: the number ``K`` of classes.
        latents: the size ``Z`` of the style.
    """

    log_std: Tensor

    def __init__(self, network: nn.Module, classes: int, latents: int) -> None:
        super().__init__()
        self.network = network
        self.classes = classes
        self.register_buffer("log_std", torch.zeros(latents))

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map images on [-1, 1] to the classes' logits ``(B, K)`` and the style ``(B, Z)``."""
        numbers = at_least_single(self.network(x))
        return numbers[:, : self.classes], numbers[:, self.classes :]

    def forward(self, x: Tensor, given: Batch) -> Joint:
        """Map images to a proposal over classes and styles; a tenth of it gives every class the same chance."""
        logits, style = self.split(x)
        even = torch.full_like(logits, math.log(DEFENCE / self.classes))
        odds = torch.logaddexp(logits.log_softmax(1) + math.log(1 - DEFENCE), even)
        return Joint((OneHot(odds), Gaussian(style, self.log_std.expand_as(style))))


class Decoder(nn.Module):
    """A network from codes to the output's parameters.

    Args:
        network: ``(B, Z + classes)`` to ``(B, P, H, W)``; it ends in a convolution or a dense layer with a bias.
        classes: labels that it is told, as a one-hot vector behind the code; 0 for none.
    """

    def __init__(self, network: nn.Module, classes: int = 0) -> None:
        super().__init__()
        self.network = network
        self.classes = classes

    @property
    def bias(self) -> Tensor:
        """The bias of the network's last layer: ``(P,)``, or one for each pixel, ``(P·H·W,)``."""
        *_, last = (layer for layer in self.network.modules() if isinstance(layer, nn.Conv2d | nn.Linear))
        return last.get_parameter("bias")

    def forward(self, codes: Tensor, given: Batch) -> Tensor:
        """Map codes ``(B, Z)`` to the output's parameters, ``(B, P, H, W)``."""
        if self.classes:
            codes = torch.cat([codes, one_hot(given, self.classes, codes)], 1)
        return at_least_single(self.network(codes))


def one_hot(given: Batch, classes: int, like: Tensor) -> Tensor:
    """Return labels as vectors ``(B, classes)`` of the type of ``like``."""
    return F.one_hot(known_labels(given), classes).to(like)


def known_labels(given: Batch) -> Tensor:
    """Return the label of every row.

    Raises:
        ValueError: where one is missing.
    """
    if given.labels is None or bool((given.labels < 0).any()):
        raise ValueError("labels: this model is conditioned on the label of every image, and some are unknown")
    return given.labels
