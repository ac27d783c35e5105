"""What training logged, as a CSV of a few hundred rows however long it took."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch import Tensor

from genbench.files import written_whole
from genbench.records.history import PLACE, read_lines
from genbench.training.config import Progress

ROWS = 200  # over the whole budget: enough for a curve, and nothing to write however many steps there are


class History:
    """A callback of ``fit`` that keeps the mean of each log between rows, and each row as soon as it is there.

    Args:
        path: the path of the CSV: phase, step, images, seconds, then a column for each log. A file that is there is
            gone on with: rows beyond the step at which training resumes are dropped.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, str]] = []
        if path.is_file():
            self.rows = read_lines(path)
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}
        self.place: int | None = None

    def __call__(self, progress: Progress) -> None:
        """Add one round's logs; write a row when another 1/200 of the budget is spent."""
        place = int(progress.fraction * ROWS)
        if self.place is None:
            self.rows = [row for row in self.rows if int(row["step"]) < progress.step]
            # Where the round before stood: a row is due as if training had not been cut off.
            before = progress.fraction * (progress.step - 1) / progress.step
            self.place = int(before * ROWS) if progress.step > 1 else -1
        for name, value in progress.logs.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value.clone()
            self.counts[name] = self.counts.get(name, 0) + 1
        if place > self.place:
            self.place = place
            self._write(progress)

    def _write(self, progress: Progress) -> None:
        means: Mapping[str, float] = {name: float(total) / self.counts[name] for name, total in self.sums.items()}
        self.sums = {}
        self.counts = {}
        here = (progress.phase, progress.step, progress.images, f"{progress.seconds:.3f}")
        self.rows.append(
            dict(zip(PLACE, map(str, here), strict=True)) | {name: f"{value:.6g}" for name, value in means.items()}
        )
        columns = dict.fromkeys(name for row in self.rows for name, value in row.items() if value != "")
        with written_whole(self.path) as part, part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(columns), restval="", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(self.rows)


MISSING = "TensorBoard is not installed: pip install 'genbench[tensorboard]'"


def check() -> None:
    """Raise ``ValueError``, in one line, where the package tensorboard is missing."""
    if find_spec("tensorboard") is None:
        raise ValueError(MISSING)


class TensorBoard:
    """A callback that writes training's logs as scalars for TensorBoard: ``tensorboard --logdir FOLDER``.

    Each log is under its own name, ``turn/name``, by the number of batches, and ``images_per_second`` beside them. Of a
    training that goes on, what an earlier one wrote beyond that point is hidden. To be closed, or used in a ``with``.

    Args:
        folder: the folder of the event file.
        every: the batches from one point to the next; in between nothing is read from the device.

    Raises:
        ValueError: where the package tensorboard is missing, or for ``every`` below 1.
    """

    def __init__(self, folder: Path | str, *, every: int = 10) -> None:
        if every < 1:
            raise ValueError(f"every={every}: give at least 1")
        self.folder = Path(folder)
        self.every = every
        self.writer: Any = None
        check()

    def __call__(self, progress: Progress) -> None:
        """Write one round's logs, if it is due."""
        if self.writer is None:
            from torch.utils.tensorboard import SummaryWriter

            resumed = progress.step if progress.step > 1 else None
            self.writer = SummaryWriter(str(self.folder), purge_step=resumed, flush_secs=5)
        looked = any(name.startswith("validation/") for name in progress.logs)
        if progress.step % self.every == 0 or progress.fraction >= 1 or looked:
            for name, value in progress.logs.items():
                self.writer.add_scalar(name, float(value), progress.step)
            if progress.seconds > 0:
                self.writer.add_scalar("images_per_second", progress.images / progress.seconds, progress.step)

    def close(self) -> None:
        """Write what is still to be written."""
        if self.writer is not None:
            self.writer.close()
            self.writer = None

    def __enter__(self) -> TensorBoard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
