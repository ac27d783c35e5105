"""The benchmark that takes a part out: nothing is left of it, and its place is where it belongs."""

import pytest
import torch
from torch import nn

import genbench
from benchmarks import taken_out
from genbench import Batch, DataSpec, Field

SHADOWS = DataSpec((3, 16, 16), source=(3, 16, 16), fields={"shadow": Field((1, 16, 16), 2, "source")})
FACES = DataSpec(
    (1, 32, 32),
    source=(1, 32, 32),
    fields={"landmarks": Field((4, 2), 32, "source"), "identity": Field((), 3)},
)


def test_of_st_cgan_the_second_network_no_longer_sees_the_mask():
    generator = genbench.build("st-cgan", SHADOWS, width=4).generator.eval()
    sources, u = torch.rand(2, 3, 16, 16), torch.empty(2, 0)
    masks = torch.rand(2, 1, 16, 16), torch.rand(2, 1, 16, 16)

    def images():
        return [generator.remover(torch.cat([sources, mask], 1), u) for mask in masks]

    assert not torch.equal(*images())
    before = generator.remover
    taken_out.take_out(generator)
    assert torch.equal(*images())
    assert torch.equal(images()[0], before(torch.cat([sources, torch.zeros(2, 1, 16, 16)], 1), u))


def test_of_tp_gan_the_image_no_longer_depends_on_where_the_parts_are():
    generator = genbench.build("tp-gan", FACES, width=4, code=8, latents=5).generator.eval()
    sources, u = torch.rand(2, 1, 32, 32), torch.zeros(2, 5)
    places = torch.full((2, 4, 2), 10), torch.full((2, 4, 2), 20)

    def images():
        return [generator(sources, u, points).images[0] for points in places]

    assert not torch.equal(*images())
    taken_out.take_out(generator)
    assert torch.equal(*images())
    assert not any(bool(path(sources, places[0][:, 0])[0].any()) for path in generator.paths())


def test_nothing_else_is_taken_for_one_of_them():
    with pytest.raises(TypeError, match="Linear: no part of it"):
        taken_out.take_out(nn.Linear(1, 1))


def test_the_places_are_the_shadows_and_those_of_eyes_nose_and_mouth():
    class Data:
        spec = FACES
        validation = Batch(torch.zeros(2, 1, 32, 32, dtype=torch.uint8), fields={"shadow": torch.eye(4)[None, None]})

    assert torch.equal(taken_out.place("st-cgan", Data)[0, 0], torch.eye(4) > 0)
    faces = taken_out.place("tp-gan", Data)
    assert faces.shape == (2, 1, 32, 32)
    assert bool(faces[0, 0, 14, 10] & faces[0, 0, 14, 21] & faces[0, 0, 19, 16] & faces[0, 0, 24, 16])
    assert 0.2 < float(faces.double().mean()) < 0.5
