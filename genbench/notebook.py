"""Runs, tables and evaluations for notebooks: pandas objects, with the stamps of their figures attached."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genbench import processor
from genbench.records import layout
from genbench.records.record import records
from genbench.runs.command import Replay
from genbench.runs.overrides import Overrides, overridden
from genbench.runs.suite import Suite, read, results_folder, validated
from genbench.runs.toml_values import to_value
from genbench.tables.frames import from_frame, to_frame
from genbench.training.precision import chosen_device

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from pandas import DataFrame
    from PIL.Image import Image
    from torch import Tensor

SHOWN_STYLE = ".bench .n { text-align: right; } .bench .anchors { opacity: 0.7; } .notes { font-size: 0.85em; }"


def run(
    suite: str | Path | Mapping[str, Any] | Suite,
    *,
    out: str | Path | None = None,
    dataset: str | None = None,
    recipes: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    seeds: Sequence[int] = (),
    images: int | None = None,
    steps: int | None = None,
    seconds: float | None = None,
    precision: str | None = None,
    devices_per_cell: int | None = None,
    labelled: int | None = None,
    effort: str | None = None,
    checkpoint: str | None = None,
    watch: Sequence[str] = (),
    measures: Sequence[str] | None = None,
    anchors: bool = True,
    size: int | None = None,
    alpha: str | None = None,
    device: str = "auto",
    fresh: bool = False,
    measure_again: bool = False,
    root: str | Path | None = None,
    download: bool = False,
    tensorboard: bool = False,
    jobs: int = 1,
    ray: str | None = None,
    storage: str | None = None,
    threads: int | None = None,
    quiet: bool = False,
) -> DataFrame:
    """Train and measure a suite, as ``genbench run`` does, and return its table.

    What is done is skipped, what was cut off goes on. A cell that diverges or fails is a row that says so.

    Args:
        suite: the suite's name, the path of a ``.toml`` file, or what such a file says, as a mapping.
        out: the folder of the run; ``results/SUITE`` by default for a name or a path, needed for a mapping.
        dataset: the data set to take instead of the suite's.
        recipes: the labels of the rows to run, else their recipes; all rows by default.
        options: the options to set in the rows whose recipes have them.
        seeds: the seeds to take instead of the suite's.
        images: the budget of a cell in images; give one of this, ``steps`` and ``seconds``, or none.
        steps: the budget of a cell in batches.
        seconds: the budget of a cell in seconds.
        precision: the arithmetic of training: ``"float32"``, ``"tf32"``, ``"bfloat16"`` or ``"auto"``.
        devices_per_cell: the number of devices that share each batch of a cell's training.
        labelled: the number of training images that keep their label.
        effort: the effort of estimated likelihoods: ``"fast"``, ``"standard"`` or ``"paper"``.
        checkpoint: the weights that are measured: ``"last"``, or ``"best on validation"`` of ten over the budget.
        watch: ``["fid"]`` for the FID of ten checkpoints over the budget, in each cell's curves.
        measures: the groups of figures to measure, of ``"nll"``, ``"fid"`` and ``"speed"``; all by default.
        anchors: whether the rows that nobody trains are measured too.
        size: the side in pixels that a folder's images are resized to.
        alpha: the ground behind their transparent pixels, a colour, or ``"refuse"``; white where nothing is said.
        device: the device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        fresh: whether what is done is done again.
        measure_again: whether cells that older measures measured are measured again, by their weights.
        root: the folder of data sets.
        download: whether data that are missing are fetched.
        tensorboard: whether each cell has logs for TensorBoard too.
        jobs: the number of cells at once on this machine.
        ray: the address of a Ray cluster to run on.
        storage: where such a run keeps checkpoints that are too large to be sent, a URI of fsspec.
        threads: the number of threads of each cell.
        quiet: whether nothing is printed.

    Returns:
        The run's table, as :func:`table` returns it.

    Raises:
        ValueError: in one line, for whatever is wrong with the input, before any training.
    """
    from rich.console import Console

    from genbench.console import console
    from genbench.runs import placing, runner

    given = {"images": images, "steps": steps, "seconds": seconds}
    budget = {name: value for name, value in given.items() if value is not None}
    if len(budget) > 1:
        raise ValueError(f"budget {budget}: give one of images, steps and seconds")
    named = isinstance(suite, str | Path)
    if out is None and not named:
        raise ValueError("out is missing: a suite that is no file needs a folder for its run")
    whole = read(str(suite)) if isinstance(suite, str | Path) else validated(suite)
    folder = Path(out) if out is not None else results_folder(str(suite), whole)
    words = [f"{name}={to_value(value)}" for name, value in (options or {}).items()]
    told = (dataset, size, tuple(recipes), words, tuple(seeds), budget, precision, devices_per_cell, labelled, effort)
    changes = Overrides(*told, measures=measures, anchors=anchors, alpha=alpha, checkpoint=checkpoint, watch=watch)
    where = None if root is None else Path(root)
    wanted = overridden(whole, changes)
    placing.check(jobs, ray, threads, wanted.devices, storage)
    # A suite that is no file is in the run's folder as it was wanted, and asked for from there.
    replay = (
        Replay(str(suite), whole, changes, where) if named else Replay(str(folder / layout.SUITE), wanted, root=where)
    )
    on, beside = _device(device), processor.busy()
    runner.run(
        wanted,
        folder,
        Console(file=io.StringIO(), force_jupyter=False) if quiet else console(),
        command=replay.command,
        device=on,
        fresh=fresh,
        measure_again=measure_again,
        root=where,
        download=download,
        tensorboard=tensorboard,
        busy=beside,
        engine=placing.engine(
            *(jobs, ray, threads, on),
            travels=where is None,
            storage=storage,
            out=folder,
            busy=beside if wanted.budget.seconds else None,
        ),
    )
    return table(folder)


def table(*folders: str | Path, sort: str | None = None) -> DataFrame:
    """Return the table of one run or several: a row a recipe, a column a key of ``genbench table --format json``.

    Absent is NaN or None. Column ``stamp`` says how each row was measured, as do ``attrs["stamps"]`` by
    ``LABEL on DATASET``; ``attrs["notes"]`` are the footnotes, what is not ranked with what among them.

    Args:
        folders: the folders that ``genbench run --out`` or :func:`run` wrote.
        sort: a column to sort by, best first.

    Raises:
        ValueError: for a folder without records, or an unknown column.
    """
    from genbench.tables.rows import rows

    if not folders:
        raise ValueError("table: give the folder of a run, or several")
    return to_frame(rows(records(*map(Path, folders)), sort))


class Shown:
    """A table as a report page has it, which a notebook shows: marks, ±, the best in bold, notes below.

    Args:
        html: the fragment of HTML.
        text: the same in Markdown, for where there is no HTML.
    """

    def __init__(self, html: str, text: str) -> None:
        self.html = html
        self.text = text

    def _repr_html_(self) -> str:
        return f"<style>{SHOWN_STYLE}</style>\n{self.html}"

    def __repr__(self) -> str:
        return self.text


def show(
    what: Tensor | ArrayLike | DataFrame | str | Path,
    *,
    columns: str | Sequence[str] | None = None,
    notes: str | None = None,
    levels: int = 256,
    across: int = 8,
) -> Image | Shown:
    """Show samples as a picture, or the table of a run as a report page has it.

    Args:
        what: the samples, uint8 ``(N, C, H, W)``; or the folder of a run, or what :func:`run` and :func:`table` return.
        columns: the columns of a table: ``"default"``, ``"all"``, or keys.
        notes: what stands below a table: ``"full"``, ``"short"`` or ``"none"``.
        levels: the number of integer levels of samples.
        across: the number of samples a line.

    Raises:
        ValueError: for what is neither, a folder without records, or a column that there is not.
    """
    from pandas import DataFrame

    if isinstance(what, DataFrame | str | Path):
        from genbench.tables import rows, view
        from genbench.tables.render import FORMATS

        found = from_frame(what) if isinstance(what, DataFrame) else rows.rows(records(Path(what)))
        wanted = view.View.of(columns, notes)
        return Shown(*(FORMATS[fmt](found, wanted) for fmt in ("html", "md")))
    from genbench.plots.grid import grid

    return grid(what.cpu().numpy() if hasattr(what, "cpu") else what, levels=levels, columns=across)


def evaluate(
    images: Tensor | ArrayLike | Path | str,
    *,
    dataset: str,
    labels: Tensor | ArrayLike | None = None,
    translations: bool = False,
    label: str = "samples",
    out: str | Path | None = None,
    extractor: str | None = None,
    seed: int = 0,
    size: int | None = None,
    alpha: str | None = None,
    device: str = "auto",
    root: str | Path | None = None,
    fresh: bool = False,
) -> DataFrame:
    """Measure samples that come from anywhere, as :func:`genbench.runs.evaluate.evaluate` has it, and return their row.

    Args:
        images: the samples: a uint8 array, a tensor, or the path of a folder, an ``.npz`` or an ``.npy``.
        dataset: the data set that they are to look like.
        labels: the class that each was asked for.
        translations: whether sample i was made of the test split's source i.
        label: the label of the row.
        out: the folder of a run that gets the row; None keeps nothing.
        extractor: the name of the feature extractor; by default that of the rows in ``out``, else of its suite.
        seed: the seed of the row.
        size: the side in pixels that a folder data set's images are resized to.
        alpha: the ground behind transparent pixels of a folder's images, or ``"refuse"``.
        device: the device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        root: the folder of data sets.
        fresh: whether a row of this label is replaced.

    Raises:
        ValueError: in one line, for images or labels that do not fit, or a label that is taken.
    """
    from genbench.runs import evaluate
    from genbench.tables.rows import rows

    with tempfile.TemporaryDirectory() as temporary:
        record = evaluate.evaluate(
            images,
            dataset=dataset,
            labels=labels,
            translations=translations,
            label=label,
            out=Path(temporary if out is None else out),
            extractor=extractor,
            seed=seed,
            size=size,
            alpha=alpha or "white",
            device=_device(device),
            root=None if root is None else Path(root),
            fresh=fresh,
        )
    if out is None and not isinstance(images, Path | str):
        record = record.model_copy(update={"stamp": record.stamp | {"command": "none: the samples were not kept"}})
    return to_frame(rows([record]))


def _device(name: str) -> str:
    if name not in ("auto", "cpu", "cuda", "mps"):
        raise ValueError(f"device={name!r}: give auto, cpu, cuda or mps")
    return chosen_device(name)
