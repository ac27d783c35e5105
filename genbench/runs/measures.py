"""What is measured of a cell: each measure's result beside what it was taken on, as a record keeps it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from genbench import features, stats
from genbench.abilities import Classifies
from genbench.features.classifier import accuracy as classifier_accuracy
from genbench.files import digest
from genbench.interface import GenerativeModel
from genbench.likelihood import nll as likelihoods
from genbench.likelihood.codecs import codec_nll
from genbench.metrics import agreement as agreements
from genbench.metrics import collapse as collapses
from genbench.metrics import parzen as parzens
from genbench.metrics import quality as qualities
from genbench.metrics import speed as speeds
from genbench.metrics.paired import psnr, ssim
from genbench.plots import sample_grid
from genbench.records import record
from genbench.records.pictures import NEIGHBOURS
from genbench.runs import measures
from genbench.runs.clock import Clock
from genbench.runs.config import Cell
from genbench.seed import generator
from genbench.spec import Batch, DataSpec
from genbench.stats import mean, standard_error

if TYPE_CHECKING:
    from genbench.data import Dataset


CLASSIFIED = 256  # images at once


def likelihood(
    model: GenerativeModel, split: Batch, *, draws: int, limit: int | None, seed: int, name: str
) -> record.Likelihood:
    """Bits/dim of an exact model or a bound on (at most ``limit`` images of) a split."""
    found = likelihoods.nll(
        model,
        split,
        dimensions=model.spec.dimensions,
        draws=draws,
        limit=limit,
        generator=generator(seed, "nll", name),
    )
    return kept(found)


def uniform(images: int, levels: int) -> record.Likelihood:
    """The model that finds all images equally likely: ``log2(levels)``, exactly."""
    bits = likelihoods.uniform_bpd(levels)
    return record.Likelihood(
        bpd=bits, standard_error=0.0, images=images, kind="exact", method="uniform", per_image=(bits,) * images
    )


def codec(images: Tensor, levels: int, name: str) -> record.Likelihood:
    """Length of a lossless file an image, in bits/dim."""
    return kept(codec_nll(images, levels, name))


def kept(found: likelihoods.NLL) -> record.Likelihood:
    """A measured NLL as records keep it."""
    return record.Likelihood(
        bpd=found.bpd,
        standard_error=found.standard_error,
        images=found.images,
        kind=found.kind,
        given=found.given,
        method=found.method,
        observation=found.observation,
        draws=found.draws,
        ess=found.ess,
        acceptance=found.acceptance,
        step_size=found.step_size,
        per_image=tuple(found.per_image),
    )


def extractor(name: str, data: Dataset, device: str) -> features.Extractor:
    """The extractor, trained on the data set's own training split if it is the classifier."""
    return features.extractor(name, classifier_data=data.train, spec=data.spec, device=device)


def real(eyes: features.Extractor, images: Tensor, spec: DataSpec) -> features.Features:
    """Features of real images, by what the images are and not by the data set's name: edges share them."""
    return features.real_features(eyes, images, spec.levels, digest({"images": images}))


def quality(eyes: features.Extractor, data: Dataset, samples: features.Features, seed: int) -> record.Quality:
    """FID and its kin against the training split."""
    reference, few = real(eyes, data.train.images, data.spec), eyes.name == "classifier"
    found = qualities.quality(reference, samples, seed=seed, extrapolate=few)
    notes = ["fewer images than features: FID is biased upwards"] if found.rank_deficient else []
    if found.kid_images != (found.reference_images, found.images):
        notes += ["KID of {:,} real images and {:,} samples".format(*found.kid_images)]
    return record.Quality(
        fid=found.fid,
        fid_standard_error=found.fid_standard_error,
        fid_infinity=found.fid_infinity,
        fid_infinity_standard_error=found.fid_infinity_standard_error,
        kid=found.kid,
        kid_standard_error=found.kid_standard_error,
        precision=found.precision,
        recall=found.recall,
        inception_score=found.inception_score,
        inception_score_std=found.inception_score_std,
        images=found.images,
        reference_images=found.reference_images,
        notes=tuple(notes),
    )


def parzen(data: Dataset, samples: Tensor) -> record.Parzen | None:
    """Parzen-window estimate; None for the test images themselves, each of which would be its own kernel's centre."""
    test = data.test.images
    if len(samples) <= len(test) and torch.equal(samples, test[: len(samples)]):
        return None
    return record.Parzen(**asdict(parzens.parzen(samples, data.validation.images, test, data.spec.levels)))


def agreement(
    judge: features.Extractor, data: Dataset, probabilities: Tensor, asked: Tensor | None
) -> record.Agreement:
    """What the data set's own classifier, ``judge``, says of samples, and how good it is on the test split."""
    found = agreements.agreement(probabilities, asked)
    return record.Agreement(
        agreement=found.agreement,
        confidence=found.confidence,
        entropy=found.entropy,
        class_entropy=found.class_entropy,
        standard_error=found.standard_error,
        accuracy=classifier_accuracy(judge, data.test, data.spec.levels),
    )


def collapse(
    eyes: features.Extractor, data: Dataset, seen: features.Features, predicted: Tensor | None
) -> tuple[record.Collapse, Tensor]:
    """How far samples have collapsed, and for each the row of the nearest training image.

    Nearness is held against as many test images, the first: images that no model has seen; in units of how far the
    nearest training image is from the next, since otherwise nothing but thin digits would ever be near. Classes are
    those that the data set's own classifier predicts, in every row, since most models are asked for none. Their
    histogram is held against the training labels, which are what models learn from and what labels are drawn in
    proportion to; their width against as many training images, evenly spread over the split, so that test images too
    can be measured.

    Args:
        eyes: the extractor.
        data: the data set.
        seen: what the extractor saw of the samples.
        predicted: their classes, int64 ``(N,)``; None where the data have none.
    """
    spec, labels, n = data.spec, data.train.labels, min(len(seen), len(data.test))
    train = real(eyes, data.train.images, spec).features
    unseen = real(eyes, data.test.images[:n], spec).features
    apart = collapses.nearest(train).distance
    near, usual = collapses.nearest(seen.features, train), collapses.nearest(unseen, train)
    found: dict[str, Any] = {}
    if predicted is not None and labels is not None:
        histogram = collapses.classes(predicted, labels, spec.classes)
        some = stats.spread(len(train), n)
        width = collapses.diversity(seen.features, predicted, train[some], labels[some])
        found = {"covered": histogram.covered, "classes": spec.classes, "divergence": histogram.divergence}
        found["diversity"] = None if math.isnan(width) else width
    both = ((seen.features, near), (unseen, usual))
    among = (collapses.relative(collapses.nearest(rows[:n]).distance, x.index[:n], apart) for rows, x in both)
    found["duplicates"] = collapses.closer(*among)
    found["copies"] = collapses.closer(*(collapses.relative(x.distance, x.index, apart) for _, x in both))
    middle = float(usual.distance.median())
    found["distance"] = float(near.distance.median()) / middle if middle else None
    return record.Collapse(**found), near.index


def accuracy(model: GenerativeModel, split: Batch) -> record.Accuracy:
    """Share of a split's labelled images whose likeliest class under the model itself is their label.

    Raises:
        ValueError: for a split without labels, or an answer that is not a finite number a class.
    """
    if split.labels is None:
        raise ValueError("accuracy: the images have no labels")
    rows = (split.labels >= 0).nonzero()[:, 0]
    right: list[float] = []
    for part in rows.split(CLASSIFIED):
        unlabelled = replace(split.rows(part), labels=None)
        answer = cast("Classifies", model).classify(unlabelled.to(model.device)).cpu()
        if answer.shape != (len(part), model.spec.classes) or not bool(torch.isfinite(answer).all()):
            raise ValueError(f"classify answers {tuple(answer.shape)} for {len(part)} images: give finite (B, classes)")
        right += (answer.argmax(1) == split.labels[part]).double().tolist()
    return record.Accuracy(accuracy=mean(right), standard_error=standard_error(right), images=len(right))


def paired(samples: Tensor, targets: Tensor, levels: int) -> record.Paired:
    """Fidelity of translations to their own targets."""
    ratio, similarity = psnr(samples, targets, levels), ssim(samples, targets, levels)
    return record.Paired(
        psnr=ratio.mean,
        psnr_standard_error=ratio.standard_error,
        ssim=similarity.mean,
        ssim_standard_error=similarity.standard_error,
        images=ratio.images,
    )


def speed(draw: Callable[[int], Tensor], device: str, seconds: float) -> record.Speed:
    """Latency and throughput of drawing."""
    found = speeds.speed(draw, device=device, seconds=seconds)
    return record.Speed(
        latency_ms=found.latency_ms,
        latency_quartiles=found.latency_quartiles,
        images_per_second=found.images_per_second,
        throughput_quartiles=found.throughput_quartiles,
        best_images_per_second=found.best_images_per_second,
        best_batch=found.best_batch,
        runs=min(found.runs[1], found.runs[speeds.BATCH]),
    )


def proportional(labels: Tensor, classes: int, n: int) -> Tensor:
    """``n`` labels in the proportions of ``labels``, int64, spread so that every beginning has them too.

    The k-th of a class with share p stands at place (k + ½) / p: nothing is drawn, so nothing varies with a seed.
    """
    counts = torch.bincount(labels[labels >= 0], minlength=classes).double()
    places: list[tuple[float, int]] = []
    for label, share in enumerate((counts / counts.sum()).tolist()):
        places += [((k + 0.5) / share, label) for k in range(math.ceil(n * share) + 1)] if share else []
    return torch.tensor([label for _, label in sorted(places)[:n]], dtype=torch.int64)


def sample_measures(
    samples: Tensor, asked: Tensor | None, cell: Cell, dataset: Dataset, part: Path, clock: Clock, *, keep: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parts of a record that rest on samples alone, and what the stamp says of extractor and judge.

    Args:
        samples: uint8 ``(N, C, H, W)``.
        asked: their labels, if they were asked for any.
        cell: whose samples they are.
        dataset: that they are compared with.
        part: the cell's folder, in which their neighbours are drawn.
        clock: that counts the seconds.
        keep: their features for the next run, which draws the same samples.
    """
    spec = dataset.spec
    found: dict[str, Any] = {"extractor": cell.extractor}
    with clock("quality"):
        eyes = measures.extractor(cell.extractor, dataset, cell.device)
        seen = measures.real(eyes, samples, spec) if keep else eyes.features(samples, spec.levels)
        found["quality"] = measures.quality(eyes, dataset, seen, cell.seed)
        found["parzen"] = measures.parzen(dataset, samples)
    predicted, about = None, {"name": eyes.name, "hash": eyes.hash, "resize": eyes.resize}
    if spec.classes > 1:
        with clock("agreement"):
            same = eyes.name == "classifier"  # each image goes through each network once
            judge = eyes if same else measures.extractor("classifier", dataset, cell.device)
            probabilities = seen.logits.softmax(1) if same else judge.predict(samples, spec.levels)
            predicted, about["judge"] = probabilities.argmax(1), judge.hash
            found["agreement"] = measures.agreement(judge, dataset, probabilities, asked)
    with clock("collapse"):
        found["collapse"], nearest = measures.collapse(eyes, dataset, seen, predicted)
    with clock("write"):
        sample_grid.neighbours(part / NEIGHBOURS.file, samples, dataset.train.images[nearest], spec.levels)
    return found, about
