import itertools

import pytest
import torch

from families.autoregressive.pixelcnn_pp import pixelcnn_pp
from families.autoregressive.pixelcnn_pp_network import Layer, Scale
from families.autoregressive.shifted import GatedBlock
from genbench import Batch, DataSpec
from genbench.seed import fork_rng
from tests.families.autoregressive.helpers import narrow_pixelcnn_pp


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


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 12), (1, 16, 16), (1, 5, 7), (1, 9, 13), (1, 13, 17)])
def test_the_down_stream_sees_rows_above_and_the_right_one_also_what_is_left(shape):
    spec = DataSpec(shape, 5)
    model, x, where = narrow_pixelcnn_pp(spec), image(spec), places(spec)
    down, right = streams(model, x)
    by_down, by_right = seen_by(down, x, where), seen_by(right, x, where)
    for k, (y, column) in enumerate(where):
        assert (by_down[k, y:] == 0).all()
        assert (by_right[k, y + 1 :] == 0).all()
        assert (by_right[k, y, column:] == 0).all()
        assert y == 0 or by_down[k, y - 1, column] > 0
        assert column == 0 or by_right[k, y, column - 1] > 0
        assert y == 0 or column == shape[2] - 1 or by_right[k, y - 1, column + 1] > 0


@pytest.mark.parametrize(
    ("shape", "halvings", "depth"),
    [((1, 16, 16), 2, 1), ((1, 8, 8), 1, 1), ((3, 5, 7), 0, 2), ((1, 9, 13), 1, 1)],
)
def test_layers_see_all_that_is_near_and_coarser_scales_all_of_the_rows_above(shape, halvings, depth):
    spec, where = DataSpec(shape, 5), places(DataSpec(shape))
    x, seen = image(spec), 0
    for seed in range(2):
        seen = seen + seen_by(narrow_pixelcnn_pp(spec, seed, depth=depth).network(x), x, where)
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
        ((1, 9, 8), [(9, 8), (5, 4)]),
        ((1, 13, 17), [(13, 17), (7, 9)]),
        ((3, 17, 19), [(17, 19), (9, 10), (5, 5)]),
        ((3, 5, 7), [(5, 7)]),
    ],
)
def test_sides_halve_twice_where_they_can_and_odd_ones_are_rounded_up(shape, sides):
    model, met = pixelcnn_pp(DataSpec(shape), width=2, components=1), []
    for module in model.modules():
        if isinstance(module, Scale):
            module.register_forward_hook(
                lambda module, inputs, outputs: met.append([tuple(i.shape[2:]) for i in (*inputs[:2], *outputs)])
            )
    assert model.network(torch.zeros(1, *shape)).shape[2:] == shape[1:]
    assert met[::-1] == [[side] * 4 for side in sides]


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
    model, x = narrow_pixelcnn_pp(spec), image(spec)
    coarser = model.network.scales.coarser
    for p in (*coarser.grow_down.parameters(), *coarser.grow_right.parameters()):
        torch.nn.init.zeros_(p)  # the coarser scales fall silent
    assert (seen_by(model.network(x), x, [(9, 9)])[0, 7:10, 8] > 0).all()


@pytest.mark.parametrize("depth", [1, 4])
def test_signals_begin_neither_dying_nor_growing(depth):
    with fork_rng(0):
        model = pixelcnn_pp(DataSpec((3, 28, 28)), depth=depth).eval()
    for stream in streams(model, torch.rand(4, 3, 28, 28) * 2 - 1):
        assert 0.4 < stream.std() < 1.6


def test_the_border_can_be_told_from_grey():
    model, caught = narrow_pixelcnn_pp(DataSpec((1, 8, 8), 5)), []
    for layer in (model.network.rows_above, model.network.row_above, model.network.columns_left):
        layer.register_forward_hook(lambda module, inputs, outputs: caught.append(outputs))
    model.network(torch.zeros(1, 1, 8, 8, dtype=torch.float64))
    for features in caught:
        assert (features[0, :, 0, 0] - features[0, :, 4, 4]).abs().min() > 0


def test_every_block_is_told_the_label():
    spec = DataSpec((1, 16, 16), 17, classes=3)
    model = narrow_pixelcnn_pp(spec, conditional=True)
    batch = Batch(torch.randint(17, (3, 1, 16, 16)).to(torch.uint8), torch.tensor([0, 2, 2]))
    model.log_prob(batch).sum().backward()
    blocks = [module for module in model.modules() if isinstance(module, GatedBlock)]
    assert len(blocks) == 3 * 2 * 2  # scales, ways, streams
    heard = [block.label.weight.grad.abs().sum(1) for block in blocks[:-2]]
    assert all(((grad > 0) == torch.tensor([True, False, True])).all() for grad in heard)
    same = Batch(batch.images[:1].expand(3, -1, -1, -1), torch.arange(3))
    assert len(model.log_prob(same).unique()) == 3
