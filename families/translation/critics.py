"""Critics of translations beside the one of patches: of whole images, that tell domains, at several scales.

Each answers a :class:`Scored`: its logits, and the maps behind its hidden layers for matching.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from families.adversarial.dcgan import Norm, unnormalised
from families.adversarial.losses import Loss, by_parts
from families.adversarial.patch import beside, shown
from families.adversarial.terms import Scored
from families.layers.convolutional import halving
from families.layers.options import whole
from families.layers.scaling import halved, scales
from families.translation.blocks import convolution


class GlobalCritic(nn.Module):
    """A critic of whole images: 4×4 convolutions of stride 2 down to a side of 4, then a linear layer to one logit.

    LeakyReLU(0.2) between; 28 → 14 → 7 → 4 has three hidden layers, and an image of at most 4 px one, which halves
    nothing.

    Args:
        channels: the channels of all that it sees, source and image together.
        height: the height of the image.
        breadth: the breadth of the image.
        width: the channels behind the first convolution, doubled with every further one.
        norm: a function that makes the normalisation behind every convolution but the first.
        regions: whether there is a logit for each place of the last map, of a 3×3 convolution, instead of one.
        bias: whether the last layer has a bias, which a game of differences could not learn.

    Raises:
        ValueError: for a width below 1.
    """

    def __init__(
        self,
        channels: int,
        height: int,
        breadth: int,
        width: int,
        norm: Norm = unnormalised,
        *,
        regions: bool = False,
        bias: bool = True,
    ) -> None:
        super().__init__()
        whole(1, width=width)
        sides, into = (height, breadth), channels
        layers: list[nn.Module] = []
        while min(sides) > 4 or not layers:
            out = 2 * into if layers else width
            plain, own = min(sides) <= 4, norm is unnormalised or not layers
            layers.append(nn.Conv2d(into, out, 3, padding=1) if plain else halving(into, out, sides, bias=own))
            layers += [norm(out)] if len(layers) > 1 else []
            layers.append(nn.LeakyReLU(0.2))
            sides, into = sides if plain else halved(sides, 1), out
        self.layers = nn.Sequential(*layers)
        self.regions = regions
        self.logit = (
            nn.Conv2d(into, 1, 3, padding=1, bias=bias) if regions else nn.Linear(into * math.prod(sides), 1, bias=bias)
        )

    def forward(self, images: Tensor, source: Tensor | None = None) -> Scored:
        """Score images ``(B, C, H, W)``, behind their source in the channels if any: logits ``(B,)``, or a map."""
        x, hidden = shown(self.layers, beside(images, source))
        features = x.flatten(1)
        logits = self.logit(x) if self.regions else self.logit(features)[:, 0]
        return Scored(images, logits, features, hidden=hidden)


class AlternatingCritic(nn.Module):
    """A critic with one logit an image: 3×3 convolutions that keep the sides and halve them in turn (1609.04802).

    The sides halve while the shorter one stays at least 4, and channels double behind each halving: 28, 14, 14 and 7
    with w, w, 2w and 2w channels. LeakyReLU(0.2) between; an image of less than 8 px has one hidden layer.

    Args:
        channels: the channels of all that it sees, source and image together.
        height: the height of the image.
        breadth: the breadth of the image.
        width: the channels behind the first convolution.
        norm: a function that makes the normalisation behind every convolution but the first.

    Raises:
        ValueError: for a width below 1.
    """

    def __init__(self, channels: int, height: int, breadth: int, width: int, norm: Norm = nn.BatchNorm2d) -> None:
        super().__init__()
        whole(1, width=width)
        times = scales(height, breadth)
        layers: list[nn.Module] = []
        for i in range(max(2 * times, 1)):
            out = width << i // 2
            own = norm if layers else unnormalised
            layers += [convolution(channels, out, 3, own, stride=1 + i % 2), nn.LeakyReLU(0.2)]
            channels = out
        self.layers = nn.Sequential(*layers)
        self.logit = nn.Linear(channels * math.prod(halved((height, breadth), times)), 1)

    def forward(self, images: Tensor, source: Tensor | None = None) -> Scored:
        """Score images ``(B, C, H, W)``, behind their source in the channels if any: logits ``(B,)``."""
        x, hidden = shown(self.layers, beside(images, source))
        features = x.flatten(1)
        return Scored(images, self.logit(features)[:, 0], features, hidden=hidden)


class DrawingCritic(nn.Module):
    """A critic of small patches, by 3×3 convolutions of strides 1, 2, 1, 2, 1, 1 (CartoonGAN, CVPR 2018, figure 2).

    Strides of 2 halve the shorter side to 4 or more, and are 1 where that is done. LeakyReLU(0.2) stands behind each
    convolution, a normalisation behind the third, the fifth and the sixth; a 3×3 convolution gives the logits.

    Args:
        shape: the shape ``(C, H, W)``.
        width: the channels behind the first convolution; 2, 4, 4, 8 and 8 times as many behind the others.
        norm: a function that makes a normalisation.

    Raises:
        ValueError: for a width below 1.
    """

    def __init__(self, shape: tuple[int, int, int], width: int, norm: Norm) -> None:
        super().__init__()
        whole(1, width=width)
        strides = [2] * min(scales(*shape[1:]), 2) + [1, 1]
        into, layers = shape[0], []
        for times, stride, normalised in (
            (1, 1, False),
            (2, strides[0], False),
            (4, 1, True),
            (4, strides[1], False),
            (8, 1, True),
            (8, 1, True),
        ):
            layer = convolution(into, times * width, 3, norm if normalised else unnormalised, stride=stride)
            layers += [layer, nn.LeakyReLU(0.2)]
            into = times * width
        self.layers = nn.Sequential(*layers, convolution(into, 1, 3))

    def forward(self, images: Tensor) -> Tensor:
        """Map images ``(B, C, H, W)`` to logits ``(B, 1, h, w)``."""
        return self.layers(images)


class ClassifyingCritic(nn.Module):
    """A critic of patches that tells an image's domain beside its score (1711.09020, table 5).

    4×4 convolutions of stride 2 with LeakyReLU(0.01) and no normalisation, while a side of 2 or more is left: 28 → 14 →
    7 → 3. Behind them a 3×3 convolution for the scores of patches, and one of the whole map for the classes. The scores
    have no bias, which a game of differences could not learn.

    Args:
        shape: the shape ``(C, H, W)``.
        width: the channels behind the first convolution, doubled with every further one.
        classes: the number of domains.

    Raises:
        ValueError: for a width or a number of domains below 1.
    """

    def __init__(self, shape: tuple[int, int, int], width: int, classes: int) -> None:
        super().__init__()
        whole(1, width=width, classes=classes)
        into, sides = shape[0], shape[1:]
        layers: list[nn.Module] = []
        while min(sides) >= 4:
            out = 2 * into if layers else width
            layers += [nn.Conv2d(into, out, 4, 2, 1), nn.LeakyReLU(0.01)]
            sides, into = (sides[0] // 2, sides[1] // 2), out
        self.layers = nn.Sequential(*layers)
        self.logits = nn.Conv2d(into, 1, 3, padding=1, bias=False)
        self.classes = nn.Conv2d(into, classes, sides)

    def forward(self, images: Tensor, domain: Tensor | None = None) -> Scored:
        """Score images ``(B, C, H, W)``: logits ``(B, 1, h, w)``, and classes ``(B, K)``; it reads no ``domain``."""
        x, hidden = shown(self.layers, images)
        logits, classes = self.logits(x), self.classes(x).flatten(1)
        return Scored(images, logits, x.flatten(1), hidden=hidden, classes=classes)


class Placed(Protocol):
    """A critic that says how many logits it gives an image."""

    places: int

    def __call__(self, images: Tensor, source: Tensor | None = None) -> Scored:
        """Score images, beside their source if any."""
        ...


class MultiScale(nn.Module):
    """A critic of the image and one of each of its halvings (1711.11585, section 3.2).

    Images and sources are halved as :func:`half_size` does. Logits are those of all critics one
    behind the other, ``(B, P)``; :meth:`summed` makes the loss of them that is a sum over scales of means.

    Args:
        critics: a critic for each scale, the finest first; each has ``places``.

    Raises:
        ValueError: without any critic.
    """

    def __init__(self, critics: Sequence[nn.Module]) -> None:
        super().__init__()
        if not critics:
            raise ValueError("critics: there are none: give one for each scale")
        self.critics = nn.ModuleList(critics)

    @classmethod
    def of(cls, make: Callable[[int, int], nn.Module], sides: Sequence[int], scales: int) -> MultiScale:
        """Make the critics of so many scales.

        Args:
            make: height and breadth → the critic of a scale.
            sides: height and breadth of the image.
            scales: the number of scales.

        Raises:
            ValueError: for less than one scale.
        """
        whole(1, scales=scales)
        return cls([make(*halved(sides, times)) for times in range(scales)])

    def summed(self, loss: Loss) -> Loss:
        """Return the sum over scales of a loss."""
        return by_parts(loss, [critic.places for critic in self._critics()])

    def forward(self, images: Tensor, source: Tensor | None = None) -> Scored:
        """Score images beside their source, if any, at every scale."""
        each, seen, given = [], images, source
        for i, critic in enumerate(self._critics()):
            if i:
                seen, given = half_size(seen), None if given is None else half_size(given)
            each.append(critic(seen, given))
        logits = torch.cat([one.logits.flatten(1) for one in each], 1)
        hidden = tuple(layer for one in each for layer in one.hidden)
        return Scored(images, logits, logits.new_empty(len(images), 0), hidden=hidden)

    def _critics(self) -> Iterator[Placed]:
        return iter(cast("Sequence[Placed]", self.critics))


def half_size(images: Tensor) -> Tensor:
    """Return 3×3 means of stride 2, the frame not counted: sides halved, rounded up."""
    return F.avg_pool2d(images, 3, stride=2, padding=1, count_include_pad=False)
