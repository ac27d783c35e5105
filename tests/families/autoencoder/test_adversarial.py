import inspect
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from families.autoencoder.aae import aae, aae_supervised
from families.autoencoder.adversarial import AdversarialAutoencoder, Discriminator
from genbench import Batch, Budget, DataSpec, FitConfig, Phase, Step
from genbench.seed import generator, normal
from genbench.spec import Split, Splits
from tests.families.autoencoder.tiny import PIXELS, randomised, trained
from tests.families.helpers import every_image

IMAGES = every_image(PIXELS)
BATCH = Batch(IMAGES, torch.arange(len(IMAGES)) % 2)


def turns(model):
    (phase,) = model.phases()
    return {turn.name: turn for turn in phase.turns}


@pytest.mark.parametrize("name", ["aae", "aae-supervised"])
def test_three_turns_alternate_and_each_moves_its_own(name):
    model = randomised(name)
    its = turns(model)
    assert list(its) == ["reconstruction", "discriminator", "generator"]
    assert all(turn.every == 1 for turn in its.values())
    assert set(its["reconstruction"].learns) == {model.encoder, model.decoder}
    assert list(its["discriminator"].learns) == [model.discriminators]
    assert list(its["generator"].learns) == [model.encoder]


def test_codes_are_detached_in_the_discriminator_s_turn_and_only_there():
    model = randomised("aae")
    step = Step(0, 0.0, generator(0))
    turns(model)["discriminator"].loss(BATCH, step)["loss"].backward()
    assert all(p.grad is None for p in model.encoder.parameters())
    assert all(p.grad is not None for p in model.discriminators.parameters())
    model.zero_grad()
    turns(model)["generator"].loss(BATCH, step)["loss"].backward()
    assert all(p.grad.abs().sum() > 0 for p in model.encoder.parameters())
    assert all(p.grad is None for p in model.decoder.parameters())


def test_the_losses_are_those_of_the_paper_by_hand():
    model = randomised("aae", output="categorical").double()
    codes = model.encoder.network(2 * IMAGES.double() - 1)
    prior = normal((len(IMAGES), 2), generator(4)).double()
    network = model.discriminators[0].layers
    real, fake = (torch.sigmoid(network(z))[:, 0] for z in (prior, codes))
    its, step = turns(model), Step(0, 0.0, generator(4))
    expected = -real.log().mean() - (1 - fake).log().mean()
    assert its["discriminator"].loss(BATCH, step)["loss"].item() == pytest.approx(expected.item(), rel=1e-9)
    assert its["generator"].loss(BATCH, step)["loss"].item() == pytest.approx(-fake.log().mean().item(), rel=1e-9)
    logits = model.decoder.network(codes).log_softmax(1)
    nll = -logits.gather(1, IMAGES.long()).sum((1, 2, 3)).mean() / 4
    assert its["reconstruction"].loss(BATCH, step)["loss"].item() == pytest.approx(nll.item(), rel=1e-6)


def test_the_encoder_learns_against_the_discriminator():
    model = randomised("aae")
    its = turns(model)
    for name, sign in (("discriminator", 1), ("generator", -1)):
        model.zero_grad()
        codes = model.encode(BATCH).detach().requires_grad_()
        logits = model.scored(codes, BATCH)[0].logits
        F.softplus(logits).mean().backward()  # what the discriminator would have of these codes
        towards = codes.grad.clone()
        codes.grad = None
        (
            F.softplus(model.scored(codes, BATCH)[0].logits)
            if sign == 1
            else F.softplus(-model.scored(codes, BATCH)[0].logits)
        ).mean().backward()
        assert torch.sign((codes.grad * towards).sum()) == sign, name
    assert its["generator"].optimizer is not its["reconstruction"].optimizer


def test_the_adversary_brings_the_codes_to_the_prior_and_without_it_they_are_elsewhere():
    """Moments of all codes together: means 0 and covariance I where there was a game."""
    source, spec = torch.Generator().manual_seed(0), DataSpec((1, 2, 2), 16)
    split, found = Split(torch.randint(0, 16, (300, 1, 2, 2), generator=source, dtype=torch.uint8)), {}
    for adversarial in (True, False):
        torch.manual_seed(0)
        model = aae(spec, width=16, latents=2, hidden=32, lr=1e-2, game_lr=3e-3)
        if not adversarial:
            only = [turns(model)["reconstruction"]]
            model.phases = lambda only=only: [Phase("reconstruction", 1.0, only)]
        model.finish = lambda data, generator: None  # no likelihood is asked for
        model.fit(Splits(split, split), FitConfig(Budget(steps=300), batch_size=64))
        with torch.no_grad():
            codes = model.encode(split)
        off = (torch.cov(codes.T) - torch.eye(2)).abs().max()
        found[adversarial] = max(off.item(), codes.mean(0).abs().max().item())
    assert found[True] < 0.45
    assert found[False] > 0.6


def test_the_discriminator_has_two_hidden_layers_and_scores_codes_one_by_one():
    model = Discriminator(3, 7)
    assert [type(layer) for layer in model.layers].count(nn.Linear) == 3
    codes = torch.randn(5, 3)
    assert torch.allclose(model(codes, BATCH)[2], model(codes[2:3], BATCH)[0], atol=1e-6)
    assert model(codes, BATCH).shape == (5,)


@pytest.fixture(scope="module")
def lit():
    """Images in which the label says which of two pixels is lit and the style how brightly, and a model of them."""
    source = torch.Generator().manual_seed(0)
    labels, bright = torch.arange(200) % 2, torch.randint(4, 32, (200,), generator=source)
    images = torch.zeros(200, 1, 1, 2, dtype=torch.uint8)
    images[torch.arange(200), 0, 0, labels] = bright.to(torch.uint8)
    data, spec = Split(images, labels), DataSpec((1, 1, 2), 32, classes=2)
    torch.manual_seed(0)
    model = aae_supervised(spec, width=16, latents=1, hidden=32, lr=3e-3, game_lr=1e-2)
    model.finish = lambda data, generator: None  # no likelihood is asked for
    model.fit(Splits(data, data), FitConfig(Budget(steps=400), batch_size=50))
    return model, data, bright


def test_the_decoder_lights_what_the_label_says_whatever_the_code(lit):
    """With the other label a code lights the other pixel."""
    model, data, _ = lit
    with torch.no_grad():
        codes = model.encode(data)
        shown = [model.show(codes, Batch(data.images, torch.full((200,), k)), None)[:, 0, 0].float() for k in (0, 1)]
    for label, pixels in enumerate(shown):
        assert pixels[:, label].mean() > 12
        assert pixels[:, 1 - label].mean() < 2


def explained(codes, target):
    """The share of the target's variance that a line through the codes explains."""
    inputs = torch.cat([codes, torch.ones_like(codes)], 1).double()
    fit = inputs @ torch.linalg.lstsq(inputs, target[:, None].double()).solution
    return 1 - (target - fit[:, 0]).var() / target.double().var()


def test_the_code_carries_the_style_and_not_the_label_which_comes_by_another_way(lit):
    """A decoder that was not told could not say which pixel is lit, unless the code did."""
    model, data, bright = lit
    with torch.no_grad():
        codes = model.encode(data)
    assert explained(codes, bright) > 0.85
    assert explained(codes, data.labels) < 0.15
    assert (model.reconstruct(data).float() - data.images.float()).abs().mean() < 2


def test_the_adversary_is_told_the_label_where_the_decoder_is_and_only_there():
    """Codes of every class by itself come from the prior: real and fake are scored under one and the same label."""
    model = randomised("aae-supervised").double()
    codes = model.encoder.network(2 * IMAGES.double() - 1)
    prior = normal((len(IMAGES), 2), generator(4)).double()
    told, network = F.one_hot(BATCH.labels, 2).double(), model.discriminators[0].layers
    real, fake = (torch.sigmoid(network(torch.cat([z, told], 1)))[:, 0] for z in (prior, codes))
    its = turns(model)
    expected = {"discriminator": -real.log().mean() - (1 - fake).log().mean(), "generator": -fake.log().mean()}
    for name, value in expected.items():
        loss = its[name].loss(BATCH, Step(0, 0.0, generator(4)))["loss"]
        assert loss.item() == pytest.approx(value.item(), rel=1e-9), name
    unaware = randomised("aae").double()
    losses = [
        turns(unaware)["generator"].loss(Batch(IMAGES, labels), Step(0, 0.0, generator(4)))["loss"]
        for labels in (BATCH.labels, 1 - BATCH.labels)
    ]
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": 0}, "hidden=0: give a whole number, 1 or more"),
        ({"latents": 1.5}, "latents=1.5: give a whole number"),
        ({"game_lr": -1.0}, "game_lr=-1.0: give a positive"),
        ({"lr": math.inf}, "lr=inf: give a positive"),
        ({"output": "gauss"}, "output='gauss': give one of"),
    ],
)
def test_silly_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        aae(DataSpec((1, 8, 8)), **options)


def test_the_width_of_proposals_is_found_in_the_end():
    model = trained("aae", steps=5)
    assert (model.encoder.log_std != 0).all()


def test_betas_of_the_game_are_the_recipes_and_reconstruction_has_its_own():
    model = aae(PIXELS, width=4, latents=2, hidden=8)
    assert model.game_betas == (0.5, 0.999)
    model.game_betas = (0.25, 0.75)
    (phase,) = model.phases()
    betas = {turn.name: turn.optimizer(model.parameters()).defaults["betas"] for turn in phase.turns}
    assert [betas[name] for name in ("discriminator", "generator")] == [(0.25, 0.75)] * 2
    assert betas[phase.turns[0].name] == (0.9, 0.999)
    assert inspect.signature(AdversarialAutoencoder).parameters["game_betas"].default is inspect.Parameter.empty
