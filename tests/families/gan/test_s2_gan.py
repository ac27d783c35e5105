"""Style and structure: surfaces by hand, what each phase moves, what ties an image to its surface."""

import math

import pytest
import torch
import torch.nn.functional as F

from families.gan.s2_gan import S2GAN
from families.gan.surface import leanings, settled, surface
from families.layers.evaluation import evaluation
from genbench import Batch, Budget, DataSpec, FitConfig, Split, Splits, data
from tests.families.gan.tiny import SPEC, batch, build, gen, moved_by, step


def made(spec=SPEC, **options):
    return build("s2-gan", spec, **options)


def test_the_normals_of_a_ramp_and_of_a_plain_image_by_hand():
    ramp = (torch.arange(5.0) / 4 - 1).expand(1, 1, 5, 5)  # an eighth of the range a pixel; odd sides are not halved
    inside = surface(ramp)[0, :, 2, 2]
    torch.testing.assert_close(inside, torch.tensor([-0.5, 0, 1]) / math.sqrt(1.25))
    plain = surface(torch.full((2, 3, 8, 8), 0.3))
    torch.testing.assert_close(plain, torch.tensor([0.0, 0, 1]).view(1, 3, 1, 1).expand(2, 3, 4, 4))
    assert not leanings(plain).any()
    colour = torch.zeros(1, 3, 5, 5)
    colour[:, 1] = ramp[0, 0]
    assert surface(colour)[0, 0, 2, 2] == pytest.approx(-0.587 / 2 / math.sqrt(1 + (0.587 / 2) ** 2), abs=1e-4)


def test_surfaces_are_of_two_by_two_means_where_sides_are_even():
    images = torch.randn(2, 1, 8, 8, generator=gen()).clamp(-1, 1)
    assert surface(images).shape == (2, 3, 4, 4)
    assert surface(images[..., :7]).shape == (2, 3, 8, 7)
    torch.testing.assert_close(surface(images).norm(dim=1), torch.ones(2, 4, 4), atol=1e-3, rtol=0)


def test_sectors_of_45_degrees_follow_from_the_right_to_the_bottom():
    angles = torch.arange(8) * math.pi / 4
    lean = torch.stack([angles.cos(), angles.sin(), torch.ones(8)])[None, :, None] / math.sqrt(2)
    assert leanings(lean)[0, 0].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    tilt = [math.sin(math.radians(14)), 0, math.cos(math.radians(14))]
    more = [math.sin(math.radians(16)), 0, math.cos(math.radians(16))]
    both = torch.tensor([tilt, more]).T[None, :, None]
    assert leanings(both)[0, 0].tolist() == [0, 1]


def test_made_normals_are_of_unit_length():
    normals = made().structure(torch.randn(5, 6, generator=gen()))
    torch.testing.assert_close(normals.norm(dim=1), torch.ones(5, 4, 4), atol=1e-3, rtol=0)


def test_normals_that_hardly_lean_stand_upright_and_others_lose_a_tenth():
    leans = torch.tensor([[0.09, -0.06, 1], [0.5, -0.06, 0.8], [-0.5, 0.3, 0.8]], dtype=torch.float64)
    wanted = torch.tensor([[0, 0, 1], [0.4, 0, 0.8], [-0.4, 0.2, 0.8]], dtype=torch.float64)
    found = settled(leans.T[None, :, None])[0, :, 0].T
    torch.testing.assert_close(found, wanted / wanted.norm(dim=1, keepdim=True))
    assert found[0, :2].tolist() == [0, 0]


def test_a_structure_s_plain_ground_is_exactly_that_of_real_images():
    structure = made().structure
    with torch.no_grad():
        structure.maps.layers[-2].weight.zero_()
        structure.maps.layers[-2].bias.copy_(torch.tensor([0.05, -0.05, 1]))
    assert torch.equal(structure(torch.randn(5, 6, generator=gen())), surface(torch.zeros(5, 1, 8, 8)))


def test_phases_and_what_their_turns_learn():
    model = made(average=0.0)
    names = [(phase.name, phase.share, [turn.name for turn in phase.turns]) for phase in model.phases()]
    assert names == [
        ("structure", 0.3, ["critic-structure", "structure"]),
        ("regressor", 0.05, ["regressor"]),
        ("style", 0.35, ["critic-style", "style"]),
        ("joint", 0.3, ["critic-structure", "structure", "critic-style", "style"]),
    ]
    modules = {"critic-structure": "structure_critic", "critic-style": "style_critic"}
    for place, phase in enumerate(model.phases()):
        for which, turn in enumerate(phase.turns):
            own = made(average=0.0)
            phases = own.phases()
            own.phases = lambda phases=phases, place=place: phases[place:]
            assert moved_by(own, which, batch()) == {modules.get(turn.name, turn.name)}, (phase.name, turn.name)


def test_generators_wait_for_their_critics_steps():
    for phase in made(critic_steps=3).phases():
        wanted = {"critic-structure": 1, "critic-style": 1, "regressor": 1, "structure": 3, "style": 3}
        assert all(turn.every == wanted[turn.name] for turn in phase.turns)
    with pytest.raises(ValueError, match=r"^critic_steps=0"):
        made(critic_steps=0)


def test_rates_fall_in_the_joint_phase():
    model = made(lr=1e-3, critic_lr=3e-3)
    phases = {phase.name: phase.turns for phase in model.phases()}

    def rates(turns):
        rule = torch.nn.Parameter(torch.zeros(1))
        lrs = [turn.optimizer([rule]).defaults["lr"] for turn in turns]
        return [lr * turn.schedule(0.7) for lr, turn in zip(lrs, turns, strict=True)]

    assert rates(phases["style"]) == pytest.approx([3e-3, 1e-3])
    assert rates(phases["joint"]) == pytest.approx([3e-5, 1e-5, 3e-4, 1e-4])


def test_each_weight_has_a_gradient_in_its_turn_that_is_no_rounding():
    model = made().train()
    for phase in model.phases():
        for turn in phase.turns:
            model.zero_grad()
            turn.loss(batch(), step())["loss"].backward()
            for module in turn.learns:
                for name, parameter in module.named_parameters():
                    assert parameter.grad is not None, (phase.name, name)
                    assert parameter.grad.abs().max() > 1e-8, (phase.name, name)


def test_images_are_moved_with_their_surfaces_before_a_critic_sees_them():
    model, seen = made(augment="translation"), []
    for critic in (model.structure_critic, model.style_critic):
        critic.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    images = model._real(batch())
    model._scored(images, surface(images), step())
    whole = torch.cat([images, F.interpolate(surface(images), size=(8, 8))], 1)
    assert torch.equal(seen[-1], model.rules.augment(whole, step().generator))
    model.structure_loss(False, batch(), step())
    plain = model.structure(model._codes(batch(), step())[0])
    assert not torch.allclose(seen[-1], plain)
    with pytest.raises(ValueError, match=r"^augment='translation,color': surfaces have no colours"):
        made(augment="translation,color")


def test_style_s_fakes_have_the_surfaces_of_other_images_and_made_ones_when_joint(monkeypatch):
    model, images, seen = made().eval(), batch(), []
    forward = model.style.forward
    monkeypatch.setattr(model.style, "forward", lambda normals, code: seen.append(normals) or forward(normals, code))
    real = surface(model._real(images))
    model.style_loss(False, images, step())
    torch.testing.assert_close(seen[-1], real.roll(1, 0))
    model.style_loss(True, images, step())
    z, _ = model._codes(images, step())
    torch.testing.assert_close(seen[-1], model.structure(z))


@pytest.mark.parametrize("joint", [False, True])
def test_the_critic_of_pairs_sees_fakes_beside_the_surface_that_they_were_made_of(joint):
    model, images, seen = made().eval(), batch(), []
    model.style_critic.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    model.style_critic_loss(joint, images, step())
    real = model._real(images)
    z, code = model._codes(images, step())
    normals = model.structure(z) if joint else surface(real).roll(1, 0)
    for pair, image, beside in zip(seen, (real, model.style(normals, code)), (surface(real), normals), strict=True):
        torch.testing.assert_close(pair, torch.cat([image, F.interpolate(beside, size=(8, 8))], 1))


@pytest.mark.parametrize("joint", [False, True])
def test_both_sides_of_both_games_by_hand(joint, monkeypatch):
    model, images = made(weight=0.0).eval(), batch()
    planes = torch.randn(4, 8, 8, generator=gen(5))
    of_maps = lambda maps: (maps * planes[:3, :4, :4]).sum((1, 2, 3))  # noqa: E731
    of_pairs = lambda pairs: (pairs * planes).sum((1, 2, 3))  # noqa: E731
    pair = lambda image, normals: of_pairs(torch.cat([image, F.interpolate(normals, size=(8, 8))], 1))  # noqa: E731
    monkeypatch.setattr(model.structure_critic, "forward", of_maps)
    monkeypatch.setattr(model.style_critic, "forward", of_pairs)
    shown, (z, code) = model._real(images), model._codes(images, step())
    real, fake = of_maps(surface(shown)), of_maps(model.structure(z))
    wanted = F.softplus(-real).mean() + F.softplus(fake).mean()
    torch.testing.assert_close(model.structure_critic_loss(images, step())["loss"], wanted)
    torch.testing.assert_close(model.structure_loss(False, images, step())["loss"], F.softplus(-fake).mean())
    normals = model.structure(z) if joint else surface(shown).roll(1, 0)
    real, fake = pair(shown, surface(shown)), pair(model.style(normals, code), normals)
    wanted = F.softplus(-real).mean() + F.softplus(fake).mean()
    torch.testing.assert_close(model.style_critic_loss(joint, images, step())["loss"], wanted)
    torch.testing.assert_close(model.style_loss(joint, images, step())["loss"], F.softplus(-fake).mean())


def test_the_regressor_s_word_is_weighed_in_the_style_phase_alone_and_moves_no_regressor():
    model, images = made(weight=0.3).eval(), batch()
    logs = model.style_loss(False, images, step())
    normals, code = model._given(False, images, step())
    fakes = model.style(normals, code)
    wanted = 0.3 * F.cross_entropy(model.regressor(fakes), leanings(normals))
    torch.testing.assert_close(logs["surface"], wanted)
    alone = made(weight=0.0).eval().style_loss(False, images, step())
    torch.testing.assert_close(logs["loss"], alone["loss"] + wanted)
    assert "surface" not in model.style_loss(True, images, step())
    assert "surface" not in alone
    model.zero_grad()
    model.style_loss(False, images, step())["loss"].backward()
    assert not any(p.grad is not None for p in model.regressor.parameters())


def test_the_joint_phase_teaches_the_structure_by_a_tenth_of_the_style_s_loss():
    model, images = made().eval(), batch()
    alone = model.structure_loss(False, images, step())
    both = model.structure_loss(True, images, step())
    torch.testing.assert_close(both["loss"] - alone["loss"], both["by_style"])
    z, code = model._codes(images, step())
    normals = model.structure(z)
    shown = torch.cat([model.style(normals, code), F.interpolate(normals, size=(8, 8))], 1)
    score = model.style_critic(shown)[0]
    torch.testing.assert_close(both["by_style"], 0.1 * F.softplus(-score).mean())
    grad = torch.autograd.grad(both["by_style"], next(model.structure.parameters()))[0]
    assert grad.any()


def test_the_critic_of_pairs_sees_the_surface_beside_the_image():
    model, images = made().eval(), batch()
    real = model._real(images)
    one = model._scored(real, surface(real), step()).logits
    other = model._scored(real, surface(real).roll(1, 0), step()).logits
    assert not torch.allclose(one, other)


def test_z_alone_makes_the_surface_and_the_other_code_the_image_on_it():
    model = made()
    u = model.draw_noise(3, gen())
    other = u.clone()
    other[:, 6:] += 1
    with evaluation(model):
        (normals, image), (same, moved) = model.imagined(u), model.imagined(other)
        torch.testing.assert_close(normals, same)
        assert not torch.allclose(image, moved)
        other = u.clone()
        other[:, :6] += 1
        assert not torch.allclose(model.imagined(other)[0], normals)
        torch.testing.assert_close(model.decode(u, batch(3)), (image + 1) * 8)
    assert model.latents == 12


def test_agreement_counts_the_classes_of_the_surfaces_of_samples():
    model = made()
    own, others = model.agreement(20, gen())
    with evaluation(model):
        normals, images = model.imagined(model.draw_noise(20, gen()))
    assert own == pytest.approx((leanings(surface(images)) == leanings(normals)).double().mean().item())
    assert 0 <= others <= 1


@pytest.mark.slow
def test_the_regressor_reads_more_off_digits_than_that_they_are_flat():
    digits = data.load("digits")
    model = build("s2-gan", digits.spec, width=16)
    phase = model.phases()[1]
    model.phases = lambda: [type(phase)("regressor", 1.0, phase.turns)]
    model.fit(digits.splits, FitConfig(Budget(steps=200), 64))
    images = model._real(Batch(digits.validation.images))
    true = leanings(surface(images))
    right = (model.regressor(images).argmax(1) == true).double().mean()
    assert float(right) > float((true == 0).double().mean()) + 0.1


@pytest.mark.parametrize("shape", [(1, 2, 2), (3, 9, 8), (1, 28, 28), (3, 16, 32)])
def test_it_trains_in_float64_on_any_shape(shape):
    spec = DataSpec(shape, 9)
    model = made(spec).double()
    images = Batch(torch.randint(0, 9, (4, *shape), generator=gen(), dtype=torch.uint8))
    for phase in model.phases():
        for turn in phase.turns:
            assert turn.loss(images, step())["loss"].dtype == torch.float64
    assert isinstance(model, S2GAN)


def test_it_goes_through_its_phases_in_a_short_run():
    model = made()
    model.fit(Splits(Split(batch(24).images), Split(batch(8, 1).images)), FitConfig(Budget(steps=10), 8))
    assert all(int(average.steps) > 0 for average in model.averages.values())


@pytest.mark.parametrize("options", [{"weight": -1.0}, {"width": 0}])
def test_options_out_of_range_are_refused(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"^{name}={value!r}"):
        made(**options)
