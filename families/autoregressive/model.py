"""Autoregressive models: a causal network × an output distribution.

    P(image) = ∏ over pixels, in raster order, of P(pixel given all earlier ones)

The network says, in one pass, the parameters of every factor. A new variant is a recipe that puts another causal
network or output here: the chain rule, training and sampling are the same for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Generator, Tensor

from families.autoregressive.sampling import CausalNetwork, draw_cached
from families.layers.evaluation import chunks, evaluation
from families.layers.scaling import to_unit
from families.layers.training import one_turn
from families.outputs import Output
from genbench.interface import Batch, DataSpec, GenerativeModel, LogLikelihood, Phase, Step
from genbench.seed import uniform

AT_ONCE = 128


class AutoregressiveModel(GenerativeModel):
    """Exact likelihood by the chain rule, in one pass; sampling pixel by pixel.

    Args:
        spec: the data.
        network: causal: ``(B, C, H, W)`` on [-1, 1] to ``(B, P, H, W)``, where a pixel's parameters depend on earlier
            pixels alone, and with an output that is not joint also on the pixel's earlier channels.
        output: distribution of a pixel given its parameters.
        lr: Adam's learning rate, warmed up and then brought down along a cosine.
        clip: largest 2-norm of a gradient.
    """

    def __init__(self, spec: DataSpec, network: CausalNetwork, output: Output, *, lr: float, clip: float = 1.0) -> None:
        super().__init__(spec)
        self.network, self.output, self.lr, self.clip = network, output, lr, clip

    def log_prob(self, batch: Batch) -> Tensor:
        """Nats of every image, float64 ``(B,)``, with gradients."""
        dtype = next(self.parameters()).dtype
        parameters = self.network(to_unit(batch.images, self.spec.levels).to(dtype))
        return self.output.log_prob(parameters, batch.images).sum((1, 2), dtype=torch.float64)

    def phases(self) -> Sequence[Phase]:
        """One turn on the negative log-likelihood, in nats a dimension."""
        return one_turn(self, self._loss, lr=self.lr, clip=self.clip)

    def _loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        return {"loss": -self.log_prob(batch).mean() / self.spec.dimensions}

    def log_likelihood(
        self, batch: Batch, *, draws: int = 1, effort: str = "fast", generator: Generator | None = None
    ) -> LogLikelihood:
        """Exact; ``draws``, ``effort`` and ``generator`` change nothing."""
        batch = batch.to(self.device)
        with evaluation(self):
            rows = torch.arange(len(batch), device=batch.images.device).split(AT_ONCE)
            return LogLikelihood(torch.cat([self.log_prob(batch.rows(r)) for r in rows]), "exact", method="chain rule")

    def sample(
        self,
        n: int,
        *,
        labels: Tensor | None = None,
        sources: Tensor | None = None,
        fields: Mapping[str, Tensor] | None = None,
        generator: Generator,
    ) -> Tensor:
        """Draw images pixel by pixel, with the network's cache where it has one."""
        _, height, width = self.spec.shape
        shape = (self.output.uniforms(self.spec.shape[0]), height, width)
        with evaluation(self):
            noise = (uniform((count, *shape), generator, self.device) for count in chunks(n, AT_ONCE))
            return torch.cat([draw_cached(self.network, self.output, self.spec, uniforms) for uniforms in noise])
