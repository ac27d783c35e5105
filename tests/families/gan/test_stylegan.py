"""Styles: what instance norm takes and the style gives back, mixing, noise, the mean style, growth."""

import math

import pytest
import torch

from families.adversarial.penalties import R1
from families.gan.stylegan import MEAN_DECAY, stages
from families.gan.styles import PER_LEVEL, StyledLayer, Styles
from families.layers.equalised import EqualisedLinear
from families.layers.evaluation import evaluation
from families.layers.growing import Blur
from genbench import Batch, DataSpec, Step
from genbench.contract import learning
from tests.families.gan.tiny import build, gen

SPEC = DataSpec((1, 16, 16), levels=17)  # three levels: 4, 8, 16


def batch(n=8, seed=0, spec=SPEC):
    return Batch(torch.randint(0, spec.levels, (n, *spec.shape), generator=gen(seed), dtype=torch.uint8))


def made(spec=SPEC, loud=True, **options):
    model = build("stylegan", spec, **{"width": 4} | options)
    networks = [model.generator, *([model.average.copies["generator"]] if model.average else [])]
    for network in networks if loud else ():
        for level in network.levels:
            for layer in level:
                layer.strength.data.fill_(0.5)  # noise that shows
    return model


def at(fraction=0.5, seed=3):
    return Step(0, fraction, gen(seed))


def test_behind_the_style_maps_have_its_shift_for_mean_and_its_scale_for_deviation():
    torch.manual_seed(0)
    layer = StyledLayer(3, 5, 6, larger=False, noise=True)
    w = torch.randn(4, 6, generator=gen())
    out = layer(torch.randn(4, 3, 9, 9, generator=gen(1)), torch.zeros(4, 1, 9, 9), w)
    scale, shift = layer.style(w).chunk(2, 1)
    torch.testing.assert_close(out.mean((2, 3)), shift, rtol=0, atol=1e-3)
    torch.testing.assert_close(out.std((2, 3), unbiased=False), (1 + scale).abs(), rtol=0, atol=1e-3)


def test_a_constant_or_a_positive_scale_before_the_norm_changes_nothing():
    torch.manual_seed(0)
    layer = StyledLayer(0, 3, 6, larger=False, noise=True)
    x, w = 2 + torch.rand(2, 3, 8, 8, generator=gen()), torch.randn(2, 6, generator=gen(1))
    plane = torch.zeros(2, 1, 8, 8)
    whole = layer(x, plane, w)
    torch.testing.assert_close(layer(x + 5, plane, w), whole, rtol=0, atol=1e-4)
    torch.testing.assert_close(layer(3 * x, plane, w), whole, rtol=0, atol=1e-4)
    assert not torch.allclose(layer(x.flip(2), plane, w), whole)


def styles_seen(model, call):
    """The style that each layer of a pass was given, in order."""
    seen = []
    hooks = [
        layer.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[2]))
        for level in model.generator.levels
        for layer in level
    ]
    call()
    for hook in hooks:
        hook.remove()
    return seen


def test_layers_before_the_cut_take_one_code_s_styles_and_the_others_the_other_s():
    model = made()
    u, other = model.draw_noise(3, gen()), torch.randn(3, 6, generator=gen(1))
    one, two = model.generator.mapped(u[:, :6]), model.generator.mapped(other)
    for cut in (1, 4):
        seen = styles_seen(model, lambda cut=cut: model.generator(u, 2, 1.0, Styles(other=other, cut=cut)))
        assert len(seen) == 6
        assert all(torch.equal(w, one if place < cut else two) for place, w in enumerate(seen))


@pytest.mark.parametrize("mixing", [0.0, 1.0])
def test_cuts_fall_between_layers_of_the_stage_and_nowhere_else(mixing, monkeypatch):
    model, cuts = made(mixing=mixing), set()
    stage = model.stages[0]
    forward = model.generator.forward

    def heard(u, level, alpha, how):
        cuts.add(how and how.cut)
        return forward(u, level, alpha, how)

    monkeypatch.setattr(model.generator, "forward", heard)
    for seed in range(40):
        model.generate(batch(2), stage, 1.0, at(seed=seed))
    assert cuts == ({1, 2, 3} if mixing else {None})


def test_at_psi_0_one_image_stands_for_all_codes_and_at_1_nothing_changes():
    model, given = made(), batch(4)
    model.mean.copy_(torch.randn(6, generator=gen(4)))
    u = model.draw_noise(4, gen())
    u[:, 6:] = u[:1, 6:]
    with evaluation(model):
        whole = model.decode(u, given)
        assert torch.equal(model.render(u, given), whole)
        before = model.observe(u, given)
        model.truncation = 0.0
        shown = model.render(u, given)
        torch.testing.assert_close(shown, shown[:1].expand_as(shown), rtol=0, atol=1e-4)
        assert torch.equal(model.observe(u, given), before), "no likelihood is truncated"
        model.truncated = 0
        torch.testing.assert_close(model.render(u, given), whole)
        model.truncated, model.truncation = None, 0.5
        w = model.maker().mapped(u[:, :6])
        half = model._image(u, Styles(mapped=(w + model.mean) / 2))
        torch.testing.assert_close(model.render(u, given), half)


def maps_of(model, noise):
    """What each layer of a pass answers, in order."""
    maps = []
    hooks = [
        layer.register_forward_hook(lambda module, inputs, out: maps.append(out))
        for level in model.generator.levels
        for layer in level
    ]
    model.generator(noise, 2, 1.0)
    for hook in hooks:
        hook.remove()
    return maps


def test_at_the_start_noise_is_not_heard_and_a_layer_s_plane_changes_maps_from_it_on():
    silent, u = made(loud=False), None
    u = silent.draw_noise(2, gen())
    other = torch.cat([u[:, :6], torch.randn(2, u.shape[1] - 6, generator=gen(1))], 1)
    with evaluation(silent):
        assert torch.equal(silent.decode(u, batch(2)), silent.decode(other, batch(2)))
    loud = made()
    sizes = loud.generator.sizes
    assert sizes == [6, 16, 16, 64, 64, 256, 256]
    for place in range(6):
        moved = u.clone()
        start = sum(sizes[: place + 1])
        moved[:, start : start + sizes[place + 1]] += 1 + torch.rand(sizes[place + 1], generator=gen(2))
        maps = [maps_of(loud, noise) for noise in (u, moved)]
        assert [torch.equal(a, b) for a, b in zip(*maps, strict=True)] == [k < place for k in range(6)]


def test_the_mean_style_is_a_running_mean_of_the_averaged_mapping_s():
    model, stage = made(), made().stages[-1]
    for parameter in model.generator.mapping.parameters():
        parameter.data.add_(1)  # the live one
    expected = torch.zeros(6)
    for round_ in range(2):
        step = at(seed=round_)
        model._after(stage, {}, step)
        codes = torch.randn(64, 6, generator=gen(round_))
        mapped = model.average.copies["generator"].mapped(codes).mean(0)
        expected = MEAN_DECAY * expected + (1 - MEAN_DECAY) * mapped
    torch.testing.assert_close(model.mean, expected.detach(), rtol=1e-4, atol=1e-6)


def test_the_mapping_learns_a_hundred_times_slower():
    model = made()
    dense = [layer for layer in model.generator.mapping if isinstance(layer, EqualisedLinear)]
    assert len(dense) == 8
    assert all(layer.rate == 0.01 for layer in dense)
    assert all(float(layer.weight.detach().std()) == pytest.approx(100, rel=0.4) for layer in dense)
    assert dense[0].scale == pytest.approx(math.sqrt(2 / 6) * 0.01)


def test_it_may_be_shallower_and_as_fast_and_the_constant_may_begin_as_noise():
    model = made(mapping=2, slow=1.0, constant="noise")
    dense = [layer for layer in model.generator.mapping if isinstance(layer, EqualisedLinear)]
    assert [layer.rate for layer in dense] == [1.0, 1.0]
    assert 0.5 < float(model.generator.constant.map.std()) < 1.5
    assert bool((made().generator.constant.map == 1).all())
    assert "styles of 2 layers at rate ×1; mixed with chance 0.9; constant begun as noise" in model.setting
    with pytest.raises(ValueError, match="constant='zeros': give ones, noise"):
        made(constant="zeros")
    with pytest.raises(ValueError, match="mapping=0: give"):
        made(mapping=0)


def test_the_penalty_of_a_linear_critic_is_half_gamma_of_its_slope():
    v = torch.randn(1, 4, 4, generator=gen())
    images = torch.randn(5, 1, 4, 4, generator=gen(1))
    penalty = R1(10.0)(lambda x: (x * v).flatten(1).sum(1), images, images, gen())
    torch.testing.assert_close(penalty, 5 * v.square().sum())
    assert made(gamma=10.0).penalty == R1(10.0)


def test_the_critic_sees_real_images_once_for_loss_and_penalty():
    model = made()
    seen = []
    model.critic.blocks[0].register_forward_hook(lambda block, inputs, output: seen.append(len(output)))
    logs = model.phases()[-1].turns[0].loss(batch(), at())
    assert seen == [8, 8]
    assert float(logs["penalty"]) > 0


def test_a_blur_keeps_what_is_constant_inside_and_the_sum_of_what_lies_inside():
    blur = Blur()
    torch.testing.assert_close(blur(torch.ones(1, 2, 6, 6))[..., 1:-1, 1:-1], torch.ones(1, 2, 4, 4))
    point = torch.zeros(1, 1, 5, 5)
    point[..., 2, 2] = 16
    assert blur(point)[0, 0, 1:4, 1:4].tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]


def test_without_noise_an_image_is_of_its_code_alone(tmp_path):
    model = made(loud=False, noise=False)
    assert model.latents == 6
    images = model.decode(model.draw_noise(3, gen()), batch(3))
    assert images.shape == (3, 1, 16, 16)
    assert not torch.equal(images[0], images[1])
    assert model.traverse(2, 3, generator=gen()).shape == (2, 3, 1, 16, 16)
    for stage in model.stages:
        assert model.generator_loss(stage, batch(4), at())["loss"].isfinite()
    assert not any("strength" in name for name, _ in model.named_parameters())
    assert "no noise in the layers" in model.setting
    assert "no noise" not in made().setting


def test_the_setting_says_how_far_samples_are_truncated():
    assert "ψ" not in made().setting
    assert "samples at ψ 0.5;" in made(truncation=0.5).setting
    assert "samples at ψ 0.5 in the first 2 layers" in made(truncation=0.5, truncated=2).setting


def test_the_truncation_may_be_set_later_and_is_refused_beyond_its_range():
    model = made(loud=False)
    for value in (-0.1, 2.0, math.nan):
        with pytest.raises(ValueError, match=f"truncation={value}: give 0 to 1"):
            model.truncation = value
    model.truncation = 0
    assert "samples at ψ 0" in model.setting


def test_growth_begins_at_the_second_sides():
    assert [phase.name for phase in made().phases()] == ["8", "fade-16", "16"]
    assert [stage.share for stage in stages(3)] == pytest.approx([0.3, 0.2, 0.5])
    assert [(stage.level, stage.share) for stage in stages(2)] == [(1, 1.0)]
    assert [(stage.level, stage.share) for stage in stages(1)] == [(0, 1.0)]
    assert sum(stage.share for stage in stages(5)) == pytest.approx(1)


def test_it_grows_and_resumes_from_within_each_stage(tmp_path):
    learning.resumed(lambda seed: made(loud=False, seed=seed), tmp_path)


def test_a_fade_begins_at_the_stage_below_enlarged_and_all_that_learns_is_reached():
    model = made()
    u = model.draw_noise(3, gen())
    small = model.generator(u, 1, 1.0)
    torch.testing.assert_close(model.generator(u, 2, 0.0), torch.nn.functional.interpolate(small, scale_factor=2))
    for phase in model.train().phases():
        for turn in phase.turns:
            model.zero_grad()
            turn.loss(batch(), at())["loss"].backward()
            missed = [n for m in turn.learns for n, p in m.named_parameters() if p.grad is None]
            assert not missed, (phase.name, turn.name)
            learns = {id(p) for m in turn.learns for p in m.parameters()}
            network = model.critic if turn.name == "critic" else model.generator
            reached = {id(p) for p in network.parameters() if p.grad is not None}
            assert reached == learns


def test_a_traversal_moves_along_the_widest_direction_of_styles_first():
    model = made()
    images = model.traverse(3, 5, generator=gen()).float()
    assert images.shape == (3, 5, 1, 16, 16)
    assert not hasattr(model, "reconstruct")
    with pytest.raises(ValueError, match=r"^rows=0"):
        model.traverse(0, 5, generator=gen())


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 2, 2), (3, 9, 8), (1, 28, 28), (3, 32, 16)])
def test_it_trains_in_float64_on_any_shape(shape):
    spec = DataSpec(shape, 9)
    model = made(spec).double()
    assert model.latents == 6 + PER_LEVEL * sum(math.prod(sides) for sides in model.generator.sides)
    for stage in model.stages:
        for loss in (model.critic_loss, model.generator_loss):
            assert loss(stage, batch(4, spec=spec), at())["loss"].dtype == torch.float64


@pytest.mark.parametrize(
    "options",
    [{"mixing": 1.5}, {"gamma": 0.0}, {"truncation": 2.0}, {"truncated": -1}, {"width": 0}],
)
def test_options_out_of_range_are_refused(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"^{name}={value!r}"):
        made(loud=False, **options)
