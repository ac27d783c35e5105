import math
from dataclasses import replace

import pytest
import torch

from families.autoencoder.aae import aae_semi_supervised
from genbench import Batch, Budget, DataSpec, FitConfig, Step
from genbench.seed import generator, normal
from genbench.spec import Split, Splits
from tests.families.autoencoder.tiny import PIXELS, randomised, weights_over_all_images
from tests.families.helpers import every_image

IMAGES = every_image(PIXELS)
BATCH = Batch(IMAGES, torch.full((len(IMAGES),), -1), labelled=Batch(IMAGES[:6], torch.tensor([0, 1, 0, 1, 1, 0])))


def turns(model):
    (phase,) = model.phases()
    return {turn.name: turn for turn in phase.turns}


def test_four_turns_and_who_moves_in_each():
    model = randomised("aae-semi-supervised")
    its = turns(model)
    assert list(its) == ["reconstruction", "discriminator", "generator", "classification"]
    assert set(its["reconstruction"].learns) == {model.encoder, model.decoder}
    assert list(its["discriminator"].learns) == [model.discriminators]
    assert list(its["generator"].learns) == list(its["classification"].learns) == [model.encoder]


def test_class_and_style_have_a_discriminator_each():
    model = randomised("aae-semi-supervised", noise=0.0).double()
    x = 2 * IMAGES.double() - 1
    numbers = model.encoder.network(x)
    classes, styles = numbers[:, :2].softmax(1), numbers[:, 2:]
    assert [discriminator.features for discriminator in model.discriminators] == [2, 2]
    source = generator(4)
    drawn = torch.rand(len(IMAGES), 1, generator=source)
    one_hot = torch.cat((drawn < 0.5, drawn >= 0.5), 1).double()
    style = normal(styles.shape, source).double()
    expected = 0.0
    for discriminator, real, fake in zip(model.discriminators, (one_hot, style), (classes, styles), strict=True):
        expected -= torch.sigmoid(discriminator.layers(real)).log().mean().item()
        expected -= (1 - torch.sigmoid(discriminator.layers(fake))).log().mean().item()
    its, step = turns(model), Step(0, 0.0, generator(4))
    assert its["discriminator"].loss(BATCH, step)["loss"].item() == pytest.approx(expected, rel=1e-9)
    logits = [d.layers(fake) for d, fake in zip(model.discriminators, (classes, styles), strict=True)]
    expected = -sum(torch.sigmoid(logit).log().mean().item() for logit in logits)
    assert its["generator"].loss(BATCH, step)["loss"].item() == pytest.approx(expected, rel=1e-9)


def test_the_decoder_reads_class_and_style():
    model = randomised("aae-semi-supervised", scale=0.6)
    codes = torch.zeros(4, 4)
    codes[1, 0] = codes[2, 1] = codes[3, 3] = 1.0
    parameters = model.decoder(codes, BATCH).flatten(1)
    assert ((parameters[:1] - parameters[1:]).abs().amax(1) > 0.01).all()


def test_classification_is_the_cross_entropy_of_the_labelled_minibatch_alone():
    model = randomised("aae-semi-supervised", noise=0.0).double()
    turn, step = turns(model)["classification"], Step(0, 0.0, generator(0))
    odds = model.encoder.network(2 * IMAGES[:6].double() - 1)[:, :2].log_softmax(1)
    expected = -odds[torch.arange(6), BATCH.labelled.labels].mean().item()
    assert turn.loss(BATCH, step)["loss"].item() == pytest.approx(expected, rel=1e-6)
    others = Batch(IMAGES.flip(0), torch.zeros(len(IMAGES), dtype=torch.int64), labelled=BATCH.labelled)
    assert turn.loss(others, step)["loss"].item() == pytest.approx(expected, rel=1e-6)
    with pytest.raises(ValueError, match="labelled=None"):
        turn.loss(Batch(IMAGES, torch.zeros(len(IMAGES), dtype=torch.int64)), step)


def test_only_the_classification_reads_labels():
    model = randomised("aae-semi-supervised", noise=0.0)
    known = Batch(IMAGES, torch.arange(len(IMAGES)) % 2, labelled=BATCH.labelled)
    for name in ("reconstruction", "discriminator", "generator"):
        losses = [turns(model)[name].loss(batch, Step(0, 0.0, generator(0)))["loss"] for batch in (BATCH, known)]
        assert torch.equal(*losses)
    assert model.given == ()
    assert torch.equal(model.classify(BATCH), model.classify(known))


def test_every_class_is_proposed_and_sampled():
    model = randomised("aae-semi-supervised").double()
    with torch.no_grad():
        [layer for layer in model.encoder.modules() if isinstance(layer, torch.nn.Linear)][-1].bias[0] = 60.0
    odds = model.posterior(BATCH).parts[0].mean
    assert torch.allclose(odds, torch.tensor([0.95, 0.05], dtype=torch.float64)), "a tenth of the proposal is even"
    total, error = weights_over_all_images(model, PIXELS, times=60)
    assert error < 0.05
    assert abs(total - 1) < 3 * error, "a class that the encoder rules out still counts"
    drawn = model.prior(Batch(torch.zeros(2000, 1, 1, 1))).draw(generator(0))[:, :2]
    assert drawn.mean(0)[0].item() == pytest.approx(0.5, abs=0.05)


def test_many_images_teach_what_few_labels_do_not():
    """Two patterns of which three pixels in ten are flipped, and four labels for 400 images.

    The classification turn alone goes by the accidents of four images; the game makes of all images two classes.
    """
    source, truth = torch.Generator().manual_seed(2), torch.arange(400) % 2
    patterns = torch.rand(2, 1, 8, 8, generator=source) > 0.5
    images = (patterns[truth] ^ (torch.rand(400, 1, 8, 8, generator=source) < 0.28)).to(torch.uint8)
    data = Splits(Split(images, truth.where(torch.arange(400) < 4, -1)), Split(images, truth))
    right = {}
    for alone in (True, False):
        torch.manual_seed(0)
        spec = DataSpec((1, 8, 8), 2, classes=2, labelled=4)
        model = aae_semi_supervised(spec, width=32, depth=1, latents=8, hidden=32, noise=0.3, lr=3e-3, game_lr=1e-3)
        (phase,) = model.phases()
        taken = [turn for turn in phase.turns if turn.name == "classification" or not alone]
        model.phases = lambda phase=phase, taken=taken: [replace(phase, turns=taken)]
        model.finish = lambda data, generator: None  # no likelihood is asked for
        model.fit(data, FitConfig(Budget(steps=300), batch_size=64))
        odds = model.classify(Batch(images))
        assert torch.allclose(odds.sum(1), torch.ones(400))
        right[alone] = (odds.argmax(1) == truth).float().mean().item()
    assert right[True] < 0.82
    assert right[False] > 0.88


def test_noise_disturbs_what_the_encoder_learns_from_and_nothing_else():
    model = randomised("aae-semi-supervised", noise=0.5)
    calm = randomised("aae-semi-supervised", noise=0.0)
    for name in ("reconstruction", "discriminator", "generator", "classification"):
        values = [turns(its)[name].loss(BATCH, Step(0, 0.0, generator(1)))["loss"] for its in (model, calm)]
        assert not torch.isclose(*values), name
    assert torch.equal(model.classify(BATCH), calm.classify(BATCH))
    assert torch.equal(model.encode(BATCH), calm.encode(BATCH))


def test_data_without_labels_or_without_a_share_are_refused():
    with pytest.raises(ValueError, match="classes=0: aae-semi-supervised needs data with classes"):
        aae_semi_supervised(DataSpec((1, 4, 4), labelled=10))
    with pytest.raises(ValueError, match=r"labelled=None: .* labelled = 100, or the command --labelled 100"):
        aae_semi_supervised(DataSpec((1, 4, 4), classes=10))
    with pytest.raises(ValueError, match="game_lr=0: give a positive"):
        aae_semi_supervised(DataSpec((1, 4, 4), classes=10, labelled=10), game_lr=0)
    with pytest.raises(ValueError, match="latents=0"):
        aae_semi_supervised(DataSpec((1, 4, 4), classes=10, labelled=10), latents=0)
    assert math.isclose(randomised("aae-semi-supervised").game_lr, aae_semi_supervised(PIXELS, width=4).game_lr)
