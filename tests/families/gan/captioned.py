"""Small images with captions, for tests of the recipes that are given them."""

import torch

from genbench import Batch, DataSpec, Field, Split, Splits
from tests.families.gan.tiny import gen

SPEC = DataSpec((1, 16, 16), levels=17, classes=3, fields={"caption": Field((4,), 13)})
COLOUR = DataSpec((3, 8, 8), levels=17, classes=3, fields={"caption": Field((4,), 13)})


def captions(n=6, seed=0):
    """One word of each of three attributes, a noun, and no two that say the same: rows count in base three."""
    rows = torch.arange(n)
    adjectives = [1 + rows % 3, 4 + rows // 3 % 3, 7 + rows // 9 % 3]
    tokens = torch.stack([*adjectives, 10 + rows % 3], 1)
    orders = torch.stack([torch.randperm(3, generator=gen(seed)) for _ in range(n)])
    return torch.cat([tokens[:, :3].gather(1, orders), tokens[:, 3:]], 1)


def told(n=6, seed=0, spec=SPEC, words=None):
    images = torch.randint(0, spec.levels, (n, *spec.shape), generator=gen(seed), dtype=torch.uint8)
    return Batch(images, torch.arange(n) % 3, fields={"caption": captions(n, seed) if words is None else words})


def splits(n=48, spec=SPEC):
    parts = (told(n, 0, spec), told(16, 1, spec))
    return Splits(*(Split(part.images, part.labels, None, part.fields) for part in parts))


def shuffled(words, seed=5):
    """The same captions, the words of each in another order."""
    return torch.stack([row[torch.randperm(len(row), generator=gen(seed + k))] for k, row in enumerate(words)])


def louder(model):
    """``model`` with greater weights in what makes and judges images: what is nearly nothing at first shows."""
    for name, parameter in model.named_parameters():
        if name.startswith(("stages", "averages", "tree", "average", "critics")) and "augmentation" not in name:
            parameter.data.mul_(4)
    return model
