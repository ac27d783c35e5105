import math

import pytest
import torch

from families.layers.adversarial import (
    NON_SATURATING,
    WASSERSTEIN,
    logistic_critic,
    non_saturating_generator,
    wasserstein_critic,
    wasserstein_generator,
)

LN3 = math.log(3)
REAL = torch.tensor([LN3, 0.0], dtype=torch.float64)  # D = 3/4, 1/2
FAKE = torch.tensor([-LN3, 0.0], dtype=torch.float64)  # D = 1/4, 1/2


def value_and_gradients(term):
    real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
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


def test_wasserstein_by_hand():
    value, real, fake = value_and_gradients(wasserstein_critic)
    assert value == pytest.approx(-LN3 / 2 - LN3 / 2)
    assert (real, fake) == ([-0.5, -0.5], [0.5, 0.5])
    value, real, fake = value_and_gradients(wasserstein_generator)
    assert (value, real, fake) == (pytest.approx(LN3 / 2), None, [-0.5, -0.5])


def test_logistic_losses_stay_finite_at_huge_logits():
    huge = torch.tensor([1e4, -1e4])
    assert float(logistic_critic(huge, huge)) == pytest.approx(1e4)
    assert float(non_saturating_generator(huge, huge)) == pytest.approx(5e3)


@pytest.mark.parametrize("loss", [NON_SATURATING, WASSERSTEIN])
def test_maps_of_logits_and_a_generator_without_real_logits(loss):
    logits = torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    assert not loss.relativistic
    assert loss.critic(logits, logits).shape == ()
    assert torch.equal(loss.generator(logits.new_empty(0), logits), loss.generator(logits, logits))
