import math

import pytest
import torch
from torch.nn import functional as F

from families.autoregressive.diagonal_bilstm import DiagonalBiLSTM, pixelrnn_diagonal_bilstm
from families.autoregressive.masked import MaskedConv2d, group_of
from families.autoregressive.pixelrnn import along_rows, input_to_state, lstm_step
from families.autoregressive.row_lstm import RowLSTM, pixelrnn_row_lstm
from families.autoregressive.sampling import draw_cached, draw_naive
from genbench import Batch, DataSpec
from tests.families.autoregressive.test_every import influences, randomised, task

BOTH = [pixelrnn_row_lstm, pixelrnn_diagonal_bilstm]
LAYERS = [RowLSTM, DiagonalBiLSTM]


def seen_by(recipe, shape, **options):
    """Influence of every value on every draw, over several weights: a dead relu hides much."""
    return sum(influences(randomised(recipe(DataSpec(shape, 3), **options), seed), seed) for seed in range(4))


def test_a_cell_is_an_lstms():
    reference = torch.nn.LSTMCell(5, 3).double()  # its gates stand i, f, g, o
    x, h, c = (torch.randn(7, n, dtype=torch.float64) for n in (5, 3, 3))
    i, f, g, o = (F.linear(x, reference.weight_ih, reference.bias_ih) + F.linear(h, *own(reference))).chunk(4, 1)
    state, memory = lstm_step(torch.cat([o, f, i, g], 1), c)
    assert all(torch.allclose(a, b) for a, b in zip((state, memory), reference(x, (h, c)), strict=True))
    assert all(
        torch.equal(a, b)
        for a, b in zip(lstm_step(x[:, :4], None), lstm_step(x[:, :4], torch.zeros(7, 1)), strict=True)
    )


def own(reference):
    return reference.weight_hh, reference.bias_hh


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("groups", [1, 3])
def test_a_row_of_products_is_the_masked_convolution(kernel, groups):
    conv = input_to_state(5, kernel, groups).double()
    torch.nn.init.normal_(conv.bias)
    x = torch.randn(2, 10, 4, 6, dtype=torch.float64)
    assert torch.allclose(along_rows(conv, x.permute(2, 3, 0, 1)).permute(2, 3, 0, 1), conv(x))


@pytest.mark.parametrize("width", [3, 4, 5, 7])
def test_every_gate_of_a_feature_sees_what_its_group_may(width):
    mask = input_to_state(width, 3, 3).mask[:, :, 0].unflatten(0, (4, width))  # gate, feature, input, tap
    may = (group_of(width, 3)[:, None] >= group_of(2 * width, 3)).float()
    assert (mask[..., 0] == 1).all()
    assert (mask[..., 1] == may).all()
    assert (mask[..., 2] == 0).all()


def test_a_new_cell_remembers_and_its_other_gates_are_open_half():
    assert input_to_state(3, 1, 1).bias.tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("recipe", BOTH)
@pytest.mark.parametrize("width", [3, 4, 5])
def test_channel_groups_survive_the_gates_whether_or_not_features_divide_by_channels(recipe, width):
    seen = seen_by(recipe, (3, 2, 2), width=width, depth=2)
    assert (seen.triu() == 0).all()
    model = randomised(recipe(DataSpec((3, 3, 4), 4), width=width, depth=2))
    with torch.no_grad():
        assert torch.equal(draw_cached(task(model)), draw_naive(task(model)))


@pytest.mark.parametrize("recipe", BOTH)
def test_green_sees_red_and_blue_sees_both_in_its_own_pixel(recipe):
    seen = seen_by(recipe, (3, 1, 1), width=12, depth=2)
    assert ((seen > 0) == torch.tensor([[0, 0, 0], [1, 0, 0], [1, 1, 0]]).bool()).all()


@pytest.mark.parametrize("layer", LAYERS)
def test_within_a_layer_groups_mix_in_what_is_before_and_never_in_the_pixel_itself(layer):
    torch.manual_seed(0)
    lstm = layer(3, 3, 0).double()
    x = torch.randn(2, 3, 1, 6, dtype=torch.float64, requires_grad=True)
    group = torch.arange(6) // 2
    for feature in range(3):
        (gradient,) = torch.autograd.grad(lstm(x, None)[1, 1, 0, feature], x)
        assert torch.equal(gradient[1, 1, 0] != 0, group <= feature)
        assert (gradient[1, 0] != 0).all()
        assert (gradient[0, 0] != 0).all()


@pytest.mark.parametrize("recipe", BOTH)
def test_first_layer_is_seven_wide_under_mask_a_and_the_rest_under_mask_b(recipe):
    network = recipe(DataSpec((1, 9, 9), 4), width=2, depth=2).network
    assert network.first.kernel == 7
    assert network.first.mask[0, 0].sum() == 24
    middle = [m.mask[0, 0, -1, m.kernel // 2] for m in network.modules() if isinstance(m, MaskedConv2d)]
    assert middle[0] == 0
    assert all(value == 1 for value in middle[1:])


@pytest.mark.parametrize("recipe", BOTH)
def test_layers_work_on_half_the_features_and_add_to_what_they_took(recipe):
    deep = randomised(recipe(DataSpec((1, 4, 5), 4), width=8, depth=2))
    flat = recipe(DataSpec((1, 4, 5), 4), width=8, depth=0).double()
    assert {(up.inputs, up.outputs, up.kernel) for up in deep.network.ups} == {(8, 16, 1)}
    flat.load_state_dict({key: value for key, value in deep.state_dict().items() if key in flat.state_dict()})
    x = torch.randn(2, 1, 4, 5, dtype=torch.float64)
    assert not torch.allclose(deep.network(x), flat.network(x))
    for up in deep.network.ups:
        torch.nn.init.zeros_(up.weight)
        torch.nn.init.zeros_(up.bias)
    assert torch.allclose(deep.network(x), flat.network(x))
    with torch.no_grad():
        assert torch.equal(draw_cached(task(flat)), draw_naive(task(flat)))


@pytest.mark.parametrize("gate", range(4))
@pytest.mark.parametrize("layer", LAYERS)
def test_the_label_is_a_bias_of_its_own_in_every_gate(layer, gate):
    lstm, n, classes = layer(2, 1, 3).double(), 3, 3
    torch.manual_seed(0)
    x = torch.randn(4, 5, 1, 4, dtype=torch.float64).expand(-1, -1, n, -1)
    labels = torch.tensor([2, 0, 1])
    plain = lstm(x, labels)
    assert torch.equal(plain, plain[:, :, :1].expand_as(plain)), "labels say nothing at first"
    lstm.labels.weight.data[:, 2 * gate : 2 * gate + 2].normal_()
    told = lstm(x, labels)
    for row, label in enumerate(labels):
        same = layer(2, 1, 0).double()
        same.load_state_dict({key: value for key, value in lstm.state_dict().items() if not key.startswith("labels")})
        convs = same.inputs if isinstance(same.inputs, torch.nn.ModuleList) else [same.inputs]
        for index, conv in enumerate(convs):
            conv.bias.data += lstm.labels.weight[index * classes + label]
        assert torch.allclose(same(x[:, :, :1], None), told[:, :, row : row + 1])
        assert not torch.allclose(told[:, :, row], plain[:, :, row])


@pytest.mark.parametrize("recipe", BOTH)
def test_every_parameter_learns(recipe):
    model = randomised(recipe(DataSpec((3, 4, 4), 5, classes=2), width=6, depth=2, conditional=True))
    images = torch.randint(5, (4, 3, 4, 4)).to(torch.uint8)
    model.log_prob(Batch(images, torch.tensor([0, 1, 0, 1]))).sum().backward()
    still = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not still


@pytest.mark.parametrize("recipe", BOTH)
def test_a_new_model_is_uniform_and_its_features_neither_die_nor_explode(recipe):
    model = recipe(DataSpec((1, 12, 12), 17), width=32, depth=8)
    images = torch.randint(17, (4, 1, 12, 12)).to(torch.uint8)
    bits = -model.log_likelihood(Batch(images)).nats / (144 * math.log(2))
    assert torch.allclose(bits, torch.full_like(bits, math.log2(17)), rtol=1e-6)
    seen = []
    model.network.hidden.register_forward_hook(lambda _, inputs, output: seen.append(output.std()))
    model.network(images / 8 - 1)
    assert 0.3 < seen[0] < 5


@pytest.mark.parametrize("recipe", BOTH)
def test_half_precision_stays_near(recipe):
    model = randomised(recipe(DataSpec((1, 6, 6), 4), width=8, depth=2), gain=1).float()
    images = torch.randint(4, (8, 1, 6, 6)).to(torch.uint8)
    exact = model.log_prob(Batch(images))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.allclose(model.log_prob(Batch(images)), exact, rtol=0.05)


@pytest.mark.parametrize("recipe", BOTH)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 2}, "width=2: an image of 3 channels"),
        ({"width": 2.5}, "width=2.5: give a whole"),
        ({"depth": -1}, "depth=-1: give a whole number, 0 or more"),
        ({"depth": 0, "conditional": True}, "depth=0: give a whole number, 1 or more"),
        ({"lr": math.nan}, "lr=nan: give a positive"),
        ({"conditional": True}, "conditional=True: this data set has no labels"),
    ],
)
def test_silly_options_are_refused(recipe, options, message):
    with pytest.raises(ValueError, match=message):
        recipe(DataSpec((3, 8, 8)), **options)
