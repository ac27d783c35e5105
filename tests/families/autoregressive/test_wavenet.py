import math

import pytest
import torch
from torch.nn import functional as F

from families.autoregressive.sampling import draw_cached, draw_naive
from families.autoregressive.wavenet import GatedLayer, receptive_field, wavenet
from genbench import Batch, DataSpec
from tests.families.autoregressive.test_every import influences, randomised, task


def reference(network, x, labels=None):
    """The paper's network with padded, dilated convolutions over a sequence that stands last."""
    n, channels, height, width = x.shape
    sequence = x.permute(0, 2, 3, 1).reshape(n, 1, -1)
    weight = network.first.weight[:, None]
    features = F.conv1d(F.pad(sequence, (2, 0))[..., :-1], weight, network.first.bias) + network.places()[:, 0].T
    skips = 0
    for layer in network.layers:
        h = network.width
        taps = layer.gates.weight.unflatten(1, (2, h)).permute(0, 2, 1)
        sums = F.conv1d(F.pad(features, (layer.dilation, 0)), taps, layer.gates.bias, dilation=layer.dilation)
        if labels is not None:
            sums = sums + layer.labels.weight[labels][:, :, None]
        z = sums[:, :h].tanh() * sums[:, h:].sigmoid()
        if layer is not network.layers[-1]:
            features = features + F.conv1d(z, layer.residual.T[:, :, None])
        skips = skips + F.conv1d(z, layer.skip.T[:, :, None])
    logits = network.last(F.relu(network.hidden(F.relu(skips + network.bias[:, None]))))
    return logits.view(n, -1, height, width, channels).permute(0, 4, 1, 2, 3).reshape(n, -1, height, width)


@pytest.mark.parametrize("shape", [(1, 5, 4), (3, 3, 4)])
@pytest.mark.parametrize("conditional", [False, True])
def test_a_pass_is_the_papers_network_of_dilated_convolutions_over_the_raster_sequence(shape, conditional):
    spec = DataSpec(shape, 5, classes=3)
    network = randomised(wavenet(spec, width=6, depth=3, stacks=2, conditional=conditional)).network
    x, labels = torch.randn(3, *shape, dtype=torch.float64), torch.tensor([2, 0, 1]) if conditional else None
    assert torch.allclose(network(x, labels), reference(network, x, labels))


@pytest.mark.parametrize(("depth", "stacks"), [(1, 1), (3, 1), (2, 2), (3, 2)])
@pytest.mark.parametrize("shape", [(1, 6, 5), (3, 3, 3)])
def test_a_value_sees_exactly_the_receptive_field_before_it(shape, depth, stacks):
    options = {"width": 4, "depth": depth, "stacks": stacks}
    seen = sum(influences(randomised(wavenet(DataSpec(shape, 3), **options), seed), seed) for seed in range(3))
    places = torch.arange(len(seen))
    back = places[:, None] - places
    assert torch.equal(seen > 0, (back > 0) & (back <= receptive_field(depth, stacks)))


def test_dilations_double_in_every_stack():
    network = wavenet(DataSpec((1, 8, 8), 4), width=2, depth=4, stacks=3).network
    assert [layer.dilation for layer in network.layers] == [1, 2, 4, 8] * 3


@pytest.mark.parametrize("half", range(2))
def test_the_label_is_a_bias_of_its_own_in_both_halves_of_every_gate(half):
    layer = GatedLayer(3, 4, 2, classes=2).double()
    x, labels = torch.randn(7, 1, 3, dtype=torch.float64).expand(-1, 2, -1), torch.arange(2)
    assert torch.equal(*layer(x, labels).unbind(1))
    layer.labels.weight.data[:, 3 * half : 3 * half + 3].normal_()
    told = layer(x, labels)
    layer.gates.bias.data += layer.labels.weight[1]
    layer.labels = None
    assert torch.allclose(layer(x[:, 1:], None), told[:, 1:])
    assert not torch.allclose(*told.unbind(1))


def test_every_layer_is_handed_to_the_output():
    model = randomised(wavenet(DataSpec((1, 4, 4), 4), width=4, depth=2, stacks=2))
    network, x = model.network, torch.randn(2, 1, 4, 4, dtype=torch.float64)
    kept = [layer.skip.data.clone() for layer in network.layers]
    for own, skip in zip(network.layers, kept, strict=True):
        for layer in network.layers:
            layer.skip.data.zero_()
        assert torch.equal(*network(x)), "without skips nothing is seen"
        own.skip.data.copy_(skip)
        assert not torch.allclose(*network(x))


@pytest.mark.parametrize(("told", "other"), [("row", (0, 2, 2)), ("column", (0, 3, 1)), ("channel", (1, 3, 2))])
def test_a_sequence_is_told_its_rows_columns_and_channels(told, other):
    network = wavenet(DataSpec((3, 4, 4), 4), width=4, depth=2).double().network
    torch.nn.init.normal_(network.last.weight)

    def logits(channel, y, x):  # of places whose receptive field is all zeros, and ends before the padding
        return network(torch.zeros(1, 3, 4, 4, dtype=torch.float64)).unflatten(1, (3, 4))[0, channel, :, y, x]

    assert torch.allclose(logits(0, 3, 2), logits(*other))
    torch.nn.init.normal_(getattr(network, told))
    assert not torch.allclose(logits(0, 3, 2), logits(*other))


def test_a_layer_keeps_no_more_inputs_than_its_dilation():
    network = wavenet(DataSpec((1, 8, 8), 4), width=2, depth=4, stacks=2).network
    assert [len(ring) for ring in network.columns(3).rings] == [1, 2, 4, 8] * 2


def test_rings_go_round_many_times():
    model = randomised(wavenet(DataSpec((2, 7, 5), 6), width=5, depth=3, stacks=2))
    with torch.no_grad():
        assert torch.equal(draw_cached(task(model, 6)), draw_naive(task(model, 6)))


def test_every_parameter_learns():
    spec = DataSpec((3, 4, 4), 5, classes=2)
    model = randomised(wavenet(spec, width=6, depth=2, stacks=2, conditional=True))
    images = torch.randint(5, (4, 3, 4, 4)).to(torch.uint8)
    model.log_prob(Batch(images, torch.tensor([0, 1, 0, 1]))).sum().backward()
    still = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not still


def test_a_new_model_is_uniform_and_its_features_neither_die_nor_explode():
    model = wavenet(DataSpec((1, 12, 12), 17), width=32)
    images = torch.randint(17, (4, 1, 12, 12)).to(torch.uint8)
    bits = -model.log_likelihood(Batch(images)).nats / (144 * math.log(2))
    assert torch.allclose(bits, torch.full_like(bits, math.log2(17)), rtol=1e-6)
    seen = []
    model.network.hidden.register_forward_hook(lambda _, inputs, output: seen.append(output.std()))
    model.network(images / 8 - 1)
    assert 0.1 < seen[0] < 5


def test_half_precision_stays_near():
    model = randomised(wavenet(DataSpec((1, 6, 6), 4), width=8, depth=3, stacks=1), gain=1).float()
    images = torch.randint(4, (8, 1, 6, 6)).to(torch.uint8)
    exact = model.log_prob(Batch(images))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.allclose(model.log_prob(Batch(images)), exact, rtol=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width=0: give a whole number, 1 or more"),
        ({"depth": 0}, "depth=0: give a whole number, 1 or more"),
        ({"stacks": 1.5}, "stacks=1.5: give a whole"),
        ({"lr": 0}, "lr=0: give a positive"),
        ({"conditional": True}, "conditional=True: this data set has no labels"),
    ],
)
def test_silly_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        wavenet(DataSpec((3, 8, 8)), **options)


@pytest.mark.parametrize(("shape", "depth"), [((1, 28, 28), 10), ((3, 32, 32), 12), ((1, 8, 8), 6), ((1, 1, 1), 1)])
def test_left_to_itself_a_stack_covers_all_values_and_so_the_row_above(shape, depth):
    layers = wavenet(DataSpec(shape, 4), width=2).network.layers
    assert [layer.dilation for layer in layers] == [2**i for i in range(depth)]
    assert math.prod(shape) <= receptive_field(depth, 1) < max(2 * math.prod(shape), 4)
