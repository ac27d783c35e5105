import pytest
import torch
from torch import nn

from families.adversarial.dcgan import unnormalised
from families.adversarial.losses import (
    LEAST_SQUARES_WHOLE,
    MINIMAX,
    NON_SATURATING,
    RELATIVISTIC,
    by_parts,
    slow_critic,
    weighted_critic,
    weighted_generator,
)
from families.adversarial.patch import PatchCritic
from families.layers.instance_norm import instance
from families.translation.critics import ClassifyingCritic, GlobalCritic, MultiScale


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("shape", "hidden"), [((1, 28, 28), 3), ((3, 13, 17), 2), ((1, 8, 8), 1), ((1, 2, 2), 1)])
def test_a_global_critic_gives_one_logit_an_image_read_from_its_features(shape, hidden):
    critic = GlobalCritic(2 + shape[0], *shape[1:], 4, nn.BatchNorm2d).eval()
    images, source = randn(3, *shape), randn(3, 2, *shape[1:], seed=1)
    seen = critic(images, source)
    assert seen.logits.shape == (3,)
    assert len(seen.hidden) == hidden
    torch.testing.assert_close(critic.logit(seen.features)[:, 0], seen.logits)
    torch.testing.assert_close(seen.hidden[-1].flatten(1), seen.features)
    assert sum(isinstance(one, nn.BatchNorm2d) for one in critic.modules()) == hidden - 1
    assert torch.equal(critic(torch.cat([source, images], 1)).logits, seen.logits)


def test_one_pixel_moves_a_global_critic_s_only_logit():
    images = randn(1, 1, 28, 28).requires_grad_()
    (gradient,) = torch.autograd.grad(GlobalCritic(1, 28, 28, 4)(images).logits.sum(), images)
    assert bool((gradient != 0).all())


@pytest.mark.parametrize(("side", "coarse"), [(28, 3), (32, 2), (8, 2), (2, 2)])
def test_a_classifying_critic_scores_patches_and_tells_domains(side, coarse):
    critic = ClassifyingCritic((3, side, side), 4, 5)
    seen = critic(randn(2, 3, side, side), torch.tensor([0, 4]))
    assert seen.logits.shape == (2, 1, coarse, coarse)
    assert seen.classes.shape == (2, 5)
    assert all(one.negative_slope == 0.01 for one in critic.modules() if isinstance(one, nn.LeakyReLU))
    seen.logits.sum().backward()
    assert critic.classes.weight.grad is None, "a head each"


@pytest.mark.parametrize("norm", [instance, nn.BatchNorm2d])
def test_a_critic_of_patches_is_normalised_as_asked_and_shows_its_hidden_maps(norm):
    critic = PatchCritic(1, 16, 16, 4, norm)
    images = randn(3, 1, 16, 16)
    seen, alone = critic(images), critic(images[:1])
    assert [tuple(maps.shape[1:]) for maps in seen.hidden] == [(4, 8, 8), (8, 7, 7)]
    assert torch.equal(seen.hidden[0], critic.layers[:2](images))
    assert torch.allclose(seen.logits[:1], alone.logits, atol=1e-6) == (norm is instance)
    assert (critic.layers[2].bias is None) == (norm is instance), "an instance's mean takes a bias away"


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 13, 17), (1, 3, 5), (1, 18, 33)])
def test_a_critic_of_patches_says_how_many_there_are(shape):
    critic = PatchCritic(*shape, 4, instance)
    assert critic(randn(2, *shape)).logits[0].numel() == critic.places


@pytest.mark.parametrize(("patch", "least"), [(16, 6), (4, 4), (1, 1)])
def test_a_patch_may_be_asked_for_where_it_leaves_a_logit(patch, least):
    critic = PatchCritic(1, least, least + 1, 4, unnormalised if patch == 1 else instance, patch=patch)
    assert critic.patch == patch
    assert critic(randn(2, 1, least, least + 1)).logits[0].numel() == critic.places > 0
    for side, asked in ((least - 1, patch), (28, 5)):
        with pytest.raises(ValueError, match=f"patch={asked}: images are {side}"):
            PatchCritic(1, side, side, 4, patch=asked)


def two_scales(side=20):
    return MultiScale.of(lambda height, breadth: PatchCritic(2, height, breadth, 4, instance), (side, side), 2)


def test_several_scales_score_the_image_and_its_halves_beside_theirs_of_the_source():
    critic = two_scales()
    images, source = randn(3, 1, 20, 20), randn(3, 1, 20, 20, seed=1)
    seen = critic(images, source)
    whole = critic.critics[0](images, source)
    assert torch.equal(seen.logits[:, : critic.critics[0].places], whole.logits.flatten(1))
    assert len(seen.hidden) == 4
    assert torch.equal(seen.hidden[0], whole.hidden[0])
    halves = [nn.functional.avg_pool2d(one, 3, 2, 1, count_include_pad=False) for one in (images, source)]
    half = critic.critics[1](*halves)
    assert torch.equal(seen.logits[:, critic.critics[0].places :], half.logits.flatten(1))
    assert torch.equal(seen.hidden[2], half.hidden[0])


def test_halves_do_not_count_the_frame():
    class Spy(PatchCritic):
        def forward(self, images, source=None):
            self.seen = images
            return super().forward(images)

    critic = MultiScale([PatchCritic(1, 7, 8, 4), Spy(1, 4, 4, 4)])
    critic(torch.full((1, 1, 7, 8), 0.75))
    assert torch.equal(critic.critics[1].seen, torch.full((1, 1, 4, 4), 0.75))


def test_no_scale_is_refused():
    with pytest.raises(ValueError, match="scales=0"):
        MultiScale.of(lambda height, breadth: PatchCritic(1, height, breadth, 4), (8, 8), 0)
    with pytest.raises(ValueError, match="critics: there are none"):
        MultiScale([])


def test_the_loss_over_scales_is_a_sum_of_means_and_not_the_mean_of_all():
    critic = two_scales()
    sizes = [one.places for one in critic.critics]
    assert sizes[0] != sizes[1]
    real, fake = randn(3, sum(sizes)), randn(3, sum(sizes), seed=1)
    summed, first = critic.summed(LEAST_SQUARES_WHOLE), sizes[0]
    cuts = (slice(0, first), slice(first, None))
    expected = sum(LEAST_SQUARES_WHOLE.critic(real[:, cut], fake[:, cut]) for cut in cuts)
    torch.testing.assert_close(summed.critic(real, fake), expected)
    torch.testing.assert_close(summed.on_real(real) + summed.on_fake(fake), expected)
    expected = sum((fake[:, cut] - 1).square().mean() for cut in cuts)
    torch.testing.assert_close(summed.generator(torch.empty(0), fake), expected)


def test_a_weighted_generator_s_side_is_so_much_of_it_and_the_critic_s_is_whole():
    real, fake = torch.randn(5), torch.randn(5)
    light = weighted_generator(NON_SATURATING, 0.1)
    torch.testing.assert_close(light.generator(real, fake), 0.1 * NON_SATURATING.generator(real, fake))
    assert light.critic is NON_SATURATING.critic
    assert (NON_SATURATING.setting, light.setting) == ("", "0.1 game")
    assert weighted_generator(MINIMAX, 2.0).setting == "2 game, saturating"


def test_a_weighted_critic_s_side_is_so_much_of_it_in_every_share():
    real, fake = randn(6), randn(6, seed=1)
    heavy = weighted_critic(LEAST_SQUARES_WHOLE, 3.0)
    torch.testing.assert_close(heavy.critic(real, fake), 3 * LEAST_SQUARES_WHOLE.critic(real, fake))
    torch.testing.assert_close(heavy.on_real(real) + heavy.on_fake(fake), heavy.critic(real, fake))
    assert heavy.generator is LEAST_SQUARES_WHOLE.generator
    with pytest.raises(ValueError, match="cannot be taken apart"):
        weighted_critic(RELATIVISTIC, 3.0).on_real(real)


def test_half_the_critic_s_side_leaves_the_generator_s():
    real, fake = randn(6), randn(6, seed=1)
    slow = slow_critic(NON_SATURATING)
    assert slow.critic(real, fake) == NON_SATURATING.critic(real, fake) / 2
    assert slow.on_real(real) == NON_SATURATING.on_real(real) / 2
    assert slow.on_fake(fake) == NON_SATURATING.on_fake(fake) / 2
    assert slow.generator(real, fake) == NON_SATURATING.generator(real, fake)
    for loss in (slow_critic(RELATIVISTIC), by_parts(RELATIVISTIC, [2, 4])):
        with pytest.raises(ValueError, match="cannot be taken apart"):
            loss.on_fake(fake)
