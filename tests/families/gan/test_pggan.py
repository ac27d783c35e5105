"""Growth: what a fade is at its ends, which modules learn when, the drift, and what real images are meanwhile."""

import pytest
import torch

from families.gan.growth import growth
from families.gan.pggan import Drift
from families.layers.evaluation import evaluation
from families.layers.growing import down, up
from genbench import Batch, Budget, DataSpec, FitConfig, Split, Splits, Step
from tests.families.gan.tiny import build, gen, step

SPEC = DataSpec((1, 16, 16), levels=17)  # three levels: 4, 8, 16


def batch(n=8, seed=0, spec=SPEC):
    return Batch(torch.randint(0, spec.levels, (n, *spec.shape), generator=gen(seed), dtype=torch.uint8))


def made(spec=SPEC, **options):
    return build("pggan", spec, **{"width": 4} | options)


def at(fraction):
    return Step(0, fraction, gen(3))


@pytest.mark.parametrize("level", [1, 2])
def test_a_fade_begins_at_the_stage_below_enlarged_and_ends_at_the_next(level):
    model = made()
    z, images = torch.randn(4, 6, generator=gen()), torch.randn(4, 1, 4 << level, 4 << level, generator=gen())
    torch.testing.assert_close(model.generator(z, level, 0.0), up(model.generator(z, level - 1, 1.0)))
    torch.testing.assert_close(model.critic(images, level, 0.0), model.critic(down(images), level - 1, 1.0))
    for network, x in ((model.generator, z), (model.critic, images)):
        near, whole, half = network(x, level, 1 - 1e-7), network(x, level, 1.0), network(x, level, 0.5)
        torch.testing.assert_close(near, whole, rtol=0, atol=1e-5)
        assert not torch.allclose(half, whole)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", ["pggan", "stylegan"])
def test_a_critic_sees_no_image_off_the_range_of_real_ones(name, alpha):
    model = build(name, SPEC, width=4)
    for parameter in model.generator.parameters():
        parameter.data.mul_(30)
    images = model.generator(model.draw_noise(8, gen()), 2, alpha).detach()
    assert float(images.abs().max()) == 1


@pytest.mark.parametrize("name", ["pggan", "stylegan"])
def test_a_page_that_is_white_all_over_still_learns(name):
    model = build(name, SPEC, width=4)
    last = next(one for one in model.generator.end(2).parameters() if one.shape == (1,))
    torch.nn.init.constant_(last, 9.0)
    (model.generator(model.draw_noise(4, gen()), 2, 1.0) + 1).square().mean().backward()
    assert float(last.grad) > 0


def test_phases_are_named_by_sides_and_their_shares_are_the_papers_kind():
    names = [phase.name for phase in made().phases()]
    assert names == ["4", "fade-8", "8", "fade-16", "16"]
    assert [phase.share for phase in made().phases()] == pytest.approx([0.1, 0.15, 0.2, 0.2, 0.35])
    assert [phase.name for phase in made(growing=False).phases()] == ["16"]
    assert [phase.name for phase in made(DataSpec((1, 5, 7))).phases()] == ["5"]
    assert sum(stage.share for stage in growth(4)) == pytest.approx(1)


def reached(model, turn, fraction):
    """Names of the learning parameters that get a gradient, of those that get one of zeros, and of those without."""
    model.zero_grad()
    turn.loss(batch(), at(fraction))["loss"].backward()
    learns = {id(p) for module in turn.learns for p in module.parameters()}
    found = {True: set(), False: set(), None: set()}
    for name, parameter in model.named_parameters():
        if id(parameter) in learns:
            found[None if parameter.grad is None else bool(parameter.grad.any())].add(name)
    return found


@pytest.mark.parametrize("options", [{"growing": False}, {"drift": 0.0}])
def test_nothing_is_there_that_no_turn_learns_or_no_loss_reaches(options):
    model = made(**options).train()
    learned = {id(p) for phase in model.phases() for t in phase.turns for m in t.learns for p in m.parameters()}
    there = {id(p) for network in (model.generator, model.critic) for p in network.parameters()}
    assert learned == there
    for turn in model.phases()[-1].turns:
        late = reached(model, turn, 0.5)
        assert not late[None]
        assert not late[False]


def test_a_turn_learns_what_its_loss_reaches_in_that_phase_and_a_new_block_from_the_second_round_on():
    model = made().train()
    for phase in model.phases():
        for turn in phase.turns:
            late = reached(model, turn, 0.5)
            assert not late[None], (phase.name, turn.name)
            assert not late[False], (phase.name, turn.name)
            first = reached(model, turn, 0.0)
            fading = phase.name.startswith("fade")
            assert bool(first[False]) is fading
    critic, generator = made().phases()[2].turns
    assert len(generator.learns) == 3, "two blocks and their own end"
    assert len(critic.learns) == 4, "with the drift, which has no weights"


def test_real_images_fade_as_fakes_do():
    model, images = made(), batch()
    stages = {phase.name: stage for phase, stage in zip(model.phases(), model.stages, strict=True)}
    full = images.images.float() / 8 - 1
    torch.testing.assert_close(model.real(images, stages["16"], 1.0), full)
    torch.testing.assert_close(model.real(images, stages["8"], 1.0), down(full))
    start = model.real(images, stages["fade-16"], 0.0)
    torch.testing.assert_close(start, up(down(full)))
    torch.testing.assert_close(model.real(images, stages["fade-16"], 0.25), 0.75 * start + 0.25 * full)


def test_the_drift_is_of_real_logits_alone():
    model, images = made(penalty=1e-9), batch()
    stage = model.stages[-1]
    logs = model.critic_loss(stage, images, at(0.5))
    real = model.critic(model.real(images, stage, 1.0), stage.level, 1.0)
    torch.testing.assert_close(logs["drift"], 1e-3 * real.square().mean())
    double = Drift(2e-3)
    assert double.setting == "drift 0.002"
    assert "drift" not in made(drift=0.0).critic_loss(stage, images, at(0.5))


def test_both_losses_by_hand_in_the_midst_of_a_fade_are_of_faded_images():
    model, images, source = made(), batch(), gen(3)
    full = images.images.float() / 8 - 1
    real = 0.75 * up(down(full)) + 0.25 * full
    score = lambda shown: model.critic(shown, 2, 0.25)  # noqa: E731
    fakes = model.generator(model.draw_noise(8, source), 2, 0.25).detach()
    share = torch.rand(8, 1, 1, 1, generator=source)
    between = (share * real + (1 - share) * fakes).requires_grad_()
    slopes = torch.autograd.grad(score(between).sum(), between)[0].flatten(1).norm(dim=1)
    wanted = score(fakes).mean() - score(real).mean() + 10 * (slopes - 1).square().mean()
    stage = model.stages[-2]
    assert (stage.level, stage.fading) == (2, True)
    logs = model.critic_loss(stage, images, at(0.25))
    torch.testing.assert_close(logs["loss"], wanted + 1e-3 * score(real).square().mean())
    torch.testing.assert_close(model.generator_loss(stage, images, at(0.25))["loss"], -score(fakes).mean())


def test_what_a_sample_shows_follows_level_and_alpha_and_is_always_of_full_sides():
    model, u, given = made(average=0.0), torch.randn(3, 6, generator=gen()), batch(3)
    for phase, stage in zip(model.phases(), model.stages, strict=True):
        phase.enter(None, step())
        assert (int(model.level), float(model.alpha)) == (stage.level, 0.0 if stage.fading else 1.0)
        phase.turns[1].after({}, at(0.5))
        assert float(model.alpha) == (0.5 if stage.fading else 1.0)
        with evaluation(model):
            images = model.decode(u, given)
            own = model.generator(u, stage.level, float(model.alpha))
        assert images.shape == (3, 1, 16, 16)
        torch.testing.assert_close(images[..., :: 16 // own.shape[2], :: 16 // own.shape[3]], (own + 1) * 8)


def test_images_do_not_depend_on_the_length_of_the_noise():
    model, u, given = made(average=0.0), torch.randn(3, 6, generator=gen()), batch(3)
    for name, parameter in model.generator.named_parameters():
        if name.endswith("bias"):
            parameter.data.fill_(0.5)  # beside which the length of a code would count
    with evaluation(model):
        torch.testing.assert_close(model.decode(u, given), model.decode(3 * u, given), rtol=0, atol=1e-3)


def test_it_grows_to_its_end_in_a_short_run_and_loads_as_it_was(tmp_path):
    model = made()
    model.fit(Splits(Split(batch(24).images), Split(batch(8).images)), FitConfig(Budget(steps=10), 8))
    assert (int(model.level), float(model.alpha)) == (2, 1.0)
    assert model.traverse(2, 3, generator=gen()).shape == (2, 3, 1, 16, 16)
    assert not hasattr(model, "reconstruct")


@pytest.mark.parametrize("shape", [(1, 2, 2), (3, 9, 8), (1, 28, 28), (3, 32, 16)])
def test_it_trains_in_float64_on_any_shape(shape):
    spec = DataSpec(shape, 9)
    model = made(spec).double()
    for stage in model.stages:
        for loss in (model.critic_loss, model.generator_loss):
            assert loss(stage, batch(4, spec=spec), at(0.5))["loss"].dtype == torch.float64


@pytest.mark.parametrize("options", [{"drift": -1.0}, {"growing": 1}, {"width": 0}])
def test_options_out_of_range_are_refused(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"^{name}={value!r}"):
        made(**options)
