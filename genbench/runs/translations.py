"""What is measured of samples made of something: fidelity, shadow, identity, domain, caption, what they teach.

Each measure is taken where the data can judge it, and where the samples were asked for what it judges.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from torch import Tensor

from genbench import features
from genbench.data.captions import FIELD
from genbench.features import classifier
from genbench.metrics.accuracy import accuracy
from genbench.metrics.caption_agreement import caption_agreement
from genbench.metrics.fidelity import paired
from genbench.metrics.rank_1 import rank_1
from genbench.metrics.shadow import shadow
from genbench.narrow import measuring
from genbench.records import parts
from genbench.runs.clock import Clock
from genbench.runs.conditions import DOMAIN, asked_labels, sources_have_labels
from genbench.runs.config import Cell
from genbench.spec import Batch, DataSpec

if TYPE_CHECKING:
    from genbench.data import Dataset

SHADOW = "shadow"  # the field of the pixels in shadow
IDENTITY = "identity"  # the field of who a picture is of


@dataclass(frozen=True)
class TranslationMeasures:
    """The parts of a record that rest on what samples were asked for; None where the data cannot judge it."""

    paired: parts.Paired | None = None
    shadow: parts.Shadow | None = None
    rank_1: parts.Rank1 | None = None
    domains: parts.DomainAccuracy | None = None
    taught: parts.Accuracy | None = None
    caption: parts.CaptionAgreement | None = None


def has_masks(spec: DataSpec) -> bool:
    """Return whether each image comes with a mask of its shadow, one for all channels."""
    return SHADOW in spec.fields and spec.fields[SHADOW].shape == (1, *spec.shape[1:])


def translation_measures(
    samples: Tensor, given: Batch, names: tuple[str, ...], cell: Cell, dataset: Dataset, clock: Clock
) -> TranslationMeasures:
    """Measure all that what samples were asked for lets the data judge.

    Args:
        samples: the samples, uint8 ``(N, C, H, W)``.
        given: the first N rows of the test split, of which the samples were asked for ``names``.
        names: what the samples were given.
        cell: the cell whose samples they are; networks are trained only where it measures FID and its kin.
        dataset: the data set.
        clock: the clock that counts the seconds.
    """
    found = TranslationMeasures()
    spec = dataset.spec
    if "source" in names and dataset.aligned:
        with clock("paired"):
            found = replace(found, paired=paired(samples, given.images, spec.levels))
            if has_masks(spec) and bool(given.fields[SHADOW].any()):
                found = replace(found, shadow=shadow(samples, given.images, given.fields[SHADOW]))
            if IDENTITY in spec.fields and spec.fields[IDENTITY].shape == ():
                who = dataset.test.fields[IDENTITY]
                found = replace(found, rank_1=rank_1(samples, dataset.test.images, who))
    if "fid" not in cell.measures:
        return found
    if DOMAIN in names and spec.fields[DOMAIN].levels > 1:
        with clock("domains"):
            found = replace(
                found, domains=domain_accuracy(samples, given.fields[DOMAIN], dataset, measuring(cell.device))
            )
    if FIELD in names and dataset.vocabulary is not None:
        with clock("caption"):
            agreement = caption_agreement(given.fields[FIELD], samples, spec.levels, dataset.vocabulary)
            found = replace(found, caption=agreement)
    labels = asked_labels(given, names, dataset)
    if "source" in names and sources_have_labels(spec) and labels is not None and dataset.test.labels is not None:
        with clock("taught"):
            found = replace(found, taught=taught(samples, labels, dataset, measuring(cell.device)))
    return found


def domain_accuracy(samples: Tensor, asked: Tensor, dataset: Dataset, device: str) -> parts.DomainAccuracy:
    """Return the share of samples in the domain asked for, by a classifier of the domains of the training images.

    Args:
        samples: the samples, uint8 ``(N, C, H, W)``.
        asked: the domain that each was asked for, integers ``(N,)``.
        dataset: the data set, whose field ``domain`` says where its images stand.
        device: the device of the classifier.
    """
    spec = dataset.spec
    train, test = (Batch(split.images, split.fields[DOMAIN].long()) for split in (dataset.train, dataset.test))
    domains = replace(spec, classes=spec.fields[DOMAIN].levels, labelled=None)
    judge = features.extractor("classifier", classifier_data=train, spec=domains, device=device)
    own = classifier.accuracy(judge, test, spec.levels)
    found = accuracy(judge.predict(samples, spec.levels), asked)
    return parts.DomainAccuracy(**dict(found), judge=judge.hash, judge_accuracy=own)


def taught(samples: Tensor, labels: Tensor, dataset: Dataset, device: str) -> parts.Accuracy:
    """Return the accuracy on real test images of a classifier that has seen nothing but samples.

    Args:
        samples: the samples, uint8 ``(N, C, H, W)``.
        labels: the class that each was asked for, int64 ``(N,)``.
        dataset: the data set, whose test images have labels.
        device: the device of the classifier.

    Raises:
        ValueError: for test images without labels.
    """
    test = dataset.test
    if test.labels is None:
        raise ValueError(f"taught: the test images of {dataset.name} have no labels")
    spec = replace(dataset.spec, labelled=None)
    pupil = classifier.make(Batch(samples, labels), spec, device=device, keep=False)
    known = test.labels >= 0
    return accuracy(pupil.predict(test.images[known], spec.levels), test.labels[known])
