"""Photographs into cartoons by a light network: the photograph's features and colours, a grey cartoon's style."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from families.adversarial.dcgan import Norm
from families.adversarial.losses import LEAST_SQUARES_WHOLE, weighted_critic, weighted_generator
from families.adversarial.spectral import spectrally_normalised
from families.layers.distances import gram, grey, huber, l1, yuv
from families.layers.edges import smoothed_edges
from families.layers.instance_norm import instance
from families.layers.options import one_of, positive, positive_or_zero, share, whole
from families.layers.perceptual import Perceptual, chosen
from families.layers.scaling import halved
from families.translation.blocks import NORMS, convolution, inverted, separable
from families.translation.checks import coloured, unpaired, wide
from families.translation.critics import DrawingCritic
from families.translation.one_way import Alone, Decoy, OneWay
from families.translation.resnet import coarsest
from families.translation.terms import Distance
from genbench.interface import GenerativeModel
from genbench.spec import DataSpec

RATIO = 2  # of the channels inside a block to those outside


def animegan(
    spec: DataSpec,
    *,
    width: int = 16,
    blocks: int = 3,
    game: float = 1.0,
    content: float = 5.0,
    style: float = 1.0,
    colour: float = 10.0,
    edges: float = 0.1,
    initialise: float = 0.1,
    norm: str = "batch",
    perceptual: str = "auto",
    lr: float = 8e-5,
    critic_lr: float = 1.6e-4,
    initialise_lr: float = 1e-4,
) -> GenerativeModel:
    """AnimeGAN (ISICA 2019): drawings of photographs by a light network, styled by the features of grey cartoons.

    With photographs p, cartoons a, x = grey(a) and y = grey(a with blurred edges), the critic minimises
    ``g (E (C(a) - 1)² + E C(G(p))² + E C(x)² + 0.1 E C(y)²)``: colour that is missing is as wrong as edges that are.
    The generator minimises ``g E (C(G(p)) - 1)² + c |φ(p) - φ(G(p))| + s |Gram φ(x) - Gram φ(G(p))| + k (|Y| + huber U
    + huber V)``, the last of YUV(p) and YUV(G(p)) on [0, 1], φ the middle layer of a trained network. Content and
    colours are the photograph's; style is the grey cartoon's, whose colours do not count. In a first tenth the
    generator learns content alone.

    Adam of (0.5, 0.999), 8e-5 and the critic's 1.6e-4, in the first phase 1e-4. The paper's weights (g, c, s, k) are
    (300, 1.5, 3, 10), for features of VGG-19 whose size is tens to hundreds; on features of size 1 they are (1, 5, 1,
    10) here, which is g : c : s : k = 1 : 5 : 1 : 10 for 1 : 0.005 : 0.01 : 0.033. Departures beside: styles are
    compared over all pairs of a batch, of which the code takes those that happen to meet, with the same expectation; 16
    channels and 3 blocks for 64 and 8; edges as :func:`smoothed_edges` finds them; weights start by their fan-in; the
    generator normalises batches, as that of ``cartoongan`` does and for the same reason.

    Args:
        spec: the spec of the data, unpaired photographs and colour cartoons of one height and width.
        width: channels at the image's sides, and of the critic's first convolution.
        blocks: inverted residual blocks.
        game: the weight g of the game, on both sides.
        content: the weight c of the photograph's features.
        style: the weight s of the grey cartoon's Gram matrix.
        colour: the weight k of the photograph's colours.
        edges: the weight of grey cartoons with blurred edges among the fakes; 0 for none.
        initialise: the first phase's share of the budget; 0 for none.
        norm: the generator's normalisation, ``"batch"`` or ``"instance"``, which takes a photograph's brightness and
            contrast away.
        perceptual: the network of φ: ``"efficientnet-lite0"``, ``"classifier"``, ``"vgg19"``; ``"auto"`` is the
            classifier where the data have labels, else the first.
        lr: the generator's learning rate in the game.
        critic_lr: the critic's learning rate.
        initialise_lr: the learning rate of the first phase.

    Raises:
        ValueError: for a spec of pairs, without a source or with one of other sides, or of images not in colour; for an
            option out of range.
    """
    source = unpaired(spec, "animegan")
    wide(spec, "animegan")
    coloured(spec, "animegan", 3)
    positive(game=game, lr=lr, critic_lr=critic_lr, initialise_lr=initialise_lr)
    positive_or_zero(edges=edges)
    share(initialise=initialise)
    one_of(NORMS, norm=norm)
    perception = Perceptual(chosen(perceptual, spec), "middle", spec.shape, spec.classes)
    styles = perception.compared(style_distance)
    kept = Distance("content", content, perception.compared(l1), "source")
    terms = [
        kept,
        Distance("style", style, lambda fake, cartoon: styles(fake, greyed(cartoon))),
        Distance("colour", colour, colour_distance, "source"),
    ]
    decoys = [Decoy("grey", 1.0, greyed), Decoy("edges", edges, lambda cartoon: greyed(smoothed_edges(cartoon)))]
    adam = partial(torch.optim.Adam, betas=(0.5, 0.999))
    return OneWay(
        spec,
        LightTranslator(source, spec.shape, width, blocks, NORMS[norm]),
        spectrally_normalised(DrawingCritic(spec.shape, width, instance)),
        loss=weighted_generator(weighted_critic(LEAST_SQUARES_WHOLE, game), game),
        terms=terms,
        decoys=decoys if edges else decoys[:1],
        before=[Alone("initialise", initialise, [kept], partial(adam, lr=initialise_lr))],
        optimizer=partial(adam, lr=lr),
        critic_optimizer=partial(adam, lr=critic_lr),
        perception=perception,
    )


def greyed(images: Tensor) -> Tensor:
    """Return the grey images of colour ones, in three equal channels."""
    return grey(images).expand_as(images)


def style_distance(maps: Tensor, styles: Tensor) -> Tensor:
    """Return the mean absolute difference of Gram matrices, over all pairs of maps and styles."""
    return (gram(maps)[:, None] - gram(styles)[None]).abs().mean()


def colour_distance(one: Tensor, other: Tensor) -> Tensor:
    """Return ``|Y| + huber U + huber V``, of the differences of colour images on [-1, 1]."""
    (y, u, v), (luma, blue, red) = (yuv(images).unbind(1) for images in (one, other))
    return l1(y, luma) + huber(u, blue) + huber(v, red)


class LightTranslator(nn.Module):
    """3×3, separable convolutions that halve, inverted residual blocks, bilinear doubling, 1×1, tanh.

    Sides halve as a :class:`Translator`'s do, channels double. LeakyReLU(0.2) and a normalisation stand behind each
    convolution but the last, and behind a block's last the normalisation alone.

    Args:
        source: the shape ``(C, H, W)`` of what comes in.
        shape: the shape of the image, of the same H and W.
        width: channels at the image's sides.
        blocks: inverted residual blocks at the coarsest sides.
        norm: a function that makes a normalisation.

    Raises:
        ValueError: for a width below 1 or a negative number of blocks.
    """

    latents = 0

    def __init__(
        self, source: tuple[int, int, int], shape: tuple[int, int, int], width: int, blocks: int, norm: Norm
    ) -> None:
        super().__init__()
        whole(1, width=width)
        whole(0, blocks=blocks)
        leaky = partial(nn.LeakyReLU, 0.2)
        part = partial(separable, norm=norm, pad="reflect", activation=leaky)
        coarse, own = coarsest(shape, width)[0], width
        layers: list[nn.Module] = [convolution(source[0], width, 3, norm, "reflect"), leaky()]
        while own < coarse:
            layers += [part(own, 2 * own, stride=2), part(2 * own, 2 * own)]
            own *= 2
        layers += [inverted(own, RATIO, norm, "reflect", leaky) for _ in range(blocks)]
        while own > width:
            sides = halved(shape[1:], (own // width).bit_length() - 2)
            layers += [nn.Upsample(sides, mode="bilinear"), part(own, own // 2), part(own // 2, own // 2)]
            own //= 2
        self.layers = nn.Sequential(*layers, convolution(width, shape[0], 1), nn.Tanh())

    def forward(self, source: Tensor, u: Tensor | None = None) -> Tensor:
        """Map sources ``(B, C', H, W)`` to images ``(B, C, H, W)``, both on [-1, 1]; ``u`` is empty."""
        return self.layers(source)
