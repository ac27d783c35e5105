"""A GAN of two flat networks on small labelled images, for tests of the game itself."""

import torch
from torch import nn

import genbench
from families.adversarial.losses import NON_SATURATING
from families.gan.codes import Code
from families.gan.heads import Head
from families.gan.model import GAN
from genbench import Batch, DataSpec, Step

SPEC = DataSpec((1, 4, 4), levels=9, classes=3)


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def batch(n=6, seed=0):
    images = torch.randint(0, 9, (n, 1, 4, 4), generator=gen(seed), dtype=torch.uint8)
    return Batch(images, torch.arange(n) % 3)


def step(seed=0):
    return Step(0, 0.0, gen(seed))


def build(name, **options):
    return genbench.build(name, SPEC, width=4, latents=5, **options)


class FlatCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(16, 1)

    def forward(self, x):
        return self.net(x.flatten(1))[:, 0], x.flatten(1)


class FlatGenerator(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(5, 16)

    def forward(self, code):
        return self.net(code).tanh().view(-1, 1, 4, 4)


def tiny(loss=NON_SATURATING, **options):
    make = {"optimizer": torch.optim.SGD} | options
    return GAN(SPEC, FlatGenerator(), FlatCritic(), Code(5), Head(), loss=loss, **make)


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None and bool(p.grad.any())}
