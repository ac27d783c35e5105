"""A pyramid of GANs: exact pyramids, levels that do not lean on each other, and what each noise can change."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from families.layers.evaluation import evaluation
from families.layers.growing import down, reduced, up
from genbench import Batch, Budget, DataSpec, FitConfig, Split, Splits
from tests.families.gan.tiny import build, gen, step

SPEC = DataSpec((1, 16, 16), levels=17, classes=3)  # two halvings: three levels


def batch(n=6, seed=0, spec=SPEC):
    images = torch.randint(0, spec.levels, (n, *spec.shape), generator=gen(seed), dtype=torch.uint8)
    return Batch(images, torch.arange(n) % 3)


def made(spec=SPEC, **options):
    return build("lapgan", spec, **options)


@pytest.mark.parametrize("levels", [17, 256])
def test_a_pyramid_of_bytes_collapses_to_them_bit_for_bit(levels):
    images = torch.randint(0, levels, (9, 3, 28, 28), generator=gen(), dtype=torch.uint8)
    model = made(DataSpec((3, 28, 28), levels))
    built = [model.details(images.float(), level) for level in range(model.coarsest)]
    whole = reduced(images.float(), model.coarsest)
    for detail in reversed(built):
        assert torch.equal(down(detail), torch.zeros_like(down(detail))), "details have no means"
        whole = up(whole) + detail
    assert torch.equal(whole.to(torch.uint8), images)
    assert model.sizes == [6, 14 * 14, 28 * 28]


def test_the_deviation_of_a_level_is_that_of_the_training_details():
    image = torch.zeros(1, 1, 16, 16, dtype=torch.uint8)
    image[..., ::2, ::2] = 16  # 2×2 means of 4: details 12, -4, -4, -4
    model = made()
    data = Splits(Split(image.repeat(5, 1, 1, 1)), Split(image))
    model.phases()[2].enter(data, step())
    values = torch.tensor([12.0, -4, -4, -4], dtype=torch.float64).repeat(5 * 64)
    torch.testing.assert_close(float(model.deviations[0]), float(values.std()) / 8)
    assert model.deviations[1] == 1, "not yet"


def test_a_sample_whose_details_are_nothing_is_the_coarsest_one_enlarged():
    model = made(average=0.0)
    for level in range(2):
        for parameter in model.generators[level].parameters():
            parameter.data.zero_()
    u, given = model.draw_noise(4, gen()), batch(4)
    with evaluation(model):
        coarse = model.generators[2](u[:, :6])
        wanted = (up(up(coarse)) + 1) * 8
        torch.testing.assert_close(model.decode(u, given), wanted)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_level_learns_alone_on_real_coarse_images(level):
    torch.manual_seed(0)
    model, images = made(average=0.0).eval(), batch()
    one = [loss(level, images, step())["loss"] for loss in (model.critic_loss, model.generator_loss)]
    for other in {0, 1, 2} - {level}:
        for parameter in (*model.generators[other].parameters(), *model.critics[other].parameters()):
            parameter.data.add_(1)
    again = [loss(level, images, step())["loss"] for loss in (model.critic_loss, model.generator_loss)]
    assert one == again
    phase = model.phases()[2 - level]
    assert phase.name == f"level-{level}"
    critic, generator = phase.turns
    assert list(critic.learns) == [model.critics[level]]
    assert list(generator.learns) == [model.generators[level]]


def test_shares_double_from_level_to_level():
    assert [phase.share for phase in made().phases()] == pytest.approx([1 / 7, 2 / 7, 4 / 7])
    assert [phase.share for phase in made(DataSpec((1, 5, 7))).phases()] == [1.0]


def test_reals_are_the_images_of_the_level_and_fakes_stand_on_their_coarse_part():
    model, images = made(average=0.0).eval(), batch()
    model.deviations[1] = 0.3
    real, coarse, planes = model._real(1, images)
    torch.testing.assert_close(real, down(images.images.float()) / 8 - 1)
    torch.testing.assert_close(coarse, up(down(down(images.images.float()))) / 8 - 1)
    assert planes.shape == (6, 0, 8, 8)
    noise = torch.randn(6, 64, generator=gen())
    plane = (2 * torch.distributions.Normal(0, 1).cdf(noise) - 1).view(6, 1, 8, 8)
    detail = model.generators[1](coarse, plane, planes)
    torch.testing.assert_close(model._made(1, model.generators[1], coarse, noise, planes), coarse + 0.3 * detail)
    model.deviations.fill_(100)
    assert float(model._made(1, model.generators[1], coarse, noise, planes).detach().abs().max()) == 1


@pytest.mark.parametrize("level", [0, 1, 2])
def test_both_sides_of_a_level_by_hand(level, monkeypatch):
    model, images = made().eval(), batch()
    model.deviations.fill_(0.3)
    weights = torch.randn(1, 16 >> level, 16 >> level, generator=gen(5))
    score = lambda shown: (shown * weights).sum((1, 2, 3))  # noqa: E731
    monkeypatch.setattr(model.critics[level], "forward", score)
    real, coarse, planes = model._real(level, images)
    noise = model._noise(level, images, step())
    fake = score(model._made(level, model.generators[level], coarse, noise, planes))
    critic = F.softplus(-score(real)).mean() + F.softplus(fake).mean()
    torch.testing.assert_close(model.critic_loss(level, images, step())["loss"], critic)
    torch.testing.assert_close(model.generator_loss(level, images, step())["loss"], F.softplus(-fake).mean())


def test_dropout_acts_in_the_critics_training_and_in_no_sample():
    model, images = made(), batch()
    torch.manual_seed(0)
    assert model.critic_loss(0, images, step())["loss"] != model.critic_loss(0, images, step())["loss"]
    assert torch.equal(model.sample(3, generator=gen()), model.sample(3, generator=gen()))
    assert not any(isinstance(m, torch.nn.Dropout) for m in model.generators.modules())


def test_consistent_details_leave_the_coarser_image_as_it_was():
    model = made(consistent=True)
    for parameter in model.averages.parameters():
        parameter.data.mul_(4)
    u, given = model.draw_noise(3, gen()), batch(3)
    other = u.clone()
    other[:, -256:] = torch.randn(3, 256, generator=gen(5))
    with evaluation(model):
        one, two = model.decode(u, given), model.decode(other, given)
    assert not torch.allclose(one, two)
    torch.testing.assert_close(down(one), down(two), atol=1e-4, rtol=0)
    free = made()
    for parameter in free.averages.parameters():
        parameter.data.mul_(4)
    with evaluation(free):
        assert not torch.allclose(down(free.decode(u, given)), down(free.decode(other, given)), atol=1e-3)


def test_each_image_of_a_consistent_pyramid_is_the_means_of_the_next_finer_one():
    u = made().draw_noise(3, gen())
    for consistent in (True, False):
        model = made(consistent=consistent)
        for parameter in model.averages.parameters():
            parameter.data.mul_(4)
        with evaluation(model):
            images = model.pyramid(u, batch(3))
        for coarse, fine in itertools.pairwise(images):
            assert torch.allclose(down(fine), coarse, rtol=0, atol=1e-5) is consistent


def test_details_without_means_have_no_bias_that_would_be_taken_out_again():
    model = made(consistent=True)
    assert model.generators[0].layers[-1].bias is None
    assert made().generators[0].layers[-1].bias is not None


def test_each_part_of_the_noise_changes_its_level_and_those_behind():
    model = made()
    for parameter in model.averages.parameters():
        parameter.data.mul_(4)
    u, given = model.draw_noise(2, gen()), batch(2)
    with evaluation(model):
        whole = model.decode(u, given)
        for part in (slice(0, 6), slice(6, 70), slice(70, 326)):
            other = u.clone()
            other[:, part] = torch.randn(2, part.stop - part.start, generator=gen(5))
            assert not torch.allclose(model.decode(other, given), whole)
    assert model.latents == 326


def test_a_conditional_pyramid_hears_the_label_at_every_level():
    model, images = made(conditional=True).eval(), batch()
    for network in (*model.generators, *model.critics):
        for parameter in network.parameters():
            parameter.data.mul_(2)
    assert model.given == ("label",)
    for level in range(3):
        planes = model._planes(level, images, torch.float32)
        assert planes.shape == (6, 3, 16 >> level, 16 >> level)
        assert torch.equal(planes[:, :, 0, 0].argmax(1), images.labels)
        assert torch.equal(planes.amax((2, 3)), planes.amin((2, 3)))
        critic = model.critics[level].eval()
        shown = torch.cat([torch.zeros(6, 1, 16 >> level, 16 >> level), planes], 1)
        assert len({round(score, 5) for score in critic(shown)[0].tolist()}) == 3
        seen = []
        hook = critic.register_forward_pre_hook(lambda module, inputs, seen=seen: seen.append(inputs[0][:, 1:]))
        model.critic_loss(level, images, step())
        model.generator_loss(level, images, step())
        hook.remove()
        assert len(seen) == 3
        assert all(torch.equal(told, planes) for told in seen), "of real images and of fakes, in both turns"
    with pytest.raises(ValueError, match=r"^classes=0"):
        made(DataSpec((1, 8, 8)), conditional=True)


@pytest.mark.parametrize("shape", [(1, 2, 2), (3, 9, 8), (1, 28, 28), (3, 32, 16)])
def test_it_trains_in_float64_on_any_shape(shape):
    spec = DataSpec(shape, 9, 3)
    model = made(spec, width=4).double()
    images = batch(4, spec=spec)
    for phase in model.phases():
        level = int(phase.name.removeprefix("level-"))
        for loss in (model.critic_loss, model.generator_loss):
            assert loss(level, images, step())["loss"].dtype == torch.float64


def test_averages_move_in_their_own_level_s_phase_alone():
    model = made()
    several = [Split(part.images, part.labels) for part in (batch(24), batch(8))]
    model.fit(Splits(*several), FitConfig(Budget(steps=7), 8))
    assert [int(average.steps) for average in model.averages] == [4, 2, 1]


@pytest.mark.parametrize(
    "options",
    [{"upsampling": "cubic"}, {"consistent": 1}, {"conditional": 0}, {"width": 0}],
)
def test_options_out_of_range_are_refused(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"^{name}={value!r}"):
        made(**options)


def test_details_without_means_need_enlarging_without_mixing():
    with pytest.raises(ValueError, match=r"^consistent=True: enlarging by bilinear"):
        made(consistent=True, upsampling="bilinear")
    assert made(upsampling="bilinear").sample(2, generator=gen()).shape == (2, 1, 16, 16)


def test_a_sample_is_the_last_of_a_pyramid_and_finer_noise_leaves_the_coarse_as_they_are():
    model = made().eval()
    u = model.draw_noise(3, gen())
    with torch.no_grad():
        images = model.pyramid(u, batch(3))
        assert [one.shape[2] for one in images] == [4, 8, 16]
        torch.testing.assert_close(model.decode(u, batch(3)), (images[-1] + 1) * 8)
        finest = torch.cat([u[:, : -model.sizes[-1]], model.draw_noise(3, gen(1))[:, -model.sizes[-1] :]], 1)
        others = model.pyramid(finest, batch(3))
    assert [torch.equal(one, other) for one, other in zip(images, others, strict=True)] == [True, True, False]
