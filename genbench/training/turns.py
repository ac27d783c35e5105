"""A turn as the loop runs it: its parameters, its optimiser, and a step that moves nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim import Optimizer

from genbench.interface import Step, Turn
from genbench.spec import Batch
from genbench.training.parallel import ALONE, Ranks
from genbench.training.precision import Arithmetic

WATCH_WEIGHTS_EVERY = 100  # rounds; a loss is watched in every one


class Diverged(RuntimeError):
    """A loss or weight that is not finite; it carries the ``turn``, the ``step`` (batches so far) and ``what``."""

    def __init__(self, what: str, turn: str, step: int) -> None:
        super().__init__(what, turn, step)  # what a process sends back to another
        self.what = what
        self.turn = turn
        self.step = step

    def __str__(self) -> str:
        return f"{self.what} is not finite in turn {self.turn!r} at step {self.step}"


Learning = Mapping[Parameter, bool]


def restore(learning: Learning) -> None:
    """Put ``requires_grad`` back to what it was."""
    for parameter, requires_grad in learning.items():
        parameter.requires_grad_(requires_grad)


@contextmanager
def restored(learning: Learning) -> Iterator[None]:
    """Put ``requires_grad`` back when the block ends, however it ends."""
    try:
        yield
    finally:
        restore(learning)


@dataclass(frozen=True)
class TurnRunner:
    """A turn with its parameters, its optimiser and the learning rates that a schedule scales."""

    turn: Turn
    parameters: Sequence[Parameter]
    optimizer: Optimizer
    rates: Sequence[float]

    @classmethod
    def make(cls, turn: Turn) -> TurnRunner:
        """Gather what the turn learns; parameters that were frozen beforehand stay so."""
        parameters = list(dict.fromkeys(p for module in turn.learns for p in module.parameters() if p.requires_grad))
        if not parameters or turn.every < 1:
            raise ValueError(f"turn {turn.name!r}: it learns {len(parameters)} parameters every {turn.every} batches")
        if turn.warm_up < 0:
            raise ValueError(f"turn {turn.name!r}: warm_up={turn.warm_up}: give a number of steps, 0 for none")
        optimizer = turn.optimizer(parameters)
        return cls(turn, parameters, optimizer, [group["lr"] for group in optimizer.param_groups])

    def step(
        self,
        model: nn.Module,
        batch: Batch,
        step: Step,
        total: int,
        arithmetic: Arithmetic = nullcontext,
        ranks: Ranks = ALONE,
    ) -> dict[str, Tensor]:
        """Take a step: loss, under ``arithmetic``, gradient, update, and what comes after; return the detached logs.

        Logs and gradients are means over ``ranks``. Beside the logs stands the gradient's 2-norm, taken before it is
        clipped.
        """
        turn = self.turn
        learns = set(self.parameters)
        for parameter in model.parameters():
            parameter.requires_grad_(parameter in learns)
        with arithmetic():
            logs = turn.loss(batch, step)
        loss = logs["loss"]
        logs = ranks.mean(logs)
        if not torch.isfinite(logs["loss"]):
            raise Diverged("the loss", turn.name, total)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        ranks.average_gradients(self.parameters)
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        logs["gradient_norm"] = nn.utils.get_total_norm(gradients)
        if turn.clip is not None:
            nn.utils.clip_grads_with_norm_(self.parameters, turn.clip, logs["gradient_norm"])
        if turn.schedule is not None or turn.warm_up:
            for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
                group["lr"] = rate * self._factor(step)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if turn.after is not None:
            with torch.no_grad():
                turn.after(logs, step)
        return logs

    def _factor(self, step: Step) -> float:
        """Return what the learning rate is scaled by, of its schedule and its warm-up."""
        taken = step.index // self.turn.every
        warmth = min((taken + 1) / self.turn.warm_up, 1.0) if self.turn.warm_up else 1.0
        return warmth if self.turn.schedule is None else warmth * self.turn.schedule(step.fraction)

    def check_weights(self, total: int) -> None:
        """Refuse weights that are not finite.

        Args:
            total: the number of rounds so far, for the message.

        Raises:
            Diverged: where one of the turn's weights is not finite.
        """
        if not all(torch.isfinite(parameter).all() for parameter in self.parameters):
            raise Diverged("a weight", self.turn.name, total)


def play(
    runners: Sequence[TurnRunner],
    model: nn.Module,
    batch: Batch,
    step: Step,
    total: int,
    arithmetic: Arithmetic,
    ranks: Ranks,
) -> dict[str, Tensor]:
    """Play a round: take the turns that are due on ``batch``; return their logs, ``turn/name``.

    Args:
        runners: the turns, in order.
        model: the model that they are of.
        batch: this rank's part of the batch.
        step: the place in the phase, this round not counted.
        total: the number of rounds so far, this one counted.
        arithmetic: what losses are computed under.
        ranks: the processes that share the batch.

    Raises:
        Diverged: where a loss, or a weight in every 100th round, is not finite.
    """
    logs = {}
    for runner in runners:
        if (step.index + 1) % runner.turn.every == 0:
            for name, value in runner.step(model, batch, step, total, arithmetic, ranks).items():
                logs[f"{runner.turn.name}/{name}"] = value
        if total % WATCH_WEIGHTS_EVERY == 0:
            runner.check_weights(total)
    ranks.settle(model)
    return logs
