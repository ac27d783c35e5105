"""Flows over dequantised images: a chain of bijections, a base, uniform dequantisation.

    P(image) = ∫ over the image's bins of p(v) dv = E[p(image + u)],  u uniform on the unit cube,

so that the density at ``image + u`` is an importance weight whose mean is the probability of the stored integers
(1511.01844). A new variant is a recipe that hands over another chain or base.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from nflows.distributions.base import Distribution
from nflows.flows.base import Flow
from nflows.transforms.base import Transform
from torch import Generator, Tensor

from families.layers.evaluation import chunks, evaluation, log_mean_weight
from families.layers.training import one_turn
from genbench.interface import Batch, DataSpec, GenerativeModel, LogLikelihood, Phase, Step
from genbench.seed import fork_rng, uniform

AT_ONCE = 256
HALF_A_STEP = 2.0**-25  # of float32 uniforms, which are multiples of 2^-24: keeps noise off both ends of a bin


def dequantise(images: Tensor, generator: Generator) -> Tensor:
    """``image + u`` with u uniform within (0, 1), ends excluded, float64 ``(B, C, H, W)``."""
    return images.double() + (uniform(images.shape, generator, images.device).double() + HALF_A_STEP)


class FlowModel(GenerativeModel):
    """A flow over images in levels.

    Args:
        spec: the data.
        transform: from values in levels, float64 ``(B, C, H, W)`` within (0, levels), to the base's ``(B, C·H·W)``.
        base: distribution of what the transform leads to.
        lr: Adam's learning rate, warmed up and then brought down along a cosine.
        clip: largest 2-norm of a gradient.
    """

    def __init__(self, spec: DataSpec, transform: Transform, base: Distribution, *, lr: float, clip: float) -> None:
        super().__init__(spec)
        self.flow, self.lr, self.clip = Flow(transform, base), lr, clip

    def phases(self) -> Sequence[Phase]:
        """One turn on the negative log-density of freshly dequantised images, in nats a dimension."""
        return one_turn(self, self._loss, lr=self.lr, clip=self.clip)

    def _loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        nats = self.flow.log_prob(dequantise(batch.images, step.generator))
        return {"loss": -nats.mean() / self.spec.dimensions}

    def log_weights(self, batch: Batch, draws: int, generator: Generator) -> Tensor:
        """Log-densities at ``draws`` dequantisations of each image, float64 ``(draws, B)``."""
        images = batch.images.repeat(draws, 1, 1, 1)
        return self.flow.log_prob(dequantise(images, generator)).view(draws, -1)

    def log_likelihood(
        self, batch: Batch, *, draws: int = 1, effort: str = "fast", generator: Generator | None = None
    ) -> LogLikelihood:
        """A lower bound, tighter with more draws of the dequantisation."""
        with evaluation(self):
            nats = log_mean_weight(self.log_weights, batch.to(self.device), draws, generator, AT_ONCE)
        return LogLikelihood(nats, "bound", method="dequantised", draws=draws)

    def sample(
        self,
        n: int,
        *,
        labels: Tensor | None = None,
        sources: Tensor | None = None,
        fields: Mapping[str, Tensor] | None = None,
        generator: Generator,
    ) -> Tensor:
        """The level in whose bin a draw from the flow falls."""
        with evaluation(self), fork_rng(generator):  # nflows' distributions take no generator
            values = torch.cat([self.flow.sample(count) for count in chunks(n, AT_ONCE)])
        return values.floor().clamp(0, self.spec.levels - 1).to(torch.uint8)  # rounding may reach an end
