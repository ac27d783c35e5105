"""The training of a cell: from its last checkpoint if there is one, with its history beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from genbench.interface import GenerativeModel
from genbench.records import layout
from genbench.runs.clock import Tell
from genbench.runs.config import Cell, Setting
from genbench.runs.watching import Watch
from genbench.training.config import Budget, FitConfig, FitReport, Progress
from genbench.training.logs import History, TensorBoard

if TYPE_CHECKING:
    from genbench.data import Dataset

CHECKPOINT_SECONDS = 15.0  # what a killed run loses at most; a checkpoint of a quick cell takes tens of milliseconds


def settle(device: str) -> None:
    """Set what a cell computes by on a device: "float32" means float32, and the same numbers each time."""
    if device == "cuda":
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.deterministic = True


def train(
    cell: Cell, setting: Setting, model: GenerativeModel, dataset: Dataset, unfinished: Path, tell: Tell
) -> FitReport:
    """Fit, from the last checkpoint if there is one, and write the history."""
    logs: list[Callable[[Progress], None]] = [History(unfinished / layout.HISTORY)]
    watch = Watch(cell, model, dataset, unfinished, setting.looks)

    def progressed(progress: Progress) -> None:
        if seen := watch(progress):
            progress = replace(progress, logs={**progress.logs, **seen})
        for log in logs:
            log(progress)
        tell("fit", progress.fraction)

    tell("fit", 0.0)
    with ExitStack() as closed:
        if setting.tensorboard:
            logs.append(closed.enter_context(TensorBoard(unfinished / layout.TENSORBOARD)))
        return go_on(cell, setting, model, dataset, unfinished, [progressed])


def go_on(
    cell: Cell,
    setting: Setting,
    model: GenerativeModel,
    dataset: Dataset,
    unfinished: Path,
    callbacks: Sequence[Callable[[Progress], None]] = (),
) -> FitReport:
    """Fit, from the last checkpoint if there is one, and write nothing but checkpoints."""
    training = unfinished / layout.TRAINING
    budget = Budget(**cell.budget)
    each = (CHECKPOINT_SECONDS, cell.precision, setting.trace, cell.devices)
    config = FitConfig(budget, cell.batch_size, cell.seed, training, *each)
    resume = training if training.is_file() else None
    return model.fit(dataset.splits, config, callbacks=callbacks, resume=resume)
