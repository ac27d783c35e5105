"""How a GAN grows: its levels, which phases teach them, what real images are meanwhile, and what a sample shows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import Generator, Tensor, nn

from families.adversarial.game import Game
from families.adversarial.losses import Loss
from families.adversarial.penalties import Penalty
from families.adversarial.terms import Term
from families.gan.rules import Rules
from families.layers.bounds import held
from families.layers.coded import Movable, StandardNormal
from families.layers.ema import Average
from families.layers.growing import down, enlarged, faded, reduced, up
from families.layers.scaling import to_levels, to_uint8, to_unit
from genbench.implicit import ImplicitModel
from genbench.interface import Phase, Step, Turn
from genbench.spec import Batch, DataSpec, Splits


@dataclass(frozen=True)
class Stage:
    """A phase of growth.

    Args:
        level: the finest level that is trained, 0 for the coarsest.
        fading: whether it is faded in.
        share: the share of the budget.
    """

    level: int
    fading: bool
    share: float


class GrowingNetwork(nn.Module):
    """A network of levels, of which a phase of growth uses some.

    Args:
        first: the level that growth begins with: no images are coarser.

    Attributes:
        ends: what makes images of a level's maps, or maps of them, from level ``first`` on.
    """

    ends: nn.ModuleList

    def __init__(self, first: int) -> None:
        super().__init__()
        self.first = first

    @abstractmethod
    def body(self, level: int) -> Sequence[nn.Module]:
        """Return what a pass at ``level`` goes through beside the ends."""

    def used(self, level: int, fading: bool) -> Sequence[nn.Module]:
        """Return all that a pass at ``level`` goes through: two ends where it fades in, and else its own."""
        place = level - self.first
        return [*self.body(level), *self.ends[place - fading : place + 1]]

    def end(self, level: int) -> nn.Module:
        """Return the end of a level."""
        return self.ends[level - self.first]

    def fades(self, level: int, alpha: float) -> bool:
        """Return whether a pass shows the level below too."""
        return level > self.first and alpha != 1


class GrowingGenerator(GrowingNetwork):
    """A generator that grows."""

    def image(self, x: Tensor, below: Tensor, level: int, alpha: float) -> Tensor:
        """Return images of a level's maps, as far faded in over those of the maps ``below``, enlarged; on [-1, 1]."""
        images = held(self.end(level)(x), self.training)
        if not self.fades(level, alpha):
            return images
        return faded(up(held(self.end(level - 1)(below), self.training)), images, alpha)


class GrowingGAN(Movable, ImplicitModel):
    """A GAN that learns images of half, then of full sides: each level is faded in beside the one below.

    Real images at a level are means of 2×2 pixels, so often as sides are missing; while a level fades in,
    ``(1 - α) u(d(x)) + α x`` for them as for fakes, with α the share of the phase that is spent.

    Args:
        spec: the spec of the data.
        generator: ``(code, level, α)`` → images of that level on [-1, 1].
        critic: ``(images, level, α)`` → logits.
        latents: the size of the noise.
        stages: the phases, in order.
        finest: the level of the data's own sides.
        loss: both sides of the game.
        penalty: the penalty added to the critic's loss.
        terms: what else is added to either side.
        rules: how both sides learn.
        directed: the numbers of the code, the first of the noise, that the generator brings to one length.

    Attributes:
        level: the level that samples are of, enlarged where it is not the finest.
        alpha: how far it is faded in.
    """

    level: Tensor
    alpha: Tensor

    def __init__(
        self,
        spec: DataSpec,
        generator: GrowingNetwork,
        critic: GrowingNetwork,
        latents: int,
        *,
        stages: Sequence[Stage],
        finest: int,
        loss: Loss,
        penalty: Penalty | None,
        terms: Sequence[Term] = (),
        rules: Rules,
        directed: int,
    ) -> None:
        super().__init__(spec, latents)
        self.directed = directed
        self.generator = generator
        self.critic = critic
        self.stages = stages
        self.finest = finest
        self.loss = loss
        self.penalty = penalty
        self.terms = nn.ModuleList(terms)
        self.rules = rules
        self.average = Average(self._makers(), rules.average) if rules.average else None
        self.register_buffer("level", torch.tensor(stages[0].level))
        self.register_buffer("alpha", torch.ones(()))

    def phases(self) -> Sequence[Phase]:
        """Return the phases of growth, named by the side of their images: ``7``, ``fade-14``, ``14`` …"""
        return [self._phase(stage) for stage in self.stages]

    def _phase(self, stage: Stage) -> Phase:
        side = self.spec.shape[1] >> (self.finest - stage.level)
        critic = Turn(
            "critic",
            [*self.critic.used(stage.level, stage.fading), *self.terms],
            partial(self.critic_loss, stage),
            self.rules.critic_optimizer,
        )
        generator = Turn(
            "generator",
            self.generator.used(stage.level, stage.fading),
            partial(self.generator_loss, stage),
            self.rules.optimizer,
            every=self.rules.critic_steps,
            after=partial(self._after, stage),
        )
        name = f"fade-{side}" if stage.fading else str(side)
        return Phase(name, stage.share, [critic, generator], enter=partial(self._enter, stage))

    @property
    def setting(self) -> str:
        """What the recipe prescribes beside its loss, for a column of the table."""
        parts = [f"grown in {len(self.stages)} phases", *self.marks(), "images held to [-1, 1]"]
        parts += [text for part in (self.penalty, *self.terms) if (text := getattr(part, "setting", ""))]
        return "; ".join([*parts, *self.rules.said])

    @abstractmethod
    def marks(self) -> Sequence[str]:
        """Return what sets the networks apart, in words."""

    def critic_loss(self, stage: Stage, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the critic's side at a stage."""
        alpha = step.fraction if stage.fading else 1.0
        with torch.no_grad():
            fakes = self.rules.shown(self.generate(batch, stage, alpha, step), step)
        game = self._game(stage, alpha)
        real = game.scored_real(self.rules.shown(self.real(batch, stage, alpha), step))
        return game.critic_loss(real, game.scored(fakes), step)

    def generator_loss(self, stage: Stage, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the generator's side at a stage."""
        alpha = step.fraction if stage.fading else 1.0
        game = self._game(stage, alpha)
        return game.generator_loss(game.scored(self.rules.shown(self.generate(batch, stage, alpha, step), step)), step)

    def generate(self, batch: Batch, stage: Stage, alpha: float, step: Step) -> Tensor:
        """Return a fake for each row of ``batch``, of the stage's sides on [-1, 1], from the network that learns."""
        return self.generator(self.draw_noise(len(batch), step.generator), stage.level, alpha)

    def real(self, batch: Batch, stage: Stage, alpha: float) -> Tensor:
        """Return real images of the stage's sides on [-1, 1], as far faded in as fakes."""
        images = to_unit(reduced(batch.images.float(), self.finest - stage.level), self.spec.levels)
        images = images.to(next(self.parameters()).dtype)
        return faded(up(down(images)), images, alpha) if stage.fading else images

    def decode(self, u: Tensor, given: Batch) -> Tensor:
        """Map noise ``(B, Z)`` to images ``(B, C, H, W)`` in levels of grey, by the average if there is one."""
        return self.full(self.maker()(u, int(self.level), float(self.alpha)))

    def full(self, images: Tensor) -> Tensor:
        """Return images of the present level, on [-1, 1], at the data's sides and in levels of grey."""
        return to_levels(enlarged(images, self.finest - int(self.level)), self.spec.levels)

    def maker(self) -> nn.Module:
        """Return the generator that samples come from."""
        return self.generator if self.average is None else self.average.copies["generator"]

    def prior(self, given: Batch) -> StandardNormal:
        """Return N(0, I) of the codes that a traversal moves."""
        return StandardNormal.of(self, len(given), self.latents)

    def show(self, codes: Tensor, given: Batch, generator: Generator | None) -> Tensor:
        """Return the images of codes, uint8 ``(B, C, H, W)``."""
        return to_uint8(self.decode(codes, given), self.spec.levels)

    def _game(self, stage: Stage, alpha: float) -> Game:
        return Game(
            self.generator,
            cast("nn.Module", partial(self.critic, level=stage.level, alpha=alpha)),
            loss=self.loss,
            penalty=self.penalty,
            terms=[term for term in self.terms if isinstance(term, Term)],
        )

    def _makers(self) -> dict[str, nn.Module]:
        return {"generator": self.generator}

    def _enter(self, stage: Stage, data: Splits, step: Step) -> None:
        self.level.fill_(stage.level)
        self.alpha.fill_(0.0 if stage.fading else 1.0)

    def _after(self, stage: Stage, logs: Mapping[str, Tensor], step: Step) -> None:
        if stage.fading:
            self.alpha.fill_(step.fraction)
        if self.average is not None:
            self.average.update(self._makers())


def growth(levels: int) -> Sequence[Stage]:
    """Return the stages from the coarsest to the finest of so many levels, the later the longer, as papers have them.

    Of three levels: 0.1, then 0.15 and 0.2, then 0.2 and 0.35.
    """
    weights = [(0, False, 2.0)]
    for level in range(1, levels):
        weights += [(level, True, 2.0 + level), (level, False, 1.0 + 3 * level)]
    total = sum(weight for _, _, weight in weights)
    return [Stage(level, fading, weight / total) for level, fading, weight in weights]
