import pytest
import torch

from families.layers.distances import gram, grey, huber, l1, l2, pyramid, symmetry, total_variation, yuv
from families.layers.edges import SIGMA, smoothed_edges
from families.layers.instance_norm import instance
from families.layers.reversal import reversed_gradient
from families.layers.training import half_then_linear


def rows(*values):
    return torch.tensor(values)[None, None]


def pixel(*channels):
    return torch.tensor(channels).view(1, -1, 1, 1)


def test_distances_are_means_of_absolute_and_of_squared_differences():
    one, other = rows([1.0, 0.0], [0.0, -3.0]), torch.zeros(1, 1, 2, 2)
    assert float(l1(one, other)) == 1
    assert float(l2(one, other)) == 2.5


@pytest.mark.parametrize(("difference", "value"), [(0.5, 0.125), (-0.5, 0.125), (3.0, 2.5)])
def test_huber_is_a_parabola_within_1_and_a_line_beyond(difference, value):
    assert float(huber(pixel(difference), pixel(0.0))) == value


def test_the_gram_matrix_of_ones_is_one_over_the_channels():
    torch.testing.assert_close(gram(torch.ones(4, 2, 3, 1)), torch.full((4, 2, 2), 0.5))
    maps = torch.tensor([[[[1.0, 0.0]], [[2.0, 1.0]]]])
    torch.testing.assert_close(gram(maps), torch.tensor([[[1.0, 2.0], [2.0, 5.0]]]) / 4)
    assert gram(maps.double()).dtype == torch.float64
    with torch.autocast("cpu", torch.bfloat16):
        assert gram(maps.bfloat16()).dtype == torch.float32


def test_grey_weighs_the_channels_and_leaves_grey_as_it_is():
    assert float(grey(pixel(1.0, 0.0, 0.0))) == pytest.approx(0.299)
    assert float(grey(pixel(0.5, 0.5, 0.5))) == pytest.approx(0.5)
    images = torch.rand(2, 1, 3, 3)
    assert grey(images) is images


def test_yuv_of_grey_has_no_colour_and_red_has_its_luma_on_0_to_1():
    y, u, v = yuv(pixel(-0.4, -0.4, -0.4)).flatten().tolist()
    assert y == pytest.approx(0.3)
    assert abs(u) < 1e-6
    assert abs(v) < 1e-6
    y, u, v = yuv(pixel(1.0, -1.0, -1.0)).flatten().tolist()
    assert (y, u, v) == pytest.approx((0.299, -0.147, 0.615), abs=1e-3)


@pytest.mark.parametrize("function", [grey, yuv])
def test_colour_is_of_three_channels(function):
    with pytest.raises(ValueError, match=rf"images have 2 channels: {function.__name__} takes colour images"):
        function(torch.zeros(1, 2, 3, 3))


def test_total_variation_is_two_in_sums_over_the_four_pixels_of_a_step():
    assert float(total_variation(rows([0.0, 1.0], [0.0, 1.0]))) == 2 / 4
    assert float(total_variation(rows([0.0, 1.0], [3.0, 1.0]))) == (1 + 2 + 3 + 0) / 4


def test_symmetry_counts_a_pixel_and_its_mirror():
    image = torch.zeros(1, 1, 4, 4)
    image[0, 0, 1, 0] = 1
    assert float(symmetry(image)) == 2 / 16
    assert float(symmetry(image + image.flip(3))) == 0


def test_a_pyramid_is_of_means_and_halves_as_often_as_the_sides_do():
    levels = pyramid(rows([-1.0, -1.0, 4.0, 4.0], [-1.0, 1.0, 4.0, 4.0]), 2)
    assert [tuple(level.shape[2:]) for level in levels] == [(2, 4), (1, 2)]
    assert levels[1].flatten().tolist() == [-0.5, 4.0]
    for scales in (0, 3):
        with pytest.raises(ValueError, match=rf"scales={scales}: give 1 or more, as often as sides of \(2, 4\)"):
            pyramid(levels[0], scales)


def test_a_reversed_gradient_comes_back_times_minus_the_weight():
    x = torch.tensor([1.0, -2.0], requires_grad=True)
    out = reversed_gradient(x, 2.0)
    assert torch.equal(out, x)
    (3 * out).sum().backward()
    assert x.grad.tolist() == [-6.0, -6.0]


def test_instance_normalisation_knows_one_image_at_a_time_in_both_modes():
    layer, x = instance(2), torch.randn(3, 2, 4, 4) * 5 + 1
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([2.0, 1.0]))
    out = layer(x)
    torch.testing.assert_close(out[1:2], layer(x[1:2]))
    torch.testing.assert_close(out, layer.eval()(x))
    assert out.std(dim=(2, 3), correction=0)[:, 0].tolist() == pytest.approx([2.0] * 3, rel=1e-3)
    assert float(out.mean(dim=(2, 3)).abs().max()) < 1e-5
    with pytest.raises(ValueError, match="more than 1 spatial element"):
        layer(torch.zeros(3, 2, 1, 1))


def test_the_rate_is_constant_over_the_first_half_and_comes_down_to_nothing():
    assert [half_then_linear(at) for at in (0.0, 0.5, 0.75, 1.0)] == [1.0, 1.0, 0.5, 0.0]


def test_smoothed_edges_are_the_gaussian_on_a_step_and_the_image_elsewhere():
    image = torch.full((1, 1, 8, 12), -1.0)
    image[..., 6:] = 1.0  # the gradient is in columns 5 and 6, its neighbours are 4 to 7
    made = smoothed_edges(image)
    torch.testing.assert_close(made[..., :5], image[..., :5])
    torch.testing.assert_close(made[..., 7:], image[..., 7:])
    bell = torch.exp(torch.tensor([-1.0, 0.0, -1.0]) / (2 * SIGMA**2))
    share = float(bell[0] / bell.sum())  # what a column takes of its neighbour across the step
    torch.testing.assert_close(made[..., 5], torch.full((1, 1, 8), -1 + 2 * share))
    torch.testing.assert_close(made[..., 6], torch.full((1, 1, 8), 1 - 2 * share))


def test_what_is_smoothed_is_the_edge_and_its_neighbours_and_no_faint_change():
    texture = 0.1 * torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(smoothed_edges(texture), texture)
    image = texture.clone()
    image[:, :, :, 4:] += 1.5
    made = smoothed_edges(image)
    changed = (made != image).any(1).any(0).any(0)
    assert changed.tolist() == [False, False, True, True, True, True, False, False]
    assert not torch.equal(made[0], made[1])
