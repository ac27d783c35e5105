import inspect
import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from families.adversarial.losses import smoothed_critic
from families.adversarial.virtual_norm import VirtuallyNormalised
from families.gan.improved import FeatureMatching, HistoricalAverage, MinibatchHead
from genbench import Batch, Budget, DataSpec, FitConfig
from genbench.seed import normal
from tests.contract.test_toys import Cut, same
from tests.families.gan.tiny import OFF, batch, build, gen, losses, only, randn, splits, step


def test_with_every_switch_off_it_is_gan_weight_for_weight():
    model, gan = only(), build("gan")
    assert same(model.state_dict(), gan.state_dict())
    for one in (model, gan):
        one.fit(splits(), FitConfig(Budget(steps=5), batch_size=8))
    assert same(model.state_dict(), gan.state_dict())


def test_by_default_all_are_on_but_feature_matching():
    model = build("improved-gan")
    assert isinstance(model.generator, VirtuallyNormalised)
    assert isinstance(model.head, MinibatchHead)
    assert [type(term) for term in model.terms] == [HistoricalAverage]
    real, fake = randn(4), randn(4, seed=1)
    torch.testing.assert_close(model.loss.critic(real, fake), smoothed_critic(0.9)(real, fake))
    assert float(model.loss.generator(real, fake)) > 0
    assert torch.equal(model.loss.on_real(real) + model.loss.on_fake(fake), model.loss.critic(real, fake))


def test_the_numbers_of_parts_are_the_recipes_and_no_defaults_of_their_classes():
    model = build("improved-gan")
    assert model.head.tensor.shape[1:] == (50, 5)
    assert len(model.generator.reference) == 64
    for part in (MinibatchHead, VirtuallyNormalised):
        parameters = list(inspect.signature(part).parameters.values())
        assert all(parameter.default is inspect.Parameter.empty for parameter in parameters)


def test_each_switch_begins_with_the_weights_of_gan():
    gan = build("gan").state_dict()
    for switch in OFF:
        model = only(**{switch: 0.5 if isinstance(OFF[switch], float) else True}).state_dict()
        kept = {name.replace("generator.network", "generator"): value for name, value in model.items()}
        learnt = {name for name in gan if "running" not in name and "num_batches" not in name}
        assert learnt <= kept.keys()
        assert all(torch.equal(gan[name], kept[name]) for name in learnt if not name.startswith("average.copies")), (
            switch
        )


def test_label_smoothing_alone_changes_the_critics_target_for_real_images_by_so_much():
    model, gan = only(label_smoothing=0.2), build("gan")
    (critic, generator), (plain, other) = losses(model), losses(gan)
    real = gan.critic_loss(batch(), step())["real"]
    torch.testing.assert_close(critic, plain + 0.2 * real, msg="softplus(r) - softplus(-r) is r")
    torch.testing.assert_close(generator, other)
    logits = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    (on_fake,) = torch.autograd.grad(model.loss.critic(torch.zeros(2), logits), logits)
    assert on_fake.tolist() == [0.25, 0.25], "fakes keep the target 0"
    (on_real,) = torch.autograd.grad(model.loss.critic(logits, torch.zeros(2)), logits)
    assert on_real.tolist() == pytest.approx([-0.15, -0.15]), "-(0.8 - 1/2) / 2"


def test_a_sure_critic_is_pulled_back_from_what_smoothing_calls_too_sure():
    logits = torch.tensor([4.0], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(only(label_smoothing=0.1).loss.critic(logits, torch.zeros(1)), logits)
    assert slope.tolist() == pytest.approx([1 / (1 + math.exp(-4)) - 0.9])


def test_feature_matching_alone_replaces_the_generators_loss():
    model, gan = only(feature_matching=True), build("gan")
    (critic, generator), (plain, other) = losses(model), losses(gan)
    torch.testing.assert_close(critic, plain)
    real = model.critic(batch().images.float() / 8 - 1)[1]
    fake = model.critic(model.generator(normal((6, 6), gen(3))))[1]
    torch.testing.assert_close(generator, (real.mean(0) - fake.mean(0)).square().sum())
    assert abs(float(generator.detach() - other.detach())) > 1e-3


def test_features_are_matched_in_their_means_by_hand():
    real = torch.tensor([[1.0, 2.0], [3.0, 2.0]], dtype=torch.float64)
    fake = torch.tensor([[0.0, 0.0], [0.0, 2.0]], dtype=torch.float64, requires_grad=True)
    seen = SimpleNamespace(real=SimpleNamespace(features=real), fake=SimpleNamespace(features=fake))
    term = FeatureMatching()
    value = term.generator(None, seen)["feature_matching"]
    assert float(value) == 2**2 + 1**2
    assert torch.autograd.grad(value, fake)[0].tolist() == [[-2.0, -1.0], [-2.0, -1.0]]
    assert term.critic(None, seen) == {}
    assert term.needs_real


# All of it.


def test_a_resumed_run_ends_as_one_never_cut_off(tmp_path):
    options = {"feature_matching": True, "historical_averaging": 0.5}
    config = FitConfig(Budget(steps=6), batch_size=8, seed=2)
    whole = build("improved-gan", **options)
    whole.fit(splits(), config)
    path = tmp_path / "training.pt"
    config = replace(config, checkpoint=path, checkpoint_seconds=0)

    def cut(progress):
        if progress.step == 4:
            raise Cut

    with pytest.raises(Cut):
        build("improved-gan", **options).fit(splits(), config, callbacks=[cut])
    rest = build("improved-gan", seed=9, **options)
    rest.origin = replace(rest.origin, seed=0)
    rest.fit(splits(), config, resume=path)
    assert same(whole.state_dict(), rest.state_dict())
    names = whole.state_dict().keys()
    assert {"terms.1.critic_mean", "terms.1.generator_steps", "generator.reference", "head.tensor"} <= names


@pytest.mark.parametrize("network", ["convolutional", "residual"])
@pytest.mark.parametrize("shape", [(1, 2, 2), (3, 5, 7), (1, 28, 28)])
def test_any_shape(network, shape):
    model = build("improved-gan", spec=DataSpec(shape), network=network, width=4)
    given = Batch(torch.randint(0, 256, (4, *shape), generator=gen(), dtype=torch.uint8))
    model.critic_loss(given, step())["loss"].backward()
    model.generator_loss(given, step())["loss"].backward()
    assert model.double().sample(2, generator=gen()).shape == (2, *shape)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label_smoothing": 1.0}, r"label_smoothing=1\.0"),
        ({"label_smoothing": -0.1}, r"label_smoothing=-0\.1"),
        ({"historical_averaging": -1.0}, r"historical_averaging=-1\.0"),
    ],
)
def test_bad_values_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build("improved-gan", **options)
