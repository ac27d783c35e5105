"""Grown, stacked, inferring and few-label GANs learn and draw at sides of all kinds, in grey and in colour."""

import pytest
import torch

from genbench import Batch, DataSpec, Field, Split, Splits
from tests.families.gan.tiny import build, gen, step

NAMES = (
    *("lapgan", "pggan", "stylegan", "s2-gan", "stackgan", "stackgan-pp"),
    *("triple-gan", "s3-gan", "bigan", "co-gan", "ano-gan"),
)
SHAPES = [(1, 28, 28), (3, 16, 16), (3, 64, 64), (1, 13, 17)]
REFUSED = {("s3-gan", (1, 13, 17)): "must be square"}


def spec_of(shape):
    fields = {"caption": Field((4,), 13)}
    return DataSpec(shape, levels=17, classes=3, source=shape, labelled=6, fields=fields)


def batch(shape, n=4):
    def images(seed, n=n, levels=17):
        return torch.randint(0, levels, (n, *shape), generator=gen(seed), dtype=torch.uint8)

    captions = {"caption": torch.randint(0, 13, (n, 4), generator=gen(5))}
    labelled = Batch(images(7), torch.arange(n) % 3)
    return Batch(images(0), torch.full((n,), -1), images(1, levels=256), captions, labelled=labelled)


def splits_of(shape):
    rows = batch(shape)
    split = Split(rows.images, rows.labelled.labels, rows.sources, rows.fields)
    return Splits(split, split)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_every_turn_learns_from_images_of_the_shape_and_samples_have_it(name, shape):
    spec = spec_of(shape)
    if (name, shape) in REFUSED:
        with pytest.raises(ValueError, match=REFUSED[name, shape]):
            build(name, spec, width=4)
        return
    model = build(name, spec, width=4).train()
    for phase in model.phases():
        if phase.enter is not None:
            phase.enter(splits_of(shape), step())
        for turn in phase.turns:
            loss = turn.loss(batch(shape), step())["loss"]
            slopes = torch.autograd.grad(loss, [p for m in turn.learns for p in m.parameters()], allow_unused=True)
            assert all(slope is None or bool(slope.isfinite().all()) for slope in slopes), turn.name
            assert any(slope is not None and bool(slope.any()) for slope in slopes), turn.name
    asked = splits_of(shape).train.rows(slice(2))
    assert model.draw(asked, gen()).shape == (2, *shape)
