"""What stands above and below a table: its title, the protocol of its rows, footnotes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from genbench.tables.columns import MARKS, Row, status

KINDS = {"exact": "exact", "bound": "an upper bound", "estimate": "an estimate"}
WIDE_GAP = 0.05  # bits/dim, by as much as a converged estimate may move
FACTS = (
    *("budget", "batch", "data", "count", "extractor", "checkpoint", "precision"),
    *("device", "accelerator", "processor", "thread"),
)


def protocol(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """What the rows were measured under, by their stamps: name and text; where rows differ, every value.

    Rows that diverged or failed say nothing here as long as others do: their stamps break off where they did.
    """
    whole = [row for row in rows if row["status"] in ("done", "anchor")] or list(rows)
    found: list[tuple[str, str]] = []
    for word in FACTS:
        for key in dict.fromkeys(key for row in whole for key in row["stamp"] if key.startswith(word)):
            said = dict.fromkeys(phrase(row["stamp"][key]) for row in whole if key in row["stamp"])
            if text := " / ".join(item for item in said if item):
                found.append((key.replace("_", " "), text))
    counts = dict.fromkeys(
        f"{row['sample_images']:,} against {row['reference_images']:,}" for row in whole if row["sample_images"]
    )
    return found + ([("samples against reference", " / ".join(counts))] if counts else [])


def phrase(value: Any, name: str = "") -> str:  # noqa: ANN401 - anything that JSON has
    """A stamp's value, of that ``name``, in a line of words; hashes are cut to eight digits."""
    if isinstance(value, dict):
        parts = [f"{name} {text}" for name, item in value.items() if (text := phrase(item, name))]
        return ", ".join(parts)
    if isinstance(value, (list, tuple)):
        return ("×" if name == "shape" else " / ").join(map(phrase, value))
    if isinstance(value, str):
        return value[:8] if len(value) >= 32 and all(c in "0123456789abcdef" for c in value) else value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return f"{value:,.0f}"
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def title(rows: Sequence[Row]) -> str:
    """The suite's title and the data set."""
    titles = dict.fromkeys(t for row in rows if isinstance(t := row["stamp"].get("title"), str) and t)
    return f"{' / '.join(titles)}: {rows[0]['dataset']}" if titles else str(rows[0]["dataset"])


def footnotes(rows: Sequence[Row]) -> list[str]:
    """What the marks of these rows mean, one sentence or two a note; only what occurs."""
    kinds = [kind for kind in MARKS if any(row["nll_kind"] == kind for row in rows)]
    notes: list[str] = []
    if kinds:
        marks = ", ".join(f"{MARKS[kind]} {KINDS[kind]}" for kind in kinds)
        notes.append(f"Bits/dim: −log₂ P(image) / (C·H·W) of the stored integer levels; {marks}.")
    if any(row["nll_observation"] == "added" for row in rows):
        notes.append("Noise added: the likelihood counts an observation noise that the samples do not have.")
    if any(row["nll_se"] for row in rows):
        notes.append("± beside bits/dim of one seed is the standard error over test images.")
    if any(len(row["seeds"]) > 1 for row in rows):
        notes.append("± of several seeds is the sample standard deviation over seeds.")
    if any(row["nll_rank"] for row in rows):
        notes.append(
            "Rank: one more than the rows that are better by more than chance, among rows of the same kind, condition, "
            "data, share of labels and protocol; a paired 95 % t-interval, over images for one seed and over shared "
            "seeds for several, uncorrected for the number of pairs. Bold beats all the others of its group."
        )
    if any(row["fid"] is not None and row["status"] == "done" for row in rows) and not any(
        row["fid_rank"] for row in rows
    ):
        notes.append("FID and its kin are not ranked: that takes several seeds under one protocol.")
    if any(row["accuracy"] is not None for row in rows):
        notes.append(
            "Accuracy: share of test images that the model itself puts in their class, ± of one seed its binomial "
            "standard error."
        )
    notes += _of_quality(rows)
    notes += _of_samples(rows)
    if any(row["labelled"] is not None for row in rows):
        notes.append("Labels: training images that kept theirs, where not all did.")
    if any(row["nll_converged"] is False for row in rows):
        notes.append(
            "Unconverged: the estimate moved by more than 0.05 bits/dim when its temperatures doubled, or its chains "
            "had no gradient to follow; not ranked."
        )
    notes += _of_estimates(rows)
    if any(row["setting"] for row in rows):
        notes.append("Setting: what a recipe plays by beside its loss, learning rates included (a suite may set them).")
    if any(row["status"] == "anchor" for row in rows):
        notes.append("Anchors, below the recipes, fix the scale; they are no models and are not ranked.")
    for row in rows:
        if status(row):
            which = ", ".join(map(str, row["seeds"]))
            notes.append(f"{row['label']}, seed {which}, {row['status']}: {row['reason'] or 'no reason was recorded'}.")
    said = dict.fromkeys(note for row in rows for note in row["notes"] or ())
    return [*notes, *said]


def _of_estimates(rows: Sequence[Row]) -> list[str]:
    """What the columns beside an estimated likelihood mean."""
    notes = []
    if any(row["nll_ess"] is not None and row["nll_draws"] > 1 for row in rows):
        notes.append("Effective: (Σ w)² / Σ w² of an image's importance weights, mean over images.")
    if any(row["nll_gap"] is not None for row in rows):
        count = " / ".join(dict.fromkeys(str(row["nll_gap_images"]) for row in rows if row["nll_gap_images"]))
        notes.append(
            f"Gap: on {count} images that the model made itself, the distance of the same estimate from a bound on the "
            "other side of the truth (bidirectional Monte Carlo), ± of one seed its standard error over these images; "
            "a small one vouches for the chains where the model's own images lie, not where the test images do."
        )
        wide = [row["label"] for row in rows if row["nll_converged"] and (row["nll_gap"] or 0) > WIDE_GAP]
        if wide:
            notes.append(
                f"{', '.join(wide)}: the estimate held still when its temperatures doubled, and yet the gap is above "
                f"{WIDE_GAP} bits/dim: longer chains (--effort) may move it and its rank."
            )
    if any(row["parzen"] is not None for row in rows):
        notes.append(
            "Parzen: mean log-density of test images, pixels in [0, 1], under Gaussians round the samples, their width "
            "chosen on validation images. Shown since older papers report it; it ranks nothing: centres of clusters "
            "beat real images, noisy copies of training images beat models."
        )
    return notes


def _of_quality(rows: Sequence[Row]) -> list[str]:
    """What stands beside FID and its kin."""
    notes = []
    if any(row["fid_se"] is not None for row in rows):
        notes.append(
            "± beside FID of one seed is the jackknife's standard error over samples: what other samples of the same "
            "model would change. It says nothing of the bias, which depends on their number."
        )
    if any(row["fid_infinity"] is not None for row in rows):
        notes.append(
            "FID, N → ∞: carried to infinitely many images by the jackknife's line in 1/N; ± of one seed counts the "
            "samples and the real images."
        )
    if any(row["kid_se"] is not None for row in rows):
        notes.append("KID is unbiased; ± of one seed is the jackknife's standard error over samples and real images.")
    return notes


def _of_samples(rows: Sequence[Row]) -> list[str]:
    """What the columns of agreement and collapse mean."""
    notes = []
    if any(row["agreement"] is not None and row["status"] != "anchor" for row in rows):
        own = [row["classifier_accuracy"] for row in rows if row["classifier_accuracy"] is not None]
        right = " / ".join(dict.fromkeys(f"{100 * share:.1f}" for share in own))
        notes.append(
            "Agreement: share of samples that the data set's own classifier puts in the class asked for, ± of one seed "
            f"its binomial standard error; of real test images it puts {right} % in theirs."
        )
    if any(row["classes_covered"] is not None for row in rows):
        notes.append(
            "Classes: those that the data set's own classifier finds at least a tenth as often in the samples as they "
            "are in the training labels. Class KL: Kullback-Leibler divergence of the samples' class histogram from "
            "these labels', log₂ K bits where all are of one of K equal classes."
        )
    if any(row["diversity"] is not None for row in rows):
        notes.append(
            "Diversity in classes: mean distance of two samples of a class over that of two training images of it, by "
            "the extractor's features: 0 where a class is one image, 1 where it is as wide as the data's."
        )
    if any(row["copies"] is not None for row in rows):
        notes.append(
            "Duplicates and copies: share of samples as near to another sample, and to a training image, as only 1 % "
            "of test images are to another, and to a training image, in units of how far apart training images lie "
            "there: 1 % is no more than chance."
        )
    return notes
