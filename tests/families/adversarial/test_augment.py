import itertools
from collections import Counter

import pytest
import torch

from families.adversarial import augment
from families.adversarial.augment import AUGMENTATIONS, augmentation, color, cutout, translation

ALL = list(AUGMENTATIONS)


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n=4, shape=(3, 8, 8), seed=1):
    return torch.rand(n, *shape, generator=gen(seed), dtype=torch.float64) * 2 - 1


def test_brightness_moves_by_up_to_half_either_way():
    plain = torch.full((2000, 3, 4, 4), 0.25, dtype=torch.float64)  # neither colour nor contrast to scale
    moved = color(plain, gen()) - plain
    own = moved[:, :1, :1, :1]
    torch.testing.assert_close(moved, own.expand_as(moved))
    assert -0.5 <= float(own.min()) < -0.49
    assert 0.49 < float(own.max()) <= 0.5
    assert float(own.std()) == pytest.approx(12**-0.5, rel=0.03), "uniform"


def test_saturation_scales_colour_by_0_to_2_and_contrast_all_by_half_to_three_halves():
    grey = torch.tensor([[0.3, -0.3], [-0.1, 0.1]], dtype=torch.float64)
    hue = torch.tensor([0.2, -0.3, 0.1], dtype=torch.float64)  # both of mean 0
    picture = (grey + hue[:, None, None]).expand(3000, 3, 2, 2)
    out = color(picture, gen())
    out = out - out.mean((1, 2, 3), keepdim=True)
    contrast = out.mean(1)[:, 0, 0] / 0.3
    saturation = out.mean((2, 3))[:, 0] / 0.2 / contrast
    torch.testing.assert_close(out.mean(1), contrast[:, None, None] * grey)
    torch.testing.assert_close(out.mean((2, 3)), (saturation * contrast)[:, None] * hue)
    for factor, low, high in ((contrast, 0.5, 1.5), (saturation, 0.0, 2.0)):
        assert low <= float(factor.min()) < low + 0.01
        assert high - 0.01 < float(factor.max()) <= high
        assert float(factor.std()) == pytest.approx((high - low) * 12**-0.5, rel=0.03)
    assert abs(float(torch.corrcoef(torch.stack([contrast, saturation]))[0, 1])) < 0.06


def test_one_channel_has_no_colour_and_its_contrast_is_never_lost():
    single = images(1, (1, 4, 4)).expand(500, 1, 4, 4)
    out = color(single, gen())
    slope = (out - out.mean((1, 2, 3), keepdim=True)) / (single - single.mean())
    own = slope[:, :, :1, :1]
    torch.testing.assert_close(slope, own.expand_as(slope))
    assert 0.5 <= float(own.min()) < float(own.max()) <= 1.5


def shifted(picture, down, right):
    out = torch.zeros_like(picture)
    height, width = picture.shape[-2:]
    for row, column in itertools.product(range(height), range(width)):
        if 0 <= row - down < height and 0 <= column - right < width:
            out[..., row, column] = picture[..., row - down, column - right]
    return out


@pytest.mark.parametrize(("shape", "most"), [((2, 8, 16), (1, 2)), ((1, 4, 12), (1, 2)), ((1, 2, 2), (0, 0))])
def test_translation_moves_by_whole_pixels_up_to_an_eighth_and_fills_with_0(shape, most):
    picture = images(1, shape)
    moves = list(itertools.product(range(-most[0], most[0] + 1), range(-most[1], most[1] + 1)))
    wanted = {move: shifted(picture[0], *move) for move in moves}
    out = translation(picture.expand(1500, *shape), gen())
    seen = Counter(next(move for move in moves if torch.equal(wanted[move], image)) for image in out)
    assert set(seen) == set(moves)
    assert min(seen.values()) > 1500 / len(moves) * 0.7, "each as often"


@pytest.mark.parametrize(("shape", "size"), [((3, 8, 8), (4, 4)), ((1, 6, 10), (3, 5)), ((1, 2, 2), (1, 1))])
def test_cutout_clears_a_rectangle_of_half_of_each_side_with_its_middle_anywhere(shape, size):
    picture = images(1, shape) + 2
    out = cutout(picture.expand(2000, *shape), gen())
    cut = out == 0
    assert torch.equal(out, torch.where(cut, torch.zeros_like(out), picture.expand_as(out)))
    assert torch.equal(cut, cut[:, :1].expand_as(cut)), "all channels at one place"
    rows, columns = cut[:, 0].any(2), cut[:, 0].any(1)
    assert torch.equal(cut[:, 0], rows[:, :, None] & columns[:, None, :])
    for hidden, side, extent in zip((rows, columns), shape[1:], size, strict=True):
        places = range(side + 1 - extent % 2)  # of the middle
        wanted = {tuple(at - extent // 2 <= k < at - extent // 2 + extent for k in range(side)) for at in places}
        assert {tuple(row) for row in hidden.tolist()} == wanted


def test_cutout_and_translation_agree_with_the_sizes_of_28_and_32_pixels():
    for side, move, size in ((28, 4, 14), (32, 4, 16)):
        assert int(augment.SHIFT * side + 0.5) == move
        assert int((cutout(torch.ones(64, 1, side, side), gen()) == 0).flatten(1).sum(1).max()) == size * size


@pytest.mark.parametrize("name", ALL)
def test_each_image_has_its_own_and_leaves_its_neighbours_alone(name):
    one = images(1)
    out = AUGMENTATIONS[name](one.expand(30, *one.shape[1:]), gen())
    assert len(out.flatten(1).unique(dim=0)) > 5
    batch = images(4)
    other = torch.cat([batch[:1], images(3, seed=9)])
    assert torch.equal(AUGMENTATIONS[name](batch, gen(3))[0], AUGMENTATIONS[name](other, gen(3))[0])


@pytest.mark.parametrize("name", [*ALL, "color,translation,cutout"])
def test_gradients_pass_through(name):
    act, batch = augmentation(name), images(3, (2, 4, 4)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: act(x, gen(2)), batch)
    (gradient,) = torch.autograd.grad(act(batch, gen(2)).square().sum(), batch)
    assert gradient.flatten(1).any(1).all()


@pytest.mark.parametrize("name", ALL)
def test_noise_comes_from_the_generator_alone(name):
    batch = images(8)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = AUGMENTATIONS[name](batch, gen(3))
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(first, AUGMENTATIONS[name](batch, gen(3)))
    assert not torch.equal(first, AUGMENTATIONS[name](batch, gen(4)))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_any_precision_and_the_largest_number_that_can_be_drawn(name, dtype, monkeypatch):
    most = torch.tensor(1 - 2**-24)
    assert most < 1
    monkeypatch.setattr(augment, "uniform", lambda shape, *_: most.expand(shape))
    for shape in ((3, 8, 8), (1, 2, 2), (1, 28, 28)):
        batch = images(2, shape).to(dtype)
        out = AUGMENTATIONS[name](batch, gen())
        assert (out.shape, out.dtype) == (batch.shape, dtype)


def test_names_are_applied_one_behind_the_other():
    batch, source = images(), gen(7)
    wanted = cutout(color(batch, source), source)
    torch.testing.assert_close(augmentation("color, cutout")(batch, gen(7)), wanted)
    assert augmentation("") is None
    assert augmentation(" , ") is None


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="augment='color,flip': there is no 'flip': give color, translation, cutout"):
        augmentation("color,flip")
