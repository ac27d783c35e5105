"""Images held to their range: what comes out, and which gradients come back."""

import pytest
import torch

from families.layers.bounds import held

X = [-3.0, -1.0, 0.5, 1.0, 3.0]


@pytest.mark.parametrize("learning", [True, False])
def test_images_are_clamped(learning):
    assert held(torch.tensor(X), learning).tolist() == [-1.0, -1.0, 0.5, 1.0, 1.0]


@pytest.mark.parametrize(
    ("gradient", "back"),
    [(1.0, [0.0, 1.0, 1.0, 1.0, 1e-4]), (-1.0, [-1e-4, -1.0, -1.0, -1.0, 0.0])],
)
def test_outside_a_ten_thousandth_of_a_gradient_counts_and_only_where_descent_leads_back(gradient, back):
    x = torch.tensor(X, requires_grad=True)
    held(x, learning=True).backward(torch.full((5,), gradient))
    assert x.grad.tolist() == pytest.approx(back)


def test_a_page_that_is_white_all_over_learns_to_be_black():
    bias = torch.nn.Parameter(torch.tensor(4.0))
    optimizer = torch.optim.Adam([bias], lr=0.5)
    for _ in range(40):
        optimizer.zero_grad()
        (held(bias.expand(8), learning=True) + 1).square().mean().backward()
        optimizer.step()
    assert float(held(bias.detach(), learning=False)) == -1


def test_in_evaluation_derivatives_are_the_clamps_own_also_forwards():
    x = torch.tensor([-3.0, 0.5, 3.0])
    _, slope = torch.func.jvp(lambda v: held(v, learning=False), (x,), (torch.ones(3),))
    assert slope.tolist() == [0.0, 1.0, 0.0]
