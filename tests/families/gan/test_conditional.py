import pytest
import torch
from torch import nn

import genbench
from families.adversarial.losses import NON_SATURATING
from families.adversarial.terms import GameStep, Scored
from families.gan.conditional import AuxiliaryClassifier
from genbench import Batch, Budget, DataSpec, FitConfig, Split, Splits, Step
from tests.families.gan.tiny import moved_by

SPEC = DataSpec((1, 4, 4), levels=9, classes=3)


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def build(name="acgan", spec=SPEC, **options):
    return genbench.build(name, spec, width=4, latents=5, **options)


def batch(n=6, spec=SPEC):
    images = torch.randint(0, spec.levels, (n, *spec.shape), generator=gen(), dtype=torch.uint8)
    return Batch(images, torch.arange(n) % spec.classes)


def step(seed=0):
    return Step(0, 0.0, gen(seed))


def scored(seed, labels):
    features = torch.randn(len(labels), 4, dtype=torch.float64, generator=gen(seed))
    return Scored(features, features[:, 0], features, Batch(torch.zeros(len(labels), 0), torch.tensor(labels)))


def by_hand(term, seen):
    """Cross-entropy of the linear classifier, and its gradient in the weight, from the softmax written out."""
    logits = (seen.features @ term.logits.weight.T + term.logits.bias).detach()
    odds = logits.exp() / logits.exp().sum(1, keepdim=True)
    labels = seen.given.labels
    surprise = -odds[torch.arange(len(labels)), labels].log().mean()
    return surprise, (odds - torch.eye(3, dtype=torch.float64)[labels]).T @ seen.features / len(labels)


def test_the_classifier_is_cross_entropy_on_logits_of_real_and_fake_for_the_critic_and_of_fakes_for_the_generator():
    term = AuxiliaryClassifier(4, 3, weight=0.7).double()
    real, fake = scored(1, [0, 2, 1]), scored(2, [1, 1, 0])
    (of_real, slope_real), (of_fake, slope_fake) = by_hand(term, real), by_hand(term, fake)
    seen = GameStep(step(), fake, real)
    for act, value, slope in (
        (term.critic, of_real + of_fake, slope_real + slope_fake),
        (term.generator, of_fake, slope_fake),
    ):
        term.zero_grad()
        (loss,) = act(None, seen).values()
        loss.backward()
        torch.testing.assert_close(loss, 0.7 * value)
        torch.testing.assert_close(term.logits.weight.grad, 0.7 * slope)


def test_both_sides_add_the_classes_to_the_non_saturating_game():
    model = build(weight=0.5).double()
    (term,) = model.terms
    seen = []
    term.logits.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    judging = []
    model.critic.register_forward_hook(lambda module, inputs, output: judging.append((inputs[0], *output)))
    given = batch()
    logs = model.critic_loss(given, step())
    (images, real, real_features), (_, fake, fake_features) = judging
    torch.testing.assert_close(images, given.images.double() / 4 - 1)
    assert {id(real_features), id(fake_features)} == {id(features) for features in seen}, "both kinds, one pass each"
    torch.testing.assert_close(logs["loss"], NON_SATURATING.critic(real, fake) + logs["class"])
    judging.clear()
    logs = model.generator_loss(given, step())
    ((_, fake, features),) = judging
    assert seen[-1] is features
    torch.testing.assert_close(logs["loss"], NON_SATURATING.generator(fake[:0], fake) + logs["class"])


def test_the_classifier_learns_in_the_critics_turn_and_nothing_but_the_generator_in_its_own():
    model = build(average=0.0)
    assert moved_by(model, 0, batch()) == {"critic", "terms"}
    assert moved_by(model, 1, batch()) == {"generator"}


def test_the_generator_is_told_the_label_and_the_critic_is_not():
    model = build().eval()
    u, images = torch.randn(1, 5, generator=gen()), torch.randn(1, 1, 4, 4, generator=gen(1))
    several = [Batch(torch.zeros(1, 0), torch.tensor([k])) for k in range(3)]
    drawn, scores = [model.decode(u, given) for given in several], [model.score(images, given) for given in several]
    assert not torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[1], drawn[2])
    assert torch.equal(scores[0], scores[1])
    assert model.given == ("label",)


def test_the_label_is_as_strong_as_one_of_the_noises_numbers():
    code = build().code
    assert torch.equal(
        code(torch.zeros(2, 5), Batch(torch.zeros(2, 0), torch.tensor([2, 0])))[:, 5:], torch.eye(3)[[2, 0]]
    )


def test_the_classifiers_gradient_reaches_the_generator():
    model = build().double()
    model.generator_loss(batch(), step())["class"].backward()
    assert all(bool(parameter.grad.any()) for parameter in model.generator.parameters())


@pytest.mark.parametrize("name", ["acgan", "cgan"])
def test_draws_what_the_label_says(name):
    spec = DataSpec((1, 2, 2), levels=9, classes=2)
    labels = torch.arange(64) % 2
    images = (labels * 6 + 1).to(torch.uint8).view(-1, 1, 1, 1).repeat(1, 1, 2, 2)
    data = Splits(Split(images, labels), Split(images[:8], labels[:8]))
    model = genbench.build(name, spec, width=8, latents=4, lr=2e-3)
    model.fit(data, FitConfig(Budget(steps=100), batch_size=32))
    drawn = model.sample(40, labels=torch.arange(40) % 2, generator=gen()).float().mean((1, 2, 3))
    assert float(drawn[1::2].mean() - drawn[::2].mean()) > 3


@pytest.mark.parametrize("shape", [(1, 2, 2), (3, 8, 8), (1, 28, 28), (3, 32, 32)])
def test_it_trains_in_float64_on_any_shape(shape):
    model = build(spec=DataSpec(shape, 9, 3)).double()
    for loss in (model.critic_loss, model.generator_loss):
        value = loss(batch(4, model.spec), step())["loss"]
        assert value.dtype == torch.float64
        assert torch.isfinite(value)


@pytest.mark.parametrize("name", ["acgan", "cgan"])
def test_labels_that_are_missing_or_unknown_are_refused(name):
    with pytest.raises(ValueError, match="needs a label"):
        build(name, DataSpec((1, 4, 4)))
    model, unknown = build(name), batch(6)
    unknown.labels[4] = -1
    data = Splits(Split(unknown.images, unknown.labels), Split(**vars(batch())))
    with pytest.raises(ValueError, match=r"unknown \(-1\)"):
        model.fit(data, FitConfig(Budget(steps=1), batch_size=4))
    with pytest.raises(ValueError, match="labels run from -1"):
        model.log_likelihood(unknown)


def test_a_weight_that_is_none_is_refused():
    for weight in (0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="weight="):
            build(weight=weight)
    assert isinstance(build(weight=2).terms[0].logits, nn.Linear)
