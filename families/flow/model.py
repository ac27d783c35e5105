"""Flows over dequantised images: a chain of bijections, a base, noise that dequantises.

    P(image) = ∫ over the image's bins of p(v) dv = E[p(image + u) / q(u | image)],  u drawn from q,

so that the density at ``image + u``, over that of the noise, is an importance weight whose mean is the probability of
the stored integers (1511.01844, where q is uniform on the unit cube). A new variant is a recipe that hands over another
chain, base or dequantiser.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import torch
from nflows.flows.base import Flow
from nflows.transforms.base import Transform
from torch import Generator, Tensor

from families.flow.dequantise import Dequantiser
from families.flow.distributions import Independent
from families.flow.normalisation import starting
from families.layers.evaluation import chunks, evaluation, weigh
from families.layers.options import positive
from families.layers.training import one_turn
from genbench.interface import GenerativeModel, LogLikelihood, Phase, Step
from genbench.spec import Batch, DataSpec, Splits

AT_ONCE = 256
START_IMAGES = 256  # that a data-dependent initialisation sees


class FlowModel(GenerativeModel):
    """A flow over images in levels.

    Args:
        spec: the spec of the data.
        transform: bijection from values in levels, float64 ``(B, C, H', W')`` within (0, levels), to the base's
            ``(B, C·H'·W')``; it is given the labels, int64 ``(B,)``, as nflows' context where the model is conditional.
        base: distribution of what the transform leads to, the same for scoring and for sampling.
        dequantiser: what lays an image with noise on the canvas that the transform sees.
        lr: Adam's learning rate, warmed up and then brought down along a cosine.
        clip: largest 2-norm of a gradient.
        conditional: whether the transform is told the label.
        temperature: factor of the base's noise in sampling (1807.03039, §6). 1 draws from the model.

    Raises:
        ValueError: for a rate or temperature that is not positive, or labels that the data do not have.
    """

    needs_double = True  # the values of a canvas near the ends of its levels

    def __init__(
        self,
        spec: DataSpec,
        transform: Transform,
        base: Independent,
        *,
        dequantiser: Dequantiser,
        lr: float,
        clip: float,
        conditional: bool = False,
        temperature: float = 1.0,
    ) -> None:
        super().__init__(spec, ("label",) if conditional else ())
        positive(lr=lr, clip=clip, temperature=temperature)
        if conditional and not spec.classes:
            raise ValueError("conditional=True: this data set has no labels")
        self.flow = Flow(transform, base)
        self.dequantiser = dequantiser
        self.lr = lr
        self.clip = clip
        self.temperature = temperature

    def phases(self) -> Sequence[Phase]:
        """Return one turn on the negative log-density of freshly dequantised images, in nats a dimension."""
        return [replace(phase, enter=self._enter) for phase in one_turn(self, self._loss, lr=self.lr, clip=self.clip)]

    def _enter(self, data: Splits, step: Step) -> None:
        """Initialise what depends on data with training images, dequantised as in training."""
        source = step.generator
        rows = torch.randperm(len(data.train), generator=source, device=source.device)[:START_IMAGES]
        batch = data.train.rows(rows.to(data.train.images.device)).to(self.device)
        with evaluation(self), starting(self):
            self.log_density(batch, source)

    def _loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        return {"loss": -self.log_density(batch, step.generator).mean() / self.spec.dimensions}

    def log_density(self, batch: Batch, generator: Generator) -> Tensor:
        """Return the log-weight of one dequantisation of each image, float64 ``(B,)``, with gradients.

        The mean of the weights is the probability of the image.
        """
        values, nats = self.dequantiser(batch.images, generator)
        return self.flow.log_prob(values, batch.labels if self.given else None) + nats

    def log_weights(self, batch: Batch, draws: int, generator: Generator) -> Tensor:
        """Return the log-weights of ``draws`` dequantisations of each image, float64 ``(draws, B)``."""
        rows = torch.arange(len(batch), device=batch.images.device).repeat(draws)
        return self.log_density(batch.rows(rows), generator).view(draws, -1)

    def log_likelihood(
        self, batch: Batch, *, draws: int = 1, effort: str = "fast", generator: Generator | None = None
    ) -> LogLikelihood:
        """Return a lower bound, which is tighter with more draws of the dequantisation.

        Raises:
            ValueError: for what :meth:`checked` refuses.
        """
        batch = self.checked(batch)
        with evaluation(self):
            weights = weigh(self.log_weights, batch, draws, generator, AT_ONCE)
        return LogLikelihood.of_weights(weights, "bound", self.given, "dequantised")

    def draw(self, given: Batch, generator: Generator) -> Tensor:
        """Draw from the flow and return the levels in whose bins the draws fall, uint8 ``(B, C, H, W)``."""
        counts = chunks(len(given), AT_ONCE)
        told = [None] * len(counts) if given.labels is None else given.labels.split(counts)
        with evaluation(self):
            return torch.cat(
                [self._draw(count, context, generator) for count, context in zip(counts, told, strict=True)]
            )

    def _draw(self, n: int, context: Tensor | None, generator: Generator) -> Tensor:
        noise = self.temperature * cast("Independent", self.flow._distribution).draw(n, generator)
        values, _ = self.flow._transform.inverse(noise, context)
        return self.dequantiser.images(values)
