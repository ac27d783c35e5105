"""How often intervals hold the truth: NLL, KID and extrapolated FID of known distributions, drawn again and again.

    OMP_NUM_THREADS=1 python benchmarks/coverage.py [--runs 400]

An interval is the figure ± 1.96 standard errors, so 95 of 100 should hold it. Plain FID is biased and holds no truth:
beside it stands its mean standard error over its true deviation, which should be near 1.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from genbench.metrics.fid import extrapolated, fid
from genbench.metrics.kid import kid
from genbench.stats import mean, standard_error

Z = 1.959964
NORMAL = {"dtype": torch.float64}


@dataclass(frozen=True)
class Coverage:
    """Of intervals over many draws: the share that holds the truth, and mean standard error over true deviation."""

    share: float
    ratio: float


def covered(draw: Callable[[], tuple[float, float]], truth: float, runs: int) -> Coverage:
    """Over ``runs`` draws of a figure and its standard error."""
    values, errors = np.array([draw() for _ in range(runs)]).T
    inside = np.abs(values - truth) <= Z * errors
    return Coverage(float(inside.mean()), float(errors.mean() / values.std(ddof=1)))


def nll(count: int, source: Generator) -> tuple[Callable[[], tuple[float, float]], float]:
    """Bits/dim of images whose likelihoods are as skewed as digits' are: a gamma's, of mean 1.2."""
    gamma = np.random.default_rng(int(torch.randint(2**31, (), generator=source)))

    def draw() -> tuple[float, float]:
        bits = (0.2 + gamma.gamma(4, 0.25, count)).tolist()
        return mean(bits), standard_error(bits) or math.nan

    return draw, 1.2


def features(width: int) -> tuple[Tensor, Tensor]:
    """Deviations of real features, which fall as an extractor's do, and means of generated ones."""
    return torch.logspace(0, -2, width, **NORMAL), torch.full((width,), 0.05, **NORMAL)


def pair(m: int, n: int, width: int, scale: float, source: Generator) -> tuple[Tensor, Tensor]:
    """Real features of N(0, S²) and generated ones of N(a, (scale · S)²)."""
    deviation, shift = features(width)
    real = torch.randn(m, width, generator=source, **NORMAL) * deviation
    return real, torch.randn(n, width, generator=source, **NORMAL) * deviation * scale + shift


def kernel_distance(width: int, scale: float) -> float:
    """KID of these distributions, in closed form: ``E (x·y/D + 1)³ = 1 + 3 E s + 3 E s² + E s³`` with ``s = x·y/D``."""
    deviation, shift = features(width)
    real, fake = (torch.zeros(width, **NORMAL), deviation**2), (shift, (scale * deviation) ** 2)

    def expected(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> float:
        (p, u), (q, v) = a, b
        # Cumulants of Σ x_k y_k over independent terms: mean, variance and third central moment of a product each.
        first = p * q
        second = u * v + u * q**2 + v * p**2
        third = 6 * p * q * u * v
        k1, k2, k3 = (float(k.sum()) / width**i for i, k in enumerate((first, second, third), 1))
        return 1 + 3 * k1 + 3 * (k2 + k1**2) + (k3 + 3 * k2 * k1 + k1**3)

    return expected(real, real) + expected(fake, fake) - 2 * expected(real, fake)


def cases(source: Generator) -> dict[str, tuple[Callable[[], tuple[float, float]], float]]:
    """By name: a draw of figure and standard error, and the truth."""
    found = {f"NLL, {count} images": nll(count, source) for count in (10, 100, 1000)}

    def kernel(n: int, scale: float) -> Callable[[], tuple[float, float]]:
        def draw() -> tuple[float, float]:
            one = kid(*pair(3 * n, n, 64, scale, source))
            return one.kid, one.standard_error or math.nan

        return draw

    def carried(n: int, scale: float) -> Callable[[], tuple[float, float]]:
        def draw() -> tuple[float, float]:
            one = extrapolated(*pair(3500, n, 64, scale, source))
            return one.fid, one.standard_error

        return draw

    def plain(n: int, width: int) -> Callable[[], tuple[float, float]]:
        def draw() -> tuple[float, float]:
            one = fid(*pair(1000, n, width, 1.2, source))
            return one.fid, one.standard_error or math.nan

        return draw

    def truth(scale: float, width: int = 64) -> float:
        deviation, shift = features(width)
        return float(shift.square().sum() + ((scale - 1) * deviation).square().sum())

    for n, scale in ((100, 1.2), (500, 1.2), (500, 1.05)):
        found[f"KID, {n} samples, {scale} times as wide"] = kernel(n, scale), kernel_distance(64, scale)
    for n, scale in ((256, 1.2), (500, 1.2), (500, 1.05)):
        found[f"FID, N → ∞, of {n} samples, {scale} times as wide"] = carried(n, scale), truth(scale)
    for n, width in ((500, 64), (150, 300)):
        found[f"FID, {n} samples, {width} features"] = plain(n, width), truth(1.2, width)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=400)
    runs = parser.parse_args().runs
    print("| figure | 95 % intervals that hold the truth | standard error / deviation |\n|---|---:|---:|", flush=True)
    for name, (draw, truth) in cases(torch.Generator().manual_seed(0)).items():
        found = covered(draw, truth, runs)
        print(f"| {name} | {found.share:.1%} | {found.ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
