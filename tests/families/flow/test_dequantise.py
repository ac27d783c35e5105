import math

import pytest
import torch

from families.flow.dequantise import Dequantiser
from families.flow.preprocess import OpenLinear, OpenLogit
from genbench import Batch, DataSpec, build
from genbench.seed import generator
from tests.families.flow.helpers import check_sum_is_one, images_of, randomised, weights_of
from tests.families.helpers import every_image


@pytest.mark.parametrize("u", [0.0, 1 - 2**-24])
def test_dequantisation_stays_strictly_inside_each_bin_and_padding_inside_the_range(monkeypatch, u):
    monkeypatch.setattr("families.flow.dequantise.uniform", lambda shape, source, device: torch.full(tuple(shape), u))
    images = torch.tensor([0, 1, 254, 255], dtype=torch.uint8).view(1, 1, 2, 2)
    v = Dequantiser(DataSpec((1, 2, 2)), (1, 2))(images, generator(0))[0]
    inside = v[:, :, :2, :2]
    bottom = images.double() - torch.tensor([0, 0, 0, 256]).view(2, 2)  # the last bin counts from the top
    assert ((inside > bottom) & (inside < bottom + 1)).all()
    assert ((v > -1) & (v != 0) & (v < 255)).all()
    for preprocess in (OpenLogit(256), OpenLinear(256)):
        assert torch.isfinite(preprocess(v)[0]).all()


def test_padding_is_uniform_over_the_whole_range_and_cut_off_again():
    pad = Dequantiser(DataSpec((2, 3, 5), 17), (1, 3))
    images = images_of(pad.spec, 500).images
    v = pad(images, generator(0))[0].detach().remainder(17)
    assert v.shape == (500, *pad.shape) == (500, 2, 4, 8)
    assert torch.equal(pad.images(v), images)
    around = torch.cat((v[:, :, 3].flatten(), v[:, :, :3, 5:].flatten()))
    assert around.mean().item() == pytest.approx(8.5, abs=0.1)
    assert around.var().item() == pytest.approx(17**2 / 12, rel=0.02)
    assert around.min() < 0.05
    assert around.max() > 16.95


@pytest.mark.parametrize("recipe", ["nice", "realnvp", "glow"])
def test_uniform_noise_fills_every_bin_evenly_and_learns_nothing(recipe):
    model = build(recipe, DataSpec((1, 4, 4), 3), width=4, dequantisation="uniform")
    assert not list(model.dequantiser.parameters())
    assert list(build(recipe, model.spec, width=4).dequantiser.parameters())
    images = images_of(model.spec, 500).images
    values, nats = model.dequantiser(images, generator(0))
    noise = values[:, :, :4, :4] - images
    for level in range(3):
        ours = noise[images == level]
        assert ours.mean().item() == pytest.approx(0.5, abs=0.02)
        assert ours.var().item() == pytest.approx(1 / 12, abs=0.004)
    assert torch.equal(nats, torch.full((500,), model.dequantiser.nats, dtype=torch.float64))
    with pytest.raises(ValueError, match="dequantisation='gaussian': give learned, uniform"):
        build(recipe, model.spec, dequantisation="gaussian")


def test_without_padding_there_are_no_nats_of_it():
    assert Dequantiser(DataSpec((2, 3, 5), 17)).nats == 0
    assert Dequantiser(DataSpec((2, 3, 5), 17), (1, 3)).nats == pytest.approx(2 * (4 * 8 - 3 * 5) * math.log(17))


@pytest.mark.parametrize(("shape", "scales", "canvas"), [((1, 1, 1), 1, (1, 2, 2)), ((2, 3, 5), 2, (2, 4, 8))])
def test_a_flow_that_is_uniform_over_the_canvas_scores_log2_levels_by_hand(monkeypatch, shape, scales, canvas):
    spec = DataSpec(shape, 5)
    model = build("glow", spec, width=4, depth=1, scales=scales).double()
    assert model.dequantiser.shape == canvas
    count = math.prod(canvas)
    monkeypatch.setattr(model.dequantiser.tails, "forward", lambda v: (v, v.new_zeros(len(v))))
    monkeypatch.setattr(  # the density of noise over (0, levels) everywhere
        model.flow, "log_prob", lambda v, context: v.new_full((len(v),), -count * math.log(5))
    )
    answer = model.log_likelihood(images_of(spec), generator=generator(0))
    bits = -answer.nats / (spec.dimensions * math.log(2))
    assert torch.allclose(bits, torch.full((3,), math.log2(5), dtype=torch.float64))


@pytest.mark.parametrize(
    ("recipe", "shape"),
    [
        ("glow", (1, 1, 3)),
        ("glow", (3, 1, 1)),
        ("glow", (2, 1, 2)),
        ("realnvp", (1, 1, 3)),
        ("realnvp", (2, 1, 2)),
    ],
)
def test_weights_of_a_padded_flow_sum_to_one_over_all_images(recipe, shape):
    spec = DataSpec(shape, 3)
    model = randomised(recipe, spec, scale=0.07, width=4, depth=1, scales=1)
    assert model.dequantiser.padding != (0, 0)
    check_sum_is_one(weights_of(model, Batch(every_image(spec)), 20), 0.04)


@pytest.mark.parametrize(("recipe", "shape"), [("glow", (1, 7, 5)), ("glow", (3, 9, 9)), ("realnvp", (1, 9, 8))])
def test_samples_of_a_padded_flow_have_the_image_s_shape(recipe, shape):
    model = randomised(recipe, DataSpec(shape, 9), width=4, depth=1)
    assert model.dequantiser.shape == (shape[0], *(side + side % 2 for side in shape[1:]))
    images = model.sample(10, generator=generator(0))
    assert images.shape == (10, *shape)
    assert images.max() <= 8
