import itertools

import pytest
import torch
from torch import nn

import genbench
from families.layers.convolutional import ImageDecoder, ImageEncoder
from families.layers.evaluation import chunks, evaluation, weigh
from families.layers.training import WARM_UP_STEPS, one_turn, warm_cosine
from genbench import Batch, DataSpec
from genbench.seed import fork_rng, generator


def test_the_learning_rate_warms_up_and_comes_down():
    rates = [warm_cosine(fraction) for fraction in torch.linspace(0, 1, 101).tolist()]
    peak = max(range(101), key=rates.__getitem__)
    assert rates[peak] == pytest.approx(1)
    assert peak == 2
    assert 0 < rates[0] < 0.2
    assert rates[-1] == pytest.approx(0.01)
    assert all(before > after for before, after in itertools.pairwise(rates[peak:]))


def test_one_turn_is_one_phase_over_the_whole_model():
    model = nn.Linear(2, 2)
    (phase,) = one_turn(model, lambda batch, step: {}, lr=0.5, clip=2.0)
    (turn,) = phase.turns
    assert (phase.share, list(turn.learns), turn.clip) == (1.0, [model], 2.0)
    assert turn.optimizer(model.parameters()).param_groups[0]["lr"] == 0.5


def test_one_turn_passes_on_name_loss_and_clip_and_warms_up_over_some_steps():
    def loss(batch, step):
        return {}

    (given,) = one_turn(nn.Linear(2, 2), loss, lr=0.5, clip=3.0, name="own")[0].turns
    assert (given.name, given.loss, given.clip, given.every) == ("own", loss, 3.0, 1)
    assert (given.schedule, given.warm_up) == (warm_cosine, WARM_UP_STEPS)


@pytest.mark.parametrize(("name", "clip"), [("vae", 1.0), ("pixelcnn", 1.0), ("realnvp", 1.0)])
def test_families_of_one_loss_learn_by_one_turn_that_warms_up_comes_down_and_is_clipped(name, clip):
    model = genbench.build(name, DataSpec((1, 4, 4), 8), width=4, lr=7e-3)
    (phase,) = model.phases()
    (turn,) = phase.turns
    assert (phase.share, list(turn.learns), turn.schedule, turn.clip) == (1.0, [model], warm_cosine, clip)
    assert turn.warm_up == WARM_UP_STEPS
    optimizer = turn.optimizer(model.parameters())
    assert isinstance(optimizer, torch.optim.Adam)
    assert optimizer.param_groups[0]["lr"] == 7e-3


def test_evaluation_puts_every_mode_back_even_after_an_error():
    model = nn.Sequential(nn.Dropout(), nn.Dropout()).train()
    model[0].eval()

    def fail():
        assert not model[1].training
        assert not torch.is_grad_enabled()
        raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"), evaluation(model):
        fail()
    assert [model.training, model[0].training, model[1].training] == [True, False, True]
    assert torch.is_grad_enabled()


def test_chunks_add_up():
    assert chunks(10, 4) == [4, 4, 2]
    assert chunks(3, 4) == [3]


@pytest.mark.parametrize("at_once", [1, 5, 64])
def test_the_weights_are_those_of_all_draws_however_they_are_cut(at_once):
    seen = []

    def log_weights(batch, draws, source):
        levels = batch.images.flatten(1).double().sum(1)
        weights = levels.repeat(draws, 1) + 700 * torch.rand(draws, len(levels), generator=source, dtype=torch.float64)
        seen.append((batch.images, weights))
        return weights

    batch = Batch(torch.arange(7, dtype=torch.uint8).view(7, 1, 1, 1))
    found = weigh(log_weights, batch, 11, generator(0), at_once)
    assert found.shape == (11, 7)
    for row in range(7):
        own = torch.cat([weights[:, (images == row).flatten()].flatten() for images, weights in seen])
        assert len(own) == 11
        assert torch.equal(found[:, row], own)
    assert max(weights.numel() for _, weights in seen) <= max(at_once, 1)
    assert torch.equal(weigh(log_weights, batch, 2, None), weigh(log_weights, batch, 2, None))


@pytest.mark.parametrize(("shape", "smallest"), [((1, 28, 28), 7), ((3, 32, 32), 4), ((1, 8, 8), 4), ((1, 5, 6), 5)])
def test_networks_halve_down_to_four_and_keep_the_signal(shape, smallest):
    with fork_rng(0):
        encoder, decoder = ImageEncoder(shape, 8, 1, 6), ImageDecoder(6, shape, 8, 1, 4)
        codes, maps = encoder(torch.randn(64, *shape)), decoder(torch.randn(64, 6))
    assert codes.shape == (64, 6)
    assert maps.shape == (64, 4, *shape[1:])
    assert decoder.layers[1].unflattened_size[1] == smallest
    for answer in (codes, maps):  # what tells one input from another neither dies nor explodes
        assert 0.02 < answer.std(0).mean() < 0.5  # their last layers begin with a tenth
