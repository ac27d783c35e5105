"""What is measured of a cell: each function gives a record's own part, of whatever it was taken on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from genbench import features, stats
from genbench.data.classes import names_of
from genbench.features.classifier import accuracy as classifier_accuracy
from genbench.files import digest
from genbench.interface import GenerativeModel
from genbench.likelihood import nll as likelihoods
from genbench.metrics import agreement as agreements
from genbench.metrics import collapse as collapses
from genbench.metrics import parzen as parzens
from genbench.metrics import quality as qualities
from genbench.metrics import speed as speeds
from genbench.metrics.class_fid import class_fid
from genbench.metrics.exact import exact_matches
from genbench.metrics.neighbours import Neighbours, neighbours
from genbench.narrow import measuring
from genbench.plots import sample_grid
from genbench.records import parts
from genbench.records.pictures import NEIGHBOURS
from genbench.runs.clock import Clock
from genbench.runs.config import Cell
from genbench.seed import generator
from genbench.spec import Batch, DataSpec

if TYPE_CHECKING:
    from genbench.data import Dataset


NEIGHBOURS_OF = "neighbours 1"  # kept under this name, whose number is raised when they are reckoned otherwise


@dataclass(frozen=True)
class SampleMeasures:
    """The parts of a record that rest on samples alone; all None where there are none, as of the uniform model.

    Args:
        extractor: the name of the feature extractor.
        extractor_info: what a stamp says of it: name, hash, resize, and the hash of the classifier as ``judge``.
        quality: the FID and its kin.
        parzen: the Parzen-window estimate; None for the test images themselves.
        agreement: what the data set's classifier says; None for data without classes.
        collapse: the collapse onto classes, onto each other, onto training images.
    """

    extractor: str | None = None
    extractor_info: dict[str, Any] | None = None
    quality: parts.Quality | None = None
    parzen: parts.Parzen | None = None
    agreement: parts.Agreement | None = None
    collapse: parts.Collapse | None = None

    @property
    def parts(self) -> dict[str, Any]:
        """What a record has of them, by its names."""
        return {name: value for name, value in vars(self).items() if name != "extractor_info"}


def likelihood(
    model: GenerativeModel, split: Batch, *, draws: int, limit: int | None, seed: int, name: str
) -> parts.Likelihood:
    """Return the bits/dim of an exact model or a bound on at most ``limit`` images of a split."""
    return likelihoods.nll(
        model,
        split,
        dimensions=model.spec.dimensions,
        draws=draws,
        limit=limit,
        generator=generator(seed, "nll", name),
    )


def uniform(images: int, levels: int) -> parts.Likelihood:
    """Return the likelihood of a model to which all images are equally likely: ``log2(levels)``, exactly."""
    bits = likelihoods.uniform_bpd(levels)
    return parts.Likelihood(
        bpd=bits, standard_error=0.0, images=images, kind="exact", method="uniform", per_image=(bits,) * images
    )


def extractor(name: str, data: Dataset, device: str) -> features.Extractor:
    """Return the extractor, trained on the data set's own training split if it is the classifier."""
    return features.extractor(name, classifier_data=data.train, spec=data.spec, device=device)


def real(extractor: features.Extractor, images: Tensor, spec: DataSpec) -> features.Features:
    """Return features of real images, kept by what the images are, not by the data set's name: edges share them."""
    return features.real_features(extractor, images, spec.levels, digest({"images": images}))


def around(extractor: features.Extractor, images: Tensor, spec: DataSpec) -> Neighbours:
    """Return the neighbours of real images among each other, kept beside their features: of many they take minutes."""

    def compute() -> dict[str, Tensor]:
        return vars(neighbours(real(extractor, images, spec).features))

    key = digest({"images": images})
    return Neighbours(**features.kept(extractor, images, spec.levels, key, compute, NEIGHBOURS_OF))


def quality(
    extractor: features.Extractor, data: Dataset, samples: features.Features, asked: Tensor | None, seed: int
) -> parts.Quality:
    """Return FID and its kin against the training split; where samples were ``asked`` for classes, in each of them."""
    reference = real(extractor, data.train.images, data.spec)
    few_features = extractor.name == "classifier"
    near = around(extractor, data.train.images, data.spec)
    whole = qualities.quality(reference, samples, seed=seed, extrapolate=few_features, near=near)
    if asked is None or data.train.labels is None:
        return whole
    found = class_fid(reference.features, data.train.labels, samples.features, asked)
    names = names_of(data.class_names, data.spec.classes)
    of_classes = {names[label]: distance for label, distance in found.classes.items()}
    mean = {"fid_class": found.mean, "fid_class_standard_error": found.standard_error}
    return whole.model_copy(update={"fid_classes": of_classes, **mean})


def parzen(data: Dataset, samples: Tensor) -> parts.Parzen | None:
    """Return a Parzen-window estimate; None for test images, each of which would be its own kernel's centre."""
    test = data.test.images
    if len(samples) <= len(test) and torch.equal(samples, test[: len(samples)]):
        return None
    return parzens.parzen(samples, data.validation.images, test, data.spec.levels)


def agreement(judge: features.Extractor, data: Dataset, probabilities: Tensor, asked: Tensor | None) -> parts.Agreement:
    """Return what the data set's own classifier, ``judge``, says of samples, and how good it is on the test split."""
    own = classifier_accuracy(judge, data.test, data.spec.levels)
    return agreements.agreement(probabilities, asked, accuracy=own)


def collapse(
    extractor: features.Extractor, data: Dataset, images: Tensor, samples: features.Features, predicted: Tensor | None
) -> tuple[parts.Collapse, Tensor]:
    """Return how far samples have collapsed, and for each the row of the nearest training image.

    Nearness is held against as many test images, the first: images that no model has seen; in units of how far the
    nearest training image is from the next, since otherwise nothing but thin digits would ever be near. Classes are
    those that the data set's own classifier predicts, in every row, since most models are asked for none. Their
    histogram is held against the training labels, which are what models learn from and what labels are drawn in
    proportion to; their width against as many training images, evenly spread over the split, so that test images too
    can be measured.

    Args:
        extractor: the extractor of the features.
        data: the data set.
        images: the samples.
        samples: the features of the samples.
        predicted: the samples' classes, int64 ``(N,)``; None where the data have none.
    """
    spec = data.spec
    labels = data.train.labels
    n = min(len(samples), len(data.test))
    train = real(extractor, data.train.images, spec).features
    unseen = real(extractor, data.test.images[:n], spec).features
    apart = around(extractor, data.train.images, spec).nearest
    near = collapses.nearest(samples.features, train)
    usual = collapses.nearest(unseen, train)
    histogram: collapses.Classes | None = None
    width = math.nan
    if predicted is not None and labels is not None:
        histogram = collapses.classes(predicted, labels, spec.classes)
        some = stats.spread(len(train), n)
        width = collapses.diversity(samples.features, predicted, train[some], labels[some])
    both = ((samples.features, near), (unseen, usual))
    among = (collapses.relative(collapses.nearest(rows[:n]).distance, x.index[:n], apart) for rows, x in both)
    middle = float(usual.distance.median())
    collapsed = parts.Collapse(
        covered=None if histogram is None else histogram.covered,
        classes=None if histogram is None else spec.classes,
        missing=() if histogram is None else tuple(data.class_names[k] for k in histogram.missing if data.class_names),
        divergence=None if histogram is None else histogram.divergence,
        diversity=None if math.isnan(width) else width,
        duplicates=collapses.closer(*among),
        copies=collapses.closer(*(collapses.relative(x.distance, x.index, apart) for _, x in both)),
        distance=float(near.distance.median()) / middle if middle else None,
        exact={name: exact_matches(images, getattr(data, name).images) for name in ("train", "validation", "test")},
    )
    return collapsed, near.index


def speed(draw: Callable[[int], Tensor], device: str, seconds: float) -> parts.Speed:
    """Return the latency and throughput of drawing."""
    return speeds.speed(draw, device=device, seconds=seconds)


def proportional(labels: Tensor, classes: int, n: int) -> Tensor:
    """Return ``n`` labels in the proportions of ``labels``, int64, spread so that every beginning has them too.

    The k-th of a class with share p stands at place (k + ½) / p: nothing is drawn, so nothing varies with a seed.
    """
    counts = torch.bincount(labels[labels >= 0], minlength=classes).double()
    places: list[tuple[float, int]] = []
    for label, share in enumerate((counts / counts.sum()).tolist()):
        places += [((k + 0.5) / share, label) for k in range(math.ceil(n * share) + 1)] if share else []
    return torch.tensor([label for _, label in sorted(places)[:n]], dtype=torch.int64)


def sample_measures(
    samples: Tensor,
    asked: Tensor | None,
    cell: Cell,
    dataset: Dataset,
    unfinished: Path,
    clock: Clock,
    *,
    keep: bool = False,
) -> SampleMeasures:
    """Measure everything that samples alone give; their nearest training images are drawn as well.

    Args:
        samples: the samples, uint8 ``(N, C, H, W)``.
        asked: the samples' labels, if they were asked for any.
        cell: the cell whose samples they are.
        dataset: the data set that they are compared with.
        unfinished: the cell's folder, in which the samples' neighbours are drawn.
        clock: the clock that counts the seconds.
        keep: whether features are kept for the next run, which draws the same samples.
    """
    spec = dataset.spec
    with clock("quality"):
        network = extractor(cell.extractor, dataset, measuring(cell.device))
        sample_features = real(network, samples, spec) if keep else network.features(samples, spec.levels)
        of_quality = quality(network, dataset, sample_features, asked, cell.seed)
        of_parzen = parzen(dataset, samples)
    info: dict[str, Any] = {"name": network.name, "hash": network.hash, "resize": network.resize}
    predicted: Tensor | None = None
    of_agreement: parts.Agreement | None = None
    if spec.classes > 1:
        with clock("agreement"):
            same = network.name == "classifier"  # each image goes through each network once
            judge = network if same else extractor("classifier", dataset, measuring(cell.device))
            probabilities = sample_features.logits.softmax(1) if same else judge.predict(samples, spec.levels)
            predicted = probabilities.argmax(1)
            info["judge"] = judge.hash
            of_agreement = agreement(judge, dataset, probabilities, asked)
    with clock("collapse"):
        of_collapse, nearest = collapse(network, dataset, samples, sample_features, predicted)
    with clock("write"):
        sample_grid.neighbours(unfinished / NEIGHBOURS.file, samples, dataset.train.images[nearest], spec.levels)
    return SampleMeasures(
        extractor=cell.extractor,
        extractor_info=info,
        quality=of_quality,
        parzen=of_parzen,
        agreement=of_agreement,
        collapse=of_collapse,
    )
