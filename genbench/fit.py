"""The one training loop: phases of rounds, and in each round a batch and the turns that are due on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from torch import Tensor

from genbench import checkpoint, precision
from genbench.check import check_given, check_split
from genbench.course import Budget, Course, State, Trace
from genbench.interface import GenerativeModel, Splits, Step
from genbench.player import Player, restore, restored
from genbench.seed import derive, fork_rng, generator
from genbench.stream import Stream

WATCH_WEIGHTS_EVERY = 100  # rounds; a loss is watched in every one


@dataclass(frozen=True)
class FitConfig:
    """What ``fit`` is told beside the model and the data.

    Args:
        budget: how long.
        batch_size: images a batch, at most the training split's length.
        seed: of the order of the data and of all noise in training.
        checkpoint: file to write the whole state of training to, if any.
        checkpoint_seconds: how often; 0 writes behind every round.
        precision: ``"float32"``, or ``"bfloat16"`` for losses computed under autocast; all else stays in float32.
        trace: the course of a training to take again, instead of what ``budget`` says.

    Raises:
        ValueError: for a batch size below 1, a negative interval or an unknown precision.
    """

    budget: Budget
    batch_size: int = 64
    seed: int = 0
    checkpoint: Path | None = None
    checkpoint_seconds: float = 60.0
    precision: str = "float32"
    trace: Trace | None = None

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size={self.batch_size}: give at least 1")
        if self.checkpoint_seconds < 0:
            raise ValueError(f"checkpoint_seconds={self.checkpoint_seconds}: give 0 or more")
        precision.check_name(self.precision)


@dataclass(frozen=True)
class Progress:
    """What a callback hears behind each round. ``fraction`` is of the whole budget; log names are ``turn/name``."""

    phase: str
    step: int
    fraction: float
    images: int
    seconds: float
    logs: Mapping[str, Tensor]


@dataclass(frozen=True)
class FitReport:
    """What training took: images seen, batches in all and by phase, seconds in the loop and in ``finish``.

    ``fractions`` of its phase were spent when each batch began, where the clock decided: what a :class:`Trace` needs.
    """

    images: int
    steps: int
    seconds: float
    finish_seconds: float
    phase_steps: Mapping[str, int]
    fractions: Sequence[float] = ()

    @property
    def spent(self) -> dict[str, Any]:
        """All but the fractions, which are too many for a record."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name != "fractions"}


def fit(
    model: GenerativeModel,
    data: Splits,
    config: FitConfig,
    *,
    callbacks: Sequence[Callable[[Progress], None]] = (),
    resume: Path | None = None,
) -> FitReport:
    """Train ``model`` on ``data`` until the budget is spent, then let it ``finish``.

    Args:
        model: trained in place, on the device where it is; left in evaluation mode.
        data: training and validation splits, uint8.
        config: budget, batch size, seed, checkpoint.
        callbacks: called behind each round with a :class:`Progress`.
        resume: a checkpoint of this recipe under this configuration. With a budget in images or steps, on one machine
            and thread count, the end is bit for bit that of a run never cut off.

    Raises:
        Diverged: when a loss or a weight is not finite.
        ValueError: for data that do not fit the model, phases that do not add up, another run's checkpoint, or a
            precision that the device lacks.
    """
    precision.check(config.precision, model.device)
    for name, split in (("train", data.train), ("validation", data.validation)):
        check_split(model.spec, split, name)
        check_given(model.given, split, name)
    data = Splits(data.train.to(model.device), data.validation.to(model.device))
    phases, state = model.phases(), State()
    course = Course.plan(phases, config.budget, min(config.batch_size, len(data.train)), config.trace)
    stream = Stream(data.train, model.spec, config.batch_size, config.seed)
    noise = generator(config.seed, "fit", device=model.device)
    learns = {parameter: parameter.requires_grad for parameter in model.parameters()}
    laid_out = precision.training_in(config.precision, model)
    with fork_rng(derive(config.seed, "fit", "global")), restored(learns), laid_out as arithmetic:
        saved = checkpoint.load_training(resume, model, config, state, noise) if resume else None
        for phase in phases[max(len(state.steps) - 1, 0) :]:
            model.train()
            with state.clock():
                if saved is None:
                    state.steps.append(0)
                    restore(learns)
                    if phase.enter is not None:
                        phase.enter(data, Step(0, 0.0, noise))
                players = [Player.make(turn) for turn in phase.turns]
            optimizers = [player.optimizer for player in players]
            if saved is not None:
                for optimizer, its_state in zip(optimizers, saved, strict=True):
                    optimizer.load_state_dict(its_state)
                saved = None
            written = time.monotonic()
            while players and not state.done and (fraction := course.fraction(state)) < 1:
                with state.clock():
                    batch = stream.batch(sum(state.steps))
                    step = Step(state.steps[-1], fraction, noise)
                    course.count(state, fraction)
                    state.images += len(batch)
                    total, logs = sum(state.steps), {}
                    for player in players:
                        if state.steps[-1] % player.turn.every == 0:
                            for name, value in player.step(model, batch, step, total, arithmetic).items():
                                logs[f"{player.turn.name}/{name}"] = value
                        if total % WATCH_WEIGHTS_EVERY == 0:
                            player.watch(total)
                progress = Progress(phase.name, total, course.whole(state), state.images, state.seconds, logs)
                for callback in callbacks:
                    callback(progress)
                if config.checkpoint is not None and time.monotonic() - written >= config.checkpoint_seconds:
                    checkpoint.save_training(config.checkpoint, model, config, state, noise, optimizers)
                    written = time.monotonic()
            for player in players:
                player.watch(sum(state.steps))
        model.eval()
        if not state.done:
            started = time.perf_counter()
            restore(learns)
            model.finish(data, noise)
            state.finish_seconds, state.done = time.perf_counter() - started, True
            if config.checkpoint is not None:
                checkpoint.save_training(config.checkpoint, model, config, state, noise, optimizers)
    steps = dict(zip((phase.name for phase in phases), state.steps, strict=True))
    return FitReport(state.images, sum(state.steps), state.seconds, state.finish_seconds, steps, state.fractions)
