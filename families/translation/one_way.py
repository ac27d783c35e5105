"""Translation one way, by one game: a generator from sources to images, and a critic of images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from families.adversarial.game import Game, merged
from families.adversarial.image_pool import ImagePool
from families.adversarial.losses import Loss
from families.adversarial.penalties import Penalty
from families.adversarial.terms import GameStep, Scored, Term
from families.layers.options import whole
from families.layers.perceptual import ROWS, Levels, Perceptual
from families.translation.model import MakeOptimizer, Schedule, Translation, TurnLoss, copy_of, generator_side
from genbench.interface import Phase, Step, Turn
from genbench.spec import Batch, DataSpec, Splits


@dataclass(frozen=True)
class Alone:
    """A phase before the game, in which one side learns by itself.

    Args:
        name: the phase's name.
        share: its share of the budget; with 0 it is left out.
        terms: what the generator minimises, with no critic; None where it is the critic that learns, its side of the
            game against the generator as it stands.
        optimizer: a function that makes the optimiser, if it is another than in the game.
        schedule: a function from the fraction of the phase to the learning-rate factor.
        part: the part of the generator that learns, ``(source, u)`` → image, where it is not the whole.
    """

    name: str
    share: float
    terms: Sequence[Term] | None = None
    optimizer: MakeOptimizer | None = None
    schedule: Schedule | None = None
    part: nn.Module | None = None


@dataclass(frozen=True)
class Decoy:
    """What is made of target images, and the critic must call a fake.

    Args:
        name: the name, for a column of the table.
        weight: the weight of its share of the critic's side.
        made: a function from images on [-1, 1] to the decoy.
    """

    name: str
    weight: float
    made: Callable[[Tensor], Tensor]


class OneWay(Translation):
    """A translator that learns one direction: ``min_G max_C L(C(y), C(G(x))) + terms``, y images of the target domain.

    The critic sees images alone.

    Args:
        spec: the spec of the data.
        generator: ``(source, u)`` → image; has ``latents``.
        critic: images → logits, or a :class:`Scored`.
        loss: both sides of the game.
        terms: what the game adds to either side, such as a distance from the source.
        decoys: what the critic must call fake beside translations.
        history: past fakes that are kept; once they are so many, half of those that the critic sees are of them.
        before: phases before the game, in their order; what is left of the budget is the game's.
        phase: the name of the game's phase.
        penalty: the penalty added to the critic's loss.
        optimizer: a function that makes the generator's optimiser.
        critic_optimizer: a function that makes the critic's, if it is another.
        schedule: a function from the fraction of the game's phase to the learning-rate factor of both.
        critic_steps: the critic's steps for each of the generator's.
        critic_every: batches from one step of the critic to the next.
        perception: the features that terms compare, which learn, and are brought to scale, before all else.
        given: what samples are conditioned on.

    Raises:
        ValueError: for shares of the budget that leave less than nothing, or an option out of range.
    """

    def __init__(
        self,
        spec: DataSpec,
        generator: nn.Module,
        critic: nn.Module,
        *,
        loss: Loss,
        terms: Sequence[Term] = (),
        decoys: Sequence[Decoy] = (),
        history: int = 0,
        before: Sequence[Alone] = (),
        phase: str = "adversarial",
        penalty: Penalty | None = None,
        optimizer: MakeOptimizer,
        critic_optimizer: MakeOptimizer | None = None,
        schedule: Schedule | None = None,
        critic_steps: int = 1,
        critic_every: int = 1,
        perception: Perceptual | Levels | None = None,
        given: tuple[str, ...] = ("source",),
    ) -> None:
        super().__init__(spec, generator, given)
        whole(0, history=history)
        whole(1, critic_steps=critic_steps, critic_every=critic_every)
        shares = {phase.name: phase.share for phase in before}
        if min(shares.values(), default=0) < 0 or sum(shares.values()) > 1:
            raise ValueError(f"{shares}: give shares of the budget that are 0 or more, and no more than 1 together")
        self.perception = perception
        self.perceptual = None if perception is None else perception.name
        self.critic = critic
        self.loss = loss
        self.terms = nn.ModuleList(terms)
        self.decoys = decoys
        self.history = ImagePool(history, spec.shape) if history else None
        self.before = before
        self.phase = phase
        self.penalty = penalty
        self.optimizer = optimizer
        self.critic_optimizer = critic_optimizer or optimizer
        self.schedule = schedule
        self.critic_steps = critic_steps
        self.critic_every = critic_every

    @property
    def setting(self) -> str:
        """What terms, game, decoys, penalty, history and features say of themselves, for a column of the table."""
        terms = [term.setting for term in cast("Sequence[Term]", self.terms)]
        decoys = [f"{one.weight:g} {one.name}" for one in self.decoys]
        penalty = [] if self.penalty is None else [self.penalty.setting]
        features = [] if self.perception is None else [self.perception.setting]
        history = [] if self.history is None else [f"history of {self.history.size}"]
        return ", ".join([one for one in [*terms, self.loss.setting, *decoys, *penalty, *history, *features] if one])

    @property
    def game(self) -> Game:
        """The game between the generator and the critic."""
        return Game(
            self.generator, self.critic, loss=self.loss, penalty=self.penalty, terms=cast("Sequence[Term]", self.terms)
        )

    def phases(self) -> Sequence[Phase]:
        """Return the phases in which one side learns alone, then the game, a step of each side on a batch.

        In front of them stands what the features need, if there are some: the shares are of what that leaves.
        """
        phases = [Phase(one.name, one.share, [self._alone(one)]) for one in self.before if one.share]
        rest = 1 - sum(phase.share for phase in phases)
        if rest > 1e-9:  # shares of thirds sum to nearly 1
            phases.append(self._game_phase(rest))
        return self._in_front(phases)

    def _in_front(self, phases: Sequence[Phase]) -> Sequence[Phase]:
        """Return phases behind what the features need, if there are some."""
        if self.perception is None:
            return phases
        return self.perception.in_front(phases, self.target, self._bring_to_scale)

    def _game_phase(self, share: float) -> Phase:
        critic = self._turn("critic", self.critic_loss, self.critic_optimizer, self.schedule, self.critic_every)
        generator = self._turn("generator", self.generator_loss, self.optimizer, self.schedule, self.critic_steps)
        return Phase(self.phase, share, [critic, generator])

    def _bring_to_scale(self, data: Splits, step: Step) -> None:
        """Set the features' scale, and how large their distances are, by the first training images."""
        perception = cast("Perceptual | Levels", self.perception)
        images = self.target(Batch(data.train.images[:ROWS]).to(self.device))
        perception.standardise(images)
        if isinstance(perception, Perceptual) and perception.calibrated:
            source = self.source(data.train.rows(slice(ROWS)).to(self.device))
            perception.calibrate(copy_of(source, self.spec.shape), images)

    def _turn(
        self,
        name: str,
        loss: TurnLoss,
        optimizer: MakeOptimizer,
        schedule: Schedule | None,
        every: int = 1,
        learns: Sequence[nn.Module] = (),
    ) -> Turn:
        """Return a side's turn, in which all of it learns, or only what is said."""
        learns = learns or (self.game.critic_learns if name == "critic" else self.game.sides[name])
        return Turn(name, learns, loss, optimizer, schedule, every, lambda logs, step: self.game.after(name, logs))

    def _alone(self, one: Alone) -> Turn:
        if one.terms is None:
            return self._turn("critic", self.critic_loss, one.optimizer or self.critic_optimizer, one.schedule)
        learns = [] if one.part is None else [one.part]
        loss = partial(self._terms_alone, one.terms, one.part)
        return self._turn("generator", loss, one.optimizer or self.optimizer, one.schedule, learns=learns)

    def _terms_alone(
        self, terms: Sequence[Term], part: nn.Module | None, batch: Batch, step: Step
    ) -> dict[str, Tensor]:
        """Return what terms that read no score add up to, for what the generator or a part of it makes."""
        target, source = self.target(batch), self.source(batch)
        if part is None:
            fake = self.translate(batch, step)
        else:
            fake = part(source, self.draw_noise(len(batch), step.generator))
        unscored = Scored(fake, fake.new_empty(0), fake.new_empty(len(fake), 0))
        seen = GameStep(step, unscored, source=source, target=target)
        added = merged(term.generator(self.game, seen) for term in terms)
        return {"loss": torch.stack(list(added.values())).sum(), **added}

    def condition(self, batch: Batch) -> Tensor | None:
        """Return what the critic is told beside an image: nothing."""
        return None

    def scored(self, images: Tensor, batch: Batch) -> Scored:
        """Return what the critic says of images on [-1, 1]."""
        return self.game.scored(images, self.condition(batch))

    def critic_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the critic's side of the game, on fakes without gradient."""
        with torch.no_grad():
            fakes = self.translate(batch, step)
        if self.history is not None:
            fakes = self.history.replace_half(fakes, step.generator)
        target = self.target(batch)
        real, fake = self.scored(target, batch), self.scored(fakes, batch)
        decoys = [(one.weight, self.scored(one.made(target), batch)) for one in self.decoys]
        return self.game.critic_loss(real, fake, step, decoys=decoys, source=self.source(batch), target=target)

    def generator_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the generator's side of the game, its terms included."""
        fake, target, source = self.translate(batch, step), self.target(batch), self.source(batch)
        return generator_side(self.game, fake, target, step, source=source, given=self.condition(batch))
