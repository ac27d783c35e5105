"""The checks of a recipe or of a finished model, one after the other, and what comes of them.

A model that breaks a promise here may still train and draw; what its row says is not to be believed.
"""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from genbench import catalog
from genbench.contract import answers, learning, samples, tiny
from genbench.contract.answers import OURS, annealed
from genbench.contract.breach import Breach, Unchecked, globally
from genbench.contract.sums import sums
from genbench.errors import reason
from genbench.interface import GenerativeModel
from genbench.spec import Batch
from genbench.training.config import Budget, FitConfig
from genbench.training.fit import fit

Result = Literal["passed", "failed", "unchecked"]
BY = "genbench check"
STEPS, BATCH = 6, 8
IMAGES = 5


@dataclass(frozen=True)
class Outcome:
    """The outcome of a check: what was found, or what was broken, and how long it took."""

    check: str
    result: Result
    found: str
    seconds: float


@dataclass(frozen=True)
class Subject:
    """A trained model that is checked, and how to make others of its recipe.

    Args:
        recipe: the recipe's name.
        options: the recipe's options.
        model: the model.
        batch: a few images with whatever belongs to them.
    """

    recipe: str
    options: Mapping[str, Any]
    model: GenerativeModel
    batch: Batch = field(repr=False)

    def made(self, seed: int = 0) -> GenerativeModel:
        """Return another model of the recipe for data of the same spec, not trained."""
        return catalog.build(self.recipe, self.model.spec, seed=seed, **self.options)


def _in_folder(check: Callable[[Path], str]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        return check(Path(folder))


def trained(model: GenerativeModel) -> GenerativeModel:
    """Train a model for a moment on tiny data, and return it."""
    fit(model, tiny.splits(model.spec), FitConfig(Budget(steps=STEPS), batch_size=BATCH))
    return model


CHECKS: Mapping[str, Callable[[Subject], str]] = {
    "answer": lambda the: answers.declared(the.model, the.batch, catalog.recipe(the.recipe)),
    "certainty": lambda the: answers.not_positive(the.model, the.batch),
    "sum": lambda the: OURS if annealed(the.model) else sums(the.recipe, the.options, trained),
    "twice": lambda the: answers.repeated(the.model, the.batch),
    "company": lambda the: answers.alone(the.model, the.batch),
    "untold": lambda the: answers.untold(the.model, the.batch),
    "samples": lambda the: samples.levels(the.model, the.batch),
    "generator": lambda the: samples.generator_alone(the.model, the.batch),
    "file": lambda the: _in_folder(lambda folder: learning.kept(the.model, the.batch, folder)),
    "turns": lambda the: learning.owned(the.model, learning.movements(the.made(), tiny.splits(the.model.spec))),
    "resume": lambda the: _in_folder(lambda folder: learning.resumed(the.made, folder)),
}
OF_TRAINING = ("turns", "resume")  # which a finished model is not asked for


def check_recipe(name: str, options: Mapping[str, Any] | None = None) -> Iterator[Outcome]:
    """Check a recipe on tiny images that suit it; yield each outcome as it is known.

    Raises:
        ValueError: for an unknown recipe, or one that cannot be built on any such images with these options.
    """
    options = dict(options or {})
    with globally(0):
        model = tiny.built(name, options)
    outcome = _outcome("training", lambda: f"{STEPS} steps of {type(trained(model)).__name__}")
    yield outcome
    if outcome.result == "passed":
        yield from _outcomes(Subject(name, options, model, _few(model)), CHECKS)


def check_model(model: GenerativeModel) -> Iterator[Outcome]:
    """Check a finished model on images of its own spec; sums are those of its recipe, made anew on tiny ones.

    Raises:
        ValueError: for a model that :func:`genbench.build` did not make.
    """
    origin = model.origin
    if origin is None:
        raise ValueError(f"{type(model).__name__} was not made by genbench.build: nobody knows its recipe")
    checks = {name: check for name, check in CHECKS.items() if name not in OF_TRAINING}
    yield from _outcomes(Subject(origin.recipe, origin.options, model.eval(), _few(model)), checks)


def verdict(outcomes: Iterator[Outcome]) -> dict[str, Any]:
    """Return what a stamp says of the outcomes: the checks that were ``passed``, and what others found.

    A recipe that takes no tiny images at all is unchecked, and says why.
    """
    try:
        whole = list(outcomes)
    except ValueError as error:
        whole = [Outcome("training", "unchecked", str(error), 0.0)]
    said: dict[str, Any] = {"by": BY, "passed": [one.check for one in whole if one.result == "passed"]}
    for result in ("failed", "unchecked"):
        said |= {result: found} if (found := {one.check: one.found for one in whole if one.result == result}) else {}
    return said


def _few(model: GenerativeModel) -> Batch:
    return tiny.splits(model.spec).validation.rows(slice(IMAGES))


def _outcomes(subject: Subject, checks: Mapping[str, Callable[[Subject], str]]) -> Iterator[Outcome]:
    for name, check in checks.items():
        own = Subject(subject.recipe, subject.options, copy.deepcopy(subject.model), subject.batch)
        yield _outcome(name, partial(check, own))


def _outcome(name: str, check: Callable[[], str]) -> Outcome:
    began = time.perf_counter()
    result: Result = "passed"
    try:
        with globally(0):
            found = check()
    except Unchecked as error:
        result, found = "unchecked", str(error)
    except Breach as error:
        result, found = "failed", str(error)
    except Exception as error:  # whatever a third party's model does
        result, found = "failed", reason(error)
    return Outcome(name, result, found, time.perf_counter() - began)
