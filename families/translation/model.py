"""What every translator is: a generator of images from their sources, and how it plays a game."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import cast

import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.nn import Parameter
from torch.optim import Optimizer

from families.adversarial.game import Game
from families.layers.scaling import to_levels, to_unit
from genbench.implicit import ImplicitModel
from genbench.interface import Step
from genbench.seed import generator as seeded
from genbench.seed import normal
from genbench.spec import SOURCE_LEVELS, Batch, DataSpec

MakeOptimizer = Callable[[Iterable[Parameter]], Optimizer]
Schedule = Callable[[float], float]
TurnLoss = Callable[[Batch, Step], dict[str, Tensor]]


class Translation(ImplicitModel):
    """A generator of images from sources; sources and images are on [-1, 1] inside.

    What :meth:`image` reads beside the source is named in ``given``. Where the generator has no noise, ``latents=0``,
    the same source always gives the same image.

    Args:
        spec: the spec of the data.
        generator: ``(source, u)`` → image, with ``latents``, the size of u; 0 without them.
        given: what samples are conditioned on.
    """

    def __init__(self, spec: DataSpec, generator: nn.Module, given: tuple[str, ...] = ("source",)) -> None:
        super().__init__(spec, int(getattr(generator, "latents", 0)), given)
        self.generator = generator

    def source(self, batch: Batch) -> Tensor:
        """Return the batch's sources on [-1, 1].

        Raises:
            ValueError: for a batch without sources.
        """
        if batch.sources is None:
            raise ValueError("sources=None: this model translates from the source of every image")
        return to_unit(batch.sources, SOURCE_LEVELS).to(next(self.parameters()).dtype)

    def target(self, batch: Batch) -> Tensor:
        """Return the batch's images on [-1, 1]: in training of pairs each source's own."""
        return to_unit(batch.images, self.spec.levels).to(next(self.parameters()).dtype)

    def image(self, u: Tensor, batch: Batch) -> Tensor:
        """Return the image on [-1, 1] of each source of the batch under noise u ``(B, latents)``."""
        return self.generator(self.source(batch), u)

    def translate(self, batch: Batch, step: Step) -> Tensor:
        """Return each source's image on [-1, 1], under fresh noise."""
        return self.image(self.draw_noise(len(batch), step.generator), batch)

    def decode(self, u: Tensor, given: Batch) -> Tensor:
        """Map noise and what is given to images ``(B, C, H, W)`` in levels."""
        return to_levels(self.image(u, given), self.spec.levels)


def copy_of(source: Tensor, shape: Sequence[int]) -> Tensor:
    """Return what a translator that does nothing would give: sources, enlarged bicubically where they are smaller.

    Args:
        source: the sources ``(B, C', H', W')`` on [-1, 1].
        shape: the shape ``(C, H, W)`` of an image; grey sources go into each of its channels.
    """
    if source.shape[2:] != tuple(shape[1:]):
        source = F.interpolate(source, tuple(shape[1:]), mode="bicubic", antialias=True).clamp(-1, 1)
    return source if source.shape[1] == shape[0] else source.mean(1, keepdim=True).expand(-1, shape[0], -1, -1)


def made(network: nn.Module, images: Tensor, generator: Generator | None) -> Tensor:
    """Return what a network with ``latents`` makes of images, under noise of its own; without one, under one for all.

    Args:
        network: ``(images, u)`` → images.
        images: what it translates.
        generator: the source of the noise; without one, one row of fixed noise goes with every image.
    """
    shape = (len(images), cast("int", network.latents))
    if generator is None:
        u = normal((1, shape[1]), seeded(0, "translation"), images.device).expand(shape)
    else:
        u = normal(shape, generator, images.device)
    return network(images, u.to(images.dtype))


def generator_side(
    game: Game, fake: Tensor, target: Tensor, step: Step, *, source: Tensor | None = None, given: Tensor | None = None
) -> dict[str, Tensor]:
    """Return the generator's side of a game, its terms included; real images are scored where they are needed.

    Args:
        game: the game.
        fake: translations, with their gradient.
        target: images of their domain.
        step: where training stands.
        source: what they were translated from, for terms.
        given: what the critic is told of a translation and of its target alike.
    """
    real = game.scored(target, given) if game.needs_real else None
    return game.generator_loss(game.scored(fake, given), step, real=real, source=source, target=target)
