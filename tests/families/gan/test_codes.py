import math

import pytest
import torch

from families.gan.codes import InfoCode, LabelCode, uniform_codes
from genbench import Batch


def noise(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_a_label_stands_beside_the_noise_as_a_one_hot_vector_of_strength_3():
    u = noise(4, 2)
    code, labels = LabelCode(2, 3, strength=3.0), torch.tensor([2, 0, 1, 0])
    wanted = torch.tensor([[0, 0, 3], [3, 0, 0], [0, 3, 0], [3, 0, 0]], dtype=torch.float64)
    got = code(u, Batch(torch.zeros(4, 0), labels))
    assert torch.equal(got, torch.cat([u, wanted], 1))
    assert code.features == 5
    assert torch.equal(LabelCode(2, 3, strength=1.0)(u, Batch(torch.zeros(4, 0), labels))[:, 2:], wanted / 3)


def test_uniform_codes_are_twice_the_normal_distribution_function_less_one():
    v = torch.tensor([[-math.inf, 0.0], [0.6744897501960817, math.inf]], dtype=torch.float64)  # 0.674…: 3rd quartile
    wanted = torch.tensor([[-1.0, 0.0], [0.5, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(uniform_codes(torch.cat([noise(2, 3), v], 1), 2), wanted)
    drawn = uniform_codes(noise(20_000, 1), 1)[:, 0].sort().values
    even = torch.linspace(-1, 1, 20_000, dtype=torch.float64)
    assert float((drawn - even).abs().max()) < 0.03, "not uniform on [-1, 1]"  # Kolmogorov: 2 · 1.36 / √20,000 = 0.019


def test_an_info_code_is_noise_category_and_numbers_side_by_side():
    code, u = InfoCode(3, 4, 2), noise(5, 5)
    category = torch.tensor([1, 3, 0, 2, 1])
    got = code(u, Batch(torch.zeros(5, 0), fields={"category": category}))
    one_hot = torch.eye(4, dtype=torch.float64)[category]
    assert torch.equal(got, torch.cat([u[:, :3], one_hot, uniform_codes(u, 2)], 1))
    assert (code.latents, code.features, code.categories, code.given) == (5, 9, 4, ())


def test_an_info_code_may_have_no_numbers():
    code, u = InfoCode(3, 2, 0), noise(2, 3)
    got = code(u, Batch(torch.zeros(2, 0), fields={"category": torch.tensor([1, 0])}))
    assert torch.equal(got, torch.cat([u, torch.eye(2, dtype=torch.float64).flip(0)], 1))
    assert (code.latents, code.features) == (3, 5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((0, 2, 1), "latents=0"),
        ((3, 1, 1), "categories=1: give a whole number, 2 or more"),
        ((3, 2, -1), "continuous=-1"),
    ],
)
def test_codes_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        InfoCode(*options)
