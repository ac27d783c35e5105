import itertools
import math

import pytest
import torch
from torch.nn import functional as F

from families.autoregressive import pixelcnn_pp_columns as cache
from families.autoregressive.pixelcnn_pp import Layer, Scale, pixelcnn_pp
from families.autoregressive.sampling import Task, draw_cached, draw_naive
from families.autoregressive.shifted import DOWN, RIGHT, GatedBlock, GrowingConv2d, ShiftedConv2d, concat_elu
from genbench import Batch, DataSpec
from genbench.interface import Step
from genbench.seed import fork_rng, generator, uniform
from tests.families.autoregressive.helpers import randomised


def build(spec, seed=0, gain=1.5, **options):
    """A narrow model in which no weight is zero."""
    return randomised(pixelcnn_pp(spec, **{"width": 6, "depth": 1, "components": 2} | options), seed, gain)


def seen_by(answers, x, places):
    """|∂ answer / ∂ x| summed over features, for each place (y, x) of the answers: (places, H, W)."""
    weights = torch.randn(answers.shape[1], dtype=torch.float64, generator=torch.manual_seed(7))
    rows = []
    for place in places:
        value = (answers[0, :, place[0], place[1]] * weights).sum()
        rows.append(torch.autograd.grad(value, x, retain_graph=True)[0].abs().sum((0, 1)))
    return torch.stack(rows)


def streams(model, x):
    """Both streams behind all scales."""
    caught = []
    hook = model.network.scales.register_forward_hook(lambda module, inputs, outputs: caught.append(outputs))
    model.network(x)
    hook.remove()
    return caught[0]


def image(spec):
    return torch.randn(1, *spec.shape, dtype=torch.float64, generator=torch.manual_seed(3)).requires_grad_()


def places(spec):
    return list(itertools.product(range(spec.shape[1]), range(spec.shape[2])))


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 12), (1, 16, 16), (1, 5, 7)])
def test_the_down_stream_sees_rows_above_and_the_right_one_also_what_is_left(shape):
    spec = DataSpec(shape, 5)
    model, x, where = build(spec), image(spec), places(spec)
    down, right = streams(model, x)
    by_down, by_right = seen_by(down, x, where), seen_by(right, x, where)
    for k, (y, column) in enumerate(where):
        assert (by_down[k, y:] == 0).all()
        assert (by_right[k, y + 1 :] == 0).all()
        assert (by_right[k, y, column:] == 0).all()
        assert y == 0 or by_down[k, y - 1, column] > 0
        assert column == 0 or by_right[k, y, column - 1] > 0
        assert y == 0 or column == shape[2] - 1 or by_right[k, y - 1, column + 1] > 0


@pytest.mark.parametrize(("shape", "halvings", "depth"), [((1, 16, 16), 2, 1), ((1, 8, 8), 1, 1), ((3, 5, 7), 0, 2)])
def test_layers_see_all_that_is_near_and_coarser_scales_all_of_the_rows_above(shape, halvings, depth):
    spec, where = DataSpec(shape, 5), places(DataSpec(shape))
    x, seen = image(spec), 0
    for seed in range(2):
        seen = seen + seen_by(build(spec, seed, depth=depth).network(x), x, where)
    for (k, (below, right)), (j, (above, left)) in itertools.product(enumerate(where), repeat=2):
        within = below - above >= 2**halvings or abs(right - left) <= 4 * depth
        assert j < k or seen[k, above, left] == 0, f"{below, right} sees {above, left}"
        assert j >= k or not within or seen[k, above, left] > 0, f"{below, right} does not see {above, left}"


@pytest.mark.parametrize(
    ("shape", "sides"),
    [
        ((1, 28, 28), [(28, 28), (14, 14), (7, 7)]),
        ((3, 32, 32), [(32, 32), (16, 16), (8, 8)]),
        ((1, 64, 64), [(64, 64), (32, 32), (16, 16)]),
        ((1, 8, 12), [(8, 12), (4, 6)]),
        ((1, 9, 8), [(9, 8)]),
    ],
)
def test_sides_halve_twice_where_they_can(shape, sides):
    model, met = pixelcnn_pp(DataSpec(shape), width=2, components=1), []
    for module in model.modules():
        if isinstance(module, Scale):
            module.register_forward_hook(
                lambda module, inputs, outputs: met.append([tuple(i.shape[2:]) for i in (*inputs[:2], *outputs)])
            )
    assert model.network(torch.zeros(1, *shape)).shape[2:] == shape[1:]
    assert met[::-1] == [[side] * 4 for side in sides]


def test_a_block_is_two_convolutions_of_concat_elu_with_a_gate_and_shortcuts():
    with fork_rng(0):
        block = GatedBlock(3, RIGHT, shortcuts=2, classes=4, dropout=0.5).double().eval()
        block.second.weight.data.normal_()
        block.second.bias.data.normal_()
        x, *others = torch.randn(3, 2, 3, 5, 4, dtype=torch.float64)

    def both(z):
        return torch.cat((F.elu(z), F.elu(-z)), 1)

    def above_and_left(z):
        return F.pad(z, (1, 0, 1, 0))

    h = F.conv2d(above_and_left(both(x)), block.first.weight, block.first.bias)
    for shortcut, other in zip(block.shortcuts, others, strict=True):
        h = h + F.conv2d(both(other), shortcut.weight, shortcut.bias)
    h = F.conv2d(above_and_left(both(h)), block.second.weight, block.second.bias)
    labels = torch.tensor([3, 1])
    a, gate = (h + block.label.weight[labels][:, :, None, None]).split(3, 1)
    assert torch.allclose(block(x, *others, labels=labels), x + a * torch.sigmoid(gate), rtol=1e-12)


def test_the_right_stream_hears_the_down_one_and_both_what_was_kept():
    with fork_rng(0):
        layer = Layer(3, kept=1, classes=0, dropout=0.0).double()
        down, right, *kept = (torch.randn(4, 1, 3, 4, 4, dtype=torch.float64).requires_grad_()).unbind(0)
    new_down, new_right = layer(down, right, tuple(kept), None)

    def reaches(out, of):
        return torch.autograd.grad(out.sum(), of, retain_graph=True, allow_unused=True)[0]

    assert [reaches(new_down, of) is not None for of in (down, right, *kept)] == [True, False, True, False]
    assert [reaches(new_right, of).abs().sum() > 0 for of in (down, right, *kept)] == [True] * 4


@pytest.mark.parametrize("depth", [1, 3])
def test_shortcuts_join_each_layer_on_the_way_up_to_its_fellow_on_the_way_down(depth):
    with fork_rng(0):
        scale = Scale(4, depth, within=1, classes=0, dropout=0.0).eval()
    kept, told = [], []
    for layer in scale.before:
        layer.register_forward_hook(lambda module, inputs, outputs: kept.append(outputs))
    for layer in scale.after:
        layer.register_forward_hook(lambda module, inputs, outputs: told.append(inputs[2]))
    scale(torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8), None)
    assert len(kept) == len(told) == depth
    for mine, fellow in zip(told, reversed(kept), strict=True):
        assert mine[0] is fellow[0]
        assert mine[1] is fellow[1]


def test_fine_detail_passes_by_the_coarser_scales():
    spec = DataSpec((1, 16, 16), 5)
    model, x = build(spec), image(spec)
    coarser = model.network.scales.coarser
    for p in (*coarser.grow_down.parameters(), *coarser.grow_right.parameters()):
        torch.nn.init.zeros_(p)  # the coarser scales fall silent
    assert (seen_by(model.network(x), x, [(9, 9)])[0, 7:10, 8] > 0).all()


@pytest.mark.parametrize("kernel", [DOWN, RIGHT])
def test_convolutions_of_stride_two_stand_at_even_rows_and_columns(kernel):
    conv = ShiftedConv2d(2, 3, kernel, stride=2)
    whole = ShiftedConv2d(2, 3, kernel)
    whole.load_state_dict(conv.state_dict())
    x = torch.randn(1, 2, 8, 10)
    assert torch.allclose(conv(x), whole(x)[:, :, ::2, ::2], atol=1e-6)


@pytest.mark.parametrize(("kernel", "columns"), [(DOWN, (-1, 0, 1)), (RIGHT, (0, 1))])
def test_growing_speaks_to_the_two_rows_and_columns_behind_a_pixel(kernel, columns):
    conv, x = GrowingConv2d(1, kernel), torch.zeros(1, 1, 4, 4)
    torch.nn.init.ones_(conv.weight)
    x[0, 0, 2, 1] = 1
    expected = torch.zeros(1, 1, 8, 8)
    for row, column in itertools.product((0, 1), columns):
        expected[0, 0, 4 + row, 2 + column] = 1
    assert torch.equal(conv(x), expected)


@pytest.mark.parametrize(("shape", "bits"), [((1, 28, 28), 8.6), ((3, 8, 8), 10.2)])
def test_a_new_model_spreads_its_components_over_all_levels(shape, bits):
    spec = DataSpec(shape)
    images = torch.randint(256, (5, *shape), generator=torch.manual_seed(0)).to(torch.uint8)
    nats = pixelcnn_pp(spec).log_likelihood(Batch(images)).nats
    assert -nats.mean() / (spec.dimensions * math.log(2)) < bits


@pytest.mark.parametrize("depth", [1, 4])
def test_signals_begin_neither_dying_nor_growing(depth):
    with fork_rng(0):
        model = pixelcnn_pp(DataSpec((3, 28, 28)), depth=depth).eval()
    for stream in streams(model, torch.rand(4, 3, 28, 28) * 2 - 1):
        assert 0.4 < stream.std() < 1.6


def test_the_border_can_be_told_from_grey():
    model, caught = build(DataSpec((1, 8, 8), 5)), []
    for layer in (model.network.rows_above, model.network.row_above, model.network.columns_left):
        layer.register_forward_hook(lambda module, inputs, outputs: caught.append(outputs))
    model.network(torch.zeros(1, 1, 8, 8, dtype=torch.float64))
    for features in caught:
        assert (features[0, :, 0, 0] - features[0, :, 4, 4]).abs().min() > 0


def test_convolutions_of_concat_elu_begin_with_unit_variance():
    with fork_rng(0):
        block = GatedBlock(32, DOWN, shortcuts=1, classes=0, dropout=0.0)
        x, other = torch.randn(2, 4, 32, 16, 16)
    h = block.first(concat_elu(x)) + block.shortcuts[0](concat_elu(other))
    assert 0.8 < h[:, :, 1:, 1:-1].std() < 1.2


def test_features_are_dropped_in_training_alone():
    spec = DataSpec((1, 8, 8), 17)
    model = build(spec, dropout=0.5)
    batch = Batch(torch.randint(17, (4, 1, 8, 8)).to(torch.uint8))
    losses = [model.train()._loss(batch, Step(0, 0.0, generator(0)))["loss"] for _ in range(2)]
    assert losses[0] != losses[1]
    answers = [model.log_likelihood(batch).nats for _ in range(2)]
    assert torch.equal(*answers)
    assert torch.equal(answers[0], model.eval().log_prob(batch))
    assert model.eval().log_prob(batch).equal(build(spec, dropout=0.0).train().log_prob(batch))


def test_every_block_is_told_the_label():
    spec = DataSpec((1, 16, 16), 17, classes=3)
    model = build(spec, conditional=True)
    batch = Batch(torch.randint(17, (3, 1, 16, 16)).to(torch.uint8), torch.tensor([0, 2, 2]))
    model.log_prob(batch).sum().backward()
    blocks = [module for module in model.modules() if isinstance(module, GatedBlock)]
    assert len(blocks) == 3 * 2 * 2  # scales, ways, streams
    heard = [block.label.weight.grad.abs().sum(1) for block in blocks[:-2]]
    assert all(((grad > 0) == torch.tensor([True, False, True])).all() for grad in heard)
    same = Batch(batch.images[:1].expand(3, -1, -1, -1), torch.arange(3))
    assert len(model.log_prob(same).unique()) == 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("shape", "n", "depth", "classes"),
    [((1, 16, 16), 3, 1, 0), ((3, 8, 8), 5, 2, 4), ((1, 16, 8), 1, 1, 2), ((2, 5, 7), 4, 2, 0), ((3, 1, 2), 2, 1, 0)],
)
def test_cached_sampling_is_the_network_pixel_by_pixel(shape, n, depth, classes, dtype):
    spec = DataSpec(shape, 17, classes=classes)
    model = build(spec, gain=1.0, depth=depth, components=3, conditional=bool(classes)).to(dtype)
    labels = torch.arange(n) % classes if classes else None
    uniforms = uniform((n, model.output.uniforms(shape[0]), *shape[1:]), generator(0))
    task = Task(model.network, model.output, shape, uniforms, labels)
    with torch.no_grad():
        cached = draw_cached(task)
        assert torch.equal(cached, draw_naive(task))
        assert cached.unique().numel() > 4
        columns, whole = model.network.columns(n, labels), model.network(task.unit(cached), labels)
        near = 1e-4 if dtype == torch.float32 else 1e-11
        for y, x in task.raster():
            assert torch.allclose(columns.read(y, x, 0), whole[:, :, y, x], atol=near, rtol=near)
            for channel, values in enumerate(task.unit(cached[:, :, y, x]).unbind(1)):
                columns.write(y, x, channel, values)


def test_cached_sampling_completes_and_cools_as_naive_sampling_does():
    spec = DataSpec((3, 8, 8), 17)
    model, known = build(spec), torch.randint(17, (4, 3, 3, 8)).to(torch.uint8)
    uniforms = uniform((4, 4, 8, 8), generator(0))
    task = Task(model.network, model.output, spec.shape, uniforms, None, known, temperature=0.5)
    with torch.no_grad():
        cached = draw_cached(task)
        assert torch.equal(cached, draw_naive(task))
    assert torch.equal(cached[:, :, :3], known)


def test_cached_sampling_computes_each_row_and_pixel_once_at_its_own_scale(monkeypatch):
    model, met = build(DataSpec((1, 16, 16), 5)), []
    model.network.forward = None  # any call fails

    def watched(name):
        inner = getattr(cache.ScaleColumns, name)

        def outer(self, *args):
            met.append((name, len(self.before[0][1].first.slots), *args[:-1]))
            return inner(self, *args)

        return outer

    for name in ("row", "pixel"):
        monkeypatch.setattr(cache.ScaleColumns, name, watched(name))
    model.sample(2, generator=generator(0))
    rows = [("row", side, y) for side in (16, 8, 4) for y in range(side)]
    pixels = [("pixel", side, y, x) for side in (16, 8, 4) for y in range(side) for x in range(side)]
    assert sorted(met, key=str) == sorted(rows + pixels, key=str)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width=0: give a whole number, 1 or more"),
        ({"depth": 0}, "depth=0: give a whole number, 1 or more"),
        ({"components": 0}, "components=0: give a whole number, 1 or more"),
        ({"dropout": 1.0}, "dropout=1.0: give a share"),
        ({"dropout": -0.1}, "dropout=-0.1: give a share"),
        ({"dropout": math.nan}, "dropout=nan: give a share"),
        ({"lr": 0.0}, "lr=0.0: give a positive"),
        ({"sampler": "slow"}, "sampler='slow': give one of"),
        ({"conditional": True}, "conditional=True: this data set has no labels"),
    ],
)
def test_silly_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        pixelcnn_pp(DataSpec((3, 8, 8)), **options)
