"""Commands beside those of a run: a cell made again, and samples from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from genbench.arguments import CellPath, DataDir, Device, chosen
from genbench.terminal import console, listed


def reproduce(
    cell: CellPath,
    out: Annotated[Path, typer.Option(help="Folder of the new run, in which the cell is not yet.")] = Path("again"),
    device: Annotated[Literal["cpu", "cuda"] | None, typer.Option(help="Instead of the one it was made on.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Make a cell again by its own steps, and say whether it came out equal: exit status 0, else 1."""
    from genbench import reproduce as reproduction

    found, made = reproduction.reproduce(cell, out, console(), root=data_dir, device=device)
    listed(str(made), [line.row() for line in found.lines], False)
    for line in found.said:
        console().print(line, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(0 if found.equal else 1)


def evaluate(
    path: Annotated[Path, typer.Argument(help="Folder of images, .npz with an array 'images', or .npy; uint8.")],
    dataset: Annotated[str, typer.Option(help="Data set that they are to look like.")],
    label: Annotated[str, typer.Option(help="Of the row.")],
    out: Annotated[Path, typer.Option(help="Folder of the run that gets the row.")],
    extractor: Annotated[str, typer.Option(help="Of features, as in the other rows.")] = "efficientnet-lite0",
    seed: Annotated[int, typer.Option(help="Of the row: that of the model's training, where there are several.")] = 0,
    translations: Annotated[
        bool, typer.Option("--translations", help="Sample i was made of test source i: adds PSNR and SSIM.")
    ] = False,
    size: Annotated[int | None, typer.Option(help="Side that a folder data set's images are resized to.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Do again what is done.")] = False,
    device: Device = "auto",
    data_dir: DataDir = None,
) -> None:
    """Measure samples of a model that was not trained here, and give it a row beside those that were."""
    from genbench import evaluation
    from genbench import table as tables
    from genbench.record import records

    evaluation.evaluate(
        path,
        dataset=dataset,
        out=out,
        label=label,
        extractor=extractor,
        seed=seed,
        translations=translations,
        size=size,
        device=chosen(device),
        root=data_dir,
        fresh=fresh,
    )
    tables.show(records(out), console())
