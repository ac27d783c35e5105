"""What a run asks of an engine, which carries jobs out somewhere, and what it hears of them meanwhile."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from genbench.runs.config import Setting
from genbench.runs.plan import Job


class Failure(NamedTuple):
    """Why a job failed: in a line, by its traceback where that says more, and whether the run's disk was full."""

    why: str
    trace: str = ""
    disk: bool = False


class Begun(NamedTuple):
    """Job number ``job`` begins, or goes on elsewhere."""

    job: int


class At(NamedTuple):
    """Job number ``job`` is at ``fraction`` of ``stage``."""

    job: int
    stage: str
    fraction: float


class Lost(NamedTuple):
    """The machine or process that job number ``job`` was at work on is gone; it will begin again elsewhere."""

    job: int
    why: str


class Said(NamedTuple):
    """A line for people, of no job."""

    text: str


class Over(NamedTuple):
    """Job number ``job`` is over; its folders are whole, unless there is a ``failure``."""

    job: int
    failure: Failure | None


Event = Begun | At | Lost | Said | Over


class Engine(Protocol):
    """A place to carry jobs out, held open by ``with``."""

    @property
    def at_once(self) -> int:
        """The number of jobs that are at work at once."""

    @property
    def threads(self) -> int | None:
        """The number of threads of each job; None for as many as torch takes by itself."""

    @property
    def company(self) -> bool:
        """Whether jobs may disturb each other, so that speed is measured at the end, alone."""

    def __enter__(self) -> Self:
        """Get ready."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing at work."""

    def carry_out(self, jobs: Mapping[int, Job], setting: Setting) -> Generator[Event]:
        """Carry out ``jobs``, by number, and yield how they go; closed early, it ends all of them."""
