"""What steps that adapt while a chain is weighed do to E[w], which is to be P(x): on a linear decoder, which knows it.

    OMP_NUM_THREADS=1 python benchmarks/step_sizes.py [--groups 5]

Three ways to choose the sizes of a chain's leapfrog steps: by what all chains of the group have accepted so far and a
little by its own, by its own alone, and by a pilot that counts for nothing,
which is what `genbench.likelihood.ais` does.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor

from genbench.likelihood.ais import FIRST_STEP, TARGET_ACCEPTANCE, Point, ais, sigmoid_schedule, transition, tune
from genbench.seed import generator, normal

LATENTS, PIXELS, SIGMA = 5, 3, 0.5
CHAINS, TEMPERATURES, LEAPFROG, PILOT = 4000, 50, 3, 12


class Linear:
    """x = A u + b + σ ε."""

    def __init__(self) -> None:
        source = generator(0, "decoder")
        self.a, self.b, u, noise = (
            normal(shape, source).double() for shape in ((PIXELS, LATENTS), (PIXELS,), (LATENTS,), (PIXELS,))
        )
        self.x = self.a @ u + self.b + SIGMA * noise

    def __call__(self, u: Tensor) -> Tensor:
        """Noise ``(N, Z)`` → ``log P(x given u)``."""
        residual = (self.x - self.b - u @ self.a.T) / SIGMA
        return -residual.square().sum(1) / 2 - PIXELS * math.log(SIGMA * math.sqrt(2 * math.pi))

    def exact(self) -> float:
        """``log P(x)``."""
        covariance = self.a @ self.a.T + SIGMA**2 * torch.eye(PIXELS, dtype=torch.float64)
        return float(torch.distributions.MultivariateNormal(self.b, covariance).log_prob(self.x))


def prior(source: Generator) -> Tensor:
    """Where chains start."""
    return normal((CHAINS, LATENTS), source).double()


def adapting(target: Linear, source: Generator, together: float, own: float) -> Tensor:
    """Log-weights of chains whose steps follow acceptance while they are weighed, at these rates."""
    betas, point = sigmoid_schedule(TEMPERATURES), Point.at(target, prior(source))
    weights = torch.zeros(CHAINS, dtype=torch.float64)
    logs = torch.full_like(weights, math.log(FIRST_STEP))
    for t in range(1, TEMPERATURES + 1):
        weights += (betas[t] - betas[t - 1]) * point.value
        if t < TEMPERATURES:
            point, accepted, _ = transition(target, point, betas[t], logs.exp(), LEAPFROG, source)
            logs = logs + together * (accepted.mean() - TARGET_ACCEPTANCE) + own * (accepted - TARGET_ACCEPTANCE)
    return weights


def piloted(target: Linear, source: Generator) -> Tensor:
    """Log-weights of chains whose steps others have settled."""
    steps = tune(target, prior(source), temperatures=PILOT, leapfrog=LEAPFROG, generator=source)
    start = prior(source)
    run = ais(target, start, steps=steps, temperatures=TEMPERATURES, leapfrog=LEAPFROG, generator=source)
    return run.log_weights


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, default=5, help=f"of {CHAINS} chains")
    groups = parser.parse_args().groups
    target = Linear()
    ways: dict[str, Callable[[Generator], Tensor]] = {
        "all chains' acceptance (rate 0.2), own (0.02)": lambda source: adapting(target, source, 0.2, 0.02),
        "own acceptance (rate 0.5)": lambda source: adapting(target, source, 0.0, 0.5),
        "a pilot's": lambda source: piloted(target, source),
    }
    print("| steps by | log E[w] / P(x), nats | mean log w / P(x), nats |\n|---|---:|---:|")
    for name, way in ways.items():
        found = torch.cat([way(generator(k, "chains")) for k in range(groups)]) - target.exact()
        ratio = found.exp()
        error = float(ratio.std() / ratio.mean()) / math.sqrt(len(ratio))
        print(f"| {name} | {float(ratio.mean().log()):.3f} ± {error:.3f} | {float(found.mean()):.3f} |", flush=True)


if __name__ == "__main__":
    main()
