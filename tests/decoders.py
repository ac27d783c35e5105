"""Implicit models whose likelihood is known, or nearly so."""

import math

import torch
from torch import nn

from genbench import DataSpec, ImplicitModel
from genbench.seed import normal

SPEC = DataSpec((1, 2, 2), levels=17)


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n, spec=SPEC, seed=0):
    return torch.randint(0, spec.levels, (n, *spec.shape), generator=gen(seed), dtype=torch.uint8)


class Linear(ImplicitModel):
    """m = b + W u, in levels, through a batch normalisation that training mode would move."""

    def __init__(self, spec=SPEC, latents=1, given=(), categories=1):
        super().__init__(spec, latents, given, categories)
        self.net = nn.Linear(latents, spec.dimensions)
        self.norm = nn.BatchNorm1d(latents, affine=False)
        with torch.no_grad():
            weight = normal(self.net.weight.shape, gen(1))
            self.net.weight.copy_(3 * weight)
            self.net.bias.copy_(8 + normal(self.net.bias.shape, gen(2)))
        self.asked = []

    def decode(self, u, given):
        self.asked.append((self.training, torch.is_grad_enabled(), self.net.weight.requires_grad, given))
        return self.net(self.norm(u)).unflatten(1, self.spec.shape)


class Labelled(Linear):
    def __init__(self):
        super().__init__(DataSpec((1, 2, 2), 17, classes=4), given=("label",))

    def decode(self, u, given):
        return super().decode(u, given) * 0 + given.labels.view(-1, 1, 1, 1)


class Sourced(Linear):
    def __init__(self):
        super().__init__(DataSpec((1, 2, 2), 17, source=(1, 2, 2)), given=("source",))

    def decode(self, u, given):
        return super().decode(u, given) * 1e-3 + given.sources / 16


class Hidden(Linear):
    """m = b + k + (k + 1) W u under the hidden category k, in which b grows by a step."""

    def __init__(self, categories=3, latents=1, step=4.0):
        super().__init__(latents=latents, categories=categories)
        self.step, self.seen = step, []

    def decode(self, u, given):
        category = given.fields["category"]
        self.seen.append(category)
        shift, slope = (self.step * category).view(-1, 1, 1, 1), (category + 1).view(-1, 1, 1, 1)
        base = self.net.bias.view(1, *self.spec.shape) - 6
        return base + shift + slope * (super().decode(u, given) - self.net.bias.view(1, *self.spec.shape)) / 3


def fixed(variance, kind=Linear, **kwargs):
    model = kind(**kwargs).eval()
    model.variance.fill_(variance)
    return model


def decoded(model, category, u):
    """What a model decodes under one category, float64, by a copy of its formula."""
    net = model.net.double()
    moved = (u / math.sqrt(1 + model.norm.eps)) @ net.weight.T
    images = (net.bias - 6 + model.step * category + (category + 1) * moved / 3).detach()
    model.net.float()
    return images.view(-1, 1, *model.spec.shape)
