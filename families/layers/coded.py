"""What a model can do because its images have codes: reconstruct, go from one to another, move one latent at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from einops import rearrange
from torch import Generator, Tensor

from families.layers.evaluation import chunks, evaluation
from families.layers.scaling import to_unit
from genbench.interface import GenerativeModel
from genbench.seed import normal
from genbench.spec import Batch

AT_ONCE = 256
FARTHEST = 2.5  # standard deviations that a traversal goes to either side
PRIOR_CODES = 8  # codes from the prior in which the latents' influence is measured


class CodePrior(Protocol):
    """The distribution that codes are drawn from, as far as moving them needs it."""

    @property
    def mean(self) -> Tensor:
        """The mean of each number, ``(B, Z)``."""
        ...

    @property
    def spread(self) -> Tensor:
        """The deviation of each, ``(B, Z)``; 0 where a number cannot be moved."""
        ...

    def draw(self, generator: Generator) -> Tensor:
        """Draw a code a row, ``(B, Z)``."""
        ...


@dataclass(frozen=True)
class StandardNormal:
    """N(0, I) over codes.

    Args:
        mean: zeros ``(B, Z)``.
        spread: ones ``(B, Z)``.
    """

    mean: Tensor
    spread: Tensor

    @classmethod
    def of(cls, model: GenerativeModel, n: int, size: int) -> StandardNormal:
        """Return that of ``n`` codes of ``size`` numbers, in the precision and on the device of a model's weights."""
        weight = next(model.parameters())
        zeros = torch.zeros(n, size, device=weight.device, dtype=weight.dtype)
        return cls(zeros, torch.ones_like(zeros))

    def draw(self, generator: Generator) -> Tensor:
        """Draw a code a row, ``(B, Z)``."""
        return normal(tuple(self.mean.shape), generator, self.mean.device).to(self.mean)


class Movable(GenerativeModel):
    """A model with a prior over codes that can be moved one number at a time.

    A subclass has a ``prior`` (``given → distribution``), and says what the image of a code is, :meth:`show`.
    """

    prior: Callable[[Batch], Any]

    def show(self, codes: Tensor, given: Batch, generator: Generator | None) -> Tensor:
        """Return images of codes, uint8 ``(B, C, H, W)``; without a generator, one that stands for the rest."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it decodes: write show()")

    def traverse(self, rows: int, steps: int, *, generator: Generator) -> Tensor:
        """Move one latent a row of a code from the prior, those that change images most first.

        A latent goes from 2.5 standard deviations of the prior below its mean to as many above. The numbers of a class
        are not latents that can be moved: every row shows the class that was drawn. Latents of the same influence keep
        their order in the code.

        Args:
            rows: latents that are moved, at most; all of them where there are fewer.
            steps: images a row.
            generator: source of the code, and of those in which the latents' influence is measured; it takes no data.

        Returns:
            uint8 ``(min(rows, latents that can be moved), steps, C, H, W)``.

        Raises:
            ValueError: for fewer than one row or step.
        """
        for name, value in (("rows", rows), ("steps", steps)):
            if value < 1:
                raise ValueError(f"{name}={value}: give at least 1")
        given = self.conditions(1, generator=generator)
        with evaluation(self):
            prior: CodePrior = self.prior(given)
            code = prior.draw(generator)
            movable = prior.spread[0].nonzero()[:, 0]
            latents = movable[self.influence(generator)[movable].argsort(descending=True, stable=True)][:rows]
            rows = len(latents)
            codes = code.expand(rows, steps, -1).clone()
            for row, latent in enumerate(latents):
                reach = torch.linspace(-FARTHEST, FARTHEST, steps).to(code)
                codes[row, :, latent] = prior.mean[0, latent] + reach * prior.spread[0, latent]
            given = given.rows(torch.zeros(rows * steps, dtype=torch.int64, device=self.device))
            images = self._images(rearrange(codes, "row step z -> (row step) z"), given, None)
            return rearrange(images, "(row step) c y x -> row step c y x", step=steps)

    def influence(self, generator: Generator) -> Tensor:
        """Measure by how many levels each latent changes a pixel from one deviation below to one above: ``(Z,)``.

        The mean over pixels and over a few codes from the prior.
        """
        given = self.conditions(PRIOR_CODES, generator=generator)
        with evaluation(self):
            prior: CodePrior = self.prior(given)
            codes = prior.draw(generator)
            size = codes.shape[1]
            ends = []
            for side in (-1, 1):
                moved = codes[:, None].repeat(1, size, 1)  # (PRIOR_CODES, Z, Z): the latent of the second axis is moved
                moved.diagonal(dim1=1, dim2=2).copy_(prior.mean + side * prior.spread)
                rows = given.rows(torch.arange(PRIOR_CODES, device=self.device).repeat_interleave(size))
                ends.append(self._images(moved.flatten(0, 1), rows, None).float())
            changes = (ends[1] - ends[0]).abs().flatten(1).mean(1)
            return rearrange(changes, "(code latent) -> code latent", code=PRIOR_CODES).mean(0)

    def _images(self, codes: Tensor, given: Batch, generator: Generator | None) -> Tensor:
        return torch.cat([self.show(codes[rows], given.rows(rows), generator) for rows in row_chunks(given)])


class Coded(Movable):
    """A model that has a code for each image too: a subclass says which, :meth:`encode`."""

    def scaled(self, batch: Batch) -> Tensor:
        """Return the images on [-1, 1], in the precision of the weights."""
        return to_unit(batch.images, self.spec.levels).to(next(self.parameters()).dtype)

    def encode(self, batch: Batch) -> Tensor:
        """Return the code of every image, ``(B, Z)``."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it encodes: write encode()")

    def reconstruct(self, batch: Batch, *, generator: Generator | None = None) -> Tensor:
        """Show every image's own code, uint8 ``(B, C, H, W)``; without a generator, as :meth:`show` says."""
        batch = self.checked(batch)
        with evaluation(self):
            return self._images(self._codes(batch), batch, generator)

    def interpolate(self, batch: Batch, others: Batch, steps: int) -> Tensor:
        """Go from each image's reconstruction to its partner's, along the straight line between their codes.

        A line rather than a great circle: codes of an autoencoder need not lie near a sphere, and the ends are met
        exactly. A decoder that is told the label hears that of ``batch`` in the first half, then the partner's.

        Args:
            batch: where to begin.
            others: where to end, one partner for each.
            steps: images a row, both ends included.

        Returns:
            uint8 ``(B, steps, C, H, W)``.

        Raises:
            ValueError: for fewer than two steps, or partners that are more or fewer than the images.
        """
        if steps < 2:
            raise ValueError(f"steps={steps}: give at least 2, the two ends")
        if len(others) != len(batch):
            raise ValueError(f"others: {len(others)} partners for {len(batch)} images")
        batch = self.checked(batch)
        others = self.checked(others)
        with evaluation(self):
            start = self._codes(batch)
            end = self._codes(others)
            shares = [step / (steps - 1) for step in range(steps)]
            return torch.stack(
                [self._images(torch.lerp(start, end, t), batch if t < 0.5 else others, None) for t in shares], 1
            )

    def _codes(self, batch: Batch) -> Tensor:
        return torch.cat([self.encode(batch.rows(rows)) for rows in row_chunks(batch)])


def row_chunks(batch: Batch) -> Sequence[Tensor]:
    """Split the rows of ``batch`` into those that are taken at once."""
    rows = torch.arange(len(batch), device=batch.images.device)
    return rows.split(chunks(len(batch), AT_ONCE))
