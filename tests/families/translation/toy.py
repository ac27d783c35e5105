"""Small data and networks whose translations and scores are known, for what translators have in common."""

import copy

import torch
from torch import nn

from families.layers.distances import l1
from genbench import Batch, Budget, DataSpec, FitConfig, Step

UNPAIRED = DataSpec((1, 8, 8), 256, source=(1, 8, 8), paired=False)
PAIRS = DataSpec((1, 8, 8), 256, source=(1, 8, 8))


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def step(seed=0, fraction=0.0):
    return Step(0, fraction, gen(seed))


def adam(parameters):
    return torch.optim.Adam(parameters, lr=1e-2)


def integers(n, shape=(1, 8, 8), seed=0, levels=256):
    return torch.randint(0, levels, (n, *shape), generator=gen(seed), dtype=torch.uint8)


def batch(n=4, seed=0, **rest):
    return Batch(integers(n, seed=seed), sources=integers(n, seed=seed + 100), **rest)


def ones(n=3):
    """Sources and images that are 1 everywhere on [-1, 1]."""
    return Batch(
        torch.full((n, 1, 8, 8), 255, dtype=torch.uint8), sources=torch.full((n, 1, 8, 8), 255).to(torch.uint8)
    )


class Times(nn.Module):
    """``factor · x``, with as much noise as it is told to have, which it adds up."""

    def __init__(self, factor=1.0, latents=0):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))
        self.latents = latents

    def forward(self, source, u=None):
        noise = 0 if u is None or not self.latents else u.mean(1).view(-1, 1, 1, 1)
        return self.factor * source + noise


class Level(nn.Module):
    """The logit ``bias + slope · mean``, beside the mean of what it is told."""

    def __init__(self, bias=0.0, slope=0.0, told=0.0):
        super().__init__()
        self.bias, self.slope, self.told = (nn.Parameter(torch.tensor(one)) for one in (bias, slope, told))

    def forward(self, images, given=None):
        logits = self.bias + self.slope * images.flatten(1).mean(1)
        return logits if given is None else logits + self.told * given.flatten(1).mean(1)


def drawn_nearer(model, data, source):
    """Train a model whose features hold a drawing to its photograph: there it must end a fifth nearer than it began."""
    begun = copy.deepcopy(model.generator)
    model.fit(data, FitConfig(Budget(steps=150), batch_size=8))
    apart = [float(model.perception.compared(l1)(net(source), source).detach()) for net in (model.generator, begun)]
    assert apart[0] < 0.8 * apart[1]
