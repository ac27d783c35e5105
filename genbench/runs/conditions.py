"""What samples are asked for: the conditions of each, as arguments, as labels to be judged by, and as a picture."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from genbench.runs import measures
from genbench.spec import Batch, DataSpec

if TYPE_CHECKING:
    from genbench.data import Dataset

DOMAIN = "domain"  # the field that says which domain a sample is asked for
SOURCE_LABEL = "source_label"  # the field that says the class of a source


def asked(given: tuple[str, ...], dataset: Dataset, n: int, *, of: Literal["test", "validation"] = "test") -> Batch:
    """Return conditions of ``n`` samples: a split's sources and fields in order; labels as often as in training."""
    rows: Batch = getattr(dataset, of).rows(slice(n))
    spec = dataset.spec
    if not spec.classes or dataset.train.labels is None:
        return rows
    ordered = "source" in given or any(name in spec.fields for name in given)
    return rows if ordered else replace(rows, labels=measures.proportional(dataset.train.labels, spec.classes, n))


def conditions(given: Batch, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the conditions ``given`` as arguments of ``sample``, for a model that is given ``names``."""
    fields = {name: given.fields[name] for name in names if name in given.fields}
    wanted = {"labels": given.labels if "label" in names else None}
    wanted |= {"sources": given.sources if "source" in names else None}
    return {name: value for name, value in wanted.items() if value is not None} | ({"fields": fields} if fields else {})


def of_translation(spec: DataSpec) -> tuple[str, ...]:
    """Return what every translation of data of this spec is asked for: its source, and a domain where there are any."""
    return ("source", *(name for name in (DOMAIN,) if name in spec.fields))


def asked_labels(given: Batch, names: tuple[str, ...], dataset: Dataset) -> Tensor | None:
    """Return the class that each sample was asked for, int64 ``(N,)``; None where nothing says one.

    It is the label that was given; of a translation the class of its source, or else that of the image which belongs to
    the source.
    """
    spec = dataset.spec
    if "label" in names or not names:
        return given.labels if names else None
    if not spec.translates(names):
        return given.labels
    if sources_have_labels(spec):
        return given.fields[SOURCE_LABEL].long()
    return given.labels if dataset.aligned else None


def sources_have_labels(spec: DataSpec) -> bool:
    """Return whether every source comes with a class, and the images have the same classes."""
    return SOURCE_LABEL in spec.fields and spec.fields[SOURCE_LABEL].levels == spec.classes


def shown(given: Batch, names: tuple[str, ...], dataset: Dataset) -> Batch:
    """Return what the picture shows beside the samples: their conditions, and targets where they have some."""
    return Batch(
        dataset.test.images[: len(given)] if dataset.aligned else torch.empty((len(given), 0), dtype=torch.uint8),
        given.labels if "label" in names else None,
        given.sources if "source" in names else None,
    )
