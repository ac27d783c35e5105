"""Callbacks of ``fit`` beside the history that each cell keeps."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genbench.fit import Progress

MISSING = "TensorBoard is not installed: pip install 'genbench[tensorboard]'"


def check() -> None:
    """Raise ``ValueError``, in one line, where the package tensorboard is missing."""
    if find_spec("tensorboard") is None:
        raise ValueError(MISSING)


class TensorBoard:
    """Writes what training logs as scalars that TensorBoard shows: ``tensorboard --logdir FOLDER``.

    Each log is under its own name, ``turn/name``, by the number of batches, and ``images_per_second`` beside them. Of a
    training that goes on, what an earlier one wrote beyond that point is hidden. To be closed, or used in a ``with``.

    Args:
        folder: of the event file.
        every: batches from one point to the next; in between nothing is read from the device.

    Raises:
        ValueError: where the package tensorboard is missing, or for ``every`` below 1.
    """

    def __init__(self, folder: Path | str, *, every: int = 10) -> None:
        if every < 1:
            raise ValueError(f"every={every}: give at least 1")
        self.folder, self.every = Path(folder), every
        self.writer: Any = None
        check()

    def __call__(self, progress: Progress) -> None:
        """Write one round's logs, if it is due."""
        if self.writer is None:
            from torch.utils.tensorboard import SummaryWriter

            resumed = progress.step if progress.step > 1 else None
            self.writer = SummaryWriter(str(self.folder), purge_step=resumed, flush_secs=5)
        if progress.step % self.every == 0 or progress.fraction >= 1:
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
