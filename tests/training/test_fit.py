import math
import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from genbench import Budget, Diverged, FitConfig, Phase, Split, Splits, Turn
from genbench.seed import fork_rng
from genbench.training.config import PhasePlan, State
from tests.contract.toys import PLAIN, Toy, adam, data


def train(model, budget=None, **config):
    return model.fit(data(model.spec), FitConfig(budget or Budget(steps=7), **{"batch_size": 5, **config}))


class TwoNetworks(Toy):
    """Counts what each turn sees; the second takes every third batch."""

    def __init__(self, every=3):
        super().__init__()
        self.critic, self.every = nn.Linear(16, 1), every
        self.critic_saw, self.generator_saw, self.grads = [], [], []

    def critic_loss(self, batch, step):
        self.critic_saw.append(batch.images)
        self.grads.append((self.net.weight.requires_grad, self.critic.weight.requires_grad))
        return {"loss": self.critic(self.decode(step, len(batch))).square().mean()}

    def generator_loss(self, batch, step):
        self.generator_saw.append(batch.images)
        self.grads.append((self.net.weight.requires_grad, self.critic.weight.requires_grad))
        return {"loss": (1 - self.critic(self.decode(step, len(batch)))).square().mean()}

    def phases(self):
        turns = [
            Turn("critic", [self.critic], self.critic_loss, adam),
            Turn("generator", [self.net], self.generator_loss, adam, every=self.every),
        ]
        return [Phase("train", 1.0, turns)]


def test_the_critic_sees_a_fresh_batch_every_round_and_the_generator_every_third():
    model = TwoNetworks()
    train(model, Budget(steps=8), batch_size=3)
    assert len(model.critic_saw) == 8
    assert len(model.generator_saw) == 2
    assert torch.equal(model.generator_saw[0], model.critic_saw[2])
    assert torch.equal(model.generator_saw[1], model.critic_saw[5])
    everything = torch.cat(model.critic_saw)  # 8 batches of 3 are one epoch of 24
    train_images = data(PLAIN).train.images
    assert sorted(everything.flatten(1).tolist()) == sorted(train_images.flatten(1).tolist())


def test_only_what_a_turn_learns_requires_a_gradient_while_it_runs():
    model = TwoNetworks(every=1)
    train(model, Budget(steps=2))
    assert model.grads == [(False, True), (True, False)] * 2
    assert all(p.requires_grad for p in model.parameters())


def test_a_frozen_network_stays_frozen():
    model = Toy()
    model.frozen = nn.Linear(2, 2).requires_grad_(False)
    model.phases = lambda: [Phase("train", 1.0, [Turn("net", [model.net, model.frozen], model.mse, adam)])]
    before = model.frozen.weight.clone()
    train(model)
    assert torch.equal(model.frozen.weight, before)
    assert not model.frozen.weight.requires_grad


@pytest.mark.parametrize(("budget", "steps"), [(Budget(images=11), 3), (Budget(steps=4), 4), (Budget(images=10), 2)])
def test_budget_in_images_rounds_up_to_batches(budget, steps):
    assert train(Toy(), budget).steps == steps


def test_budget_in_seconds_ends_and_its_fraction_rises_to_one():
    model, fractions = Toy(), []
    config = FitConfig(Budget(seconds=0.3), batch_size=5)
    report = model.fit(data(), config, callbacks=[lambda progress: fractions.append(progress.fraction)])
    assert report.seconds >= 0.3
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert report.steps == len(fractions) > 3


def test_phases_share_the_budget():
    model = Toy()
    turn = model.phases()[0].turns
    phases = [Phase("a", 0.3, turn), Phase("none", 0.0, []), Phase("b", 0.7, turn)]
    model.phases = lambda: phases
    assert train(model, Budget(steps=10)).phase_steps == {"a": 3, "none": 0, "b": 7}
    plan = PhasePlan.plan(phases, Budget(seconds=10), 5)
    assert plan.fraction(State(steps=[9], seconds=1.5)) == pytest.approx(0.5)
    assert plan.fraction(State(steps=[9, 0, 0], seconds=6.5)) == pytest.approx(0.5)


def test_schedule_scales_the_rate_by_the_fraction_spent():
    rates = []

    class Recorder(torch.optim.SGD):
        def step(self, closure=None):
            rates.append(self.param_groups[0]["lr"])
            return super().step(closure)

    model = Toy()
    turn = Turn("net", [model.net], model.mse, lambda p: Recorder(p, lr=0.5), schedule=lambda spent: 1 - spent)
    model.phases = lambda: [Phase("train", 1.0, [turn])]
    train(model, Budget(steps=5))
    assert rates == pytest.approx([0.5, 0.4, 0.3, 0.2, 0.1])


@pytest.mark.parametrize(("every", "rates"), [(1, [0.1, 0.2, 0.3, 0.4, 0.4, 0.4]), (2, [0.1, 0.2, 0.3])])
def test_the_rate_warms_up_over_the_turn_s_own_first_steps_beside_its_schedule(every, rates):
    seen = []

    class Recorder(torch.optim.SGD):
        def step(self, closure=None):
            seen.append(self.param_groups[0]["lr"])
            return super().step(closure)

    model = Toy()
    other = Turn("other", [model.net], model.mse, lambda p: torch.optim.SGD(p, lr=0.01))
    turn = Turn("net", [model.net], model.mse, lambda p: Recorder(p, lr=0.8), lambda spent: 0.5, every, warm_up=4)
    model.phases = lambda: [Phase("train", 1.0, [other, turn])]
    train(model, Budget(steps=6))
    assert seen == pytest.approx(rates)


def test_clip_bounds_the_gradient():
    model, norms = Toy(), []

    class Recorder(torch.optim.SGD):
        def step(self, closure=None):
            norms.append(torch.stack([p.grad.norm() for p in model.net.parameters()]).norm().item())
            return super().step(closure)

    turn = Turn("net", [model.net], model.mse, lambda p: Recorder(p, lr=0.01), clip=0.25)
    model.phases = lambda: [Phase("train", 1.0, [turn])]
    train(model)
    assert norms == pytest.approx([0.25] * 7, rel=1e-3)


def test_a_loss_that_is_not_finite_stops_with_turn_and_step():
    model = Toy()
    model.mse = lambda batch, step: {"loss": model.net.weight.sum() * (math.nan if step.index == 4 else 1)}
    with pytest.raises(Diverged, match=r"the loss is not finite in turn 'net' at step 5") as caught:
        train(model)
    assert (caught.value.turn, caught.value.step) == ("net", 5)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value), "it comes back from another process"
    assert all(p.requires_grad for p in model.parameters())


def test_a_weight_that_is_not_finite_is_found_though_the_loss_is():
    model = Toy()
    unused = nn.Linear(1, 1)
    model.unused = unused

    def poison(logs, step):
        unused.weight.data.fill_(math.inf)

    def loss(batch, step):
        return {"loss": model.net.weight.square().sum() + 0 * unused.bias.sum()}

    turn = Turn("net", [model.net, unused], loss, adam, after=poison)
    model.phases = lambda: [Phase("train", 1.0, [turn])]
    with pytest.raises(Diverged, match="a weight is not finite in turn 'net' at step 7"):
        train(model)


def test_training_leaves_the_global_generator_alone_and_does_not_depend_on_it():
    ends = []
    for seed in (1, 2):
        with fork_rng(0):
            model = Toy()
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        train(model)
        assert torch.equal(before, torch.get_rng_state())
        ends.append(model.net.weight.clone())
    assert torch.equal(*ends)


def test_a_batch_larger_than_the_split_is_the_whole_split():
    model = Toy()
    report = train(model, Budget(images=48), batch_size=100)
    assert (report.steps, report.images) == (2, 48)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Budget(), "give exactly one of images, steps and seconds"),
        (lambda: Budget(images=1, steps=1), "give exactly one"),
        (lambda: Budget(seconds=0), "seconds=0: give a positive number"),
        (lambda: Budget(images=-3), "images=-3"),
        (lambda: Budget(seconds=math.nan), "seconds=nan"),
        (lambda: FitConfig(Budget(steps=1), batch_size=0), "batch_size=0"),
        (lambda: FitConfig(Budget(steps=1), checkpoint_seconds=-1), "checkpoint_seconds=-1"),
    ],
)
def test_bad_configuration_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("shares", [(), (0.5,), (0.5, 0.6), (1.5, -0.5)])
def test_shares_must_sum_to_one(shares):
    model = Toy()
    phases = [Phase(str(share), share, model.phases()[0].turns) for share in shares]
    model.phases = lambda: phases
    with pytest.raises(ValueError, match="sum to 1"):
        train(model)


def test_a_turn_that_learns_nothing_is_refused():
    model = Toy()
    model.phases = lambda: [Phase("train", 1.0, [Turn("empty", [nn.Identity()], model.mse, adam)])]
    with pytest.raises(ValueError, match="turn 'empty': it learns 0 parameters"):
        train(model)


def test_a_warm_up_of_less_than_no_steps_is_refused():
    model = Toy()
    model.phases = lambda: [Phase("train", 1.0, [Turn("net", [model.net], model.mse, adam, warm_up=-4)])]
    with pytest.raises(ValueError, match="turn 'net': warm_up=-4: give a number of steps"):
        train(model)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.rand(9, 1, 4, 4), "train images are torch.float32: give uint8"),
        (torch.zeros(0, 1, 4, 4, dtype=torch.uint8), "there are none"),
        (torch.zeros(9, 3, 4, 4, dtype=torch.uint8), r"shape \(3, 4, 4\): the model is made for \(1, 4, 4\)"),
        (torch.full((9, 1, 4, 4), 9, dtype=torch.uint8), "reach level 9: the data set has levels 0 to 3"),
    ],
)
def test_images_that_are_not_what_the_spec_says_are_refused(images, message):
    good = data().validation
    with pytest.raises(ValueError, match=message):
        Toy().fit(Splits(Split(images), good), FitConfig(Budget(steps=1)))


def test_labels_out_of_range_are_refused():
    from tests.contract.toys_conditioned import Labelled

    model = Labelled()
    splits = data(model.spec)
    splits.train.labels[0] = 3
    with pytest.raises(ValueError, match="train labels run from -1 to 3"):
        model.fit(splits, FitConfig(Budget(steps=1)))


def test_the_loop_fits_on_one_screen():
    import inspect

    from genbench.training.fit import fit

    code = inspect.getsource(fit).split('"""')[2]
    assert len(code.strip().splitlines()) <= 60


def test_files_are_short():
    root = Path(__file__).parents[2]
    long = {
        path.relative_to(root): n
        for folder in ("genbench", "families")
        for path in (root / folder).rglob("*.py")
        if (n := len(path.read_text().splitlines())) > 400
    }
    assert not long
