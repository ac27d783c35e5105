"""Commands of one recipe, of finished cells, and of samples from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from genbench import completion
from genbench.console import Alpha, CellPath, DataDir, Device, console, listed
from genbench.image_file import WHITE
from genbench.training.precision import chosen_device

RecipeName = Annotated[str, typer.Argument(help="Name of a recipe.", autocompletion=completion.recipes)]
CHECKED = "Name of a recipe, or folder of a finished cell."
OUTPUT = "One picture, grid.png; samples.npz; or a PNG each, img_%03d.png or FOLDER/."
SET = "Folder of images, .npz or .npy of them, or data set"
EXTRACTOR = "efficientnet-lite0"
SAMPLES, STEPS = 64, 16  # images to draw, and of an interpolation with both its ends
TAKEN = {  # what each way to draw takes, of what not all take
    "": {"label", "caption", "temperature", "pixels", "truncation"},
    "source": {"label", "domain", "source_domain", "alpha"},
    "complete": {"label", "temperature", "keep"},
    "reconstruct": {"label", "alpha"},
    "interpolate": {"label", "alpha"},
}
EFFORT = "Effort of annealed importance sampling: fast, standard or paper."


def describe(
    recipe: RecipeName,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """What a recipe is: paper, likelihood, what it is given and needs, every option, and an example."""
    from dataclasses import asdict

    from genbench import describe as descriptions

    description = descriptions.describe(recipe)
    if as_json:
        print(json.dumps(asdict(description), indent=1, default=str))
        return
    lines = {
        "family": description.family,
        "paper": ", ".join(filter(None, [description.paper, description.link, str(description.year)])),
        "likelihood": description.likelihood,
        "given": ", ".join(description.given) or "nothing",
        "needs": ", ".join(description.needs) or "nothing beside",
        "setting": description.setting,
        "example": description.example,
    }
    out = console()
    out.print(f"{description.name}: {description.title}\n\n{description.about}\n", markup=False, highlight=False)
    for name, text in lines.items():
        if text is not None:
            out.print(f"{name:<11}{text}", markup=False, highlight=False, soft_wrap=True)
    out.print()
    rows = [
        {"option": option.name, "default": descriptions.default_text(option), "meaning": option.meaning}
        for option in description.options
    ]
    listed("Options", rows, False)


def check(
    what: Annotated[
        str, typer.Argument(metavar="RECIPE|CELL", help=CHECKED, autocompletion=completion.recipes, show_default=False)
    ],
    option: Annotated[list[str] | None, typer.Option("--set", help="option=value of the recipe; repeat.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Whether a recipe, or the model of a cell, keeps what every model promises: exit status 0, else 1."""
    from dataclasses import asdict

    from genbench.catalog import recipes
    from genbench.contract.checks import check_model, check_recipe
    from genbench.runs.inference import model_of
    from genbench.runs.overrides import literal, option_name

    options = {option_name(item): literal(item.partition("=")[2]) for item in option or ()}
    cell = Path(what)
    if what in recipes() or not cell.exists():
        outcomes = list(check_recipe(what, options))
    elif options:
        raise ValueError(f"--set {', '.join(options)}: the model of {cell} was made with its own options; leave it out")
    else:
        outcomes = list(check_model(model_of(cell, "cpu")))
    rows = [asdict(outcome) | {"seconds": round(outcome.seconds, 2)} for outcome in outcomes]
    listed(f"Checks of {what}", rows, as_json)
    raise typer.Exit(1 if any(outcome.result == "failed" for outcome in outcomes) else 0)


def sample(
    cell: CellPath,
    number: Annotated[
        int | None, typer.Option("-n", "--number", min=1, help="How many; 64, and 16 with --interpolate.")
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help=OUTPUT)] = Path("grid.png"),
    label: Annotated[str | None, typer.Option(help="Class to draw, its name or number; by default all.")] = None,
    caption: Annotated[str | None, typer.Option(help="Caption to draw; by default those of the test split.")] = None,
    temperature: Annotated[float | None, typer.Option(help="Below 1: nearer to what is likeliest.")] = None,
    pixels: Annotated[
        Literal["median", "drawn"] | None, typer.Option(help="Each pixel's median, or its noise too.")
    ] = None,
    truncation: Annotated[float | None, typer.Option(help="Nearer to the mean: better images, fewer kinds.")] = None,
    complete: Annotated[bool, typer.Option("--complete", help="Test images, the top kept, the rest drawn.")] = False,
    keep: Annotated[int | None, typer.Option(help="Rows kept by --complete; half of them by default.")] = None,
    source: Annotated[
        Path | None, typer.Option(help="Image, or folder of images, to translate instead of test sources.")
    ] = None,
    domain: Annotated[int | None, typer.Option(help="Domain to translate --source into; by default each.")] = None,
    source_domain: Annotated[int | None, typer.Option(help="Domain that --source comes from.")] = None,
    reconstruct: Annotated[
        Path | None, typer.Option(help="Image, or folder of images, to make again from its code.")
    ] = None,
    interpolate: Annotated[
        tuple[Path, Path] | None, typer.Option(metavar="A B", help="Two images to go between; a strip, or -o way.gif.")
    ] = None,
    alpha: Alpha = None,
    seed: Annotated[int, typer.Option(help="Seed of the noise.")] = 0,
    device: Device = "auto",
    data_dir: DataDir = None,
) -> None:
    """Draw from a trained cell: a picture, an .npz, or a PNG each."""
    from genbench.runs import codes, inference, outputs, translate

    ways = {"source": source, "complete": complete or None, "reconstruct": reconstruct, "interpolate": interpolate}
    told: dict[str, Any] = {"domain": domain, "source_domain": source_domain, "keep": keep, "caption": caption}
    told |= {"label": label, "temperature": temperature, "pixels": pixels, "truncation": truncation, "alpha": alpha}
    told = {name: value for name, value in told.items() if value is not None}
    way = _way([name for name, value in ways.items() if value is not None], told)
    if way in ("source", "complete"):
        outputs.check_picture(output, f"--{way}")
    told |= {"device": chosen_device(device)}
    own = source or reconstruct
    if own is not None:
        if source is not None:
            shown, found = translate.translate(cell, source, number or SAMPLES, output, seed=seed, **told)
        else:
            shown, found = codes.reconstruct(cell, own, number or SAMPLES, output, **told)
        few = f": {shown:,} of {found:,} images, evenly spread" if shown < found else ""
        console().print(f"{output}{few}", markup=False, highlight=False, soft_wrap=True)
        return
    if interpolate is not None:
        codes.interpolate(cell, interpolate, number or STEPS, output, **told)
    else:
        draw = inference.complete if complete else inference.sample
        draw(cell, number or SAMPLES, output, seed=seed, root=data_dir, **told)
    console().print(str(output), markup=False, highlight=False, soft_wrap=True)


def _way(ways: Sequence[str], told: Mapping[str, object]) -> str:
    """Return which of the ways to draw is asked for, the option's name, or none for samples.

    Raises:
        ValueError: for two of them, or an option that does not go with the one.
    """
    way, *others = ways or [""]
    if others:
        raise ValueError(f"--{others[0]}: does not go with --{way}; leave one of them out")
    for name, value in told.items():
        option = f"--{name.replace('_', '-')} {value}"
        if name in TAKEN[way]:
            continue
        if way:
            raise ValueError(f"{option}: does not go with --{way}; leave one of them out")
        takers = [f"--{other}" for other, taken in TAKEN.items() if name in taken]
        raise ValueError(f"{option}: goes with {', '.join(takers)} alone; give both, or neither")
    return way


def score(
    cell: CellPath,
    dataset: Annotated[
        str | None, typer.Option(help="Data set whose test split is scored.", autocompletion=completion.datasets)
    ] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of images to score.")] = None,
    alpha: Alpha = None,
    draws: Annotated[int | None, typer.Option(min=1, help="Importance weights, or chains, an image.")] = None,
    effort: Annotated[str | None, typer.Option(help=EFFORT)] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many images.")] = None,
    each: Annotated[Path | None, typer.Option(help="CSV to write, a line for each image.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the noise.")] = 0,
    device: Device = "auto",
    data_dir: DataDir = None,
) -> None:
    """Bits per dimension of images under a trained cell, with how they were measured."""
    from genbench.runs import scoring

    if (dataset is None) == (images is None):
        raise ValueError("score: give one of --dataset and --images")
    how: dict[str, Any] = {"draws": draws, "effort": effort, "limit": limit, "seed": seed, "alpha": alpha or WHITE}
    how |= {"each": each}
    line = scoring.score(cell, dataset, images, **how, device=chosen_device(device), root=data_dir)
    console().print(line, markup=False, highlight=False, soft_wrap=True)


def reproduce(
    cell: CellPath,
    out: Annotated[Path, typer.Option(help="Folder of the new run, in which the cell is not yet.")] = Path("again"),
    device: Annotated[
        Literal["cpu", "cuda", "mps"] | None, typer.Option(help="Instead of the one it was made on.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Make a cell again by its own steps, and say whether it came out equal: exit status 0, else 1."""
    from genbench.runs import reproduce as reproduction

    comparison, made = reproduction.reproduce(cell, out, console(), root=data_dir, device=device)
    listed(str(made), [line.row() for line in comparison.lines], False)
    for line in comparison.said:
        console().print(line, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(0 if comparison.equal else 1)


def evaluate(
    path: Annotated[Path, typer.Argument(help="Folder of images, .npz with an array 'images', or .npy; uint8.")],
    dataset: Annotated[
        str, typer.Option(help="Data set that they are to look like.", autocompletion=completion.datasets)
    ],
    label: Annotated[str, typer.Option(help="Label of the row.")],
    out: Annotated[Path, typer.Option(help="Folder of the run that gets the row.")],
    extractor: Annotated[str | None, typer.Option(help="Feature extractor; by default that of the run.")] = None,
    seed: Annotated[
        int, typer.Option(help="Seed of the row: that of the model's training, where there are several.")
    ] = 0,
    translations: Annotated[
        bool, typer.Option("--translations", help="Sample i was made of test source i: adds PSNR and its kin.")
    ] = False,
    size: Annotated[int | None, typer.Option(help="Side that a folder data set's images are resized to.")] = None,
    alpha: Alpha = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Do again what is done.")] = False,
    device: Device = "auto",
    data_dir: DataDir = None,
) -> None:
    """Measure samples of a model that was not trained here, and give it a row beside those that were."""
    from genbench.records.record import records
    from genbench.runs import evaluate
    from genbench.tables import rows as tables

    evaluate.evaluate(
        path,
        dataset=dataset,
        out=out,
        label=label,
        extractor=extractor,
        seed=seed,
        translations=translations,
        size=size,
        alpha=alpha or WHITE,
        device=chosen_device(device),
        root=data_dir,
        fresh=fresh,
    )
    tables.show(records(out), console(), view=evaluate.view_of(out))


def compare(
    reference: Annotated[str, typer.Argument(help=f"{SET}; or statistics that `genbench reference` wrote.")],
    others: Annotated[list[str], typer.Argument(metavar="SET...", help="The same, each measured against REFERENCE.")],
    extractor: Annotated[str, typer.Option(help="Feature extractor.")] = EXTRACTOR,
    size: Annotated[int | None, typer.Option(min=1, help="Side that images in folders are cut and resized to.")] = None,
    fmt: Annotated[Literal["table", "json"], typer.Option("--format", help="What is printed.")] = "table",
    seed: Annotated[int, typer.Option(help="Seed of the images that KID takes of large sets.")] = 0,
    device: Device = "auto",
    data_dir: DataDir = None,
) -> None:
    """FID and its kin of all images of folders, files or data sets against a reference; nothing is trained."""
    from genbench.runs import compare as comparison

    rows = comparison.compare(
        reference, others, extractor=extractor, size=size, seed=seed, device=chosen_device(device), root=data_dir
    )
    if fmt == "json":
        print(json.dumps(rows, indent=1))
        return
    count = rows[0]["reference_images"]
    listed(f"Against {reference}{f', {count:,} images' if count else ''}, {extractor}", comparison.table(rows), False)


def reference(
    source: Annotated[str, typer.Argument(metavar="SET", help=SET)],
    output: Annotated[Path, typer.Option("-o", "--output", help="The .npz to write.")] = Path("ref.npz"),
    extractor: Annotated[str, typer.Option(help="Feature extractor.")] = EXTRACTOR,
    size: Annotated[int | None, typer.Option(min=1, help="Side that images in folders are cut and resized to.")] = None,
    device: Device = "auto",
    data_dir: DataDir = None,
) -> None:
    """Statistics of a set of images, which `genbench compare` takes in its place."""
    from genbench.runs import compare as comparison

    chosen = chosen_device(device)
    made = comparison.write_reference(source, output, extractor=extractor, size=size, device=chosen, root=data_dir)
    said = f"{output}: {made.count:,} images, {len(made.mean):,} features of {extractor}"
    console().print(said, markup=False, highlight=False, soft_wrap=True)
