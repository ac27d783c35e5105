"""What a model is: the data it sees, the turns it learns by, and the three questions it answers.

Images are ``uint8`` integer levels ``0 … levels-1`` at every boundary; any scaling lives inside a model.
Shapes: ``B`` batch, ``C, H, W`` image, ``T`` caption, ``Z`` latent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self

import torch
from torch import Generator, Tensor, nn
from torch.nn import Parameter
from torch.optim import Optimizer

if TYPE_CHECKING:
    from pathlib import Path

    from genbench.checkpoint import Origin
    from genbench.fit import FitConfig, FitReport

Kind = Literal["exact", "bound", "estimate"]


@dataclass(frozen=True)
class Field:
    """A tensor of integers that a sample is given or has: a caption ``(T,)``, a shadow mask ``(1, H, W)``."""

    shape: tuple[int, ...]
    levels: int


@dataclass(frozen=True)
class DataSpec:
    """The shape of a data set, all that a recipe needs to size its networks.

    Args:
        shape: image shape ``(C, H, W)``.
        levels: integer levels a pixel can take: 256, 2 for binarised images, 17 for the 8×8 digits.
        classes: number of labels, 0 where there are none.
        source: shape of the image to translate from, if there is one.
        paired: False where sources and images are two domains without pairs.
        labelled: semi-supervised: how many training images carry their label.
        fields: anything else that a sample is given or has.

    Raises:
        ValueError: for a shape or a count that no data set can have.
    """

    shape: tuple[int, int, int]
    levels: int = 256
    classes: int = 0
    source: tuple[int, int, int] | None = None
    paired: bool = True
    labelled: int | None = None
    fields: Mapping[str, Field] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, shape in (("shape", self.shape), ("source", self.source)):
            if shape is not None and (len(shape) != 3 or min(shape) < 1):
                raise ValueError(f"{name}={shape}: give (channels, height, width), each at least 1")
        if not 2 <= self.levels <= 256:
            raise ValueError(f"levels={self.levels}: an image of uint8 has 2 to 256 levels")
        if self.classes < 0:
            raise ValueError(f"classes={self.classes}: give 0 for no labels, or their number")

    @property
    def dimensions(self) -> int:
        """``C·H·W``, by which bits per dimension divide."""
        channels, height, width = self.shape
        return channels * height * width


@dataclass(frozen=True)
class Batch:
    """Images and what is known of each.

    Args:
        images: uint8 ``(B, C, H, W)``.
        labels: int64 ``(B,)``, -1 where unknown.
        sources: uint8 ``(B, C', H', W')``.
        fields: one tensor a field of the spec.
        labelled: semi-supervised: a minibatch of its own from the labelled share.
    """

    images: Tensor
    labels: Tensor | None = None
    sources: Tensor | None = None
    fields: Mapping[str, Tensor] = field(default_factory=dict)
    labelled: Batch | None = None

    def __len__(self) -> int:
        return len(self.images)

    def rows(self, index: Tensor | slice) -> Batch:
        """The same batch at the rows of ``index``; the labelled minibatch, which has rows of its own, is dropped."""
        return Batch(
            self.images[index],
            None if self.labels is None else self.labels[index],
            None if self.sources is None else self.sources[index],
            {name: values[index] for name, values in self.fields.items()},
        )

    def to(self, device: torch.device | str) -> Self:
        """The same on ``device``."""
        return type(self)(
            self.images.to(device),
            None if self.labels is None else self.labels.to(device),
            None if self.sources is None else self.sources.to(device),
            {name: values.to(device) for name, values in self.fields.items()},
            None if self.labelled is None else self.labelled.to(device),
        )


class Split(Batch):
    """A whole split in memory. Where images and sources are unpaired domains, their lengths may differ."""


@dataclass(frozen=True)
class Splits:
    """What a model may see: test data never reach it."""

    train: Split
    validation: Split


@dataclass(frozen=True)
class Step:
    """Where a phase stands: rounds since it began, the fraction of it that is spent, and the source of noise."""

    index: int
    fraction: float
    generator: Generator


@dataclass(frozen=True)
class Turn:
    """One optimiser's step in the round.

    Args:
        name: as logs and errors call it.
        learns: the modules that move; nothing else gets a gradient while the turn runs.
        loss: ``(batch, step) → scalars``; ``"loss"`` is minimised, the rest is logged.
        optimizer: makes the optimiser from the parameters, after ``Phase.enter``.
        schedule: fraction of the phase → learning-rate factor.
        every: the turn steps on every ``every``-th batch: WGAN's generator on every fifth.
        after: runs behind the step with the detached logs: weight clipping, EMA, BEGAN's k.
        clip: largest 2-norm of the turn's gradient, if it is clipped.
    """

    name: str
    learns: Sequence[nn.Module]
    loss: Callable[[Batch, Step], dict[str, Tensor]]
    optimizer: Callable[[Iterable[Parameter]], Optimizer]
    schedule: Callable[[float], float] | None = None
    every: int = 1
    after: Callable[[Mapping[str, Tensor], Step], None] | None = None
    clip: float | None = None


@dataclass(frozen=True)
class Phase:
    """A stretch of training with the same turns: growing, stage I then stage II, pre-training.

    Args:
        name: as logs and records call it.
        share: of the budget; 0 with no turns is allowed.
        turns: taken in order on every batch.
        enter: runs once before the first round, never on resume: data-dependent initialisation, a new level.
    """

    name: str
    share: float
    turns: Sequence[Turn]
    enter: Callable[[Splits, Step], None] | None = None


@dataclass(frozen=True)
class LogLikelihood:
    """What ``log_likelihood`` answers.

    Args:
        nats: float64 ``(B,)``, log-probability of each stored integer image; log-mean-exp of K weights for ``draws=K``.
        kind: exact, a lower bound, or an estimate of a density that the model does not define by itself.
        given: what it is conditioned on: ``"label"``, ``"source"``, a field.
        method: ``"chain rule"``, ``"elbo"``, ``"iwae"``, ``"dequantised"``, ``"ais"`` …
        observation: ``"added"`` where the probability includes noise that samples do not have.
        draws: importance weights, or chains, an image.
        ess: effective sample size of these weights ``(B,)``, from 1 to K; None where there are not several.
        acceptance: of annealed importance sampling: share of an image's transitions that were accepted ``(B,)``.
        step_size: of annealed importance sampling: geometric mean of an image's leapfrog steps ``(B,)``.
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
        """The answer of log importance weights ``(K, B)``: the log of their mean, and how many they are worth."""
        from genbench.weights import effective, log_mean_exp

        draws = len(log_weights)
        ess = effective(log_weights, 0) if draws > 1 else None
        return cls(log_mean_exp(log_weights, 0), kind, given, method, observation, draws, ess)


class GenerativeModel(nn.Module):
    """A generative model of integer images: three methods to write, one that trains it.

    Every buffer and parameter exists once the model is constructed, so that saving the model saves all of it.

    Args:
        spec: of the data.
        given: what samples and likelihoods are conditioned on: ``"label"``, ``"source"``, names of fields.
    """

    spec: DataSpec
    given: tuple[str, ...]
    origin: Origin | None  # how genbench.build made it; None where something else did
    frequencies: Tensor

    def __init__(self, spec: DataSpec, given: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.spec, self.given, self.origin = spec, given, None
        classes = spec.classes if "label" in given else 0  # until finish() has counted: labels equally often
        self.register_buffer("frequencies", torch.full((classes,), 1 / max(classes, 1), dtype=torch.float64))

    @property
    def device(self) -> torch.device:
        """Where the model's parameters are."""
        tensor = next(self.parameters(), None)
        return torch.device("cpu") if tensor is None else tensor.device

    def phases(self) -> Sequence[Phase]:
        """How the model learns. Shares sum to 1."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it learns: write phases()")

    def fit(
        self,
        data: Splits,
        config: FitConfig,
        *,
        callbacks: Sequence[Callable] = (),
        resume: Path | None = None,
    ) -> FitReport:
        """Train until the budget is spent. See :func:`genbench.fit.fit`."""
        from genbench.fit import fit

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
        """What ``n`` samples are given, checked, on the model's device; its images are empty.

        Labels that are not given follow the training frequencies.

        Raises:
            ValueError: for a condition that the model lacks, does not take, or that has other than ``n`` rows.
        """
        from genbench.check import check_labels

        offered = dict.fromkeys(self.given) | {"label": labels, "source": sources, **(fields or {})}
        argument = {"label": "labels", "source": "sources"}
        for name, values in offered.items():
            called = argument.get(name, name)
            if values is None and name in self.given and name != "label":
                raise ValueError(f"{called}: this model needs one for each of the {n} samples")
            if values is not None and name not in self.given:
                raise ValueError(f"{called}: this model takes {' and '.join(self.given) or 'no condition'}")
            if values is not None and len(values) != n:
                raise ValueError(f"{called}: {len(values)} for {n} samples")
        if "label" in self.given:
            if labels is None:
                odds = self.frequencies.to(generator.device, torch.float32)
                labels = torch.multinomial(odds, max(n, 1), replacement=True, generator=generator)[:n]
            else:
                check_labels(labels, self.spec.classes)
        return Batch(torch.empty((n, 0), dtype=torch.uint8), labels, sources, fields or {}).to(self.device)

    def checked(self, batch: Batch, given: tuple[str, ...] | None = None) -> Batch:
        """``batch`` on the model's device, for a likelihood or an ability that reads images and what they are given.

        Args:
            batch: images, and what belongs to them.
            given: what is read beside the images; by default all that the model is given.

        Raises:
            ValueError: for images that the data cannot be, rows that do not match, or labels that there are not. See
                :func:`genbench.check.check_batch`.
        """
        from genbench.check import check_batch

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
        """Draw ``n`` images, uint8 ``(n, C, H, W)``, that depend on the conditions and the generator alone."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it samples: write sample()")

    def log_likelihood(
        self,
        batch: Batch,
        *,
        draws: int = 1,
        effort: str = "fast",
        generator: Generator | None = None,
    ) -> LogLikelihood:
        """Log-probability of each image of ``batch``; ``draws`` and ``effort`` tighten bounds and estimates."""
        raise NotImplementedError(f"{type(self).__name__} does not answer: write log_likelihood()")
