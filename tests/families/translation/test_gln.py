import math

import pytest
import torch
from torch import nn

import genbench
from families.translation.gln import GlobalNetwork, bilinear
from genbench import Batch, Budget, DataSpec, FitConfig, Split, Splits
from tests.families.translation.toy import gen, integers, step

SPEC = DataSpec((1, 12, 12), source=(1, 3, 3))
COLOUR = DataSpec((3, 12, 8), source=(3, 6, 4))


def build(spec=SPEC, **options):
    return genbench.build("gln", spec, **{"width": 4, "hidden": 6} | options)


def batch(n=4, seed=0, spec=SPEC):
    return Batch(integers(n, spec.shape, seed), sources=integers(n, spec.source, seed + 1))


def zeroed(*layers):
    for layer in layers:
        for one in layer.parameters():
            nn.init.zeros_(one)


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 7])
def test_enlargement_begins_as_bilinear_inside_the_frame(factor):
    layer = bilinear(3, factor)
    assert layer.kernel_size[0] == 2 * factor - factor % 2
    source = torch.randn(2, 3, 4, 5, generator=gen())
    mine, wanted = layer(source).detach(), nn.functional.interpolate(source, scale_factor=factor, mode="bilinear")
    assert mine.shape == wanted.shape == (2, 3, 4 * factor, 5 * factor)
    inside = (..., slice(factor // 2, 4 * factor - factor // 2), slice(factor // 2, 5 * factor - factor // 2))
    torch.testing.assert_close(mine[inside], wanted[inside])


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_one_source_pixel_moves_every_output_pixel_through_the_whole_and_twice_the_factor_through_enlargement(factor):
    network = GlobalNetwork((1, 5, 5), (1, 5 * factor, 5 * factor), 32)
    one, other = torch.zeros(1, 1, 5, 5), torch.zeros(1, 1, 5, 5)
    other[0, 0, 2, 2] = 1.0
    nearby, everywhere = (
        (b - a)[0, 0].detach() for a, b in zip(network.images(one), network.images(other), strict=True)
    )
    side = 2 * factor - factor % 2
    assert int((nearby != 0).sum()) == side**2 <= (2 * factor) ** 2
    assert bool((nearby != 0).any(1).sum() == side)
    assert bool((everywhere != 0).all())


def test_the_global_network_adds_both_and_the_local_one_sees_them_apart():
    model, given = build(COLOUR), batch(spec=COLOUR)
    source = model.source(given)
    enlarged, told = model.generator.coarse.images(source)
    assert torch.equal(model.generator.coarse(source), enlarged + told)
    made = model.generator(source)
    assert torch.equal(made, (enlarged + model.generator.local(torch.cat([enlarged, told], 1))).clamp(-1, 1))
    zeroed(model.generator.local)
    assert torch.equal(model.generator(source), enlarged.clamp(-1, 1))
    sides = [one.kernel_size[0] for one in model.generator.local if isinstance(one, nn.Conv2d)]
    sizes = [one.out_channels for one in model.generator.local if isinstance(one, nn.Conv2d)]
    assert (sides, sizes) == ([5, 7, 7, 7, 5], [4, 8, 8, 4, 3])
    assert model.critic.layers[0].out_channels == 4


def test_losses_are_the_squared_error_and_a_thousandth_of_the_game():
    model = build()
    zeroed(model.generator.local, model.critic.logit)
    nn.init.ones_(model.generator.coarse.enlarged.bias)
    nn.init.zeros_(model.generator.coarse.enlarged.weight)  # every translation is 1
    black = Batch(torch.zeros(2, 1, 12, 12, dtype=torch.uint8), sources=batch(2).sources)
    logs = {name: float(value.detach()) for name, value in model.generator_loss(black, step()).items()}
    assert logs["l2"] == 4
    assert logs["loss"] == pytest.approx(4 + 1e-3 * math.log(2))
    assert float(model.critic_loss(black, step())["loss"].detach()) == pytest.approx(2 * math.log(2))
    assert model.condition(black) is None


def test_a_page_that_is_white_all_over_still_learns():
    model = build()
    nn.init.constant_(model.generator.local[-1].bias, 9.0)
    black = Batch(torch.zeros(2, 1, 12, 12, dtype=torch.uint8), sources=batch(2).sources)
    model.generator_loss(black, step())["l2"].backward()
    assert float(model.generator.local[-1].bias.grad) > 0


def test_the_setting_says_the_weights_of_error_and_game():
    assert build().setting == "1 l2, 0.001 game"
    assert build(game=0.5).setting == "1 l2, 0.5 game"


def test_a_doubled_weight_doubles_its_term():
    one, two = (build(weight=w).generator_loss(batch(), step())["l2"].detach() for w in (1.0, 2.0))
    torch.testing.assert_close(2 * one, two)
    one, two = (build(weight=0.0, game=w).generator_loss(batch(), step())["loss"].detach() for w in (1.0, 2.0))
    torch.testing.assert_close(2 * one, two)


def test_the_generator_learns_from_the_critic_without_the_error():
    model = build(weight=0.0)
    model.generator_loss(batch(), step())["loss"].backward()
    assert all(bool(one.grad.any()) for one in model.generator.parameters())
    model = build()
    model.critic_loss(batch(), step())["loss"].backward()
    assert all(one.grad is None for one in model.generator.parameters())


def test_the_global_network_learns_first_and_alone():
    model, given = build(), batch()
    first, second = model.phases()
    assert [(one.name, one.share) for one in (first, second)] == [("global", 0.3), ("whole", 0.7)]
    (alone,) = first.turns
    assert list(alone.learns) == [model.generator.coarse]
    logs = alone.loss(given, step())
    source, target = model.source(given), model.target(given)
    assert torch.equal(logs["loss"], nn.functional.mse_loss(sum(model.generator.coarse.images(source)), target))
    logs["loss"].backward()
    assert all(bool(one.grad.any()) for one in model.generator.coarse.parameters()), "enlargement too"
    assert [(turn.name, list(turn.learns)) for turn in second.turns] == [
        ("critic", [model.critic]),
        ("generator", [model.generator]),
    ]
    assert [one.name for one in build(start=0.0).phases()] == ["whole"]


def test_the_first_phase_counts_its_error_once_whatever_the_weight():
    (turn,) = build(weight=0.0).phases()[0].turns
    (same,) = build().phases()[0].turns
    assert torch.equal(turn.loss(batch(), step())["loss"], same.loss(batch(), step())["loss"])


def test_without_the_whole_source_nothing_sees_far():
    model = build(DataSpec((1, 36, 36), source=(1, 18, 18)), hidden=0)
    source = torch.zeros(1, 1, 18, 18, requires_grad=True)
    (near,) = torch.autograd.grad(model.generator(source)[0, 0, 0, 0], source)
    assert bool(near[0, 0, 0, 0])
    assert not bool(near[..., 9:, :].any() | near[..., 9:].any())
    whole = build(DataSpec((1, 36, 36), source=(1, 18, 18)), hidden=32)
    (far,) = torch.autograd.grad(whole.generator(source)[0, 0, 0, 0], source)
    assert bool(far[..., 9:, 9:].all())


def test_it_has_no_noise_and_row_i_depends_on_source_i_alone():
    model, given = build().eval(), batch(5)
    assert model.latents == 0
    drawn = model.sample(5, sources=given.sources, generator=gen(1))
    assert torch.equal(drawn, model.sample(5, sources=given.sources, generator=gen(2)))
    for i in range(5):
        alone = model.sample(1, sources=given.sources[i : i + 1], generator=gen())[0]
        assert int((alone.int() - drawn[i].int()).abs().max()) <= 1


def test_it_learns_to_enlarge_better_than_bilinearly():
    source = integers(64, (1, 4, 4), seed=3, levels=2) * 255
    images = source.repeat_interleave(2, 2).repeat_interleave(2, 3)
    model = build(DataSpec((1, 8, 8), source=(1, 4, 4)), lr=4e-3)
    data = Splits(Split(images, sources=source), Split(images[:8], sources=source[:8]))
    model.fit(data, FitConfig(Budget(steps=50), batch_size=16))
    drawn = model.sample(64, sources=source, generator=gen())
    assert float((drawn.float() - images.float()).abs().mean()) < 25, "55 to begin with"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width=0"),
        ({"hidden": -1}, "hidden=-1: give a whole number, 0 or more"),
        ({"weight": -1.0}, r"weight=-1\.0: give a positive number, or 0"),
        ({"game": -1.0}, r"game=-1\.0: give a positive number, or 0"),
        ({"start": 1.0}, r"start=1\.0: give a number, at least 0 and less than 1"),
        ({"lr": 0.0}, r"lr=0\.0: give a positive number"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (DataSpec((1, 8, 8)), "source"),
        (DataSpec((1, 8, 8), source=(1, 3, 3)), r"source=\(1, 3, 3\): gln enlarges by a whole number"),
        (DataSpec((1, 8, 8), source=(1, 4, 4), paired=False), "paired=False"),
        (DataSpec((3, 8, 8), source=(1, 4, 4)), r"source=\(1, 4, 4\): gln .* needs the image's 3 channels"),
    ],
)
def test_data_that_it_cannot_use_are_refused_in_one_line(spec, message):
    with pytest.raises(ValueError, match=message) as caught:
        build(spec)
    assert "\n" not in str(caught.value)
