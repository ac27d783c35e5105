"""What chains from the Laplace approximation gain over chains from the prior alone, in the same seconds.

    OMP_NUM_THREADS=1 python benchmarks/laplace.py [--latents 16 64] [--repeats 20]

Decoders whose log P(x) is known: linear ones, along whose axes the posterior's width differs by a hundred, and mixtures
of two of them, the sign of one more latent deciding, which has no gradient. Ten images each. The estimator is
``log_likelihood`` at ``fast``; against it, chains from the prior alone with as many temperatures as take as long. Each
line: seconds a call, bias and deviation of an image's log-likelihood in nats over the repeats, means over images.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import replace

import torch
from torch import Tensor, nn

from genbench import Batch, DataSpec, ImplicitModel
from genbench.likelihood import bidirectional
from genbench.likelihood.effort import EFFORTS
from genbench.seed import generator, normal

SIDE = 8
SIGMA = 20.0
WIDEST = 2_000.0  # levels that the image moves by along the axis of which it says most, a deviation of noise
IMAGES = 10
DRAWS = 2


class Linear(ImplicitModel):
    """m = 128 + W u; with ``sides``, ± 30 levels and one more latent whose sign says which."""

    def __init__(self, latents: int, sides: bool) -> None:
        super().__init__(DataSpec((1, SIDE, SIDE)), latents + sides)
        self.sides = sides
        self.net = nn.Linear(latents, SIDE * SIDE)
        source = generator(0, "decoder")
        left = torch.linalg.qr(normal((SIDE * SIDE, latents), source))[0]
        right = torch.linalg.qr(normal((latents, latents), source))[0]
        with torch.no_grad():
            self.net.weight.copy_(left * torch.logspace(math.log10(WIDEST), math.log10(WIDEST / 100), latents) @ right)
            self.net.weight.mul_(0.03)
            self.net.bias.fill_(128.0)
        self.variance.fill_(SIGMA**2)

    def decode(self, u: Tensor, given: Batch) -> Tensor:
        """Map noise to images in levels."""
        mean = self.net(u[:, self.sides :])
        if self.sides:
            mean = mean + 30 * (2.0 * (u[:, :1] > 0) - 1)
        return mean.view(-1, *self.spec.shape)

    def exact(self, images: Tensor) -> Tensor:
        """Return log P of each image but for what lies beyond the levels, float64 ``(B,)``."""
        weight = self.net.weight.detach().double()
        covariance = weight @ weight.T + SIGMA**2 * torch.eye(len(weight), dtype=torch.float64)
        means = [128.0 + shift for shift in ((-30, 30) if self.sides else (0,))]
        normals = [
            torch.distributions.MultivariateNormal(torch.full((len(weight),), mean, dtype=torch.float64), covariance)
            for mean in means
        ]
        logs = torch.stack([law.log_prob(images.flatten(1).double()) for law in normals])
        return logs.logsumexp(0) - math.log(len(means))


def inside(model: Linear) -> Batch:
    """Return images that the model makes, the first whose pixels all lie within the levels."""
    source = generator(1, "images")
    batch, _ = model.simulate(Batch(torch.zeros(50_000, 1, SIDE, SIDE, dtype=torch.uint8)), source)
    within = ((batch.images > 0) & (batch.images < 255)).flatten(1).all(1)
    return batch.rows(within.nonzero()[:IMAGES, 0])


def answers(model: Linear, batch: Batch, repeats: int) -> tuple[Tensor, float]:
    """Return log-likelihoods ``(repeats, B)`` under noise of their own, and the seconds of one."""
    began = time.perf_counter()
    found = [model.log_likelihood(batch, draws=DRAWS, generator=generator(seed, "ais")).nats for seed in range(repeats)]
    return torch.stack(found), (time.perf_counter() - began) / repeats


def compare(latents: int, sides: bool, repeats: int) -> None:
    """Print both estimators on one decoder."""
    model = Linear(latents, sides)
    batch = inside(model)
    exact = model.exact(batch.images)
    name = f"{'mixture' if sides else 'linear'}, {latents} latents"
    ours, seconds = answers(model, batch, repeats)
    report(name, "both", EFFORTS["fast"].temperatures, ours - exact, seconds)
    search, bidirectional.approximate = bidirectional.approximate, lambda *rest: None
    fast = EFFORTS["fast"]
    try:
        EFFORTS["fast"] = replace(fast, temperatures=200)
        _, took = answers(model, batch, 2)
        EFFORTS["fast"] = replace(fast, temperatures=max(2, round(200 * seconds / took)))
        theirs, seconds = answers(model, batch, repeats)
        report(name, "prior alone", EFFORTS["fast"].temperatures, theirs - exact, seconds)
    finally:
        EFFORTS["fast"], bidirectional.approximate = fast, search


def report(name: str, kind: str, temperatures: int, off: Tensor, seconds: float) -> None:
    """Print a row."""
    bias, deviation = off.mean(), off.std(0).mean()
    print(f"| {name} | {kind} | {temperatures} | {seconds:.2f} | {bias:+.3f} | {deviation:.3f} |", flush=True)


def main() -> None:
    """Compare on every decoder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--latents", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--repeats", type=int, default=20)
    words = parser.parse_args()
    print("| decoder | chains from | temperatures | s | bias, nats | deviation, nats |\n|---|---|---:|---:|---:|---:|")
    for latents in words.latents:
        for sides in (False, True):
            compare(latents, sides, words.repeats)


if __name__ == "__main__":
    main()
