import pytest
import torch
from torch import nn

from families.layers.ema import Average


def test_weights_are_averaged_with_a_ramp_and_buffers_copied():
    net = nn.BatchNorm1d(1)
    average = Average({"net": net}, 0.15)
    copy = average.copies["net"]
    weights = [1.0]
    for t, value in enumerate([2.0, 5.0, -1.0]):
        with torch.no_grad():
            net.weight.fill_(value)
            net.running_mean.fill_(10 * value)
        average.update({"net": net})
        decay = min(0.15, (1 + t) / (10 + t))
        weights.append(decay * weights[-1] + (1 - decay) * value)
        assert float(copy.weight) == pytest.approx(weights[-1])
        assert torch.equal(copy.running_mean, net.running_mean)
    assert decay == 0.15


def test_it_learns_nothing_and_is_saved():
    average = Average({"net": nn.Linear(2, 2)}, 0.9)
    assert not any(p.requires_grad for p in average.parameters())
    assert {"steps", "copies.net.weight"} <= set(average.state_dict())


@pytest.mark.parametrize("decay", [1.0, -0.1])
def test_a_decay_outside_its_range_is_refused(decay):
    with pytest.raises(ValueError, match="decay="):
        Average({"net": nn.Linear(2, 2)}, decay)
