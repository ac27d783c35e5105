"""The one training loop: phases of rounds, and in each round a batch and the turns that are due on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from genbench.check import check_given, check_split
from genbench.interface import GenerativeModel, Step
from genbench.seed import derive, fork_rng, generator, kept_rng, twin
from genbench.spec import DataSpec, Splits
from genbench.training import checkpoint, parallel, precision
from genbench.training.batches import Stream
from genbench.training.config import FitConfig, FitReport, PhasePlan, Progress, State
from genbench.training.turns import TurnRunner, play, restore, restored


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
        model: the model, trained in place, on the device where it is, and left in evaluation mode.
        data: the training and validation splits, uint8.
        config: the settings: budget, batch size, seed, checkpoint.
        callbacks: functions that are called behind each round with a :class:`Progress`.
        resume: a checkpoint of this recipe under this configuration. With a budget in images or steps, on one machine
            and thread count, the end is bit for bit that of a run never cut off. One whose budget is spent goes on
            where ``config`` has more of the same: its last phase gets what is added.

    Raises:
        Diverged: when a loss or a weight is not finite.
        ValueError: for data that do not fit the model, phases that do not add up, another run's checkpoint, or a
            precision that the device lacks.
    """
    precision.check(config.precision, model.device)
    ranks = parallel.joined(config.devices, model.device)
    _check(model, data)
    data = Splits(data.train.to(model.device), data.validation.to(model.device))
    phases = model.phases()
    state = State()
    plan = PhasePlan.plan(phases, config.budget, min(config.batch_size, len(data.train)), config.trace)
    stream = Stream(data.train, model.spec, config.batch_size, config.seed)
    noise = generator(config.seed, "fit", *ranks.own, device=model.device)
    learns = {parameter: parameter.requires_grad for parameter in model.parameters()}
    laid_out = precision.training_in(config.precision, model)
    with fork_rng(derive(config.seed, "fit", "global", *ranks.own)), restored(learns), laid_out as arithmetic:
        saved = checkpoint.load_training(resume, model, config, state, noise, ranks) if resume else None
        for phase in phases[max(len(state.steps) - 1, 0) :]:
            model.train()
            with state.clock():
                if saved is None:
                    state.steps.append(0)
                    restore(learns)
                    if phase.enter is not None:
                        phase.enter(data, Step(0, 0.0, noise))
                    ranks.share(model)
                runners = [TurnRunner.make(turn) for turn in phase.turns]
            optimizers = [runner.optimizer for runner in runners]
            if saved is not None:
                for optimizer, its_state in zip(optimizers, saved, strict=True):
                    optimizer.load_state_dict(its_state)
                saved = None
            written = time.monotonic()
            while runners and not state.done and (fraction := ranks.told(plan.fraction(state))) < 1:
                before = plan.whole(state)
                with state.clock():
                    batch = ranks.part(stream.batch(sum(state.steps)))
                    step = Step(state.steps[-1], fraction, noise)
                    plan.count(state, fraction)
                    state.images += ranks.size * len(batch)
                    total = sum(state.steps)
                    logs = play(runners, model, batch, step, total, arithmetic, ranks)
                progress = Progress(phase.name, total, plan.whole(state), state.images, state.seconds, logs, before)
                for callback in callbacks:
                    callback(progress)
                due = ranks.told(time.monotonic() - written) >= config.checkpoint_seconds
                if config.checkpoint is not None and due:
                    checkpoint.save_training(config.checkpoint, model, config, state, noise, optimizers, ranks)
                    written = time.monotonic()
            for runner in runners:
                runner.check_weights(sum(state.steps))
        model.eval()
        if not state.done:
            started = time.perf_counter()
            restore(learns)
            with kept_rng():  # what is drawn here moves no training that goes on from this one
                model.finish(data, twin(noise))
            ranks.share(model)
            state.finish_seconds = time.perf_counter() - started
            state.done = True
            if config.checkpoint is not None:
                checkpoint.save_training(config.checkpoint, model, config, state, noise, optimizers, ranks)
    steps = dict(zip((phase.name for phase in phases), state.steps, strict=True))
    return FitReport(state.images, sum(state.steps), state.seconds, state.finish_seconds, steps, *state.kept)


def _check(model: GenerativeModel, data: Splits) -> None:
    """Refuse splits that ``model`` cannot learn from, and a device. Unpaired validation images may be without sources.

    Raises:
        ValueError: in one line that names device, or split and value.
    """
    precision.check_double(model, model.device)
    bare = not model.spec.paired and data.validation.sources is None
    check_split(model.spec, data.train, "train")
    check_split(_without_sources(model.spec) if bare else model.spec, data.validation, "validation")
    if model.needs_every_label:
        check_given(model.given, data.train, "train")
    check_given(model.given, data.validation, "validation")


def _without_sources(spec: DataSpec) -> DataSpec:
    """Return the spec of validation images of which none has a source."""
    return replace(spec, source=None, fields={name: one for name, one in spec.fields.items() if one.of == "image"})
