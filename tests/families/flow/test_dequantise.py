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
    v = Dequantiser(DataSpec((1, 2, 2)), (1, 2)).values(images, generator(0))
    inside = v[:, :, :2, :2]
    assert ((inside > images) & (inside < images.double() + 1)).all()
    assert ((v > 0) & (v < 256)).all()
    for preprocess in (OpenLogit(256), OpenLinear(256)):
        assert torch.isfinite(preprocess(v)[0]).all()


def test_padding_is_uniform_over_the_whole_range_and_cut_off_again():
    pad = Dequantiser(DataSpec((2, 3, 5), 17), (1, 3))
    images = images_of(pad.spec, 500).images
    v = pad.values(images, generator(0))
    assert v.shape == (500, *pad.shape) == (500, 2, 4, 8)
    assert torch.equal(pad.images(v), images)
    around = torch.cat((v[:, :, 3].flatten(), v[:, :, :3, 5:].flatten()))
    assert around.mean().item() == pytest.approx(8.5, abs=0.1)
    assert around.var().item() == pytest.approx(17**2 / 12, rel=0.02)
    assert around.min() < 0.05
    assert around.max() > 16.95


def test_without_padding_there_are_no_nats_of_it():
    assert Dequantiser(DataSpec((2, 3, 5), 17)).nats == 0
    assert Dequantiser(DataSpec((2, 3, 5), 17), (1, 3)).nats == pytest.approx(2 * (4 * 8 - 3 * 5) * math.log(17))


@pytest.mark.parametrize(("shape", "scales", "canvas"), [((1, 1, 1), 1, (1, 2, 2)), ((2, 3, 5), 2, (2, 4, 8))])
def test_a_flow_that_is_uniform_over_the_canvas_scores_log2_levels_by_hand(monkeypatch, shape, scales, canvas):
    spec = DataSpec(shape, 5)
    model = build("glow", spec, width=4, depth=1, scales=scales).double()
    assert model.dequantiser.shape == canvas
    count = math.prod(canvas)
    monkeypatch.setattr(  # the density of noise over (0, levels) everywhere
        model.flow, "log_prob", lambda v, context: v.new_full((len(v),), -count * math.log(5))
    )
    answer = model.log_likelihood(images_of(spec), generator=generator(0))
    bits = -answer.nats / (spec.dimensions * math.log(2))
    assert torch.allclose(bits, torch.full((3,), math.log2(5), dtype=torch.float64))


@pytest.mark.parametrize(("shape", "levels", "scales"), [((1, 1, 3), 3, 1), ((3, 1, 1), 3, 1), ((2, 1, 2), 3, 1)])
def test_weights_of_a_padded_flow_sum_to_one_over_all_images(shape, levels, scales):
    spec = DataSpec(shape, levels)
    model = randomised("glow", spec, scale=0.07, width=4, depth=1, scales=scales)
    assert model.dequantiser.padding != (0, 0)
    check_sum_is_one(weights_of(model, Batch(every_image(spec)), 20), 0.03)


def test_samples_of_a_padded_flow_have_the_image_s_shape():
    model = randomised("glow", DataSpec((1, 7, 5), 9), width=4, depth=1)
    assert model.dequantiser.shape == (1, 8, 6)
    images = model.sample(10, generator=generator(0))
    assert images.shape == (10, 1, 7, 5)
    assert images.max() <= 8
