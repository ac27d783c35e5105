"""Translation both ways between two domains without pairs: what is translated there and back must come back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import cast

import torch
from torch import Generator, Tensor, nn

from families.adversarial.game import Game, combined
from families.adversarial.image_pool import ImagePool
from families.adversarial.losses import Loss
from families.adversarial.penalties import Penalty
from families.adversarial.terms import Term
from families.layers.evaluation import evaluation
from families.layers.options import positive_or_zero, whole
from families.layers.scaling import to_levels, to_uint8
from families.translation.model import MakeOptimizer, Schedule, Translation, TurnLoss, generator_side, made
from genbench.interface import Phase, Step, Turn
from genbench.spec import SOURCE_LEVELS, Batch, DataSpec


class Cyclic(Translation):
    """Two translators G: x → y and F: y → x, a critic of each domain, and the way there and back.

    Generators minimise, both ways, the game and ``λ d(F(G(x)), x) + i λ d(F(x), x)``; nothing compares a translation
    with a target. With noise, each pass through a network has its own.

    Args:
        spec: the spec of the data.
        generator: ``(source, u)`` → image, what samples come from.
        back: ``(image, u)`` → source.
        critic: the critic of images.
        back_critic: the critic of sources.
        loss: both sides of both games.
        distance: the distance d of what came back, and of the identity.
        cycle: the weight λ.
        identity: the weight i, in shares of λ, of what a translator does to images of its own target domain.
        terms: what both games add to either side.
        pool: past fakes that each critic's turn exchanges some of its own for; 0 for none.
        penalty: the penalty added to each critic's loss.
        bound: the bound of the critics' weights, if they are clipped.
        optimizer: a function that makes the optimiser of both turns.
        critic_optimizer: a function that makes the critics', if it is another.
        schedule: a function from the fraction of the phase to the learning-rate factor.
        critic_steps: the critics' steps for each of the generators'.
        critic_every: batches from one step of the critics to the next.
        critics_first: whether the critics' turn comes before the generators' in a round.

    Raises:
        ValueError: for an option out of range, or an identity between domains of different shapes.
    """

    def __init__(
        self,
        spec: DataSpec,
        generator: nn.Module,
        back: nn.Module,
        critic: nn.Module,
        back_critic: nn.Module,
        *,
        loss: Loss,
        distance: Callable[[Tensor, Tensor], Tensor],
        cycle: float,
        identity: float = 0.0,
        terms: Sequence[Term] = (),
        pool: int = 0,
        penalty: Penalty | None = None,
        bound: float | None = None,
        optimizer: MakeOptimizer,
        critic_optimizer: MakeOptimizer | None = None,
        schedule: Schedule | None = None,
        critic_steps: int = 1,
        critic_every: int = 1,
        critics_first: bool = False,
    ) -> None:
        super().__init__(spec, generator)
        positive_or_zero(cycle=cycle, identity=identity)
        whole(0, pool=pool)
        whole(1, critic_steps=critic_steps, critic_every=critic_every)
        source = cast("tuple[int, int, int]", spec.source)
        if identity and source != spec.shape:
            raise ValueError(f"identity={identity}: give 0 between domains of shapes {source} and {spec.shape}")
        self.back = back
        self.critic, self.back_critic = critic, back_critic
        self.loss, self.distance = loss, distance
        self.cycle, self.identity = cycle, identity
        self.terms = nn.ModuleList(terms)
        self.pools = nn.ModuleList(ImagePool(pool, shape) for shape in (spec.shape, source) if pool)
        self.penalty, self.bound = penalty, bound
        self.optimizer, self.critic_optimizer = optimizer, critic_optimizer or optimizer
        self.schedule = schedule
        self.critic_steps, self.critic_every, self.critics_first = critic_steps, critic_every, critics_first

    @property
    def setting(self) -> str:
        """What holds the two directions together and the critics smooth, in words for a column of the table."""
        said = [f"{self.cycle:g} cycle", f"{self.identity * self.cycle:g} identity"]
        said += [f"pools of {cast('ImagePool', self.pools[0]).size}"] if len(self.pools) else []
        said += [] if self.bound is None else [f"weights ±{self.bound:g}"]
        said += [] if self.penalty is None else [self.penalty.setting]
        return ", ".join(said)

    @property
    def games(self) -> Mapping[str, Game]:
        """The game over images and that over sources, by what stands before the names of its logs."""
        terms = cast("Sequence[Term]", self.terms)
        play = partial(Game, loss=self.loss, penalty=self.penalty, terms=terms, bound=self.bound)
        return {"": play(self.generator, self.critic), "back_": play(self.back, self.back_critic)}

    def phases(self) -> Sequence[Phase]:
        """Return the one phase: a step of both generators and one of both critics on a batch."""
        generators = self._turn("generator", self.generator_loss, self.optimizer, self.critic_steps)
        critics = self._turn("critic", self.critic_loss, self.critic_optimizer, self.critic_every)
        return [Phase("adversarial", 1.0, [critics, generators] if self.critics_first else [generators, critics])]

    def _turn(self, side: str, loss: TurnLoss, optimizer: MakeOptimizer, every: int) -> Turn:
        games = self.games.values()
        learns = [module for game in games for module in (game.critic_learns if side == "critic" else game.sides[side])]

        def after(logs: Mapping[str, Tensor], step: Step) -> None:
            for game in games:
                game.after(side, logs)

        return Turn(f"{side}s", learns, loss, optimizer, self.schedule, every, after)

    def weights(self, step: Step) -> tuple[float, float]:
        """Return the weight of both games, terms included, and that of the cycle."""
        return 1.0, self.cycle

    def _domains(self, batch: Batch) -> Sequence[tuple[str, Game, nn.Module, Tensor, Tensor]]:
        """Return for each direction the name, the game, the network back, what it translates, and its targets."""
        source, target = self.source(batch), self.target(batch)
        there, back = self.games.items()
        return [(*there, self.back, source, target), (*back, self.generator, target, source)]

    def generator_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return both generators' sides of their games, the ways there and back, and the identities."""
        play, weight = self.weights(step)
        logs = {}
        for name, game, back, source, target in self._domains(batch):
            fake = made(game.generator, source, step.generator)
            side = generator_side(game, fake, target, step, source=source)
            own = {key: play * value for key, value in side.items()}
            own["cycle"] = weight * self.distance(made(back, fake, step.generator), source)
            if self.identity:
                same = made(game.generator, target, step.generator)
                own["identity"] = self.identity * weight * self.distance(same, target)
            own["loss"] = own["loss"] + own["cycle"] + own.get("identity", 0)
            logs[name] = own
        return combined(logs)

    def critic_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return both critics' sides of their games, on fakes without gradient, from pools if there are any."""
        logs = {}
        for i, (name, game, _, source, target) in enumerate(self._domains(batch)):
            with torch.no_grad():
                fakes = made(game.generator, source, step.generator)
            if len(self.pools):
                fakes = cast("ImagePool", self.pools[i]).exchange(fakes, step.generator)
            real, fake = game.scored(target), game.scored(fakes)
            logs[name] = game.critic_loss(real, fake, step, source=source, target=target)
        return combined(logs)

    def reconstruct(self, batch: Batch, *, generator: Generator | None = None) -> Tensor:
        """Return G(F(y)) of every image, uint8 ``(B, C, H, W)``; without a generator under one noise for all."""
        batch = self.checked(batch, ())
        with evaluation(self):
            source = made(self.back, self.target(batch), generator)
            image = made(self.generator, source, generator)
        return to_uint8(to_levels(image, self.spec.levels), self.spec.levels)

    def between(self, batch: Batch, *, generator: Generator | None = None) -> Tensor:
        """Return F(y) of every image, uint8 as sources are; without a generator what :meth:`reconstruct` goes by."""
        batch = self.checked(batch, ())
        with evaluation(self):
            source = made(self.back, self.target(batch), generator)
        return to_uint8(to_levels(source, SOURCE_LEVELS), SOURCE_LEVELS)
