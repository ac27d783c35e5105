"""Autoregressive models: a causal network × an output distribution.

    P(image) = ∏ over pixels, in raster order, of P(pixel given all earlier ones)

The network says, in one pass, the parameters of every factor. A new variant is a recipe that puts another causal
network or output here: the chain rule, training and sampling are the same for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Generator, Tensor, nn

from families.autoregressive.sampling import SAMPLERS, CausalNetwork, Task
from families.layers.accumulation import accumulated
from families.layers.evaluation import chunks, evaluation
from families.layers.options import positive, switch, whole
from families.layers.scaling import to_unit
from families.layers.training import one_turn
from families.outputs import Output
from families.outputs.start import begin, fit_start
from genbench.interface import GenerativeModel, LogLikelihood, Phase, Step
from genbench.seed import uniform
from genbench.spec import Batch, DataSpec, Splits

AT_ONCE = 128  # images
VALUES_AT_ONCE = 2**18  # in a full pass, where 128 large images would take too much memory


class AutoregressiveModel(GenerativeModel):
    """A causal network and an output: exact likelihood by the chain rule in one pass, sampling pixel by pixel.

    The network's last layer begins with a weight of zero and, at every pixel, the output's ``start``; when training
    begins, with the start that is fitted to the pixels of the training images.

    Args:
        spec: the spec of the data.
        network: causal: ``(B, C, H, W)`` on [-1, 1] to ``(B, P, H, W)``, where a pixel's parameters depend on earlier
            pixels alone, and with an output that is not joint also on the pixel's earlier channels.
        output: distribution of a pixel given its parameters.
        lr: Adam's learning rate, warmed up and then brought down along a cosine.
        clip: largest 2-norm of a gradient.
        conditional: whether the network is told the label.
        sampler: ``"cached"``, ``"fixed-point"`` or ``"naive"``: all draw the same images from the same generator.
        temperature: how far sampling strays: 1 draws from the model, less draws nearer to its likeliest levels.
        micro_batch: images passed at a time in training, whose activations alone are kept in memory; gradients are
            added up over the batch, so that only rounding, and the order of what dropout draws, tells it from None, the
            whole batch at once.

    Raises:
        ValueError: for an unknown sampler, a temperature that is not positive, a micro-batch that is not a whole
            number from 1 on, a ``conditional`` that is not True or False, or labels that the data do not have.
    """

    def __init__(
        self,
        spec: DataSpec,
        network: CausalNetwork,
        output: Output,
        *,
        lr: float,
        clip: float = 1.0,
        conditional: bool = False,
        sampler: str = "cached",
        temperature: float = 1.0,
        micro_batch: int | None = None,
    ) -> None:
        super().__init__(spec, ("label",) if conditional else ())
        positive(lr=lr, temperature=temperature)
        switch(conditional=conditional)
        if micro_batch is not None:
            whole(1, micro_batch=micro_batch)
        if sampler not in tuple(SAMPLERS):
            raise ValueError(f"sampler={sampler!r}: give one of {', '.join(SAMPLERS)}")
        if conditional and not spec.classes:
            raise ValueError("conditional=True: this data set has no labels")
        self.network = network
        self.output = output
        self.lr = lr
        self.clip = clip
        self.sampler = sampler
        self.temperature = temperature
        self.micro_batch = micro_batch
        nn.init.zeros_(network.get_parameter("last.weight"))
        begin(network.get_parameter("last.bias"), output.start(1 if network.channels_alike else spec.shape[0]))

    def log_prob(self, batch: Batch) -> Tensor:
        """Return the log-probability of every image in nats, float64 ``(B,)``, with gradients."""
        dtype = next(self.parameters()).dtype
        labels = batch.labels if self.given else None
        parameters = self.network(to_unit(batch.images, self.spec.levels).to(dtype), labels)
        return self.output.log_prob(parameters, batch.images).sum((1, 2), dtype=torch.float64)

    def phases(self) -> Sequence[Phase]:
        """Return one turn on the negative log-likelihood, in nats a dimension, from the start fitted to the data on."""
        return [replace(phase, enter=self._enter) for phase in one_turn(self, self._loss, lr=self.lr, clip=self.clip)]

    def _enter(self, data: Splits, step: Step) -> None:
        """Fit where the last layer begins to the training images."""
        images = data.train.images
        if self.network.channels_alike:
            images = images.flatten(0, 1).unsqueeze(1)
        fit_start(self.network.get_parameter("last.bias"), self.output, images, step.generator)

    def _loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        if self.micro_batch is None:
            return {"loss": -self.log_prob(batch).mean() / self.spec.dimensions}
        micro_batches = torch.arange(len(batch), device=batch.images.device).split(self.micro_batch)
        values = len(batch) * self.spec.dimensions
        loss = accumulated(
            lambda rows: -self.log_prob(batch.rows(rows)).sum() / values, micro_batches, self.parameters()
        )
        return {"loss": loss}

    def log_likelihood(
        self, batch: Batch, *, draws: int = 1, effort: str = "fast", generator: Generator | None = None
    ) -> LogLikelihood:
        """Return the exact log-likelihood, which ``draws``, ``effort`` and ``generator`` do not change.

        Raises:
            ValueError: for what :meth:`checked` refuses.
        """
        batch = self.checked(batch)
        at_once = max(min(AT_ONCE, VALUES_AT_ONCE // self.spec.dimensions), 1)
        with evaluation(self):
            rows = torch.arange(len(batch), device=batch.images.device).split(at_once)
            nats = torch.cat([self.log_prob(batch.rows(r)) for r in rows])
        return LogLikelihood(nats, "exact", self.given, method="chain rule")

    def draw(self, given: Batch, generator: Generator) -> Tensor:
        """Draw images pixel by pixel."""
        return self._draw(given, None, generator)

    def complete(self, batch: Batch, rows: int, *, generator: Generator) -> Tensor:
        """Keep the top ``rows`` rows of every image and draw the rest: uint8 ``(B, C, H, W)``.

        A model that is told labels draws them, as ``sample`` does, where the batch has none.

        Raises:
            ValueError: for fewer than 0 rows, or more than the image has, or labels that there are not.
        """
        if not 0 <= rows <= self.spec.shape[1]:
            raise ValueError(f"rows={rows}: an image has {self.spec.shape[1]}")
        batch = self.checked(batch, given=())
        given = self.conditions(len(batch), labels=batch.labels if self.given else None, generator=generator)
        return self._draw(given, batch.images[:, :, :rows], generator)

    def _draw(self, given: Batch, known: Tensor | None, generator: Generator) -> Tensor:
        _, height, width = self.spec.shape
        counts = chunks(len(given), AT_ONCE)
        labels = [None] * len(counts) if given.labels is None else given.labels.split(counts)
        tops = [None] * len(counts) if known is None else known.split(counts)
        images = []
        with evaluation(self):
            for count, label, top in zip(counts, labels, tops, strict=True):
                shape = (count, self.output.uniforms(self.spec.shape[0]), height, width)
                uniforms = uniform(shape, generator, self.device)
                task = Task(self.network, self.output, self.spec.shape, uniforms, label, top, self.temperature)
                images.append(SAMPLERS[self.sampler](task))
        return torch.cat(images)
