"""How long to train and how far training is: a budget, laid out over phases."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from genbench import array_file
from genbench.interface import Phase
from genbench.training import parallel, precision


@dataclass(frozen=True)
class Budget:
    """A budget of training: exactly one of images, steps (batches) or seconds.

    Raises:
        ValueError: unless exactly one is given and it is positive.
    """

    images: int | None = None
    steps: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if len(self.given) != 1:
            raise ValueError(f"budget {self.given or 'is empty'}: give exactly one of images, steps and seconds")
        for name, value in self.given.items():
            if not (value > 0 and math.isfinite(value)):
                raise ValueError(f"budget {name}={value}: give a positive number")

    @property
    def given(self) -> dict[str, Any]:
        """The one of them that is given, by its name."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def exceeds(self, other: Budget) -> bool:
        """Return whether this is more of the same, of images, steps or seconds."""
        return any(
            mine is not None and theirs is not None and mine > theirs
            for mine, theirs in zip(vars(self).values(), vars(other).values(), strict=True)
        )

    def rounds(self, batch_size: int) -> int | None:
        """Return the number of batches to train on, or None where seconds decide."""
        return -(-self.images // batch_size) if self.images is not None else self.steps


@dataclass(frozen=True)
class Trace:
    """The steps and fractions of a training, to be gone through again whatever the clock says.

    Args:
        steps: the number of batches of each phase.
        fractions: the share of its phase that was spent when each batch began, phase after phase; empty where none is
            kept: they then follow the steps.
        legs: the budgets that it had spent before it was given more, as its stamp has them.

    Raises:
        ValueError: for a number of fractions that is neither 0 nor that of the steps.
    """

    steps: Sequence[int]
    fractions: Sequence[float] = ()
    legs: Sequence[Mapping[str, Any]] = ()

    def __post_init__(self) -> None:
        if len(self.fractions) not in (0, sum(self.steps)):
            raise ValueError(f"trace: {len(self.fractions)} fractions for {sum(self.steps)} steps")


def write_fractions(path: Path, fractions: Sequence[float]) -> None:
    """Write the fractions of a training, 8 bytes a batch, where there are any."""
    if fractions:
        array = io.BytesIO()  # written by Python, whose errors say that a disk is full; numpy's do not
        np.save(array, np.asarray(fractions, dtype=np.float64))
        path.write_bytes(array.getvalue())


def read_fractions(path: Path) -> list[float]:
    """Return the fractions that :func:`write_fractions` wrote; none where there is no such file.

    Raises:
        ValueError: for a file of anything else.
    """
    if not path.exists():
        return []
    fractions = array_file.npy(path)
    if fractions.dtype != np.float64 or fractions.ndim != 1 or not np.isfinite(fractions).all():
        raise ValueError(f"{path}: {fractions.dtype} {fractions.shape}; give the finite numbers that a training wrote")
    return [float(fraction) for fraction in fractions]


@dataclass
class State:
    """The place of training between two rounds: all that a checkpoint holds beside weights and random states."""

    steps: list[int] = field(default_factory=list)  # batches in each phase that has begun
    fractions: list[float] = field(default_factory=list)  # of the phase, at each batch, where no count gives them
    images: int = 0
    seconds: float = 0.0
    finish_seconds: float = 0.0
    done: bool = False
    legs: list[dict[str, Any]] = field(default_factory=list)  # the budgets that were spent before more was given

    @property
    def kept(self) -> tuple[list[float], list[dict[str, Any]]]:
        """The fractions and legs, for a report."""
        return self.fractions, self.legs

    def go_on(self, spent: Budget) -> None:
        """Take up a training that was done, of which ``spent`` was the budget.

        The fractions of its batches are kept from now on: the new budget alone does not give them again.
        """
        self.done = False
        self.legs.append({"budget": spent.given, "steps": sum(self.steps)})
        self.fractions = self.fractions or [step / count for count in self.steps for step in range(count)]

    @contextmanager
    def clock(self) -> Iterator[None]:
        """Count the block's seconds as training: not callbacks, not checkpoints."""
        started = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - started


@dataclass(frozen=True)
class PhasePlan:
    """The budget over the phases: phase ``i`` runs from ``marks[i]`` to ``marks[i + 1]``, in rounds or seconds.

    ``fractions`` are those of a :class:`Trace`, where one is followed.
    """

    marks: Sequence[float]
    timed: bool
    fractions: Sequence[float] = ()

    @classmethod
    def plan(cls, phases: Sequence[Phase], budget: Budget, batch_size: int, trace: Trace | None = None) -> PhasePlan:
        """Lay out phases, and refuse shares that do not sum to 1, and a trace of other phases."""
        shares = [phase.share for phase in phases]
        names = [phase.name for phase in phases]
        if len(set(names)) < len(names):
            raise ValueError(f"phases {names}: give each a name of its own")
        if not phases or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
            raise ValueError(f"phases with shares {shares}: shares are 0 or more and sum to 1")
        if trace is not None:
            if len(trace.steps) != len(phases):
                raise ValueError(f"trace of {len(trace.steps)} phases: {names} are {len(phases)}")
            return cls([sum(trace.steps[:i]) for i in range(len(phases) + 1)], False, trace.fractions)
        rounds = budget.rounds(batch_size)
        whole = float(rounds if rounds is not None else budget.seconds or 0)
        marks = [whole * sum(shares[:i]) for i in range(len(shares) + 1)]
        return cls(marks if rounds is None else [round(mark) for mark in marks], rounds is None)

    def fraction(self, state: State) -> float:
        """Return how much of the phase that ``state`` is in has been spent; 1 and more where it is over."""
        begin, end = self.marks[len(state.steps) - 1 : len(state.steps) + 1]
        spent = (state.seconds if self.timed else sum(state.steps)) - begin
        if self.fractions and spent < end - begin:
            return self.fractions[int(begin + spent)]
        return max(spent / (end - begin), 0.0) if end > begin else 1.0

    def count(self, state: State, fraction: float) -> None:
        """Count a batch that begins, and keep the fraction at which it does where no count of steps gives it again."""
        state.steps[-1] += 1
        if self.timed or self.fractions or state.fractions:
            state.fractions.append(fraction)

    def whole(self, state: State) -> float:
        """Return how much of the whole budget has been spent, at most 1."""
        return min((state.seconds if self.timed else sum(state.steps)) / self.marks[-1], 1.0)


@dataclass(frozen=True)
class FitConfig:
    """The settings that ``fit`` has beside the model and the data.

    Args:
        budget: the budget that says how long to train.
        batch_size: the number of images a batch, at most the training split's length.
        seed: the seed of the order of the data and of all noise in training.
        checkpoint: the file to write the whole state of training to, if any.
        checkpoint_seconds: the seconds from one checkpoint to the next; 0 writes behind every round.
        precision: the arithmetic: ``"float32"``, ``"tf32"`` or ``"bfloat16"``; see :mod:`genbench.training.precision`.
        trace: the steps and fractions of a training to go through again, instead of what ``budget`` says.
        devices: the number of devices that share each batch, one process each: :mod:`genbench.training.parallel`.

    Raises:
        ValueError: for a batch size below 1 or not a multiple of ``devices``, a negative interval or an unknown
            precision.
    """

    budget: Budget
    batch_size: int = 64
    seed: int = 0
    checkpoint: Path | None = None
    checkpoint_seconds: float = 60.0
    precision: str = "float32"
    trace: Trace | None = None
    devices: int = 1

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size={self.batch_size}: give at least 1")
        if self.checkpoint_seconds < 0:
            raise ValueError(f"checkpoint_seconds={self.checkpoint_seconds}: give 0 or more")
        precision.check_name(self.precision)
        parallel.check_share(self.devices, self.batch_size)


@dataclass(frozen=True)
class Progress:
    """News of a round, for callbacks. ``fraction`` is of the whole budget, ``before`` what it was when the round began;
    log names are ``turn/name``.
    """

    phase: str
    step: int
    fraction: float
    images: int
    seconds: float
    logs: Mapping[str, Tensor]
    before: float = 0.0


@dataclass(frozen=True)
class FitReport:
    """The cost of a training: images seen, batches in all and by phase, seconds in the loop and in ``finish``.

    ``fractions`` of its phase were spent when each batch began, where no count of steps says so: what a :class:`Trace`
    needs. ``legs`` are the budgets, and the batches at their ends, that were spent before more was given.
    """

    images: int
    steps: int
    seconds: float
    finish_seconds: float
    phase_steps: Mapping[str, int]
    fractions: Sequence[float] = ()
    legs: Sequence[Mapping[str, Any]] = ()

    @property
    def spent(self) -> dict[str, Any]:
        """All but the fractions, which are too many for a record, and the legs, which few have."""
        apart = ("fractions", "legs")
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name not in apart}
