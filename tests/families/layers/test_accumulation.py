import pytest
import torch
from torch import nn

from families.layers.accumulation import accumulated
from genbench.seed import fork_rng

ROWS = torch.arange(10).split(4)  # the last is smaller


class Net(nn.Module):
    """A small network, with a part that is frozen and one that is not used."""

    def __init__(self):
        super().__init__()
        with fork_rng(0):
            self.layers = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1)).double()
            self.inputs = torch.randn(10, 3, dtype=torch.float64)
        self.frozen = nn.Parameter(torch.ones((), dtype=torch.float64), requires_grad=False)
        self.unused = nn.Parameter(torch.ones(2))

    def loss(self, rows):
        return (self.frozen * self.layers(self.inputs.to(self.frozen)[rows])).square().sum() / len(self.inputs)

    def gradients(self, loss):
        self.zero_grad(set_to_none=True)
        loss.backward()
        return [parameter.grad for parameter in self.layers.parameters()]


def test_value_and_gradient_are_the_whole_batchs():
    net = Net()
    expected = net.loss(slice(None))
    gradients = net.gradients(expected)
    value = accumulated(net.loss, ROWS, net.parameters())
    assert value.item() == pytest.approx(expected.item(), rel=1e-14)
    for got, wanted in zip(net.gradients(value), gradients, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-12, atol=1e-14)
    assert net.frozen.grad is None
    assert net.unused.grad.tolist() == [0, 0]


def test_what_becomes_of_the_loss_scales_the_gradient():
    net = Net()
    gradients = net.gradients(net.loss(slice(None)))
    for got, wanted in zip(net.gradients(3 * accumulated(net.loss, ROWS, net.parameters())), gradients, strict=True):
        torch.testing.assert_close(got, 3 * wanted)


def test_each_micro_batch_is_passed_once_and_its_gradient_taken_before_the_next():
    net, events = Net(), []

    def loss(rows):
        events.append(f"forwards {len(rows)}")
        value = net.loss(rows)
        value.register_hook(lambda gradient: events.append("backwards"))
        return value

    accumulated(loss, ROWS, net.parameters()).backward()
    assert events == ["forwards 4", "backwards", "forwards 4", "backwards", "forwards 2", "backwards"]


def test_half_precision_is_for_the_way_forwards_alone():
    """The gradient of an inverse is made of products, which autocast would round."""
    matrix = nn.Parameter(torch.tensor([[2.0, 0.3], [0.1, 1.0]]))
    inputs = torch.tensor([[0.1, 0.7], [0.2, 0.4]])

    def loss(rows):
        return (torch.linalg.inv(matrix) * inputs[rows][:, :, None]).sum()

    gradients = []
    for loss_of_both in (lambda: loss([0, 1]), lambda: accumulated(loss, [torch.arange(2)], [matrix])):
        with torch.autocast("cpu", dtype=torch.bfloat16, cache_enabled=False):
            value = loss_of_both()
        (gradient,) = torch.autograd.grad(value, matrix)
        gradients.append(gradient)
    assert torch.equal(*gradients)
