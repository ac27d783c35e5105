"""What a model is: the data it sees, the turns it learns by, and the three questions it answers.

Images are ``uint8`` integer levels ``0 … levels-1`` at every boundary; any scaling lives inside a model.
Shapes: ``B`` batch, ``C, H, W`` image, ``T`` caption, ``Z`` latent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import torch
from pydantic import TypeAdapter
from torch import Generator, Tensor, nn
from torch.nn import Parameter
from torch.optim import Optimizer

from genbench.check import check_batch, check_conditions
from genbench.narrow import Narrowed, narrowed
from genbench.spec import Batch as Batch
from genbench.spec import DataSpec as DataSpec
from genbench.spec import Field as Field
from genbench.spec import Split as Split
from genbench.spec import Splits as Splits
from genbench.weights import effective, log_mean_exp

if TYPE_CHECKING:
    from pathlib import Path

    from genbench.training.config import FitConfig, FitReport

Kind = Literal["exact", "bound", "estimate"]


@dataclass(frozen=True)
class Step:
    """A phase's progress: rounds since it began, the fraction of it that is spent, and the source of noise."""

    index: int
    fraction: float
    generator: Generator


@dataclass(frozen=True)
class Turn:
    """One optimiser's step in the round.

    Args:
        name: the turn's name in logs and errors.
        learns: the modules that move; nothing else gets a gradient while the turn runs.
        loss: a function ``(batch, step) → scalars``; ``"loss"`` is minimised, the rest is logged.
        optimizer: a function that makes the optimiser from the parameters, after ``Phase.enter``.
        schedule: a function from the fraction of the phase to the learning-rate factor.
        every: batches from one step to the next: 5 for WGAN's generator.
        after: a function called behind the step with the detached logs: weight clipping, EMA, BEGAN's k.
        clip: the largest 2-norm of the turn's gradient, if it is clipped.
        warm_up: first steps, over which the learning rate comes up in equal parts, whatever the schedule; 0 for none.
    """

    name: str
    learns: Sequence[nn.Module]
    loss: Callable[[Batch, Step], dict[str, Tensor]]
    optimizer: Callable[[Iterable[Parameter]], Optimizer]
    schedule: Callable[[float], float] | None = None
    every: int = 1
    after: Callable[[Mapping[str, Tensor], Step], None] | None = None
    clip: float | None = None
    warm_up: int = 0


@dataclass(frozen=True)
class Phase:
    """A stretch of training with the same turns: growing, stage I then stage II, pre-training.

    Args:
        name: the phase's name in logs and records.
        share: the phase's share of the budget; 0 with no turns is allowed.
        turns: the turns, taken in this order on every batch.
        enter: a function called before the first round, never on resume: data-dependent initialisation, a new level.
    """

    name: str
    share: float
    turns: Sequence[Turn]
    enter: Callable[[Splits, Step], None] | None = None


@dataclass(frozen=True)
class LogLikelihood:
    """The answer of ``log_likelihood``: log-probabilities, and how they were computed.

    Args:
        nats: the log-probability of each stored image, float64 ``(B,)``; log-mean-exp of K weights for ``draws=K``.
        kind: the kind: exact, a lower bound, or an estimate of a density that the model does not define by itself.
        given: what the probability is conditioned on: ``"label"``, ``"source"``, a field.
        method: the method's name: ``"chain rule"``, ``"elbo"``, ``"iwae"``, ``"dequantised"``, ``"ais"`` …
        observation: the noise: ``"added"`` where the probability includes noise that samples do not have.
        draws: the number of importance weights, or chains, an image.
        ess: the effective sample size of these weights ``(B,)``, from 1 to K; None where there are not several.
        acceptance: the share of an image's transitions that annealed importance sampling accepted ``(B,)``.
        step_size: the geometric mean of an image's leapfrog steps in annealed importance sampling ``(B,)``.
    """

    nats: Tensor
    kind: Kind
    given: tuple[str, ...] = ()
    method: str = ""
    observation: Literal["own", "added"] = "own"
    draws: int = 1
    ess: Tensor | None = None
    acceptance: Tensor | None = None
    step_size: Tensor | None = None

    @classmethod
    def of_weights(
        cls,
        log_weights: Tensor,
        kind: Kind,
        given: tuple[str, ...] = (),
        method: str = "",
        observation: Literal["own", "added"] = "own",
    ) -> Self:
        """Answer with log importance weights ``(K, B)``: the log of their mean, and how many they are worth."""
        draws = len(log_weights)
        ess = effective(log_weights, 0) if draws > 1 else None
        return cls(log_mean_exp(log_weights, 0), kind, given, method, observation, draws, ess)


@dataclass(frozen=True)
class Origin:
    """The origin of a model, by which to build it again: recipe, data spec, seed, options."""

    recipe: str
    spec: DataSpec
    seed: int
    options: Mapping[str, Any]

    def to_json(self) -> str:
        """Return the origin as one line of JSON, keys sorted."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Origin:
        """Read an origin that :meth:`to_json` wrote; pydantic's ``ValidationError`` where it holds something else."""
        return TypeAdapter(cls).validate_json(text)


class GenerativeModel(nn.Module):
    """A generative model of integer images: :meth:`phases`, :meth:`draw` and :meth:`log_likelihood` are to be written.

    Every buffer and parameter exists once the model is constructed, so that saving the model saves all of it.

    Args:
        spec: the spec of the data.
        given: what samples and likelihoods are conditioned on: ``"label"``, ``"source"``, names of fields.

    Attributes:
        needs_every_label: whether a model that is given the label needs it of every training image; False where
            training images without one are the point. Images that it is asked about always have theirs.
        needs_double: whether it learns in numbers of 64 bits, which not every device has.
        perceptual: the feature extractor that it was trained on, if any: no quality under that one says anything.
        origin: the way :func:`genbench.build` made it; None where something else did.
        frequencies: the labels' shares in training, float64 ``(classes,)``; empty where no label is given.
    """

    needs_every_label: bool = True
    needs_double: bool = False
    perceptual: str | None = None
    origin: Origin | None
    frequencies: Tensor

    def __init__(self, spec: DataSpec, given: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.spec = spec
        self.given = given
        self.origin = None
        classes = spec.classes if "label" in given else 0  # until finish() has counted: labels equally often
        self.register_buffer("frequencies", torch.full((classes,), 1 / max(classes, 1), dtype=torch.float64))

    @property
    def device(self) -> torch.device:
        """The device that the model's parameters are on."""
        tensor = next(self.parameters(), None)
        return torch.device("cpu") if tensor is None else tensor.device

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> GenerativeModel:
        """Do ``fn`` to all tensors, as ``to(device)`` does: buffers of 64 bits have 32 where the device has no more."""
        with Narrowed():
            return super()._apply(fn, recurse)

    def phases(self) -> Sequence[Phase]:
        """Return the phases in which the model learns. Their shares sum to 1."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it learns: write phases()")

    def fit(
        self, data: Splits, config: FitConfig, *, callbacks: Sequence[Callable] = (), resume: Path | None = None
    ) -> FitReport:
        """Train until the budget is spent. See :func:`genbench.training.fit.fit`."""
        from genbench.training.fit import fit

        with narrowed(self.device):
            return fit(self, data, config, callbacks=callbacks, resume=resume)

    def finish(self, data: Splits, generator: Generator) -> None:
        """Set what is known only after the last phase: here how often each label occurs in training.

        A model with more to set, a mixture on codes or an observation noise, extends this.
        """
        labels = data.train.labels
        if "label" in self.given and labels is not None and bool((labels >= 0).any()):
            counts = torch.bincount(labels[labels >= 0], minlength=self.spec.classes).double()
            self.frequencies.copy_(counts / counts.sum())

    def conditions(
        self,
        n: int,
        *,
        labels: Tensor | None = None,
        sources: Tensor | None = None,
        fields: Mapping[str, Tensor] | None = None,
        generator: Generator,
    ) -> Batch:
        """Return what ``n`` samples are given, checked, on the model's device; its images are empty.

        Labels that are not given follow the training frequencies.

        Raises:
            ValueError: for a condition that the model lacks, does not take, or that is not as the data's spec says.
        """
        check_conditions(self.spec, self.given, n, labels=labels, sources=sources, fields=fields or {})
        if "label" in self.given and labels is None:
            odds = self.frequencies.to(generator.device, torch.float32)
            labels = torch.multinomial(odds, max(n, 1), replacement=True, generator=generator)[:n]
        return Batch(torch.empty((n, 0), dtype=torch.uint8), labels, sources, fields or {}).to(self.device)

    def checked(self, batch: Batch, given: tuple[str, ...] | None = None) -> Batch:
        """Check ``batch`` for what reads images and conditions, and return it on the model's device.

        Args:
            batch: the images, and what belongs to them.
            given: what is read beside the images; by default all that the model is given.

        Raises:
            ValueError: for what :func:`genbench.check.check_batch` refuses: other images, rows or conditions.
        """
        check_batch(self.spec, self.given if given is None else given, batch)
        return batch.to(self.device)

    def sample(
        self,
        n: int,
        *,
        labels: Tensor | None = None,
        sources: Tensor | None = None,
        fields: Mapping[str, Tensor] | None = None,
        generator: Generator,
    ) -> Tensor:
        """Draw ``n`` images, uint8 ``(n, C, H, W)``, that depend on the conditions and the generator alone.

        Conditions are checked here, once for all models; :meth:`draw` is what a model writes, of one image or more.

        Raises:
            ValueError: for a condition that the model lacks, does not take, or that is not as the data's spec says.
        """
        given = self.conditions(n, labels=labels, sources=sources, fields=fields, generator=generator)
        if n == 0:  # networks need not know what to do with no rows
            return torch.empty((0, *self.spec.shape), dtype=torch.uint8, device=self.device)
        with narrowed(self.device):
            return self.draw(given, generator)

    def draw(self, given: Batch, generator: Generator) -> Tensor:
        """Draw one image for each row of ``given``, whose images are empty: uint8 ``(B, C, H, W)``."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it samples: write draw()")

    def log_likelihood(
        self, batch: Batch, *, draws: int = 1, effort: str = "fast", generator: Generator | None = None
    ) -> LogLikelihood:
        """Return each image's log-probability; ``draws`` and ``effort`` tighten bounds and estimates.

        Efforts are ``"fast"``, ``"standard"`` and ``"paper"``, each with ``"/2"``, and ``"fast*2"`` and ``"fast*4"``.
        """
        raise NotImplementedError(f"{type(self).__name__} does not answer: write log_likelihood()")


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """Put ``model`` in evaluation mode, without gradients to parameters, inside the block; restore it behind."""
    modes = {module: module.training for module in model.modules()}
    learning = {parameter: parameter.requires_grad for parameter in model.parameters()}
    model.eval().requires_grad_(False)
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        for parameter, requires_grad in learning.items():
            parameter.requires_grad_(requires_grad)
