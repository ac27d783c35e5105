"""What a figure was measured on, in a few lines: what a table shows of the stamp where one points at a figure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from genbench.records.stamp import of_training
from genbench.tables.captions import KINDS, phrase
from genbench.tables.columns import Column, Row, number

Lines = Iterator[str | None]


def basis(column: Column, row: Row) -> str:
    """How the figure of ``column`` was measured in ``row``: a line each for what, on what, its error, its seeds.

    Rows of runs from before something was recorded say less. Empty where the row has no such figure.
    """
    if not column.cell(row):
        return ""
    about = next((how for keys, how in ABOUT if _among(column.key, keys)), None)
    if about is None:
        return ""
    lines = [*about(column.key, row), *_errors(column.key, row), _place(column.key, row), _origin(row)]
    return "\n".join(line for line in lines if line)


def _among(key: str, keys: tuple[str, ...]) -> bool:
    return any(key == name or key.startswith(f"{name}_") for name in keys)


def _recipe(key: str, row: Row) -> Lines:
    yield None if row["status"] == "done" else f"{row['status']}{': ' if row['reason'] else ''}{row['reason'] or ''}"
    yield f"Given: {' and '.join(row['given'])}" if row["given"] else None
    yield f"Options: {phrase(row['options'])}" if row["options"] else None


def _likelihood(key: str, row: Row) -> Lines:
    if row["nll_method"] is None:
        return
    split = "train" if "train" in key else "test"
    parts = [KINDS.get(row["nll_kind"], ""), f"by {row['nll_method']}"]
    parts += [f"{row['nll_draws']} draws an image"] if row["nll_draws"] > 1 else []
    parts += [f"effort {row['nll_effort']}"] if row["nll_effort"] else []
    yield _sentence(", ".join(part for part in parts if part))
    yield f"Given: {' and '.join(row['nll_given'])}" if row["nll_given"] else None
    yield f"On {row['nll_images']:,} test images" if split == "test" and row["nll_images"] else "On training images"
    yield _data(row, split)
    yield "Noise is counted that samples do not have" if row["nll_observation"] == "added" else None
    if row["nll_moved"] is not None and split == "test":
        yield f"Moved by {number(row['nll_moved'], 3)} bits/dim when its temperatures doubled"
    yield "Unconverged: not ranked" if row["nll_converged"] is False and split == "test" else None


def _gap(key: str, row: Row) -> Lines:
    if row["nll_gap"] is None:
        return
    yield f"Bidirectional Monte Carlo, {row['nll_draws']} chains a side, effort {row['nll_effort']}"
    yield f"On {row['nll_gap_images']:,} images that the model made itself" if row["nll_gap_images"] else None


def _parzen(key: str, row: Row) -> Lines:
    if row["parzen"] is None:
        return
    yield f"Gaussians of width {number(row['parzen_sigma'], 3)} round {row['parzen_samples'] or 0:,} samples, in nats"
    yield _data(row, "test")
    yield "Ranks nothing"


def _samples(key: str, row: Row) -> Lines:
    if row["sample_images"] is None:
        return
    reference = f" against {row['reference_images']:,} training images" if row["reference_images"] else ""
    yield f"{row['sample_images']:,} samples{reference}"
    extractor = row["stamp"].get("extractor")
    if isinstance(extractor, Mapping):
        yield f"Features: {extractor.get('name')}, hash {phrase(extractor.get('hash'))}"
        yield f"Resize: {extractor['resize']}" if extractor.get("resize") else None
    yield _data(row, "train")


def _judged(key: str, row: Row) -> Lines:
    yield f"{row['sample_images']:,} samples" if row["sample_images"] else None
    own = row["classifier_accuracy"]
    yield None if own is None else f"Judged by the data set's classifier, right on {100 * own:.1f} % of test images"


def _paired(key: str, row: Row) -> Lines:
    yield "Each translation against its own target, over the test pairs"
    yield _data(row, "test")


def _labels(key: str, row: Row) -> Lines:
    yield "What the model itself says of the test images"
    yield _data(row, "test")


def _speed(key: str, row: Row) -> Lines:
    yield "Median of the runs, conversion to uint8 included"
    if key == "latency_ms":
        yield "One image at a time"
    else:
        yield "64 images at a time"
        best, batch = row["best_images_per_second"], row["best_batch"]
        yield f"Best: {number(best)} images/s, {batch:,.0f} at a time" if best and batch else None
    yield _machine(row)


def _cost(key: str, row: Row) -> Lines:
    stamp = row["stamp"]
    yield f"Budget: {phrase(stamp['budget'])}" if stamp.get("budget") else None
    yield f"Batch size: {phrase(stamp['batch_size'])}" if stamp.get("batch_size") else None
    yield (
        f"Of the cell's own process: {phrase(stamp['peak_memory'])}"
        if "memory" in key and "peak_memory" in stamp
        else None
    )
    yield None if key == "params" else _machine(row | {"stamp": of_training(stamp)})


ABOUT: tuple[tuple[tuple[str, ...], Callable[[str, Row], Lines]], ...] = (
    (("label",), _recipe),
    (("nll_gap",), _gap),
    (("nll",), _likelihood),
    (("parzen",), _parzen),
    (("fid", "kid", "precision", "recall", "is", "diversity", "duplicates", "copies", "train_distance"), _samples),
    (("agreement", "classes", "class", "confidence", "entropy"), _judged),
    (("psnr", "ssim"), _paired),
    (("accuracy",), _labels),
    (("latency", "images_per_second", "best"), _speed),
    (("params", "images", "steps", "fit_seconds", "peak_memory_mb"), _cost),
)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _data(row: Row, split: str) -> str | None:
    """The split's name and hash."""
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


def _errors(key: str, row: Row) -> Lines:
    """What stands behind ±: over seeds, else over images."""
    spread = row.get(f"{key}_std")
    error = row.get(f"{key}_se", row.get(f"{key.removesuffix('_bpd')}_se"))
    scale, unit = {"kid": (1e3, " ×10⁻³"), "duplicates": (100, " %"), "copies": (100, " %")}.get(key, (1.0, ""))
    if spread is not None:
        yield f"± {number(spread * scale)}{unit}: standard deviation over {len(row['seeds'])} seeds"
    elif error is not None:
        yield f"± {number(error * scale)}{unit}: standard error of one seed"


def _place(key: str, row: Row) -> str | None:
    name = key.removesuffix("_bpd").removesuffix("_rank")
    place = row.get(f"{name}_rank")
    return None if place is None else f"Rank {place} among the {row[f'{name}_ranked']} rows that it compares with"


def _origin(row: Row) -> str:
    seeds = ", ".join(map(str, row["seeds"]))
    revision = phrase(row["stamp"].get("revision"))
    said = f"Seed{'s' if len(row['seeds']) > 1 else ''} {seeds}"
    return f"{said}; revision {revision[:8]}" if revision else said
