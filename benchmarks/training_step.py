"""What the training loop costs: steps by ``fit`` against the same network, loss and optimiser in a bare PyTorch loop.

    OMP_NUM_THREADS=1 python benchmarks/training_step.py                    all, 10 pairs of 20 steps
    python benchmarks/training_step.py vae --pairs 20 --steps 50

Both train copies of one model on mnist5k, batches of 64, in turns (bare, fit, fit, bare, …) in one process; the first
step of each run warms up and does not count. The ratio of a pair is time by ``fit`` over time of the bare loop.
Processor time is what a shared machine disturbs least; wall time says the same on an idle one.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import genbench
from families.gan.growth import GrowingGAN, Stage
from families.gan.styles import PER_LEVEL, StyleGenerator, Styles
from families.layers.training import warm_cosine
from genbench import Budget, FitConfig, GenerativeModel, Splits, data
from genbench.spec import Batch

BATCH = 64
Loss = Callable[[nn.Module, Tensor], Tensor]
Clock = tuple[float, float]  # wall, processor


def gated_pixelcnn(model: nn.Module, images: Tensor) -> Tensor:
    """Cross-entropy of every pixel."""
    return F.cross_entropy(model.network(images.float() * (2 / 255) - 1, None), images[:, 0].long())


def realnvp(model: nn.Module, images: Tensor) -> Tensor:
    """Negative log-density of dequantised images a dimension."""
    values = images + (torch.rand(images.shape).double() + 2.0**-25)
    return -model.flow.log_prob(values, None).mean() / images[0].numel()


def vae(model: nn.Module, images: Tensor) -> Tensor:
    """Negative ELBO a dimension, the discretised logistic written out."""
    x = images.float() * (2 / 255) - 1
    given = Batch(images)
    posterior = model.encoder(x, given)
    deviation = posterior.log_std.exp()
    mean, raw = model.decoder(posterior.mean + deviation * torch.randn_like(deviation), given).chunk(2, 1)
    log_scale = (F.softplus(raw + 7) - 7).clamp(max=20)
    sharp, offset = torch.exp(-log_scale), x - mean
    low, high = F.logsigmoid((offset + 1 / 255) * sharp), F.logsigmoid(-(offset - 1 / 255) * sharp)
    both = low + high + torch.log(-torch.expm1(-2 / 255 * sharp))
    nats = torch.where(images == 0, low, torch.where(images == 255, high, both)).sum((1, 2, 3))
    kl = 0.5 * (deviation.square() + posterior.mean.square() - 1 - 2 * posterior.log_std).sum(1)
    return (kl - nats).mean() / images[0].numel()


def bare(model: GenerativeModel, splits: Splits, steps: int, loss: Loss) -> list[Clock]:
    """The loop as anybody would write it: the times behind each step."""
    times = []
    optimizer = torch.optim.Adam(model.parameters(), lr=model.lr)
    model.train()
    for step, images in enumerate(batches(splits, steps)):
        value = loss(model, images)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), model.clip)
        for group in optimizer.param_groups:
            group["lr"] = model.lr * warm_cosine(step / steps)
        optimizer.step()
        times.append((time.perf_counter(), time.process_time()))
    return times


Critic = Callable[[Tensor], Tensor]


def non_saturating(critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
    """The critic's side of the first GAN."""
    return F.softplus(-critic(real)).mean() + F.softplus(critic(fake)).mean()


def wasserstein(critic: Critic, real: Tensor, fake: Tensor, drift: float = 0.0) -> Tensor:
    """The critic's side of WGAN-GP, and with ``drift`` of progressive growing."""
    share = torch.rand(len(real), 1, 1, 1)
    between = (share * real + (1 - share) * fake).requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    scores = critic(real)
    loss = critic(fake).mean() - scores.mean() + 10 * (slope.flatten(1).norm(dim=1) - 1).square().mean()
    return loss + drift * scores.square().mean() if drift else loss


drifting = partial(wasserstein, drift=1e-3)


def steep(critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
    """The critic's side of StyleGAN, γ 10."""
    there = real.clone().requires_grad_()
    scores = critic(there)
    (slope,) = torch.autograd.grad(scores.sum(), there, create_graph=True)
    penalty = 10 * slope.square().sum((1, 2, 3)).mean() / 2
    return F.softplus(-scores).mean() + F.softplus(critic(fake)).mean() + penalty


def bare_gan(
    model: GenerativeModel, splits: Splits, steps: int, critic_loss: Callable[..., Tensor], *, grown: bool = False
) -> list[Clock]:
    """A GAN's loop: five critic steps to one where the loss is Wasserstein's, a moving average where samples have one.

    No gradient is computed for the critic's weights in the generator's step. One that is ``grown`` is at its data's
    sides; StyleGAN's mixes styles, and keeps the mean of those of its average.
    """
    critic, make, times = model.critic, model.generator, []
    at = (model.finest, 1.0) if grown else ()
    mean = copy.deepcopy(make) if model.average is not None else None
    rules = model.rules if grown else model
    critic_optimizer, optimizer = rules.critic_optimizer(critic.parameters()), rules.optimizer(make.parameters())
    model.train()

    def score(images: Tensor) -> Tensor:
        return critic(images, *at) if grown else critic(images)[0]

    def fakes(n: int) -> Tensor:
        u = torch.randn(n, model.latents)
        if isinstance(make, StyleGenerator):
            other, cut = torch.randn(n, make.sizes[0]), int(torch.randint(1, PER_LEVEL * (model.finest + 1), ()))
            return make(u, *at, Styles(other=other, cut=cut) if torch.rand(()) < model.mixing else None)
        return make(torch.erf(u / 2**0.5) if model.average is None else u, *at)  # DCGAN's noise is uniform

    for step, images in enumerate(batches(splits, steps), 1):
        real = images.float() * (2 / 255) - 1
        with torch.no_grad():
            fake = fakes(len(real))
        critic_optimizer.zero_grad(set_to_none=True)
        critic_loss(score, real, fake).backward()
        critic_optimizer.step()
        if step % rules.critic_steps == 0:
            critic.requires_grad_(False)
            scores = score(fakes(len(real)))
            value = -scores.mean() if critic_loss in (wasserstein, drifting) else F.softplus(-scores).mean()
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            optimizer.step()
            critic.requires_grad_(True)
            if mean is not None:
                with torch.no_grad():
                    for old, new in zip(mean.parameters(), make.parameters(), strict=True):
                        old.lerp_(new, 0.01)
                    for (name, old), new in zip(mean.named_buffers(), make.buffers(), strict=True):
                        old.lerp_(new, 0.01) if "running" in name else old.copy_(new)
                    if isinstance(mean, StyleGenerator):
                        model.mean.lerp_(mean.mapped(torch.randn(64, make.sizes[0])).mean(0), 0.005)
        times.append((time.perf_counter(), time.process_time()))
    return times


def batches(splits: Splits, steps: int) -> Iterator[Tensor]:
    """Shuffled once, then from the front."""
    images = splits.train.images[torch.randperm(len(splits.train))]
    for step in range(steps):
        place = step * BATCH % (len(images) - BATCH)
        yield images[place : place + BATCH]


LOOPS: dict[str, Callable[[GenerativeModel, Splits, int], list[Clock]]] = {
    "gated-pixelcnn": partial(bare, loss=gated_pixelcnn),
    "realnvp": partial(bare, loss=realnvp),
    "vae": partial(bare, loss=vae),
    "gan": partial(bare_gan, critic_loss=non_saturating),
    "wgan-gp": partial(bare_gan, critic_loss=wasserstein),
    "dcgan": partial(bare_gan, critic_loss=non_saturating),
    "pggan": partial(bare_gan, critic_loss=drifting, grown=True),
    "stylegan": partial(bare_gan, critic_loss=steep, grown=True),
}
# What the bare loops write out.
OPTIONS = {"realnvp": {"dequantisation": "uniform"}, "pggan": {"growing": False, "width": 8}, "stylegan": {"width": 8}}


def ours(model: GenerativeModel, splits: Splits, steps: int) -> list[Clock]:
    """The same steps by ``fit``."""
    times: list[Clock] = []
    hear = [lambda progress: times.append((time.perf_counter(), time.process_time()))]
    model.fit(splits, FitConfig(Budget(steps=steps), BATCH), callbacks=hear)
    return times


def milliseconds(times: list[Clock]) -> Clock:
    """A step's wall and processor time, the first step left out."""
    first, last = times[0], times[-1]
    wall, processor = (1000 * (b - a) / (len(times) - 1) for a, b in zip(first, last, strict=True))
    return wall, processor


def compare(name: str, splits: Splits, spec: genbench.DataSpec, pairs: int, steps: int) -> None:
    """Print a recipe's milliseconds a step and the ratio of the two loops."""
    model = genbench.build(name, spec, **OPTIONS.get(name, {}))
    if isinstance(model, GrowingGAN):
        model.stages = [Stage(model.finest, False, 1.0)]
    ours(model, splits, 3)  # initialised from data, and not fresh: both copies go on from here
    times: dict[str, list[Clock]] = {"bare": [], "fit": []}
    for pair in range(pairs):
        for which in ("bare", "fit") if pair % 2 == 0 else ("fit", "bare"):
            one = copy.deepcopy(model)
            loop = ours if which == "fit" else LOOPS[name]
            times[which].append(milliseconds(loop(one, splits, steps)))
    for clock, unit in enumerate(("wall", "processor")):
        plain, fit = ([pair[clock] for pair in times[which]] for which in ("bare", "fit"))
        ratios = sorted(a / b for a, b in zip(fit, plain, strict=True))
        low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
        print(
            f"{name:<15} {unit:<9} bare {statistics.median(plain):8.2f} ms  fit {statistics.median(fit):8.2f} ms  "
            f"ratio {middle:.3f} (quartiles {low:.3f} to {high:.3f}, {ratios[0]:.3f} to {ratios[-1]:.3f})"
        )


def main() -> None:
    """Compare the recipes named, or all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("recipes", nargs="*", default=list(LOOPS))
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--steps", type=int, default=20)
    words = parser.parse_args()
    dataset = data.load("mnist5k")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, batches of {BATCH}, {words.pairs} pairs")
    for name in words.recipes:
        compare(name, dataset.splits, dataset.spec, words.pairs, words.steps)


if __name__ == "__main__":
    main()
