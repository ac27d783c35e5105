"""What a reader has to know of a row before believing it; and rows that nothing ranks, whose models broke a promise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from genbench import catalog
from genbench.records.record import Record
from genbench.records.stamp import legs
from genbench.tables.texts import COPIES, MARK, number, phrase

CHANCE = 1.96  # standard errors that a difference must have to be more than chance, in 19 of 20 cases
WIDE_GAP = 0.15  # bits/dim; at the least effort the bound on the other side is itself about 0.1 from the truth


def doubt(record: Record) -> str:
    """Return why nothing ranks what a model says; empty where its recipe was checked and kept every promise.

    Records from before stamps said what was ``checked`` are believed where the recipe is genbench's own.
    """
    if record.status != "done":
        return ""
    checked = record.stamp.get("checked")
    if checked is None and record.recipe in catalog.own_names():
        return ""
    if not isinstance(checked, Mapping) or "by" not in checked:
        return f"nobody checked its recipe; `genbench check {record.recipe}` does"
    if failed := checked.get("failed"):
        return f"its recipe fails {_listed(failed)}"
    if unchecked := checked.get("unchecked"):
        return f"its recipe could not be checked: {_listed(unchecked)}"
    return ""


def unranked(record: Record, label: str) -> Iterator[str]:
    """Yield why nothing ranks a record, where that is so."""
    if why := doubt(record):
        yield f"{label}: {MARK} nothing ranks it: {why}."


def _listed(found: object) -> str:
    if not isinstance(found, Mapping):
        return str(found)
    return "; ".join(f"{name}: {said}" for name, said in found.items())


def of_likelihood(record: Record, label: str) -> Iterator[str]:
    """Yield what is odd about a likelihood: that guessing does better, or that unseen images seem seen."""
    test = record.test
    train = record.train
    levels = (record.stamp.get("data") or {}).get("levels")
    if test is None or record.status == "anchor":
        return
    if levels and test.bpd > math.log2(levels):
        yield (
            f"{label}: bits/dim above the {number(math.log2(levels))} of the uniform model, to which all images are "
            "equally likely."
        )
    if test.converged and test.gap is not None and test.gap.bpd > WIDE_GAP:
        yield (
            f"{label}: the estimate held still when the work doubled, and yet the gap is above {WIDE_GAP} "
            "bits/dim: longer chains (--effort) may move it and its rank."
        )
    if train is None or test.standard_error is None or train.standard_error is None:
        return
    if train.bpd - test.bpd > CHANCE * math.hypot(test.standard_error, train.standard_error):
        yield (
            f"{label}: test images take fewer bits/dim than training images, by more than chance; either they are "
            "easier or they have been learned from."
        )


def of_training(record: Record, label: str) -> Iterator[str]:
    """Yield of which budgets a training was done before it was given more."""
    said = [text for leg in legs(record.stamp) if (text := phrase(leg.get("budget")))]
    if said:
        yield (
            f"{label}: trained on from {', then '.join(said)}: what follows the budget, phases and schedules, is not "
            "that of one training of the whole."
        )


def of_copies(record: Record, label: str) -> Iterator[str]:
    """Yield how many samples are images of the data themselves, of which FID and its kin then say nothing."""
    for split, count in copies(record).items():
        total = 0 if record.quality is None else record.quality.images
        yield (
            f"{label}: {COPIES} {count:,} of {total:,} samples are images of the {split} split, pixel by pixel; FID "
            "and its kin do not tell copies from new images."
        )


def copies(record: Record) -> Mapping[str, int]:
    """Return how many samples of a model are images of each split of which there are some; of an anchor none."""
    if record.collapse is None or record.quality is None or record.status == "anchor":
        return {}
    return {split: count for split, count in record.collapse.exact.items() if count}
