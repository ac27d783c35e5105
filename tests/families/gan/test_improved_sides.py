import pytest
import torch
from torch import nn

from families.gan.improved import MinibatchHead
from genbench import Budget, FitConfig
from genbench.training.turns import TurnRunner
from tests.contract.test_toys import same
from tests.families.gan.tiny import batch, build, gen, losses, only, randn, splits, step

# Minibatch discrimination.


def closeness_by_loops(features, tensor):
    rows = [[f @ tensor[:, b] for b in range(tensor.shape[1])] for f in features]
    return torch.stack(
        [
            torch.stack(
                [
                    sum((-(rows[i][b] - rows[j][b]).abs().sum()).exp() for j in range(len(rows)) if j != i)
                    for b in range(tensor.shape[1])
                ]
            )
            for i in range(len(rows))
        ]
    )


def scored(net, logit, pooled):
    """The head's score by loops and by hand, of features that are pooled already."""
    near = closeness_by_loops(pooled, net.tensor) / max(len(pooled) - 1, 1)
    first, _, last = net.joint
    hidden = torch.cat([pooled, near], 1) @ first.weight.T + first.bias
    return logit + torch.where(hidden > 0, hidden, 0.2 * hidden) @ last.weight[0]


def head(features=8, places=2, kernels=3, size=2):
    net = MinibatchHead(features, places, kernels, size).double()
    with torch.no_grad():
        for seed, weight in enumerate(net.parameters(), 5):
            weight.copy_(randn(*weight.shape, seed=seed))
    return net


def test_minibatch_discrimination_and_its_gradients_are_those_of_the_loops():
    net, logit, features = head(), randn(5), randn(5, 8, seed=1).requires_grad_()
    wanted = scored(net, logit, (features[:, ::2] + features[:, 1::2]) / 2)
    got = net(logit, features, batch(5))
    torch.testing.assert_close(got, wanted)
    inputs, weights = (features, *net.parameters()), randn(5, seed=17)
    for mine, theirs in zip(
        torch.autograd.grad(got @ weights, inputs), torch.autograd.grad(wanted @ weights, inputs), strict=True
    ):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize(("rows", "near"), [(1, 0.0), (4, 1.0)])
def test_an_image_alone_has_no_neighbours_and_copies_are_as_close_in_a_batch_of_any_size(rows, near):
    net, one = head(places=1), randn(1, 8)
    seen = []
    net.joint.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    net(torch.zeros(rows).double(), one.expand(rows, 8), batch(rows))
    assert seen[0][:, 8:].tolist() == [[near] * 3] * rows


def test_minibatch_discrimination_scores_real_and_fake_batches_apart():
    model, gan = only(minibatch_discrimination=True), build("gan")
    (critic, generator), (plain, other) = losses(model), losses(gan)
    torch.testing.assert_close((critic, generator), (plain, other), msg="it begins silent")
    nn.init.normal_(model.head.joint[2].weight, generator=gen(4))
    model.train()
    images, seen = batch().images.float() / 8 - 1, []
    model.head.register_forward_hook(lambda module, inputs, output: seen.append((inputs[1], output)))
    model.critic_loss(batch(), step())
    model.head._forward_hooks.clear()
    (of_reals, _), (of_fakes, _) = seen
    torch.testing.assert_close(of_reals, model.critic(images)[1])
    assert of_fakes.shape == of_reals.shape
    for features, score in seen:
        pooled = features.unflatten(1, (-1, 16)).mean(2)
        wanted = scored(model.head, model.critic.logit(features)[:, 0], pooled)
        torch.testing.assert_close(score, wanted, atol=1e-4, rtol=1e-4)
    assert list(model.phases()[0].turns[0].learns) == [model.critic, model.head]


@pytest.mark.parametrize(("network", "features"), [("convolutional", 8 * 16), ("residual", 8), ("dense", 8)])
def test_it_compares_channels_and_no_places_in_any_network(network, features):
    model = build(
        "improved-gan", network=network, virtual_batch_normalisation=network != "dense", kernels=7, kernel_size=3
    )
    assert model.critic.features == features
    assert model.head.tensor.shape == (8, 7, 3)


def test_kernels_of_any_number_of_features_begin_at_the_same_scale():
    for features in (16, 4096):
        rows = randn(8, features).float() @ MinibatchHead(features, 1, kernels=50, size=5).tensor.flatten(1)
        assert float(rows.std()) == pytest.approx(1, abs=0.1)


# Historical averaging.


def sides(model):
    return {"critic": [model.critic, model.head], "generator": [model.generator, model.code]}


def weights(modules):
    return torch.cat([p.detach().flatten() for module in modules for p in module.parameters()])


def test_historical_averaging_alone_is_the_distance_to_the_mean_of_all_weights_so_far():
    model, gan = only(historical_averaging=0.3), build("gan")
    torch.testing.assert_close(losses(model), losses(gan), msg="nothing has moved yet")
    assert same({k: v for k, v in model.state_dict().items() if not k.startswith("terms")}, gan.state_dict())
    turns = {turn.name: TurnRunner.make(turn) for turn in model.phases()[0].turns}
    past = {name: [weights(modules)] for name, modules in sides(model).items()}
    for k in range(4):
        for name in ("critic", "critic", "generator") if k == 1 else ("critic", "generator"):
            logs = turns[name].step(model, batch(seed=k), step(k), k)
            mean = torch.stack(past[name]).mean(0)
            wanted = 0.3 * (past[name][-1] - mean).square().sum()
            torch.testing.assert_close(logs["history"], wanted, atol=1e-9, rtol=1e-3)
            past[name].append(weights(sides(model)[name]))
    (term,) = model.terms
    for name, vectors in past.items():
        torch.testing.assert_close(term.get_buffer(f"{name}_mean"), torch.stack(vectors).mean(0))
        assert int(term.get_buffer(f"{name}_steps")) == len(vectors)
    assert [len(vectors) for vectors in past.values()] == [6, 5], "each side counts its own steps"


@pytest.mark.parametrize("name", ["critic", "generator"])
def test_each_sides_gradient_gains_twice_the_distance(name):
    model, gan = only(historical_averaging=0.3), build("gan")
    for one in (model, gan):
        one.double().train()
    (term,) = model.terms
    mean = randn(term.get_buffer(f"{name}_mean").numel())
    term.get_buffer(f"{name}_mean").copy_(mean)
    modules = sides(model)[name]
    value = getattr(term, name)(model.game, None)["history"]
    own = [p for module in modules for p in module.parameters()]
    slopes = torch.cat([g.flatten() for g in torch.autograd.grad(value, own)])
    torch.testing.assert_close(slopes, 2 * 0.3 * (weights(modules) - mean))


def test_a_heavy_history_holds_both_sides_back():
    free, held = only(), only(historical_averaging=100.0)
    start = {name: weights(modules) for name, modules in sides(free).items()}
    for model in (free, held):
        model.fit(splits(), FitConfig(Budget(steps=12), batch_size=8))
    for name, first in start.items():
        moved, kept = ((weights(sides(model)[name]) - first).norm() for model in (free, held))
        assert float(kept) < 0.7 * float(moved)


def test_the_history_is_of_critic_and_head_and_of_generator_and_code():
    model = only(historical_averaging=0.3, minibatch_discrimination=True)
    for part, loss in (("head", model.critic_loss), ("critic", model.critic_loss), ("generator", model.generator_loss)):
        before = loss(batch(), step())["history"]
        weight = next(getattr(model, part).parameters())
        with torch.no_grad():
            weight.view(-1)[0] += 2
        torch.testing.assert_close(loss(batch(), step())["history"] - before, torch.tensor(0.3 * 4))
