"""The Fréchet distance of two Gaussians, and of all sets that lack one image, from one eigendecomposition."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

BLOCK = 4096  # rows in float64 at once
# The trapezoid rule over the logarithm of τ: its error falls as e^(-π² / STEP), and what lies outside as e^(-REACH).
STEP = 0.5
REACH = 22.0


@dataclass(frozen=True)
class Moments:
    """The Gaussian fitted to a set of features.

    Args:
        count: the number of images, None where statistics of others do not say it.
        mean: the mean, float64 ``(D,)``.
        covariance: the covariance, float64 ``(D, D)``, over ``count - 1``.
    """

    count: int | None
    mean: Tensor
    covariance: Tensor

    @classmethod
    def of(cls, blocks: Iterable[Tensor]) -> Moments:
        """Fit a Gaussian to features that come in blocks ``(·, D)``, of which no more than one is ever held.

        Raises:
            ValueError: for fewer than two images.
        """
        count = 0
        mean = torch.zeros(())
        scatter = torch.zeros(())
        for block in blocks:
            rows = block.double()
            centre = rows.mean(0)
            total = count + len(rows)
            apart = centre - mean
            rows = rows - centre
            # Chan, Golub and LeVeque (1983): no mean of squares is taken from another, which would cancel.
            scatter = scatter + rows.T @ rows + torch.outer(apart, apart) * (count * len(rows) / total)
            mean = mean + apart * (len(rows) / total)
            count = total
        if count < 2:
            raise ValueError(f"moments: {count} images have no covariance: give at least 2")
        return cls(count, mean, scatter / (count - 1))


def blocks(rows: Tensor) -> Iterator[Tensor]:
    """Yield ``rows`` on the CPU, in blocks that are small in float64."""
    return (part.cpu() for part in rows.split(BLOCK))


def distance(real: Moments, fake: Moments) -> float:
    """Return ``|μ_r - μ_f|² + tr(Σ_r + Σ_f - 2 (Σ_r Σ_f)^½)``, in memory independent of the number of images."""
    root = _root(real.covariance)
    spectrum = torch.linalg.eigvalsh(root.T @ fake.covariance @ root).clamp(min=0)
    return _value(real, fake, float(spectrum.sqrt().sum()))


def leave_one_out(real: Moments, rows: Tensor) -> tuple[float, Tensor]:
    """Return the distance of ``rows`` from ``real``, and the distances with each of the rows left out.

    With ``Σ_r = A Aᵀ`` and ``M = Aᵀ Σ_f A`` the trace is ``tr M^½``. Without row i, ``M`` is
    ``(N-1)/(N-2) · (M - c y yᵀ)`` where ``y = Aᵀ (x_i - μ) / √(N-1)`` and ``c = N / (N-1)``; and since
    ``√λ = 1/π ∫ ln(1 + λ/τ²) dτ``,

        tr M^½ - tr (M - c y yᵀ)^½ = -1/π ∫ ln(1 - c yᵀ (M + τ²)⁻¹ y) dτ,

    which is a sum over eigenvalues for each τ. Exact, where N matrix square roots would cost N times as much.

    Args:
        real: the moments of the reference.
        rows: the features ``(N, D)``, N at least 3. Beyond them memory holds D² numbers, however many rows there are.

    Returns:
        The distance, and the others as float64 ``(N,)``.
    """
    fake = Moments.of(blocks(rows))
    n = len(rows)
    spectrum, shares = (_thin if n <= rows.shape[1] else _thick)(real, fake, rows)
    lost = torch.cat([_lost(spectrum, part, n / (n - 1)) for part in shares()])
    trace = float(spectrum.sqrt().sum())
    away = torch.cat([(part.double() - fake.mean).square().sum(1) for part in blocks(rows)])
    aside = torch.cat([(part.double() - fake.mean) @ (fake.mean - real.mean) for part in blocks(rows)])
    means = _between(real, fake) - 2 * aside / (n - 1) + away / (n - 1) ** 2
    widths = ((n - 1) * fake.covariance.trace() - n / (n - 1) * away) / (n - 2)
    traces = math.sqrt((n - 1) / (n - 2)) * (trace - lost)
    return _value(real, fake, trace), means + real.covariance.trace() + widths - 2 * traces


def _between(real: Moments, fake: Moments) -> float:
    return float((real.mean - fake.mean).square().sum())


def _value(real: Moments, fake: Moments, trace: float) -> float:
    if torch.equal(real.mean, fake.mean) and torch.equal(real.covariance, fake.covariance):
        return 0.0  # which a trace that eigenvalues sum up to misses by their rounding
    return _between(real, fake) + float(real.covariance.trace() + fake.covariance.trace()) - 2 * trace


def _root(covariance: Tensor) -> Tensor:
    """Return ``A`` with ``A Aᵀ = Σ``: Cholesky's, and where Σ is singular the one of its eigenvectors."""
    factor, failed = torch.linalg.cholesky_ex(covariance)
    if not failed:
        return factor
    values, vectors = torch.linalg.eigh(covariance)
    return vectors * values.clamp(min=0).sqrt()


Shares = Callable[[], Iterator[Tensor]]


def _thin(real: Moments, fake: Moments, rows: Tensor) -> tuple[Tensor, Shares]:
    """Return M's eigenvalues λ, and each row's ``(vᵀ y)² / λ`` for them: from the N×N matrix ``Y Yᵀ = U Λ Uᵀ``."""
    centred = (rows.cpu().double() - fake.mean) / math.sqrt(len(rows) - 1)
    values, vectors = torch.linalg.eigh(centred @ real.covariance @ centred.T)
    kept = _there(values)
    return values[kept], lambda: iter([vectors[:, kept].square()])


def _thick(real: Moments, fake: Moments, rows: Tensor) -> tuple[Tensor, Shares]:
    """Return M's eigenvalues λ, and each row's ``(vᵀ y)² / λ`` for them: from the D×D matrix."""
    root = _root(real.covariance)
    values, vectors = torch.linalg.eigh(root.T @ fake.covariance @ root)
    kept = _there(values)
    values = values[kept]
    onto = root @ vectors[:, kept] / (values * (len(rows) - 1)).sqrt()
    return values, lambda: (((part.double() - fake.mean) @ onto).square() for part in blocks(rows))


def _there(values: Tensor) -> Tensor:
    """Say which eigenvalues, ascending, are more than rounding."""
    return values > values[-1].clamp(min=torch.finfo(values.dtype).tiny) * torch.finfo(values.dtype).eps * len(values)


def _lost(spectrum: Tensor, shares: Tensor, c: float) -> Tensor:
    """Return ``tr M^½ - tr (M - c y yᵀ)^½`` for rows with the shares ``(vᵀ y)² / λ``, ``(B, k)``; float64 ``(B,)``."""
    largest = float(spectrum.amax()) if len(spectrum) else 0.0
    if largest == 0:
        return torch.zeros(len(shares), dtype=torch.float64)
    places = torch.arange(-REACH, REACH + STEP, STEP, dtype=torch.float64) + math.log(largest) / 2
    part = spectrum[:, None] / (spectrum[:, None] + (2 * places).exp())
    seen = c * shares @ part
    # Nearly 1 where a row is all that there is in a direction, nearly 0 where τ is large: neither may cancel.
    left = (1 - c * shares.sum(1)).clamp(min=0)[:, None] + c * shares @ (1 - part)
    logs = torch.where(seen < 0.5, torch.log1p(-seen), left.clamp(min=torch.finfo(left.dtype).tiny).log())
    return -(logs @ places.exp()) * (STEP / math.pi)
