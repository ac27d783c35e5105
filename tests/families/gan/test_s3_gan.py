"""Few labels and rotations: what the hinge sees, what teaches the classifier, and what reaches the generator."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from families.layers.evaluation import evaluation
from families.layers.rotations import turned
from genbench import Batch, Budget, DataSpec, FitConfig, Split, Splits
from genbench.interface import frozen
from tests.families.gan.tiny import build, gen, step

SPEC = DataSpec((1, 8, 8), levels=17, classes=3, labelled=6)


def images_of(n, seed=0):
    return torch.randint(0, 17, (n, 1, 8, 8), generator=gen(seed), dtype=torch.uint8)


def batch(n=8, labels=None):
    labelled = Batch(images_of(5, 7), torch.tensor([0, 1, 2, 1, 0]))
    return Batch(images_of(n), torch.full((n,), -1) if labels is None else labels, labelled=labelled)


def made(**options):
    return build("s3-gan", SPEC, **options).eval()  # no power iteration between two looks


def test_unknown_labels_are_the_likeliest_by_the_classifier_and_known_ones_stay():
    model = made()
    images = model._real(batch())
    told = model.classes(model.critic(images)[1]).argmax(1)
    assert torch.equal(model.guessed(images, batch().labels).given.labels, told)
    known = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
    assert torch.equal(model.guessed(images, known).given.labels, known)
    some = torch.where(torch.arange(8) < 4, known, -1)
    assert torch.equal(model.guessed(images, some).given.labels, torch.where(torch.arange(8) < 4, known, told))


def test_soft_labels_are_the_mean_over_the_classes_and_one_class_where_it_is_known():
    model, hard = made(soft=True), made()
    images = model._real(batch())
    logit, features = model.critic(images)
    chances = model.classes(features).softmax(1)
    each = torch.stack([model.head(logit, features, Batch(images, torch.full((8,), k))) for k in range(3)], 1)
    torch.testing.assert_close(model.guessed(images, None).logits, (chances * each).sum(1))
    known = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
    torch.testing.assert_close(model.guessed(images, known).logits, hard.guessed(images, known).logits)


def test_both_heads_have_a_slope_of_one():
    model = build("s3-gan", SPEC).train()
    for head in (model.classes, model.rotations):
        head.parametrizations.weight.original.data.mul_(30)
        for _ in range(20):  # each look is a power iteration
            weight = head.weight
        assert float(torch.linalg.matrix_norm(weight.detach(), 2)) == pytest.approx(1, abs=0.02)


def test_the_hinge_teaches_the_classifier_nothing():
    for soft in (False, True):
        model = made(class_weight=0.0, rotation_weight=0.0, soft=soft)
        model.critic_loss(batch(), step())["loss"].backward()
        for head in (model.classes, model.rotations):
            assert not any(p.grad is not None and p.grad.any() for p in head.parameters())
    model = made(rotation_weight=0.0)
    model.critic_loss(batch(), step())["loss"].backward()
    assert any(p.grad.any() for p in model.classes.parameters())


def test_the_class_loss_is_that_of_the_labelled_minibatch_alone():
    model = made()
    labelled = batch().labelled
    told = model.classes(model.critic(model._real(labelled))[1])
    wanted = F.cross_entropy(told, labelled.labels)
    for images in (batch(), replace(batch(), images=images_of(8, 3))):
        torch.testing.assert_close(model.critic_loss(images, step())["class"], wanted)


def test_without_its_own_weights_and_with_all_labels_known_it_is_the_projection_gan():
    known = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
    model = made(class_weight=0.0, rotation_weight=0.0, generator_rotation_weight=0.0)
    game = model.game
    given, u = model.fakes_of(batch(), step())
    real = game.scored(model._real(batch()), Batch(batch().images, known))
    fake = game.scored(model.generate(u, given), given)
    wanted = game.critic_loss(real, fake, step())["loss"]
    torch.testing.assert_close(model.critic_loss(batch(labels=known), step())["loss"], wanted)
    torch.testing.assert_close(model.generator_loss(batch(), step())["loss"], -fake.logits.mean())


def test_turned_images_are_told_by_their_own_head_in_both_turns():
    model = made(rotation_weight=2.0)
    logs = model.critic_loss(batch(), step())
    upright = model._real(batch())[:2]
    shown = torch.cat([turned(upright, k) for k in range(4)])
    quarters = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
    wanted = 2 * F.cross_entropy(model.rotations(model.critic(shown)[1]), quarters)
    torch.testing.assert_close(logs["rotation"], wanted)
    model.zero_grad()
    loss = model.generator_loss(batch(), step())
    loss["rotation"].backward()
    assert any(p.grad is not None and p.grad.any() for p in model.generator.parameters())
    assert loss["rotation"] > 0


def test_losses_are_the_hinge_with_the_class_loss_and_weighted_rotations_added():
    known = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
    model, images = made(class_weight=3.0, rotation_weight=2.0), batch(labels=known)
    given, u = model.fakes_of(images, step())
    real, fakes, labelled = model._real(images), model.generate(u, given), images.labelled

    def turns(upright):
        shown = torch.cat([turned(upright[:2], k) for k in range(4)])
        return F.cross_entropy(model.rotations(model.critic(shown)[1]), torch.tensor([0, 0, 1, 1, 2, 2, 3, 3]))

    of_real, of_fakes = model.score(real, images), model.score(fakes, given)
    hinge = F.relu(1 - of_real).mean() + F.relu(1 + of_fakes).mean()
    classes = 3 * F.cross_entropy(model.classes(model.critic(model._real(labelled))[1]), labelled.labels)
    torch.testing.assert_close(model.critic_loss(images, step())["loss"], hinge + classes + 2 * turns(real))
    logs = model.generator_loss(images, step())
    torch.testing.assert_close(logs["rotation"], 0.2 * turns(fakes))
    torch.testing.assert_close(logs["loss"], 0.2 * turns(fakes) - of_fakes.mean())


def test_the_critic_learns_with_its_heads_and_the_generator_learns_none_of_them():
    model = made()
    critic, generator = model.phases()[0].turns
    assert {id(m) for m in critic.learns} == {id(m) for m in (model.critic, model.head, model.classes, model.rotations)}
    assert {id(m) for m in generator.learns} == {id(m) for m in (model.generator, model.code)}


def test_fakes_are_asked_for_classes_as_often_as_the_labelled_images_have_them():
    model = made()
    labels = torch.tensor([0] * 3 + [2] * 1 + [-1] * 20)
    model.phases()[0].enter(Splits(Split(images_of(24), labels), Split(images_of(4))), step())
    assert model.frequencies.tolist() == [0.75, 0, 0.25]
    drawn = torch.bincount(model.asked(4000, gen()), minlength=3).tolist()
    assert drawn[1] == 0
    assert drawn[0] / 4000 == pytest.approx(0.75, abs=0.03)


def test_true_labels_of_unlabelled_images_are_never_read():
    one = made().critic_loss(batch(), step())
    other = made().critic_loss(replace(batch(), labels=None), step())
    torch.testing.assert_close(one["loss"], other["loss"])


def test_classes_are_told_by_averages_of_critic_and_head():
    model = made()
    images = Batch(images_of(4))
    whole = model.classify(images)
    torch.testing.assert_close(whole.sum(1), torch.ones(4))
    for parameter in (*model.critic.parameters(), *model.classes.parameters()):
        parameter.data.mul_(-1)
    torch.testing.assert_close(model.classify(images), whole)
    torch.testing.assert_close(model.classify(images.rows(slice(1, 2))), whole[1:2])
    with evaluation(model), frozen(model):
        critic, classes = (model.judges.copies[name] for name in ("critic", "classes"))
        torch.testing.assert_close(classes(critic(model._real(images))[1]).softmax(1), whole)


def test_it_learns_from_a_labelled_share_and_refuses_data_without_one():
    labels = torch.tensor([0, 1, 2] * 8)
    few = torch.where(torch.arange(24) < 6, labels, -1)
    model = build("s3-gan", SPEC)
    model.fit(Splits(Split(images_of(24), few), Split(images_of(8, 1), labels[:8])), FitConfig(Budget(steps=3), 8))
    assert model.frequencies.tolist() == pytest.approx([1 / 3] * 3)
    with pytest.raises(ValueError, match="labelled"):
        build("s3-gan", replace(SPEC, labelled=None))
    with pytest.raises(ValueError, match=r"shape=\(1, 8, 9\)"):
        build("s3-gan", replace(SPEC, shape=(1, 8, 9)))
    for options in ({"class_weight": -1.0}, {"soft": 1}):
        ((name, value),) = options.items()
        with pytest.raises(ValueError, match=f"^{name}={value}"):
            build("s3-gan", SPEC, **options)
