"""Arguments that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of MNIST, CIFAR-10 and the like; else $GENBENCH_DATA.")
]
Device = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where to train and measure.")]
CellPath = Annotated[Path, typer.Argument(help="Folder of a finished cell: DIR/cells/DATASET/LABEL/seed-N.")]


def chosen(device: str) -> str:
    """``cuda`` or ``cpu`` for ``auto``, whichever there is.

    Raises:
        ValueError: for ``cuda`` where there is none.
    """
    import torch

    there = torch.cuda.is_available()
    if device == "cuda" and not there:
        raise ValueError("--device cuda: torch sees no CUDA device here; say auto or cpu")
    return ("cuda" if there else "cpu") if device == "auto" else device
