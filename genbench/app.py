"""The commands. Each imports what it needs beyond the models' interface."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from genbench import commands, completion, processor
from genbench.console import Alpha, DataDir, Device, console, listed
from genbench.image_file import WHITE
from genbench.suites import titles
from genbench.training.precision import chosen_device

app = typer.Typer(
    name="genbench",
    help="Deep generative models of every family, trained and measured side by side.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Format = Literal["md", "csv", "tex", "json", "html", "parquet"]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
ROWS = (
    "Only rows of this label, else of this recipe; 'LABEL on DATASET' for one of several, "
    "'anchors' for those alone; repeat."
)
LABELS = "Training images that keep their label, in every row; rows that must be told all labels are refused."
AGAIN = "Measure again, by their weights, cells of older measures or unconverged; nothing done is trained."
MEASURES = "Only these of nll, fid (and its kin) and speed: fid,nll. All, with --measure-again, adds what is missing."
SHARED = "Devices that share each batch of a cell's training: GPUs with --device cuda, else processes of the CPU."
JOBS = "Cells at once on this machine, each with its share of the cores or a GPU; more than one needs the extra ray."
STORAGE = "With --ray: where checkpoints over 1 GiB go, s3://… or a folder that all machines see."
RAY = "Address of a Ray cluster to run on, HOST:PORT or auto: as many cells at once as it has room for."
THREADS = "Threads of each cell: all by default, an equal share with --jobs, one with --ray."
CHECKPOINT = "Weights to measure: last, or 'best on validation' of ten over the budget."
WATCH = "fid: the FID of ten checkpoints on validation images, in each cell's curves."
COLUMNS = "Columns: default, all, or keys such as fid,kid, as --format csv names them."
SUITES = "\n\n".join(["A .toml file, or one of:", *(f"{name}: {title}" for name, title in titles().items())])


@app.command()
def families(as_json: Json = False) -> None:
    """Every recipe: name, family, title, paper, year, likelihood, what it is given, what it needs of the data."""
    from dataclasses import asdict

    from genbench.catalog import recipes

    columns = ("name", "family", "title", "paper", "year", "likelihood", "given", "needs")
    rows = [{name: asdict(recipe)[name] for name in columns} for recipe in recipes().values()]
    listed("Recipes", rows, as_json)


@app.command()
def datasets(
    name: Annotated[
        str | None, typer.Argument(help="One to read now, by name: folder:PATH.", autocompletion=completion.datasets)
    ] = None,
    size: Annotated[int | None, typer.Option(help="Side that images in folders are cut and resized to.")] = None,
    alpha: Alpha = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Every data set, whether it is at hand, and the prefixes that vary one; or what reading one of them finds."""
    from dataclasses import asdict

    from genbench import data

    if name is None and (size is not None or alpha is not None):
        raise ValueError("--size, --alpha: say which data set is to be read: genbench datasets folder:PATH")
    if name is None:
        listed("Data sets", [asdict(entry) for entry in data.listing(data_dir)], as_json)
    else:
        listed(name, [data.load(name, root=data_dir, size=size, alpha=alpha or WHITE).facts], as_json)


@app.command()
def run(
    suite: Annotated[str, typer.Argument(help=SUITES, autocompletion=completion.suites)],
    dataset: Annotated[
        str | None, typer.Option(help="Instead of the suite's.", autocompletion=completion.datasets)
    ] = None,
    recipe: Annotated[list[str] | None, typer.Option(help=ROWS, autocompletion=completion.rows)] = None,
    option: Annotated[list[str] | None, typer.Option("--set", help="option=value where rows have it; repeat.")] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Instead of the suite's; repeat.")] = None,
    images: Annotated[int | None, typer.Option(help="Budget: images of training a cell.")] = None,
    steps: Annotated[int | None, typer.Option(help="Budget: batches of training a cell.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Budget: seconds of training a cell.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run; results/SUITE by default.")] = None,
    precision: Annotated[
        str | None, typer.Option(help="Arithmetic of training: float32, tf32, bfloat16 or auto.")
    ] = None,
    devices_per_cell: Annotated[int | None, typer.Option(metavar="N", help=SHARED)] = None,
    checkpoint: Annotated[Literal["last", "best on validation"] | None, typer.Option(help=CHECKPOINT)] = None,
    watch: Annotated[Literal["fid"] | None, typer.Option(help=WATCH)] = None,
    labelled: Annotated[int | None, typer.Option(help=LABELS)] = None,
    effort: Annotated[str | None, typer.Option(help=commands.EFFORT)] = None,
    measures: Annotated[str | None, typer.Option(help=MEASURES)] = None,
    no_likelihood: Annotated[bool, typer.Option("--no-likelihood", help="Leave likelihoods out.")] = False,
    no_speed: Annotated[bool, typer.Option("--no-speed", help="Leave the speed of drawing out.")] = False,
    no_anchors: Annotated[bool, typer.Option("--no-anchors", help="Leave the rows out that nobody trains.")] = False,
    device: Device = "auto",
    fresh: Annotated[bool, typer.Option("--fresh", help="Do again what is done.")] = False,
    measure_again: Annotated[bool, typer.Option("--measure-again", help=AGAIN)] = False,
    size: Annotated[int | None, typer.Option(help="Side that images in folders are cut and resized to.")] = None,
    alpha: Alpha = None,
    data_dir: DataDir = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch data sets that are missing.")] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Logs for TensorBoard too, in each cell.")] = False,
    jobs: Annotated[int, typer.Option(help=JOBS)] = 1,
    ray: Annotated[str | None, typer.Option(metavar="ADDRESS", help=RAY)] = None,
    storage: Annotated[str | None, typer.Option(metavar="URI", help=STORAGE)] = None,
    threads: Annotated[int | None, typer.Option(help=THREADS)] = None,
) -> None:
    """Train and measure a suite, and write its table. What is done is skipped, what was cut off goes on."""
    from genbench.runs import placing, spawn
    from genbench.runs.command import Replay
    from genbench.runs.overrides import Overrides, measured_groups, overridden
    from genbench.runs.suite import read, results_folder

    given = {"images": images, "steps": steps, "seconds": seconds}
    budget = {name: value for name, value in given.items() if value is not None}
    if len(budget) > 1:
        raise ValueError(f"budget {budget}: give one of --images, --steps and --seconds")
    left_out = [name for name, out in (("nll", no_likelihood), ("speed", no_speed)) if out]
    whole = read(suite)
    groups = measured_groups(measures, left_out, whole.measures)
    told = (dataset, size, recipe or (), option or (), seed or (), budget)
    how: dict[str, Any] = {
        "precision": precision,
        "devices": devices_per_cell,
        "labelled": labelled,
        "effort": effort,
        "checkpoint": checkpoint,
        "watch": (watch,) if watch else (),
    }
    changes = Overrides(*told, **how, measures=groups, anchors=not no_anchors, alpha=alpha)
    wanted = overridden(whole, changes)
    placing.check(jobs, ray, threads, wanted.devices, storage)
    beside = processor.busy()
    if ray is None and jobs == 1:
        spawn.warm_up()  # nothing so far has imported torch: the process of the cells does that beside this one
    from genbench.runs import runner

    on = chosen_device(device)
    folder = out or results_folder(suite, wanted)
    status = runner.run(
        wanted,
        folder,
        console(),
        command=Replay(suite, whole, changes, data_dir).command,
        device=on,
        fresh=fresh,
        measure_again=measure_again,
        root=data_dir,
        download=download,
        tensorboard=tensorboard,
        busy=beside,
        engine=placing.engine(
            *(jobs, ray, threads, on),
            travels=data_dir is None,
            storage=storage,
            out=folder,
            busy=beside if wanted.budget.seconds else None,
        ),
    )
    raise typer.Exit(status)


@app.command()
def table(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of runs.")],
    fmt: Annotated[Format | None, typer.Option("--format", help="As text, or as Parquet into --output.")] = None,
    sort: Annotated[str | None, typer.Option(help="Column to sort by, best first.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File to write instead of printing.")] = None,
    columns: Annotated[str | None, typer.Option(help=COLUMNS)] = None,
    notes: Annotated[str | None, typer.Option(help="Below the table: full, short or none.")] = None,
    width: Annotated[str | None, typer.Option(help="In LaTeX, what it fits: page, or column of two.")] = None,
) -> None:
    """The table of one run or several."""
    from genbench.records.record import records
    from genbench.tables import rows as tables
    from genbench.tables.view import View

    if fmt == "parquet" and output is None:
        raise ValueError("--format parquet is no text: give -o FILE")
    view = View.of(columns, notes, width)
    cells = records(*folders)
    if output is not None:
        tables.save(output, cells, fmt, sort, view)
        console().print(str(output), markup=False, highlight=False, soft_wrap=True)
    elif fmt is None and sys.stdout.isatty():
        tables.show(cells, console(), sort, view)
    else:
        sys.stdout.write(tables.render(cells, fmt or "md", sort, view).rstrip("\n") + "\n")


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a run.")],
    figures: Annotated[
        bool, typer.Option("--figures", help="Its figures too, in DIR/figures, as PDF, SVG and PNG.")
    ] = False,
    columns: Annotated[str | None, typer.Option(help=COLUMNS)] = None,
    notes: Annotated[str | None, typer.Option(help="Below the table: full, short or none.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Write it again as cells end, until the run does.")] = False,
) -> None:
    """One page of a run, report.html, that opens without a network."""
    from genbench.tables import page as reports
    from genbench.tables.view import View

    view = View.of(columns, notes)
    for path in reports.watched(folder, view) if watch else [reports.write(folder, view)]:
        console().print(str(path), markup=False, highlight=False, soft_wrap=True)
    for path in reports.figures(folder) if figures else []:
        console().print(str(path), markup=False, highlight=False, soft_wrap=True)


for _command in (
    *(commands.describe, commands.check, commands.sample, commands.score),
    *(commands.reproduce, commands.evaluate, commands.compare, commands.reference),
):
    app.command()(_command)


@app.command()
def doctor(data_dir: DataDir = None) -> None:
    """Versions, devices, threads, weights and data found, and what is missing."""
    from genbench.doctor import findings

    for title, rows in findings(data_dir).items():
        listed(title, rows, False)


def call() -> int:
    """Do what the command line asks for; return the exit status.

    Raises:
        ValueError: in one line, for words that are no command.
    """
    usage: Any = typer.BadParameter.__mro__[1]  # click's, whichever click this typer carries
    try:
        with completion.words_of_bash(os.environ):
            status = app(standalone_mode=False)
    except usage as error:
        raise ValueError(getattr(error, "format_message", error.__str__)()) from error
    return status if isinstance(status, int) else 0
