"""What every objective on the shared networks has in common."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

import genbench
from families.adversarial.f_divergences import DIVERGENCES
from genbench import Budget, DataSpec, FitConfig, Split, Splits, Step, catalog
from genbench.training.batches import Stream
from genbench.training.turns import TurnRunner, restored

SPEC = DataSpec((1, 16, 16), levels=17)  # two scales: the critic has a layer to normalise
TARGET = "families.gan.objectives:"
OBJECTIVES = [name for name, recipe in catalog.recipes().items() if recipe.target.startswith(TARGET)]
CASES = {name: (name, {}) for name in OBJECTIVES}
CASES |= {f"f-gan {d}": ("f-gan", {"divergence": d, "saturating": True}) for d in DIVERGENCES}
CASES |= {f"{name} penalised": (name, {"weight": 10.0}) for name in ("rgan", "ragan")}


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def build(case, spec=SPEC, **options):
    name, own = CASES[case]
    return genbench.build(name, spec, width=4, latents=5, **own, **options)


def data(spec=SPEC, train=64):
    images = torch.randint(0, spec.levels, (train + 8, *spec.shape), generator=gen(), dtype=torch.uint8)
    return Splits(Split(images[:train]), Split(images[train:]))


def fitted(case, steps=3, **options):
    model = build(case, **options)
    model.finish = lambda *_: None  # a search for σ, which nothing here asks for
    model.fit(data(), FitConfig(Budget(steps=steps), batch_size=4))
    return model


def test_the_objectives_are_all_here():
    assert " ".join(OBJECTIVES) == "gan gan-minimax f-gan lsgan wgan wgan-gp wgan-lp wgan-div dragan sngan rgan ragan"


def shapes(module):
    """Of weights, without biases and normalisation; a spectrally normalised one's is its original's."""
    return [p.shape for p in module.parameters() if p.dim() > 1]


@pytest.mark.parametrize("network", ["convolutional", "residual", "dense"])
@pytest.mark.parametrize("case", CASES)
def test_all_rows_share_one_pair_of_networks_but_for_normalisation(case, network):
    one, two = build("gan", network=network), build(case, network=network)
    assert shapes(one.generator) == shapes(two.generator)
    assert sorted(shapes(one.critic)) == sorted(shapes(two.critic))
    assert sum(p.numel() for p in one.generator.parameters()) == sum(p.numel() for p in two.generator.parameters())
    biases = [
        sum(
            p.numel()
            for m in model.critic.modules()
            if not isinstance(m, nn.BatchNorm2d)
            for p in m.parameters(recurse=False)
        )
        for model in (one, two)
    ]
    assert biases[0] == biases[1]
    assert (two.latents, two.average.decay, two.augment) == (one.latents, one.average.decay, None)


@pytest.mark.parametrize("case", CASES)
def test_each_parameter_moves_in_exactly_the_turns_that_learn_it(case):
    model, noise = build(case).train(), gen()
    stream = Stream(data().train, SPEC, 4, 0)
    (phase,) = model.phases()
    runners = [TurnRunner.make(replace(turn, after=None)) for turn in phase.turns]
    moved = [set(), set()]
    with restored({p: p.requires_grad for p in model.parameters()}):
        for k in range(3):
            for runner, seen in zip(runners, moved, strict=True):
                before = {p: p.detach().clone() for p in model.parameters()}
                runner.step(model, stream.batch(k), Step(k, k / 3, noise), k)
                seen |= {p for p, old in before.items() if not torch.equal(p, old)}
    names = {p: n for n, p in model.named_parameters()}
    parts = [{n for n in names.values() if n.startswith(part)} for part in (("critic", "head"), ("generator", "code"))]
    assert [{names[p] for p in seen} for seen in moved] == parts
    rest = {n for n in names.values() if not n.startswith("average")}
    assert parts[0] | parts[1] == rest
    assert parts[0]
    assert parts[1]


@pytest.mark.parametrize("case", CASES)
def test_fakes_carry_no_gradient_to_the_generator_in_the_critics_turn(case):
    model = build(case).train()
    batch = Stream(data().train, SPEC, 4, 0).batch(0)
    model.critic_loss(batch, Step(0, 0.0, gen()))["loss"].backward()
    assert all(p.grad is None for module in (model.generator, model.code) for p in module.parameters())
    assert all(p.grad is not None and p.grad.any() for p in model.critic.parameters() if p.dim() > 1)
    model.zero_grad()
    model.generator_loss(batch, Step(0, 0.0, gen()))["loss"].backward()
    assert all(p.grad is not None and p.grad.any() for p in model.generator.parameters() if p.dim() > 1)


@pytest.mark.parametrize("case", CASES)
def test_the_critic_sees_as_many_fresh_batches_and_fakes_as_it_has_steps_to_one_of_the_generator(case):
    model, turns, fakes = build(case, average=0.0), [], []
    critic_loss, generator_loss = model.critic_loss, model.generator_loss

    def critic(batch, step):
        turns.append(batch.images.clone())
        model.critic.register_forward_pre_hook(lambda _, inputs: fakes.append(inputs[0].detach().clone()))
        logs = critic_loss(batch, step)
        model.critic._forward_pre_hooks.clear()
        return logs

    def generator(batch, step):
        turns.append("generator")
        return generator_loss(batch, step)

    model.critic_loss, model.generator_loss = critic, generator
    model.finish = lambda *_: None
    rounds = 2 * model.critic_steps
    model.fit(data(), FitConfig(Budget(steps=rounds), batch_size=4))
    steps = [i for i, turn in enumerate(turns) if isinstance(turn, str)]
    assert steps == [model.critic_steps, 2 * model.critic_steps + 1]
    seen = torch.cat([turn for turn in turns if not isinstance(turn, str)]).flatten(1)
    assert len(seen) == rounds * 4
    assert len(seen.unique(dim=0)) == min(rounds * 4, 64), "no image twice before all have been seen"
    images = torch.stack([x for x in fakes if x.shape[0] == 4]).flatten(1)
    assert len(images.unique(dim=0)) == len(images), "no real batch, fake batch or interpolate comes twice"


def test_wgans_weights_stay_within_the_bound():
    bound = 2**-8  # which float32 holds exactly
    model = fitted("wgan", steps=6, bound=bound, lr=1e-3)
    weights = torch.cat([p.flatten() for module in (model.critic, model.head) for p in module.parameters()])
    assert float(weights.detach().abs().max()) == bound
    assert float(torch.cat([p.flatten() for p in model.generator.parameters()]).detach().abs().max()) > 0.5
    assert float(max(b.max() for n, b in model.critic.named_buffers() if n.endswith("running_var"))) > 0.01


@pytest.mark.parametrize("network", ["convolutional", "residual", "dense"])
def test_every_layer_of_sngans_critic_has_spectral_norm_1_and_saved_vectors_fixed_in_evaluation(network, tmp_path):
    model = fitted("sngan", network=network, lr=1e-2)
    layers = [m for m in model.critic.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) >= 3
    model.critic.train()
    images = torch.rand(4, *SPEC.shape, generator=gen()) * 2 - 1
    with torch.no_grad():
        for _ in range(200):
            model.critic(images)
    for layer in layers:
        largest = torch.linalg.svdvals(layer.weight.detach().flatten(1))[0]
        assert float(largest) == pytest.approx(1, abs=0.02)
        raw = layer.parametrizations.weight.original.detach().flatten(1)
        assert float(torch.linalg.svdvals(raw)[0]) != pytest.approx(1, abs=0.02)
    model.eval()
    before = copy.deepcopy(model.state_dict())
    score = model.critic(images)[0]
    assert torch.equal(score, model.critic(images)[0])
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert sum(key.endswith(("weight.0._u", "weight.0._v")) for key in before) == 2 * len(layers)
    genbench.save(tmp_path / "model.safetensors", model)
    again = genbench.load(tmp_path / "model.safetensors").eval()
    assert torch.equal(again.critic(images)[0], score)
