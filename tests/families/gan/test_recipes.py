from dataclasses import asdict

import pytest
import torch
from torch import nn

import genbench
from families.adversarial.f_divergences import DIVERGENCES
from families.adversarial.penalties import DivergencePenalty, GradientPenalty, gradient_norms
from genbench import Batch, Budget, DataSpec, FitConfig, Split, Splits
from tests.families.gan.tiny import normalised

SPEC = DataSpec((1, 8, 8), levels=17, classes=3)
WIDE = DataSpec((1, 16, 16), levels=17)  # two scales: the critic has a layer to normalise


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def build(name, spec=SPEC, **options):
    return genbench.build(name, spec, width=8, **options)


PENALISED = {
    "wgan-gp": {"weight": 10.0},
    "wgan-lp": {"weight": 10.0},
    "wgan-div": {"weight": 2.0, "power": 6.0},
    "dragan": {"weight": 10.0, "spread": 0.5},
}


@pytest.mark.parametrize("name", PENALISED)
def test_a_penaltys_numbers_are_the_papers_or_those_that_are_given(name):
    numbers = PENALISED[name]
    assert asdict(build(name).penalty) == numbers
    given = dict.fromkeys(numbers, 3.0)
    assert asdict(build(name, **given).penalty) == given
    for option in numbers:
        with pytest.raises(ValueError, match=f"{option}=0"):
            build(name, **{option: 0})


def test_a_power_below_one_is_refused_since_its_slope_is_not_finite_where_the_critic_is_flat():
    flat = nn.Linear(3, 1)
    nn.init.zeros_(flat.weight)
    for power, finite in ((0.5, False), (1.0, True)):
        x, score = torch.ones(2, 3), lambda images: flat(images)[:, 0]
        loss = gradient_norms(score, x).pow(power).mean()
        (slope,) = torch.autograd.grad(loss, flat.weight)
        assert bool(slope.isfinite().all()) is finite
    assert build("wgan-div", power=1.0).penalty == DivergencePenalty(2.0, 1.0)
    with pytest.raises(ValueError, match=r"power=0\.5: give at least 1"):
        build("wgan-div", power=0.5)


OFF = [("f-gan", "clip"), ("ebgan", "weight"), ("rgan", "weight"), ("ragan", "weight")]
OFF += [("improved-gan", "historical_averaging")]


@pytest.mark.parametrize(("name", "option"), OFF)
@pytest.mark.parametrize("value", [None, False, True, "", "none", -1, float("nan")])
def test_nothing_but_zero_says_none(name, option, value):
    build(name, **{option: 0})
    build(name, **{option: 0.0})
    with pytest.raises(ValueError, match=f"{option}="):
        build(name, **{option: value})


def test_wgans_bound_is_an_option():
    assert build("wgan", bound=0.1).bound == 0.1
    with pytest.raises(ValueError, match="bound=0"):
        build("wgan", bound=0)


@pytest.mark.parametrize("name", ["rgan", "ragan"])
def test_relativistic_games_take_a_gradient_penalty(name):
    model = build(name, WIDE, weight=10.0)
    assert model.penalty == GradientPenalty(10.0)
    assert not normalised(model.critic)
    assert model.loss is build(name).loss
    assert model.loss.relativistic
    with pytest.raises(ValueError, match="weight=-1"):
        build(name, weight=-1)


@pytest.mark.parametrize("saturating", [False, True])
@pytest.mark.parametrize("divergence", DIVERGENCES)
def test_f_gan_plays_by_the_divergence_that_is_asked_for(divergence, saturating):
    model, logits = build("f-gan", divergence=divergence, saturating=saturating), torch.randn(2, 9, generator=gen())
    wanted = DIVERGENCES[divergence].loss(saturating)
    for side in ("critic", "generator"):
        assert torch.equal(getattr(model.loss, side)(*logits), getattr(wanted, side)(*logits))
    assert model.penalty is None


def test_f_gan_is_kl_and_does_not_saturate_where_nothing_is_said_and_refuses_what_there_is_not():
    logits = torch.randn(2, 9, generator=gen())
    loss, wanted = build("f-gan").loss, DIVERGENCES["kl"].loss(saturating=False)
    assert torch.equal(loss.critic(*logits), wanted.critic(*logits))
    assert torch.equal(loss.generator(*logits), wanted.generator(*logits))
    with pytest.raises(ValueError, match="divergence='tv': give kl, reverse-kl"):
        build("f-gan", divergence="tv")


def test_f_gans_clip_is_an_option():
    assert build("f-gan", clip=0.5).clip == 0.5
    assert build("f-gan", clip=0).clip is None


def test_cgan_gives_the_label_to_both_networks():
    model = build("cgan").eval()
    u, images = torch.randn(1, 64, generator=gen()), torch.randn(1, 1, 8, 8, generator=gen(1))
    empty = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    decoded = [model.decode(u, Batch(empty, torch.tensor([k]))) for k in range(3)]
    scores = [model.score(images, Batch(empty, torch.tensor([k]))) for k in range(3)]
    for a, b in [(0, 1), (1, 2), (0, 2)]:
        assert not torch.equal(decoded[a], decoded[b])
        assert not torch.equal(scores[a], scores[b])
    assert model.given == ("label",)


def test_cgan_learns_to_draw_what_the_label_says():
    spec = DataSpec((1, 2, 2), levels=9, classes=2)
    labels = torch.arange(64) % 2
    images = (labels * 6 + 1).to(torch.uint8).view(-1, 1, 1, 1).repeat(1, 1, 2, 2)
    data = Splits(Split(images, labels), Split(images[:8], labels[:8]))
    model = genbench.build("cgan", spec, width=8, latents=4, hidden=16, lr=2e-3)
    model.fit(data, FitConfig(Budget(steps=100), batch_size=32))
    drawn = model.sample(40, labels=torch.arange(40) % 2, generator=gen()).float().mean((1, 2, 3))
    assert float(drawn[1::2].mean() - drawn[::2].mean()) > 3


def test_labels_that_are_missing_are_refused():
    with pytest.raises(ValueError, match="label"):
        genbench.build("cgan", DataSpec((1, 8, 8)))
    model = build("cgan")
    with pytest.raises(ValueError, match="labels=None"):
        model.decode(torch.zeros(2, 64), Batch(torch.zeros(2, 1, 8, 8)))
    images, labels = torch.zeros(4, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 1, -1, 2])
    data = Splits(Split(images, labels), Split(images, labels))
    with pytest.raises(ValueError, match="unknown"):
        model.fit(data, FitConfig(Budget(steps=1), batch_size=4))


@pytest.mark.parametrize("name", ["gan", "wgan-gp", "cgan", "pix2pix"])
@pytest.mark.parametrize("value", [-1, 0, float("nan"), "x", True])
def test_a_learning_rate_that_is_none_is_refused_at_construction(name, value):
    spec = genbench.DataSpec((1, 8, 8), 17, 4, source=(1, 8, 8))
    with pytest.raises(ValueError, match=r"lr="):
        genbench.build(name, spec, lr=value)
