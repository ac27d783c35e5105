import math

import pytest
import torch
from torch import nn

import genbench
from families.translation.simgan import Refiner, patch_critic
from genbench import Budget, DataSpec, FitConfig, Split, Splits
from tests.families.translation.toy import UNPAIRED, batch, gen, integers, step

DIGITS = DataSpec((1, 28, 28), 256, source=(1, 28, 28), paired=False)


class Moved(nn.Module):
    """``x + by``: a refiner whose distance from its source is known."""

    def __init__(self, by):
        super().__init__()
        self.by = nn.Parameter(torch.tensor(by))

    def forward(self, source, u=None):
        return source + self.by


def simgan(spec=UNPAIRED, **options):
    return genbench.build("simgan", spec, **{"width": 4, "blocks": 1, "history": 8} | options)


def silenced(model):
    """The model with a critic whose logits are 0."""
    for parameter in model.critic[-1].parameters():
        nn.init.zeros_(parameter)
    return model


def splits(n=16):
    return Splits(*(Split(integers(n, seed=seed), sources=integers(n, seed=seed + 1)) for seed in (0, 2)))


def test_both_sides_are_sums_over_places_and_pixels_and_means_over_the_batch():
    """C = 0 on 14×14 places, |ŷ - x| = .1 on 784 pixels: P ln 2 + 78.4 λ, and 2 P ln 2 for the critic."""
    model = silenced(simgan(DIGITS, regularisation=0.5))
    model.generator = Moved(0.1)
    for n in (2, 3):
        given = genbench.Batch(integers(n, (1, 28, 28)), sources=integers(n, (1, 28, 28), 1))
        logs = model.generator_loss(given, step())
        assert float(logs["loss"]) == pytest.approx(196 * math.log(2) + 0.5 * 78.4, rel=1e-5)
        assert float(logs["regularisation"]) == pytest.approx(0.5 * 78.4, rel=1e-5)
        assert float(model.critic_loss(given, step())["loss"]) == pytest.approx(2 * 196 * math.log(2), rel=1e-5)


def test_a_logit_sees_eleven_pixels_each_way():
    critic = patch_critic(1, 8).double()
    for parameter in critic.parameters():
        parameter.data.abs_()  # nothing is cut off, so that all that can matter does
    seen = torch.zeros(28, 28, dtype=torch.bool)
    for seed in range(40):  # a maximum hands its gradient to one place alone
        images = torch.rand(1, 1, 28, 28, generator=gen(seed), dtype=torch.float64).requires_grad_()
        (gradient,) = torch.autograd.grad(critic(images)[0, 0, 7, 6], images)
        seen |= gradient[0, 0] != 0
    rows, columns = seen.nonzero().unbind(1)
    assert (int(rows.min()), int(rows.max())) == (9, 19), "eleven of them round pixel 14"
    assert (int(columns.min()), int(columns.max())) == (7, 17)
    assert critic(torch.zeros(2, 1, 28, 28).double()).shape == (2, 1, 14, 14)


def test_logits_may_be_of_either_sign():
    model = simgan()
    logits = model.critic(torch.randn(64, 1, 8, 8))
    with torch.no_grad():
        model.critic[-1][0].bias -= logits.mean()
    logits = model.critic(torch.randn(64, 1, 8, 8))
    assert float(logits.detach().min()) < 0 < float(logits.detach().max()), "no ReLU stands behind the last convolution"


def test_of_eight_fakes_four_are_old_once_the_history_is_full():
    model = simgan()
    seen = []
    model.critic.register_forward_hook(lambda critic, images, logits: seen.append(images[0]))
    first, second = batch(8), batch(8, seed=5)
    fakes = [model.translate(given, step()).detach() for given in (first, second)]
    for given in (first, second):
        model.critic_loss(given, step())
    assert torch.equal(seen[1], fakes[0])
    old = [any(torch.equal(one, other) for other in fakes[0]) for one in seen[3]]
    assert old == [True] * 4 + [False] * 4
    assert torch.equal(seen[3][4:], fakes[1][4:])
    assert simgan(history=0).history is None


def test_first_the_refiner_learns_to_leave_images_alone_then_the_critic_learns_then_both():
    first, second, third = simgan().phases()
    assert [phase.name for phase in (first, second, third)] == ["refiner", "critic", "adversarial"]
    assert [phase.share for phase in (first, second, third)] == pytest.approx([0.05, 0.02, 0.93])
    assert first.turns[0].loss(batch(), step()).keys() == {"loss", "regularisation"}
    assert [(turn.name, turn.every) for turn in third.turns] == [("critic", 2), ("generator", 1)]


def test_phase_one_brings_images_nearer_to_their_sources_and_moves_no_critic():
    model = simgan(refiner=1.0, critic=0.0, lr=1e-2)
    before = {name: value.clone() for name, value in model.critic.state_dict().items()}
    far = float(model.generator_loss(batch(), step())["regularisation"])
    model.fit(splits(), FitConfig(Budget(steps=30), batch_size=8))
    assert float(model.generator_loss(batch(), step())["regularisation"]) < 0.6 * far
    for name, value in model.critic.state_dict().items():
        assert torch.equal(value, before[name])


def test_phase_two_moves_no_refiner():
    model = simgan(refiner=0.0, critic=1.0)
    before = {name: value.clone() for name, value in model.generator.state_dict().items()}
    model.fit(splits(), FitConfig(Budget(steps=3), batch_size=8))
    for name, value in model.generator.state_dict().items():
        assert torch.equal(value, before[name])
    assert int(model.history.count) == 8


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 13, 17), (1, 8, 8)])
def test_the_refiner_keeps_the_sides_and_does_not_normalise(shape):
    refiner = Refiner(shape[0], 3, 4, 2)
    assert refiner(torch.zeros(2, *shape)).shape == (2, 3, *shape[1:])
    assert {type(one).__name__ for one in refiner.modules()} <= {
        "Refiner", "Sequential", "Conv2d", "Identity", "ReLU", "Residual", "Tanh",
    }  # fmt: skip


@pytest.mark.parametrize("channels", [(1, 3), (3, 1)])
def test_a_source_of_other_channels_is_compared_in_the_image_s(channels):
    into, out = channels
    model = simgan(DataSpec((out, 8, 8), 256, source=(into, 8, 8), paired=False), regularisation=1.0)
    model.generator = Moved(0.25)
    model.generator.forward = lambda source, u=None: (source.mean(1, keepdim=True) + 0.25).expand(-1, out, -1, -1)
    given = genbench.Batch(integers(2, (out, 8, 8)), sources=integers(2, (into, 8, 8)))
    assert float(model.generator_loss(given, step())["regularisation"]) == pytest.approx(out * 64 * 0.25, rel=1e-5)


def test_the_setting_says_the_weight_and_the_history():
    assert simgan().setting == "0.1 regularisation, history of 8"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"regularisation": -1.0}, r"regularisation=-1.0: give a positive number, or 0"),
        ({"history": -1}, "history=-1"),
        ({"width": 0}, "width=0"),
        ({"blocks": -1}, "blocks=-1"),
        ({"lr": 0.0}, "lr=0.0"),
        ({"refiner": 0.7, "critic": 0.4}, r"'refiner': 0.7, 'critic': 0.4.*give shares of the budget"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        simgan(**options)
