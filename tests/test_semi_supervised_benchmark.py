"""The benchmark of semi-supervised recipes: what learns from labels alone sees nothing else."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

import genbench
from benchmarks import semi_supervised
from families.layers.scaling import to_unit
from genbench import Batch, Budget, DataSpec, FitConfig, Split, Splits, Step

SPEC = DataSpec((1, 8, 8), levels=17, classes=3, labelled=6)
SMALL = {
    "aae-semi-supervised": {"width": 8, "depth": 1, "latents": 2, "hidden": 8},
    "triple-gan": {"width": 4, "latents": 3, "hidden": 5},
    "s3-gan": {"width": 4, "latents": 3},
}
CLASSIFIERS = {
    "aae-semi-supervised": ("encoder.", "decoder.network.0.3.bias"),  # which begins at the mean of the pixels
    "triple-gan": ("classifier.", "classifier_average."),
    "s3-gan": ("critic.", "classes.", "judges."),
}


def images(n, seed):
    return torch.randint(17, (n, 1, 8, 8), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def step():
    return Step(0, 0.0, torch.Generator().manual_seed(0))


def batch(seed):
    return Batch(images(5, seed), torch.full((5,), -1), labelled=Batch(images(6, 9), torch.arange(6) % 3))


@pytest.mark.parametrize("name", semi_supervised.RATE)
def test_other_images_do_not_move_what_learns_from_labels_alone(name):
    turn = semi_supervised.alone(genbench.build(name, SPEC, seed=0, **SMALL[name]).eval())
    one, other = (turn.loss(batch(seed), step())["loss"] for seed in (0, 1))
    assert float(one.detach()) == float(other.detach()) > 0


def test_the_loss_is_the_cross_entropy_of_the_network_that_classifies():
    told = batch(0).labelled
    for name in ("triple-gan", "s3-gan"):
        model = genbench.build(name, SPEC, seed=0, average=0.0, **SMALL[name]).eval()
        loss = semi_supervised.alone(model).loss(batch(0), step())["loss"]
        torch.testing.assert_close(loss, F.cross_entropy(model.told(to_unit(told.images, 17)), told.labels))


@pytest.mark.parametrize("name", semi_supervised.RATE)
@pytest.mark.parametrize("only_labels", [True, False])
def test_the_classifier_alone_moves_on_labels_alone(name, only_labels):
    model = semi_supervised.Learner(SPEC, name, only_labels, 0, SMALL[name])
    before = {key: value.clone() for key, value in model.recipe.named_parameters()}
    labels = torch.where(torch.arange(24) < 6, torch.arange(24) % 3, -1)
    data = Splits(Split(images(24, 0), labels), Split(images(6, 1), torch.arange(6) % 3))
    model.fit(data, FitConfig(Budget(steps=20), batch_size=6))
    moved = {key for key, value in model.recipe.named_parameters() if not torch.equal(value, before[key])}
    others = {key for key in moved if not key.startswith(CLASSIFIERS[name])}
    assert moved
    assert (not others) == only_labels
    assert 0 <= model.accuracy(data.validation) <= 1


def test_a_gan_has_the_options_of_its_suite_and_the_labels_side_as_many_rates():
    (whole,) = semi_supervised.trials("s3-gan", only_labels=False)
    assert whole == {"lr": 2e-3, "critic_lr": 2e-3}
    assert [trial["critic_lr"] for trial in semi_supervised.trials("s3-gan", only_labels=True)] == [3e-4, 1e-3, 3e-3]
    rates = [trial["classifier_lr"] for trial in semi_supervised.trials("triple-gan", only_labels=True)]
    assert rates == [3e-4, 1e-3, 3e-3]
    assert len(list(semi_supervised.trials("aae-semi-supervised", only_labels=True))) == 6


def test_each_seed_knows_other_labels_of_as_many_images_of_each_class():
    dataset = genbench.data.load("digits")
    one, other = (semi_supervised.with_fresh_labels(dataset, 20, seed).train for seed in (0, 1))
    for split in (one, other):
        assert int((split.labels >= 0).sum()) == 20
    assert not torch.equal(one.images[one.labels >= 0], other.images[other.labels >= 0])
    assert replace(dataset, train=one).train.images.shape == dataset.train.images.shape
