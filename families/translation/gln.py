"""Enlargement by a network that sees the whole source at once, and one that sees what is near."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor, nn

from families.adversarial.losses import NON_SATURATING, weighted_generator
from families.layers.bounds import held
from families.layers.convolutional import he
from families.layers.distances import l2
from families.layers.options import positive, positive_or_zero, share, whole
from families.translation.checks import enlarges
from families.translation.critics import GlobalCritic
from families.translation.one_way import Alone, OneWay
from families.translation.terms import Distance
from genbench.interface import GenerativeModel
from genbench.spec import DataSpec


def bilinear(channels: int, factor: int) -> nn.ConvTranspose2d:
    """Make a transposed convolution that begins as bilinear enlargement; beyond the frame there are zeros.

    Its kernel has a side of 2N - N mod 2 for the factor N, its stride is N.

    Args:
        channels: channels that come in, and go out.
        factor: the factor N of both sides.
    """
    side = 2 * factor - factor % 2
    layer = nn.ConvTranspose2d(channels, channels, side, factor, padding=(side - factor) // 2)
    line = 1 - (torch.arange(side) - (side - 1) / 2).abs() / factor
    with torch.no_grad():
        layer.weight.copy_(torch.eye(channels)[:, :, None, None] * torch.outer(line, line))
        nn.init.zeros_(torch.as_tensor(layer.bias))
    return layer


class GlobalNetwork(nn.Module):
    """An image from the source, twice: enlarged, and as a linear layer sees all of it at once.

    Args:
        source: the shape ``(C, h, w)`` of the source.
        shape: the shape ``(C, N·h, N·w)`` of the image.
        hidden: units of the layer that sees the whole source; 0 for enlargement alone.
    """

    def __init__(self, source: tuple[int, int, int], shape: tuple[int, int, int], hidden: int) -> None:
        super().__init__()
        self.enlarged = bilinear(shape[0], shape[1] // source[1])
        self.whole = None
        if hidden:
            into, out = nn.Linear(math.prod(source), hidden), nn.Linear(hidden, math.prod(shape))
            self.whole = nn.Sequential(nn.Flatten(), into, nn.ReLU(), out, nn.Unflatten(1, shape))

    def images(self, source: Tensor) -> tuple[Tensor, ...]:
        """Return the enlarged source ``(B, C, H, W)``, and what the whole of it says, if that is asked for."""
        enlarged = self.enlarged(source)
        return (enlarged,) if self.whole is None else (enlarged, self.whole(source))

    def forward(self, source: Tensor, u: Tensor | None = None) -> Tensor:
        """Return the sum of both, images ``(B, C, H, W)``; there is no noise."""
        return torch.stack(self.images(source)).sum(0)


class GlobalLocalNetwork(nn.Module):
    """``clamp(a + local(a, b), -1, 1)``, where a is the enlarged source and b what the whole of it says.

    The local network is convolutions of 5, 7, 7, 7 and 5 px, with w, 2w, 2w and w channels and ReLU between.

    Args:
        coarse: the global network, which makes a and b.
        channels: channels of the image.
        width: the channels w.

    Raises:
        ValueError: for a width below 1.
    """

    latents = 0

    def __init__(self, coarse: GlobalNetwork, channels: int, width: int) -> None:
        super().__init__()
        whole(1, width=width)
        self.coarse = coarse
        seen = channels * (1 if coarse.whole is None else 2)
        sizes = [(seen, width, 5), (width, 2 * width, 7), (2 * width, 2 * width, 7), (2 * width, width, 7)]
        layers: list[nn.Module] = []
        for into, out, side in sizes:
            layers += [he(nn.Conv2d(into, out, side, padding=side // 2)), nn.ReLU()]
        self.local = nn.Sequential(*layers, nn.Conv2d(width, channels, 5, padding=2))

    def forward(self, source: Tensor, u: Tensor | None = None) -> Tensor:
        """Map sources ``(B, C, h, w)`` on [-1, 1] to images ``(B, C, H, W)`` there; there is no noise."""
        images = self.coarse.images(source)
        return held(images[0] + self.local(torch.cat(images, 1)), self.training)


def gln(
    spec: DataSpec,
    *,
    width: int = 32,
    hidden: int = 256,
    weight: float = 1.0,
    game: float = 1e-3,
    start: float = 0.3,
    lr: float = 2e-4,
) -> GenerativeModel:
    """GLN (1603.07235): a small image is enlarged by a global network, whose image a local one completes.

    The global network makes a, a transposed convolution that begins as bilinear enlargement, and b, which two linear
    layers make of the whole source; the local network makes ``G(x) = a + local(a, b)``, held to [-1, 1] as images are.
    In the first phase a + b learns the target by its squared error. Then all of it minimises
    ``‖G(x) - y‖² - .001 E log D(G(x))``, against a critic of images with one logit: pairs enter by the squared error
    alone.

    Adam(2e-4, (0.5, 0.999)), a step of each network in turn. Only the abstract was at hand: sizes of layers, weights,
    rates and the share of the first phase are our own choice. ``hidden = 0`` leaves b out, so that nothing sees further
    than the local network's 27 px.

    Args:
        spec: the spec of the data, with a source whose sides are the image's divided by a whole number.
        width: channels behind the local network's first convolution, and the critic's.
        hidden: units of the layer that sees the whole source; 0 for none.
        weight: the weight of the squared error.
        game: the weight of the game for the generator.
        start: the share of the budget in which the global network learns alone; 0 for none.
        lr: the learning rate.

    Raises:
        ValueError: for a spec without pairs, or with a source that is no whole part of the image; for an option out of
            range.
    """
    source, _ = enlarges(spec, "gln")
    if source[0] != spec.shape[0]:
        raise ValueError(
            f"source={source}: gln adds to the enlarged source, which needs the image's {spec.shape[0]} channels"
        )
    positive(lr=lr)
    positive_or_zero(game=game)
    whole(0, hidden=hidden)
    share(start=start)
    coarse = GlobalNetwork(source, spec.shape, hidden)
    return OneWay(
        spec,
        GlobalLocalNetwork(coarse, spec.shape[0], width),
        GlobalCritic(*spec.shape, width),
        loss=weighted_generator(NON_SATURATING, game),
        terms=[Distance("l2", weight, l2, option="weight")],
        before=[Alone("global", start, [Distance("l2", 1.0, l2)], part=coarse)],
        phase="whole",
        optimizer=partial(torch.optim.Adam, lr=lr, betas=(0.5, 0.999)),
    )
