import inspect
import math

import pytest
import torch

from families.autoencoder.vae_gan import VAEGAN, vae_gan
from genbench import Batch, Budget, DataSpec, FitConfig, Step
from genbench.seed import generator, normal
from genbench.spec import Split, Splits
from tests.families.helpers import every_image

SPEC = DataSpec((1, 2, 2), 3)
BATCH = Batch(every_image(SPEC)[::5])


def model(gamma=0.3, spread=0.7, seed=0):
    torch.manual_seed(seed)
    its = vae_gan(SPEC, width=4, latents=3, gamma=gamma, spread=spread).double()
    for parameter in its.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return its


def turns(its):
    (phase,) = its.phases()
    return {turn.name: turn for turn in phase.turns}


def by_hand(its):
    """The three losses from the paper's formulas, with the noise of generator 2."""
    source = generator(2)
    x = BATCH.images.double() - 1
    mean, raw = its.encoder.network(x).chunk(2, 1)
    log_std = 10 * torch.tanh(raw / 10)
    noise = normal(mean.shape, source).double()
    drawn = normal(mean.shape, source).double()
    again, sample = its.generator(mean + log_std.exp() * noise), its.generator(drawn)
    real, features = its.critic(x)
    fake, reconstructed = its.critic(again)
    logits = {"real": real, "again": fake, "sample": its.critic(sample)[0]}
    seen = {name: torch.sigmoid(logit) for name, logit in logits.items()}
    prior = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, log_std.exp()), torch.distributions.Normal(0.0, torch.ones_like(mean))
    ).sum(1)
    like = 0.5 * (features - reconstructed).square().sum(1) / 0.7**2
    return prior.mean(), like.mean(), seen


def test_each_part_descends_its_own_losses():
    its = model()
    prior, like, seen = by_hand(its)
    real, again, sample = seen["real"], seen["again"], seen["sample"]
    expected = {
        "encoder": prior + like,
        "decoder": 0.3 * like - again.log().mean() - sample.log().mean(),
        "discriminator": -real.log().mean() - (1 - again).log().mean() - (1 - sample).log().mean(),
    }
    assert list(turns(its)) == list(expected)
    for name, value in expected.items():
        loss = turns(its)[name].loss(BATCH, Step(0, 0.0, generator(2)))["loss"]
        assert loss.item() == pytest.approx(value.item(), rel=1e-6), name


def test_who_moves_in_which_turn():
    its = model()
    learns = {name: list(turn.learns) for name, turn in turns(its).items()}
    assert learns == {"encoder": [its.encoder], "decoder": [its.generator], "discriminator": [its.critic]}


def test_no_gradient_reaches_the_encoder_but_in_its_own_turn():
    its = model()
    for name, others in (
        ("decoder", its.encoder),
        ("discriminator", torch.nn.ModuleList([its.encoder, its.generator])),
    ):
        its.zero_grad()
        turns(its)[name].loss(BATCH, Step(0, 0.0, generator(0)))["loss"].backward()
        assert all(parameter.grad is None for parameter in others.parameters()), name


def test_gamma_weighs_likeness_in_the_decoder_alone():
    def losses(gamma):
        its = model(gamma)
        return {name: turn.loss(BATCH, Step(0, 0.0, generator(2))) for name, turn in turns(its).items()}

    low, high = losses(0.5), losses(2.0)
    assert low["encoder"]["loss"] == high["encoder"]["loss"]
    assert low["discriminator"]["loss"] == high["discriminator"]["loss"]
    change = high["decoder"]["loss"] - low["decoder"]["loss"]
    assert change.item() == pytest.approx(1.5 * low["decoder"]["likeness"].item(), rel=1e-6)


@pytest.mark.parametrize("name", ["decoder", "discriminator"])
def test_reconstructions_and_samples_are_both_scored(name):
    its = model()
    scored = []
    its.critic.register_forward_hook(lambda module, inputs, output: scored.append(inputs[0]))
    turns(its)[name].loss(BATCH, Step(0, 0.0, generator(2)))
    source = generator(2)
    codes, drawn = its.posterior(BATCH).draw(source), normal((len(BATCH), 3), source).double()
    fakes = [its.generator(code) for code in (codes, drawn)]
    for fake in fakes:
        assert sum(images.shape == fake.shape and torch.allclose(images, fake) for images in scored) == 1


def test_likeness_is_measured_in_the_discriminator_s_features():
    its = model()
    before = turns(its)["encoder"].loss(BATCH, Step(0, 0.0, generator(2)))["likeness"]
    with torch.no_grad():
        for parameter in its.critic.layers.parameters():
            parameter.mul_(2)
    after = turns(its)["encoder"].loss(BATCH, Step(0, 0.0, generator(2)))["likeness"]
    assert not torch.isclose(before, after)


def test_samples_decode_the_noise_and_reconstructions_the_mean_code():
    its = model().eval().float()
    u = torch.randn(5, 3)
    expected = (its.generator(u) + 1).clamp(0, 2)
    assert torch.allclose(its.decode(u, BATCH).clamp(0, 2), expected, atol=1e-6)
    mean = its.posterior(BATCH).mean
    assert torch.equal(its.reconstruct(BATCH), (its.generator(mean) + 1).round().to(torch.uint8))
    answer = its.log_likelihood(BATCH.rows(slice(2)), draws=1, generator=generator(0))
    assert (answer.kind, answer.observation) == ("estimate", "added")


def test_it_learns_to_reconstruct():
    source = torch.Generator().manual_seed(0)
    patterns = torch.randint(0, 2, (4, 1, 4, 4), generator=source, dtype=torch.uint8)
    split = Split(patterns[torch.arange(64) % 4])
    torch.manual_seed(0)
    its = vae_gan(DataSpec((1, 4, 4), 2), width=16, latents=4, lr=5e-3, gamma=1.0, spread=1.0)
    its.finish = lambda data, generator: None  # no likelihood is asked for
    its.fit(Splits(split, split), FitConfig(Budget(steps=150), batch_size=32))
    assert (its.reconstruct(split) == split.images).float().mean() > 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width=0: give a whole number, 1"),
        ({"latents": 0}, "latents=0: give a whole number, 1"),
        ({"gamma": 0}, "gamma=0: give a positive"),
        ({"spread": -1.0}, "spread=-1.0: give a positive"),
        ({"lr": -math.inf}, "lr=-inf: give a positive"),
    ],
)
def test_silly_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        vae_gan(SPEC, **options)


def test_betas_are_the_recipes_and_go_to_every_optimiser():
    its = model()
    assert its.betas == (0.5, 0.999)
    its.betas = (0.25, 0.75)
    (phase,) = its.phases()
    assert [turn.optimizer(its.parameters()).defaults["betas"] for turn in phase.turns] == [(0.25, 0.75)] * 3
    assert inspect.signature(VAEGAN).parameters["betas"].default is inspect.Parameter.empty
