"""What a figure was measured on, in a few lines: what a table shows of the stamp where one points at a figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from genbench.records.stamp import of_training
from genbench.tables.figure import Column, Figure, Number
from genbench.tables.texts import KINDS, Row, conditions, number, phrase, work

Lines = Iterator[str | None]


def measured_on(column: Column, row: Row) -> str:
    """Return how the figure of ``column`` was measured in ``row``: a line each for what, on what, its error, its seeds.

    Rows of runs from before something was recorded say less. The text is empty where the row has no such figure.
    """
    if column.tooltip is None or not column.cell(row):
        return ""
    lines = [*column.lines(row), *_errors(column, row), _place(column, row), _origin(row)]
    return "\n".join(line for line in lines if line)


def recipe(row: Row) -> Lines:
    """Yield how a row ended, what it is given and what it was asked for."""
    yield None if row["status"] == "done" else f"{row['status']}{': ' if row['reason'] else ''}{row['reason'] or ''}"
    yield f"Given: {conditions(row)}" if row["given"] else None
    yield f"Options: {phrase(row['options'])}" if row["options"] else None


def likelihood(row: Row, *, split: str = "test") -> Lines:
    """Yield how the bits per dimension of a split were computed, and on what."""
    if row["nll_method"] is None:
        return
    parts = [KINDS.get(row["nll_kind"], ""), f"by {row['nll_method']}"]
    parts += [f"{row['nll_draws']} draws an image"] if row["nll_draws"] > 1 else []
    chains = row["nll_kind"] == "estimate" and row["nll_method"] != "direct"
    parts += [f"effort {row['nll_effort']}"] if chains and row["nll_effort"] else []
    parts += work(row)
    yield _sentence(", ".join(part for part in parts if part))
    yield f"Given: {' and '.join(row['nll_given'])}" if row["nll_given"] else None
    yield f"On {row['nll_images']:,} test images" if split == "test" and row["nll_images"] else "On training images"
    yield _data(row, split)
    yield "Noise is counted that samples do not have" if row["nll_observation"] == "added" else None
    if row["nll_moved"] is not None and split == "test":
        yield f"Moved by {number(row['nll_moved'], 3)} bits/dim when the work doubled"
    yield "Unconverged: not ranked" if row["nll_converged"] is False and split == "test" else None


def gap(row: Row) -> Lines:
    """Yield how far chains are from the truth."""
    if row["nll_gap"] is None:
        return
    parts = ["Bidirectional Monte Carlo", f"{row['nll_draws']} chains a side", f"effort {row['nll_effort']}"]
    yield ", ".join([*parts, *work(row)])
    yield f"On {row['nll_gap_images']:,} images that the model made itself" if row["nll_gap_images"] else None


def parzen(row: Row) -> Lines:
    """Yield what a Parzen window stands on."""
    if row["parzen"] is None:
        return
    yield f"Gaussians of width {number(row['parzen_sigma'], 3)} round {row['parzen_samples'] or 0:,} samples, in nats"
    yield _data(row, "test")
    yield "Ranks nothing"


def samples(row: Row) -> Lines:
    """Yield which samples were held against which images, by whose features."""
    if row["sample_images"] is None:
        return
    reference = f" against {row['reference_images']:,} training images" if row["reference_images"] else ""
    yield f"{row['sample_images']:,} samples{reference}"
    extractor = row["stamp"].get("extractor")
    if isinstance(extractor, Mapping):
        yield f"Features: {extractor.get('name')}, hash {phrase(extractor.get('hash'))}"
        yield f"Resize: {extractor['resize']}" if extractor.get("resize") else None
    yield _data(row, "train")


def classified(row: Row) -> Lines:
    """Yield which samples the data set's classifier looked at, and how well it sees."""
    yield f"{row['sample_images']:,} samples" if row["sample_images"] else None
    own = row["classifier_accuracy"]
    yield None if own is None else f"Judged by the data set's classifier, right on {100 * own:.1f} % of test images"


def caption(row: Row) -> Lines:
    """Yield what was held against captions."""
    yield "Adjectives asked for, measured again on each sample by the thresholds of the training split"
    yield _data(row, "train")


def paired(row: Row) -> Lines:
    """Yield what translations were held against."""
    yield "Each translation against its own target, over the test pairs"
    yield _data(row, "test")


def masks(row: Row) -> Lines:
    """Yield which masks were held against which."""
    yield "The model's own mask of each test source against the true one"
    yield _data(row, "test")


def identities(row: Row) -> Lines:
    """Yield whom translations were told from."""
    if row["rank_1"] is not None:
        yield f"Each translation against a known picture of {row['identities']:,.0f} test identities"
        yield _data(row, "test")


def domains(row: Row) -> Lines:
    """Yield which samples the classifier of domains looked at, and how well it sees."""
    own = row["domain_judge_accuracy"]
    yield None if own is None else f"Judged by a classifier of domains, right on {100 * own:.1f} % of test images"
    yield _data(row, "train")


def taught(row: Row) -> Lines:
    """Yield what a classifier learned from, and what it was tried on."""
    yield "A classifier that has learned from the samples alone, on real test images"
    yield _data(row, "test")


def labels(row: Row) -> Lines:
    """Yield which images the model itself put into classes."""
    yield "What the model itself says of the test images"
    yield _data(row, "test")


def latency(row: Row) -> Lines:
    """Yield how the time of one image was taken."""
    yield "Median of the runs, conversion to uint8 included"
    yield "One image at a time"
    yield _machine(row)


def throughput(row: Row) -> Lines:
    """Yield how images a second were counted."""
    yield "Median of the runs, conversion to uint8 included"
    yield "64 images at a time"
    best = row["best_images_per_second"]
    batch = row["best_batch"]
    yield f"Best: {number(best)} images/s, {batch:,.0f} at a time" if best and batch else None
    yield _machine(row)


def size(row: Row) -> Lines:
    """Yield what training was given."""
    stamp = row["stamp"]
    yield f"Budget: {phrase(stamp['budget'])}" if stamp.get("budget") else None
    yield f"Batch size: {phrase(stamp['batch_size'])}" if stamp.get("batch_size") else None


def cost(row: Row) -> Lines:
    """Yield what training was given, and where it ran."""
    yield from size(row)
    yield _machine(row | {"stamp": of_training(row["stamp"])})


def memory(row: Row) -> Lines:
    """Yield what training was given, whose memory it is, and where it ran."""
    yield from size(row)
    stamp = row["stamp"]
    yield f"Of the cell's own process: {phrase(stamp['peak_memory'])}" if "peak_memory" in stamp else None
    yield _machine(row | {"stamp": of_training(stamp)})


def anomaly(row: Row) -> Lines:
    """Yield the lines that say which images were told from which."""
    if row["auroc"] is not None:
        yield f"{row['auroc_anomalous']:,.0f} held-out images against {row['auroc_normal']:,.0f} test images"
        yield _data(row, "test")


def reconstruction(row: Row) -> Lines:
    """Yield what was reconstructed."""
    yield "Every test image from its own code, pixels on [0, 1]"
    yield _data(row, "test")


def joint(row: Row) -> Lines:
    """Yield what the figure is made of."""
    if row["joint"] is not None:
        yield f"Agreement {number(row['joint_agreement'], 3)}, by chance {number(row['joint_chance'], 3)}"
        yield f"Over {row['joint_pairs']:,.0f} pairs"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _data(row: Row, split: str) -> str | None:
    """Return the split's name and hash."""
    data = row["stamp"].get("data")
    hashes = data.get("hashes") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(hashes, Mapping) or split not in hashes:
        return None
    return f"Data: {data.get('name')}, {split} split, hash {phrase(hashes[split])}"


def _machine(row: Row) -> str | None:
    stamp = row["stamp"]
    machine = stamp.get("machine")
    named: Mapping[str, Any] = machine if isinstance(machine, Mapping) else stamp
    parts = [phrase(stamp.get("device")), phrase(named.get("accelerator")), phrase(named.get("processor"))]
    parts += [f"{phrase(stamp['threads'])} threads"] if stamp.get("threads") else []
    return ", ".join(part for part in parts if part) or None


def _errors(column: Column, row: Row) -> Lines:
    """Yield what stands behind ±: over seeds, else over images."""
    if not isinstance(column, Figure):
        return
    deviation = row.get(f"{column.key}_std")
    error = row.get(f"{column.stem}_se")
    printed = column.format if isinstance(column.format, Number) else Number()
    if deviation is not None:
        said = number(deviation * printed.scale)
        yield f"± {said}{printed.unit}: standard deviation over {len(row['seeds'])} seeds"
    elif error is not None:
        yield f"± {number(error * printed.scale)}{printed.unit}: standard error of one seed"


def _place(column: Column, row: Row) -> str | None:
    name = column.stem.removesuffix("_rank")
    place = row.get(f"{name}_rank")
    return None if place is None else f"Rank {place} among the {row[f'{name}_ranked']} rows that it compares with"


def _origin(row: Row) -> str:
    seeds = ", ".join(map(str, row["seeds"]))
    revision = phrase(row["stamp"].get("revision"))
    said = f"Seed{'s' if len(row['seeds']) > 1 else ''} {seeds}"
    return f"{said}; revision {revision[:8]}" if revision else said
