import pytest
import torch
from torch import nn

from families.layers.ema import Average


def test_weights_and_running_statistics_are_averaged_with_a_ramp_and_other_buffers_copied():
    net = nn.Sequential(nn.BatchNorm1d(1), nn.utils.parametrizations.spectral_norm(nn.Linear(2, 2)))
    norm, spectral = net
    average = Average({"net": net}, 0.15)
    copy = average.copies["net"]
    weights, statistics = [1.0], {"running_mean": [0.0], "running_var": [1.0]}
    for t, value in enumerate([2.0, 5.0, -1.0]):
        with torch.no_grad():
            norm.weight.fill_(value)
            norm.running_mean.fill_(10 * value)
            norm.running_var.fill_(value**2)
            norm.num_batches_tracked.fill_(t)
            vectors = spectral.parametrizations.weight[0]
            vectors._u.copy_(torch.tensor([0.6, 0.8]) * (-1) ** t)
        average.update({"net": net})
        decay = min(0.15, (1 + t) / (10 + t))
        weights.append(decay * weights[-1] + (1 - decay) * value)
        assert float(copy[0].weight) == pytest.approx(weights[-1])
        for name, values in statistics.items():
            values.append(decay * values[-1] + (1 - decay) * float(getattr(norm, name)))
            assert float(getattr(copy[0], name)) == pytest.approx(values[-1])
        assert int(copy[0].num_batches_tracked) == t
        assert torch.equal(copy[1].parametrizations.weight[0]._u, vectors._u)  # of length 1, which no mean would be
    assert decay == 0.15


def test_it_learns_nothing_and_is_saved():
    average = Average({"net": nn.Linear(2, 2)}, 0.9)
    assert not any(p.requires_grad for p in average.parameters())
    assert {"steps", "copies.net.weight"} <= set(average.state_dict())


@pytest.mark.parametrize("decay", [1.0, -0.1])
def test_a_decay_outside_its_range_is_refused(decay):
    with pytest.raises(ValueError, match="decay="):
        Average({"net": nn.Linear(2, 2)}, decay)
