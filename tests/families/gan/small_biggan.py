"""A small BigGAN, both networks of it, and conditions for it."""

import pytest
import torch

import genbench
from genbench import Batch, DataSpec

SPEC = DataSpec((1, 16, 16), levels=17, classes=3)
NETWORKS = pytest.mark.parametrize("network", ["convolutional", "residual"])


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def of(*labels):
    return Batch(torch.zeros(len(labels), 0, dtype=torch.uint8), torch.tensor(labels))


def build(spec=SPEC, **options):
    return genbench.build("biggan", spec, **{"width": 4, "latents": 7, "embedding": 5} | options)
