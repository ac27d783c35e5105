"""Whether a run can be done at all: its device, extractor, data and rows, before any of it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from genbench import catalog, errors, features
from genbench.check import check_given, check_split
from genbench.interface import GenerativeModel
from genbench.likelihood.nll import check_draws
from genbench.metrics.paired import SMALLEST_SIDE
from genbench.metrics.quality import MINIMUM_IMAGES
from genbench.runs.config import BEST
from genbench.runs.suite import Suite, SuiteRow
from genbench.runs.watching import FID, decides
from genbench.training import parallel, precision
from genbench.training.config import Budget
from genbench.training.precision import chosen_device

if TYPE_CHECKING:
    from genbench.data import Dataset


def checked_data(suite: Suite, load: Callable[[str], Dataset], device: str) -> dict[str, Dataset]:
    """Return the data sets of a suite by name, once all is well that can be known without building a model.

    Raises:
        ValueError: for a device or too many, a precision, recipe, extractor or data set that will not do.
    """
    chosen_device(device)
    Budget(**suite.budget.given)
    if suite.trained:
        precision.check(precision.resolved(suite.precision, device), device)
        parallel.check(suite.devices, device, suite.batch_size)
    for row in suite.trained:
        catalog.recipe(row.recipe)
    check_extractor(suite.extractor)
    return {name: _checked(suite, load(name)) for name in suite.datasets}


def built_models(suite: Suite, datasets: Mapping[str, Dataset], device: str) -> list[GenerativeModel]:
    """Return the model of each row that is trained, in order.

    Raises:
        ValueError: for a row that cannot be built, or trained on this device, or rows that are to learn from few labels
            and need all.
    """
    models = [_built(row, datasets[row.dataset], suite, device) for row in suite.trained]
    _check_labels(suite.trained, models, datasets)
    return models


def sample_count(suite: Suite, dataset: Dataset) -> int:
    """Return how many samples a cell draws."""
    return min(suite.samples or len(dataset.test), len(dataset.test))


def check_extractor(name: str) -> None:
    """Refuse, in one line, an extractor that there is not, or whose weights are not at hand."""
    if name not in features.NAMES:
        raise ValueError(f"extractor = {name!r} is unknown: {errors.nearest(name, features.NAMES)}")
    features.check_weights(name)


def check_judged(name: str, dataset: Dataset) -> None:
    """Refuse, in one line, the extractor that learns from labels for data without them."""
    if name == "classifier" and dataset.spec.classes < 2:
        raise ValueError(f"extractor = 'classifier': {dataset.name} has no labels; say 'efficientnet-lite0'")


def _checked(suite: Suite, dataset: Dataset) -> Dataset:
    parallel.check_share(suite.devices, min(suite.batch_size, len(dataset.train)))
    for name in ("train", "validation", "test"):
        check_split(dataset.spec, getattr(dataset, name), f"{dataset.name} {name}")
    if dataset.aligned and min(dataset.spec.shape[1:]) < SMALLEST_SIDE:
        sides = "×".join(map(str, dataset.spec.shape[1:]))
        raise ValueError(f"{dataset.name}: images are {sides}, and SSIM of translations needs sides of {SMALLEST_SIDE}")
    check_judged(suite.extractor, dataset)
    if "fid" in suite.measures:
        _check_counts(suite, dataset)
    return dataset


def _check_counts(suite: Suite, dataset: Dataset) -> None:
    for split, count in (("samples", sample_count(suite, dataset)), ("training images", len(dataset.train))):
        if count < MINIMUM_IMAGES:
            raise ValueError(f"{dataset.name}: {count} {split}, and measures of quality need {MINIMUM_IMAGES} or more")


def _built(row: SuiteRow, dataset: Dataset, suite: Suite, device: str) -> GenerativeModel:
    try:
        model = catalog.build(row.recipe, dataset.with_labels(row.labelled).spec, seed=suite.seeds[0], **row.options)
        model.phases()  # refuses what it lacks to learn by, such as another network's weights
        check_draws(model, suite.draws)
        precision.check_double(model, device)
        if model.needs_every_label:
            check_given(model.given, dataset.train, "train")
        by_fid = suite.checkpoint == BEST and decides(row.recipe) == FID
        if by_fid or "fid" in suite.watch:
            check_watched(model, suite.extractor)
        return model
    except ValueError as error:
        raise ValueError(f"row {row.label!r} on {row.dataset}: {error}") from error
    except Exception as error:
        said = f"cannot be built with {row.options} ({errors.reason(error)})"
        raise ValueError(f"row {row.label!r} on {row.dataset} {said}") from error


def check_watched(model: GenerativeModel, extractor: str) -> None:
    """Refuse, in one line, a model whose FID on the validation split says nothing."""
    if model.perceptual == extractor:
        raise ValueError(f"it is trained on {extractor}, whose FID says nothing of it; leave out watch and checkpoint")


def _check_labels(rows: Sequence[SuiteRow], models: Sequence[GenerativeModel], datasets: Mapping[str, Dataset]) -> None:
    """Refuse, in one line, all rows that are given the label of every image and are to know only some."""
    short: dict[int, list[str]] = {}
    for row, model in zip(rows, models, strict=True):
        if row.labelled is not None and model.needs_every_label:
            try:
                check_given(model.given, datasets[row.dataset].with_labels(row.labelled).train, "train")
            except ValueError:
                short.setdefault(row.labelled, []).append(row.name)
    for labelled, names in short.items():
        raise ValueError(
            f"labelled = {labelled}: {', '.join(names)} must be told the label of every image; "
            "leave it out of them, or choose other rows by --recipe"
        )
