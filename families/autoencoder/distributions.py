"""Distributions over codes: what an encoder says of an image's code, and what a prior says of any.

Each has a density (``log_prob``), a ``draw`` from a generator, and its ``mean`` and ``spread`` row by row.
Shapes: ``B`` rows, ``Z`` numbers a code, ``K`` classes, ``M`` components of a mixture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from genbench.seed import normal, uniform


class CodeDistribution(Protocol):
    """A distribution over the code of each of ``B`` rows."""

    @property
    def mean(self) -> Tensor:
        """The mean code of every row, ``(B, Z)``."""
        ...

    @property
    def spread(self) -> Tensor:
        """The standard deviation of each number of the code, ``(B, Z)``; 0 for one that does not move by itself."""
        ...

    def log_prob(self, codes: Tensor) -> Tensor:
        """Return the nats of codes ``(…, B, Z)``: ``(…, B)``."""
        ...

    def draw(self, generator: Generator, draws: Sequence[int] = ()) -> Tensor:
        """Draw codes ``(*draws, B, Z)``."""
        ...


@dataclass(frozen=True)
class Gaussian:
    """Independent normals: ``mean`` and ``log_std``, each ``(B, Z)``."""

    mean: Tensor
    log_std: Tensor

    @property
    def spread(self) -> Tensor:
        """The standard deviations ``σ``, ``(B, Z)``."""
        return self.log_std.exp()

    def at(self, noise: Tensor) -> Tensor:
        """Return the reparameterised draw ``μ + σ·ε`` (1312.6114), from standard normal noise ``(…, B, Z)``."""
        return self.mean + self.spread * noise

    def draw(self, generator: Generator, draws: Sequence[int] = ()) -> Tensor:
        """Draw codes ``(*draws, B, Z)``, with gradients into mean and spread."""
        return self.at(normal((*draws, *self.mean.shape), generator, self.mean.device).to(self.mean.dtype))

    def log_prob(self, codes: Tensor) -> Tensor:
        """Return the nats of codes ``(…, B, Z)``: ``(…, B)``."""
        standard = (codes - self.mean) * (-self.log_std).exp()
        return (-0.5 * standard.square() - self.log_std - 0.5 * math.log(2 * math.pi)).sum(-1)


@dataclass(frozen=True)
class OneHot:
    """One of ``K`` classes, written as a one-hot code.

    Args:
        log_odds: logarithms of the classes' probabilities, ``(B, K)``, none of them zero.
    """

    log_odds: Tensor

    @property
    def mean(self) -> Tensor:
        """The classes' probabilities, ``(B, K)``."""
        return self.log_odds.exp()

    @property
    def spread(self) -> Tensor:
        """Zeros ``(B, K)``: a class is not moved along one number."""
        return torch.zeros_like(self.log_odds)

    def draw(self, generator: Generator, draws: Sequence[int] = ()) -> Tensor:
        """Draw one-hot codes ``(*draws, B, K)``: classes whose stretch of the distribution function holds a uniform."""
        shape = (*draws, *self.log_odds.shape[:-1], 1)
        below = self.mean.double().cumsum(-1)[..., :-1]
        chosen = (below <= uniform(shape, generator, below.device).double()).sum(-1)
        return F.one_hot(chosen, self.log_odds.shape[-1]).to(self.log_odds.dtype)

    def log_prob(self, codes: Tensor) -> Tensor:
        """Return the nats of one-hot codes ``(…, B, K)``: ``(…, B)``."""
        return (codes * self.log_odds).sum(-1)


@dataclass(frozen=True)
class Joint:
    """Independent parts of a code, one behind the other: a class and a style."""

    parts: tuple[Gaussian | OneHot, ...]

    @property
    def mean(self) -> Tensor:
        """The parts' means one behind the other, ``(B, Z)``."""
        return torch.cat([part.mean for part in self.parts], -1)

    @property
    def spread(self) -> Tensor:
        """The parts' spreads one behind the other, ``(B, Z)``."""
        return torch.cat([part.spread for part in self.parts], -1)

    def draw(self, generator: Generator, draws: Sequence[int] = ()) -> Tensor:
        """Draw codes ``(*draws, B, Z)``, part by part."""
        return torch.cat([part.draw(generator, draws) for part in self.parts], -1)

    def log_prob(self, codes: Tensor) -> Tensor:
        """Return the parts' nats, summed: ``(…, B)``."""
        pieces = codes.split([part.mean.shape[-1] for part in self.parts], -1)
        nats = [part.log_prob(piece) for part, piece in zip(self.parts, pieces, strict=True)]
        return torch.stack(nats).sum(0)


@dataclass(frozen=True)
class GaussianMixture:
    """The same mixture of correlated normals for each of ``rows`` rows: ``Σ w_m N(μ_m, L_m L_mᵀ)``.

    Args:
        log_weights: ``log w``, ``(M,)``; minus infinity where a component is not used.
        means: ``μ``, ``(M, Z)``.
        factors: ``L``, lower triangular, ``(M, Z, Z)``.
        rows: the number ``B`` of rows.
    """

    log_weights: Tensor
    means: Tensor
    factors: Tensor
    rows: int

    @property
    def mean(self) -> Tensor:
        """The mean of the whole mixture, ``(B, Z)``."""
        return (self.log_weights.exp() @ self.means).expand(self.rows, -1)

    @property
    def spread(self) -> Tensor:
        """The standard deviations of the whole mixture, ``(B, Z)``."""
        centre = self.log_weights.exp() @ self.means
        variances = (self.means - centre).square() + self.factors.square().sum(-1)
        return (self.log_weights.exp() @ variances).sqrt().expand(self.rows, -1)

    def draw(self, generator: Generator, draws: Sequence[int] = ()) -> Tensor:
        """Draw codes ``(*draws, B, Z)``: a component, then ``μ + L ε``."""
        component = OneHot(self.log_weights.expand(self.rows, -1)).draw(generator, draws)
        noise = normal((*draws, self.rows, self.means.shape[1]), generator, self.means.device).to(self.means.dtype)
        # every component's draw from the same noise, of which one is kept: there are few components
        every = self.means + torch.einsum("...i,mji->...mj", noise, self.factors)
        return torch.einsum("...m,...mj->...j", component, every)

    def log_prob(self, codes: Tensor) -> Tensor:
        """Return ``log Σ w_m N(z; μ_m, L_m L_mᵀ)`` of codes ``(…, B, Z)``: ``(…, B)``."""
        eye = torch.eye(codes.shape[-1], dtype=codes.dtype, device=codes.device)
        whitening = torch.linalg.solve_triangular(self.factors, eye, upper=False)  # L⁻¹, for all codes at once
        standard = torch.einsum("...mi,mji->...mj", codes.unsqueeze(-2) - self.means, whitening)
        size = self.factors.diagonal(dim1=-2, dim2=-1).log().sum(-1) + 0.5 * codes.shape[-1] * math.log(2 * math.pi)
        return (self.log_weights - size - 0.5 * standard.square().sum(-1)).logsumexp(-1)
