"""What is asked of training: that turns own what they move, that a file keeps all, and that a cut leaves no trace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from genbench.contract.answers import values
from genbench.contract.breach import Breach, same
from genbench.contract.tiny import draw, noise, splits
from genbench.interface import GenerativeModel, Phase, Step
from genbench.spec import Batch, Splits
from genbench.training.batches import Stream
from genbench.training.checkpoint import load, save
from genbench.training.config import Budget, FitConfig, Progress
from genbench.training.fit import fit
from genbench.training.turns import TurnRunner, restored

BATCH = 8
ROUNDS = 5
STEPS, CUT = 7, 5  # of each phase, and the one in which it is cut off


@dataclass(frozen=True)
class Moved:
    """The parameters, by name, that a turn says it learns, and those that moved in its steps."""

    turn: str
    learns: frozenset[str]
    moved: frozenset[str]


def movements(model: GenerativeModel, data: Splits) -> list[Moved]:
    """Take a few rounds of every phase, and return what each turn moved; nothing that comes ``after`` is done."""
    stream = Stream(data.train, model.spec, BATCH, 0)
    source = noise(0)
    names = {parameter: name for name, parameter in model.named_parameters()}
    found: list[Moved] = []
    for phase in model.phases():
        model.train()
        if phase.enter is not None:
            phase.enter(data, Step(0, 0.0, source))
        runners = [TurnRunner.make(replace(turn, after=None)) for turn in phase.turns]
        moved: list[set[str]] = [set() for _ in runners]
        with restored({parameter: parameter.requires_grad for parameter in model.parameters()}):
            for k in range(ROUNDS):
                for runner, seen in zip(runners, moved, strict=True):
                    before = {parameter: parameter.detach().clone() for parameter in names}
                    runner.step(model, stream.batch(k), Step(k, k / ROUNDS, source), k)
                    seen |= {names[p] for p, old in before.items() if not torch.equal(p, old)}
        for runner, seen in zip(runners, moved, strict=True):
            learns = frozenset(names[parameter] for parameter in runner.parameters)
            found.append(Moved(runner.turn.name, learns, frozenset(seen)))
    return found


def owned(model: GenerativeModel, turns: Sequence[Moved]) -> str:
    """Check that every parameter that asks for a gradient is some turn's, and that no turn moved another's."""
    ours = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    for turn in turns:
        if strayed := turn.moved - turn.learns:
            raise Breach(f"turn {turn.turn!r} moves {_some(strayed)}, which it does not learn")
    if orphans := ours - frozenset[str]().union(*(turn.learns for turn in turns)):
        raise Breach(f"no turn learns {_some(orphans)}: make it a buffer, or let a turn learn it")
    return f"{len(ours)} parameters in {len(turns)} turn" + "s" * (len(turns) > 1)


def _some(names: set[str] | frozenset[str]) -> str:
    first, *rest = sorted(names)
    return f"{first} and {len(rest)} more" if rest else first


def kept(model: GenerativeModel, batch: Batch, folder: Path) -> str:
    """Check that a saved model comes back the same: every tensor, its samples, its answers."""
    save(folder / "model.safetensors", model)
    again = load(folder / "model.safetensors")
    if not same(model.state_dict(), again.state_dict()) or tuple(again.given) != tuple(model.given):
        raise Breach("it comes back from its file with other weights, or given something else")
    if not torch.equal(draw(model, batch), draw(again, batch)):
        raise Breach("it comes back from its file and draws other samples: something it needs is no buffer")
    rows = torch.arange(len(batch))
    if not torch.equal(values(model, batch, rows), values(again, batch, rows)):
        raise Breach("it comes back from its file and answers otherwise: something it needs is no buffer")
    return "the same weights, samples and answers"


class _Cut(Exception):
    """A signal that ends a training in the middle."""


def resumed(make: Callable[[int], GenerativeModel], folder: Path) -> str:
    """Check that a training that was cut off in each of its phases ends as if it had not been, bit for bit.

    Phases share the steps evenly here, so that each has some before its cut and some behind it.

    Args:
        make: a function of a seed that makes the model, not yet trained.
        folder: the folder in which a checkpoint may lie.
    """
    path = folder / "training.pt"
    whole = _evenly(make(0))
    data = splits(whole.spec)
    phases = len(whole.phases())
    config = FitConfig(Budget(steps=phases * STEPS), BATCH, seed=2, checkpoint=path, checkpoint_seconds=0)
    fit(whole, data, replace(config, checkpoint=None))
    rest, cuts = _evenly(make(0)), 0
    for place in range(phases):
        try:
            fit(rest, data, config, callbacks=[partial(_cut, place * STEPS + CUT)], resume=path if cuts else None)
        except _Cut:
            cuts += 1
        rest = _evenly(make(9))  # other weights to begin with: all of it must come from the checkpoint
        rest.origin = whole.origin
    fit(rest, data, config, resume=path)
    if not same(whole.state_dict(), rest.state_dict()):
        raise Breach("cut off and gone on with, it ends with other weights: something that it keeps is no buffer")
    batch = data.validation.rows(slice(6))
    if not torch.equal(draw(whole, batch), draw(rest, batch)):
        raise Breach("cut off and gone on with, it draws other samples: something that it keeps is no buffer")
    each = "" if phases == 1 else f" of each of {cuts} phases"
    return f"the same after {phases * STEPS} steps, cut off in the {CUT}th{each}"


def _evenly(model: GenerativeModel) -> GenerativeModel:
    phases = model.phases

    def even() -> Sequence[Phase]:
        found = phases()
        return [replace(phase, share=1 / len(found)) for phase in found]

    model.phases = even  # type: ignore[method-assign]
    return model


def _cut(at: int, progress: Progress) -> None:
    if progress.step == at:
        raise _Cut
