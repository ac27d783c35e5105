import math

import pytest
import torch

from families.adversarial.f_divergences import DIVERGENCES
from families.adversarial.losses import (
    HINGE,
    LEAST_SQUARES,
    LEAST_SQUARES_WHOLE,
    MINIMAX,
    NON_SATURATING,
    RELATIVISTIC,
    RELATIVISTIC_AVERAGE,
    WASSERSTEIN,
    hinge_critic,
    least_squares_critic,
    least_squares_generator,
    logistic_critic,
    logistic_fake,
    minimax_generator,
    non_saturating_generator,
    relativistic_average_critic,
    relativistic_average_generator,
    relativistic_critic,
    relativistic_generator,
    smoothed_critic,
    smoothed_real,
    wasserstein_critic,
    wasserstein_generator,
)

LN3 = math.log(3)
REAL = torch.tensor([LN3, 0.0], dtype=torch.float64)  # D = 3/4, 1/2
FAKE = torch.tensor([-LN3, 0.0], dtype=torch.float64)  # D = 1/4, 1/2
LOSSES = {
    "non-saturating": NON_SATURATING,
    "minimax": MINIMAX,
    "least squares": LEAST_SQUARES,
    "whole least squares": LEAST_SQUARES_WHOLE,
    "wasserstein": WASSERSTEIN,
    "hinge": HINGE,
    "relativistic": RELATIVISTIC,
    "relativistic average": RELATIVISTIC_AVERAGE,
} | {f"{name}, {s}": DIVERGENCES[name].loss(s) for name in DIVERGENCES for s in (True, False)}


def value_and_gradients(term, real=REAL, fake=FAKE):
    real, fake = real.clone().requires_grad_(), fake.clone().requires_grad_()
    value = term(real, fake)
    gradients = torch.autograd.grad(value, [real, fake], allow_unused=True)
    return float(value.detach()), *(None if g is None else g.tolist() for g in gradients)


def test_logistic_critic_by_hand():
    value, real, fake = value_and_gradients(logistic_critic)
    assert value == pytest.approx(-(math.log(3 / 4) + math.log(1 / 2)) / 2 * 2)
    assert real == pytest.approx([-1 / 8, -1 / 4])  # -(1 - D) / 2
    assert fake == pytest.approx([1 / 8, 1 / 4])  # D / 2


def test_the_non_saturating_generator_climbs_log_d_and_hardest_where_the_critic_is_sure():
    value, real, fake = value_and_gradients(non_saturating_generator)
    assert value == pytest.approx(-(math.log(1 / 4) + math.log(1 / 2)) / 2)
    assert real is None
    assert fake == pytest.approx([-3 / 8, -1 / 4])  # -(1 - D) / 2; the saturating loss would give -D / 2


def test_the_minimax_generator_falls_with_log_1_minus_d_and_fades_where_the_critic_is_sure():
    value, real, fake = value_and_gradients(minimax_generator)
    assert value == pytest.approx((math.log(3 / 4) + math.log(1 / 2)) / 2)
    assert real is None
    assert fake == pytest.approx([-1 / 8, -1 / 4])  # -D / 2
    critic, _, _ = value_and_gradients(logistic_critic)
    assert value - critic == pytest.approx(math.log(3 / 4) + math.log(1 / 2) + (math.log(3 / 4) + math.log(1 / 2)) / 2)


def test_whole_least_squares_are_twice_the_halves():
    real, fake = torch.tensor([0.5, 2.0]).double(), torch.tensor([0.5, -1.0]).double()
    value, of_real, of_fake = value_and_gradients(LEAST_SQUARES_WHOLE.critic, real, fake)
    assert value == pytest.approx((0.25 + 1) / 2 + (0.25 + 1) / 2)
    assert of_real == pytest.approx([-0.5, 1.0])  # 2 (C - 1) / 2
    assert of_fake == pytest.approx([0.5, -1.0])  # 2 C / 2
    value, of_real, of_fake = value_and_gradients(LEAST_SQUARES_WHOLE.generator, real, fake)
    assert (value, of_real) == (pytest.approx((0.25 + 4) / 2), None)
    assert of_fake == pytest.approx([-0.5, -2.0])
    undecided = torch.full((3,), 0.5)
    assert float(LEAST_SQUARES_WHOLE.critic(undecided, undecided)) / 2 == 0.25, "what a translator's halved critic pays"


@pytest.mark.parametrize("name", [name for name, loss in LOSSES.items() if loss.real_share is not None])
def test_the_critics_side_is_the_sum_of_what_is_on_real_and_on_fake(name):
    loss = LOSSES[name]
    fake = torch.cat([FAKE, REAL, FAKE])
    torch.testing.assert_close(loss.on_real(REAL) + loss.on_fake(fake), loss.critic(REAL, fake))


def test_six_losses_can_be_taken_apart_and_those_of_differences_refuse():
    assert sum(loss.real_share is not None for loss in LOSSES.values()) == 6
    for loss in (RELATIVISTIC, RELATIVISTIC_AVERAGE):
        for share in (loss.on_real, loss.on_fake):
            with pytest.raises(ValueError, match="cannot be taken apart"):
                share(REAL)


def test_wasserstein_by_hand():
    value, real, fake = value_and_gradients(wasserstein_critic)
    assert value == pytest.approx(-LN3 / 2 - LN3 / 2)
    assert (real, fake) == ([-0.5, -0.5], [0.5, 0.5])
    value, real, fake = value_and_gradients(wasserstein_generator)
    assert (value, real, fake) == (pytest.approx(LN3 / 2), None, [-0.5, -0.5])


def test_least_squares_by_hand():
    value, real, fake = value_and_gradients(least_squares_critic)
    assert value == pytest.approx(((LN3 - 1) ** 2 + 1) / 4 + LN3**2 / 4)
    assert real == pytest.approx([(LN3 - 1) / 2, -1 / 2])  # real images are pulled to 1 from both sides
    assert fake == pytest.approx([-LN3 / 2, 0.0])  # fakes to 0
    value, real, fake = value_and_gradients(least_squares_generator)
    assert value == pytest.approx(((-LN3 - 1) ** 2 + 1) / 4)
    assert real is None
    assert fake == pytest.approx([(-LN3 - 1) / 2, -1 / 2])  # the generator pulls fakes to 1


def test_hinge_by_hand_with_no_gradient_beyond_the_margin():
    value, real, fake = value_and_gradients(hinge_critic)
    assert value == pytest.approx(1 / 2 + 1 / 2)  # ln 3 > 1 is right and sure: it costs nothing
    assert (real, fake) == ([0.0, -0.5], [0.0, 0.5])
    value, _, _ = value_and_gradients(hinge_critic, FAKE, REAL)
    assert value == pytest.approx((1 + LN3) / 2 + 1 / 2 + (1 + LN3) / 2 + 1 / 2)
    assert HINGE.generator is wasserstein_generator


def test_relativistic_by_hand_pair_by_pair():
    value, real, fake = value_and_gradients(relativistic_critic)  # differences 2 ln 3 and 0: σ = 9/10, 1/2
    assert value == pytest.approx(-(math.log(9 / 10) + math.log(1 / 2)) / 2)
    assert real == pytest.approx([-1 / 20, -1 / 4])  # -(1 - σ) / 2
    assert fake == pytest.approx([1 / 20, 1 / 4])
    value, real, fake = value_and_gradients(relativistic_generator)
    assert value == pytest.approx(-(math.log(1 / 10) + math.log(1 / 2)) / 2)
    assert real == pytest.approx([9 / 20, 1 / 4])  # the generator's side lowers the real logits too
    assert fake == pytest.approx([-9 / 20, -1 / 4])


def test_relativistic_average_by_hand_each_against_the_mean_of_the_other_kind():
    # The means are ln(3)/2 and -ln(3)/2: C(real) - mean = 1.5 ln 3, 0.5 ln 3; C(fake) - mean = -1.5 ln 3, -0.5 ln 3.
    sure, less = (1 / (1 + 3**-k) for k in (1.5, 0.5))
    value, real, fake = value_and_gradients(relativistic_average_critic)
    assert value == pytest.approx(-(math.log(sure) + math.log(less)))  # the same again for the fakes
    mean = (1 - sure + 1 - less) / 2
    wanted = [(1 - sure + mean) / 2, (1 - less + mean) / 2]  # its own term, and its share of the mean in the others'
    assert real == pytest.approx([-w for w in wanted])
    assert fake == pytest.approx(wanted)
    value, real, fake = value_and_gradients(relativistic_average_generator)
    assert value == pytest.approx(-(math.log(1 - sure) + math.log(1 - less)))
    mean = (sure + less) / 2
    wanted = [(sure + mean) / 2, (less + mean) / 2]
    assert real == pytest.approx(wanted)
    assert fake == pytest.approx([-w for w in wanted])


def test_relativistic_games_hang_on_differences_alone():
    for loss in (RELATIVISTIC, RELATIVISTIC_AVERAGE, WASSERSTEIN):
        torch.testing.assert_close(loss.critic(REAL + 7, FAKE + 7), loss.critic(REAL, FAKE))
    for loss in (RELATIVISTIC, RELATIVISTIC_AVERAGE):
        assert loss.relativistic
        torch.testing.assert_close(loss.generator(REAL + 7, FAKE + 7), loss.generator(REAL, FAKE))
        torch.testing.assert_close(loss.generator(REAL, FAKE), loss.critic(FAKE, REAL))


def test_smoothing_moves_the_target_of_real_images_alone():
    term = smoothed_critic(0.9)
    value, real, fake = value_and_gradients(term)
    hand = [-(0.9 * math.log(d) + 0.1 * math.log(1 - d)) for d in (3 / 4, 1 / 2)]
    assert value == pytest.approx(sum(hand) / 2 - (math.log(3 / 4) + math.log(1 / 2)) / 2)
    assert real == pytest.approx([(3 / 4 - 0.9) / 2, (1 / 2 - 0.9) / 2])  # (D - target) / 2
    assert fake == pytest.approx([1 / 8, 1 / 4])  # one-sided: as without
    surer = torch.tensor([math.log(19.0)], dtype=torch.float64)  # D = 0.95
    assert value_and_gradients(term, surer, surer)[1] == pytest.approx([0.05]), "a critic surer than that is held back"
    torch.testing.assert_close(smoothed_critic(1.0)(REAL, FAKE), logistic_critic(REAL, FAKE))
    assert torch.equal(smoothed_real(0.9)(REAL) + logistic_fake(FAKE), term(REAL, FAKE))


@pytest.mark.parametrize("target", [0.0, -0.1, 1.1])
def test_a_target_outside_0_to_1_is_refused(target):
    with pytest.raises(ValueError, match=f"target of {target}"):
        smoothed_critic(target)
    with pytest.raises(ValueError, match=f"target of {target}"):
        smoothed_real(target)


@pytest.mark.parametrize("name", LOSSES)
def test_the_critic_lifts_real_images_and_lowers_fakes_and_the_generator_lifts_its_fakes(name):
    loss, source = LOSSES[name], torch.Generator().manual_seed(0)
    real, fake = torch.rand(2, 9, dtype=torch.float64, generator=source) * 0.8 + 0.1  # between all targets and margins
    _, to_real, to_fake = value_and_gradients(loss.critic, real, fake)
    assert max(to_real) < 0 < min(to_fake)
    _, to_real, to_fake = value_and_gradients(loss.generator, real, fake)
    assert max(to_fake) < 0
    assert (to_real is not None) == loss.relativistic, "or the generator is handed no real logits"
    better, worse = fake + 0.05, fake - 0.05
    assert loss.generator(real, better) < loss.generator(real, fake) < loss.generator(real, worse)
    assert loss.critic(real, better) > loss.critic(real, fake) > loss.critic(real, worse)
    assert loss.critic(real + 0.05, fake) < loss.critic(real, fake)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_means_over_maps_of_logits(name):
    loss, source = LOSSES[name], torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 3, 1, 4, 4, dtype=torch.float64, generator=source)
    for side in (loss.critic, loss.generator):
        assert side(real, fake).shape == ()
        torch.testing.assert_close(side(real.flatten(), fake.flatten()), side(real, fake))
        torch.testing.assert_close(side(real.repeat(2, 1, 1, 1), fake.repeat(2, 1, 1, 1)), side(real, fake))
    if not loss.relativistic:
        assert torch.equal(loss.generator(fake.new_empty(0), fake), loss.generator(real, fake))


def test_logistic_losses_stay_finite_at_huge_logits():
    huge = torch.tensor([1e4, -1e4])
    assert float(logistic_critic(huge, huge)) == pytest.approx(1e4)
    assert float(non_saturating_generator(huge, huge)) == pytest.approx(5e3)
    for loss in (MINIMAX, RELATIVISTIC, RELATIVISTIC_AVERAGE):
        assert torch.isfinite(loss.critic(huge, -huge))
        assert torch.isfinite(loss.generator(huge, -huge))
