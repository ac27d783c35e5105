"""Three players: the game's balance on tables, each loss by hand, and who moves whom."""

import math
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from families.gan.triple_gan import BALANCE, ENTROPY, balance, entropy
from genbench import Batch, Budget, DataSpec, FitConfig, Split, Splits, Step
from tests.families.gan.tiny import build, gen, moved_by

SPEC = DataSpec((1, 8, 8), levels=17, classes=2, labelled=6)


def images_of(n, seed=0):
    return torch.randint(0, 17, (n, 1, 8, 8), generator=gen(seed), dtype=torch.uint8)


def batch(n=8):
    labelled = Batch(images_of(5, 7), torch.tensor([0, 1, 1, 1, 0]))
    return Batch(images_of(n), torch.full((n,), -1), labelled=labelled)


def made(**options):
    return build("triple-gan", SPEC, **({"noise": 0.0} | options)).eval()


def at(fraction=0.0, seed=3):
    return Step(0, fraction, gen(seed))


def table_game(supervised, seed=0, steps=4000):
    """How far the mixture, the generator and the classifier end from the data, by the minimax U against the best D."""
    p = torch.tensor([[0.35, 0.05], [0.10, 0.50]], dtype=torch.float64)  # p(x, c)
    made_of, told = (torch.randn(2, 2, generator=gen(seed + k), dtype=torch.float64).requires_grad_() for k in (0, 9))
    optimizer = torch.optim.Adam([made_of, told], lr=0.02)
    for _ in range(steps):
        generated = made_of.softmax(0) * p.sum(0)  # p(x given c) p(c)
        classified = told.softmax(1) * p.sum(1, keepdim=True)  # p(c given x) p(x)
        mixture = (generated + classified) / 2
        best = (p / (p + mixture)).detach()
        value = (p * best.log()).sum() + (mixture * (1 - best).log()).sum()
        loss = value - ((p * told.log_softmax(1)).sum() if supervised else 0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return [float((one - p).abs().max()) for one in (mixture, generated, classified)]


def test_the_game_alone_finds_a_mixture_and_labels_each_of_its_halves():
    alone, labelled = table_game(False), table_game(True)
    assert alone[0] < 1e-3
    assert max(alone[1:]) > 2e-3
    assert max(labelled) < 1e-3


def test_the_critic_s_loss_is_the_sum_over_classes_by_hand():
    model, images = made(pseudo=0.0), batch()
    given, u = model.fakes_of(images, at())
    unlabelled, labelled = model._real(images), model._real(images.labelled)
    game = model.game
    score = lambda x, c: game.scored(x, Batch(x, c)).logits  # noqa: E731
    chances = model.classifier(unlabelled).softmax(1)
    both = torch.stack([score(unlabelled, torch.full((8,), c)) for c in range(2)], 1)
    wanted = F.softplus(-score(labelled, images.labelled.labels)).mean()
    wanted = wanted + F.softplus(score(model.generate(u, given), given.labels)).mean() / 2
    wanted = wanted + (chances * F.softplus(both)).sum(1).mean() / 2
    torch.testing.assert_close(model.critic_loss(images, at())["loss"], wanted)
    guessed = F.softplus(-both.gather(1, chances.argmax(1, keepdim=True))).mean()
    model.pseudo = 0.75
    more = 0.75 * (guessed - F.softplus(-score(labelled, images.labelled.labels)).mean())
    torch.testing.assert_close(model.critic_loss(images, at())["loss"], wanted + more)
    made_of = F.softplus(-score(model.generate(u, given), given.labels)).mean() / 2
    torch.testing.assert_close(model.generator_loss(images, at())["loss"], made_of)


def test_the_classifier_s_loss_by_hand_and_fakes_from_a_fraction_on():
    model, images = made(), batch()
    unlabelled = model._real(images)
    told, logits = model.classifier(model._real(images.labelled)), model.classifier(unlabelled)
    q = logits.softmax(1)
    scores = model._every(unlabelled, at())
    parts = {
        "supervised": F.cross_entropy(told, images.labelled.labels),
        "game": (q * F.softplus(-scores)).sum(1).mean() / 2,
        "entropy": ENTROPY * -(q * q.log()).sum(1).mean(),
        "balance": BALANCE * -q.mean(0).log().mean(),
    }
    early = model.classifier_loss(images, at(0.29))
    for name, value in parts.items():
        torch.testing.assert_close(early[name], value)
    torch.testing.assert_close(early["loss"], sum(parts.values()))
    assert "fakes" not in early
    given, u = model.fakes_of(images, at(0.3))
    wanted = 0.1 * F.cross_entropy(model.classifier(model.generate(u, given)), given.labels)
    torch.testing.assert_close(model.classifier_loss(images, at(0.3))["fakes"], wanted)


def test_the_classifier_drops_units_while_it_learns_and_none_while_the_critic_does():
    model, images = made().train(), batch()

    def losses(name):
        found = set()
        for seed in (0, 1):
            torch.manual_seed(seed)  # of the dropout: all other noise is the step's
            found.add(float(getattr(deepcopy(model), name)(images, at())["loss"].detach()))
        return found

    assert len(losses("critic_loss")) == 1
    assert len(losses("classifier_loss")) == len(losses("supervised_loss")) == 2


def test_entropy_and_balance_of_even_classes_are_log_2():
    even = torch.zeros(3, 2)
    assert float(entropy(even)) == pytest.approx(math.log(2))
    assert float(balance(even)) == pytest.approx(math.log(2))
    sure = torch.tensor([[50.0, 0], [0, 50.0]])
    assert float(entropy(sure)) == pytest.approx(0, abs=1e-6)
    assert float(balance(sure)) == pytest.approx(math.log(2))
    assert float(balance(torch.tensor([[50.0, 0], [50.0, 0]]))) > 5


def test_each_turn_moves_its_own_player_alone():
    assert [[t.name for t in phase.turns] for phase in made().phases()] == [
        ["classifier"],
        ["critic", "generator", "classifier"],
    ]
    assert [phase.share for phase in made().phases()] == pytest.approx([0.1, 0.9])

    for which, moved in ((0, {"critic", "head"}), (1, {"generator"}), (2, {"classifier"})):
        model = made(average=0.0)
        phases = model.phases()
        model.phases = lambda phases=phases: phases[1:]
        assert moved_by(model, which, batch()) == moved


def test_fakes_teach_the_classifier_and_not_the_generator_and_the_critic_s_turn_no_classifier():
    model = made()
    model.classifier_loss(batch(), at(0.5))["fakes"].backward()
    assert not any(p.grad is not None for p in model.generator.parameters())
    assert any(p.grad is not None and p.grad.any() for p in model.classifier.parameters())
    model.zero_grad()
    model.critic_loss(batch(), at(0.5))["loss"].backward()
    assert not any(p.grad is not None and p.grad.any() for p in model.classifier.parameters())
    model.zero_grad()
    model.classifier_loss(batch(), at(0.5))["loss"].backward()
    assert not any(p.grad is not None and p.grad.any() for p in (*model.critic.parameters(), *model.head.parameters()))


@pytest.mark.parametrize("which", ["critic_loss", "generator_loss", "classifier_loss", "supervised_loss"])
def test_true_labels_of_unlabelled_images_change_no_loss(which):
    loss = getattr(made(), which)
    other = replace(batch(), labels=torch.arange(8) % 2)
    torch.testing.assert_close(loss(batch(), at(0.5))["loss"], loss(other, at(0.5))["loss"])


def test_scores_of_all_classes_come_from_one_pass_and_noise_is_added_before_it():
    model = made(noise=0.3).eval()
    images = model._real(batch())
    noisy = images + 0.3 * torch.randn(images.shape, generator=gen(3))
    each = [model.game.scored(noisy, Batch(noisy, torch.full((8,), c))).logits for c in range(2)]
    torch.testing.assert_close(model._every(images, at()), torch.stack(each, 1))


def test_classes_are_told_by_the_classifier_s_average_without_dropout():
    model, images = made().train(), Batch(images_of(4))
    whole = model.classify(images)
    for parameter in model.classifier.parameters():
        parameter.data.mul_(-1)
    assert torch.equal(model.classify(images), whole)
    torch.testing.assert_close(model.classify(images.rows(slice(1, 2))), whole[1:2])


def test_the_classifier_has_a_rate_of_its_own():
    first, game = made(lr=3e-3, classifier_lr=2e-4).phases()
    rates = {
        turn.name: turn.optimizer([torch.nn.Parameter(torch.zeros(1))]).defaults["lr"]
        for turn in (*first.turns, *game.turns)
    }
    assert rates == {"classifier": 2e-4, "critic": 3e-3, "generator": 3e-3}


def test_it_learns_from_a_labelled_share_and_refuses_data_without_one():
    labels = torch.tensor([0, 1] * 12)
    few = torch.where(torch.arange(24) < 6, labels, -1)
    model = build("triple-gan", SPEC)
    model.fit(Splits(Split(images_of(24), few), Split(images_of(8, 1), labels[:8])), FitConfig(Budget(steps=10), 8))
    assert model.frequencies.tolist() == [0.5, 0.5]
    with pytest.raises(ValueError, match="labelled"):
        build("triple-gan", replace(SPEC, labelled=None))
    for options in ({"hidden": 0}, {"noise": -1.0}, {"pseudo": 1.0}, {"classifier_lr": 0.0}):
        ((name, value),) = options.items()
        with pytest.raises(ValueError, match=f"^{name}={value}"):
            build("triple-gan", SPEC, **options)
