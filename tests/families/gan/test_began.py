from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import genbench
from families.gan.energy import EQUILIBRIUM, Balance
from genbench import Budget, FitConfig
from genbench.seed import normal
from tests.contract.test_toys import Cut, same
from tests.families.gan.tiny import build, double, gen, gradient, splits


def seen(real, fake):
    return SimpleNamespace(real=SimpleNamespace(logits=real), fake=SimpleNamespace(logits=fake))


def balance(k=0.3, energy=0.8):
    term = Balance(gamma=0.5, rate=0.1).double()
    term.k.fill_(k)
    term.energy.fill_(energy)
    return term


def test_the_equilibrium_losses_by_hand():
    term, real, fake = balance(k=0.3), double(-0.2, -0.4), double(-0.1, -0.5)
    value = EQUILIBRIUM.critic(real, fake) + term.critic(None, seen(real, fake))["pushed"]
    assert value.item() == pytest.approx(0.3 - 0.3 * 0.3), "L(x) - k L(G(z))"
    of_real, of_fake = gradient(value, real, fake)
    assert of_real == [-0.5, -0.5]
    assert of_fake == pytest.approx([0.15, 0.15])
    value = EQUILIBRIUM.generator(fake.new_empty(0), fake)
    assert float(value) == pytest.approx(0.3)
    assert gradient(value, fake) == [[-0.5, -0.5]]
    assert term.generator(None, seen(None, fake)) == {}


@pytest.mark.parametrize(
    ("k", "fake", "wanted"),
    [
        (0.3, 0.1, 0.33),  # fakes copied too well: push them harder
        (0.3, 0.9, 0.25),  # too badly: let go
        (0.3, 0.4, 0.3),  # γ L(x) = L(G(z)): stay
        (0.99, 0.1, 1.0),
        (0.01, 0.9, 0.0),
    ],
)
def test_k_moves_by_what_is_missing_to_gamma_and_stays_within_0_and_1(k, fake, wanted):
    term = balance(k, energy=0.8)
    logs = term.logs(None, "generator", seen(None, double(-fake)))
    error = 0.5 * 0.8 - fake
    assert float(logs["balance"]) == pytest.approx(error)
    assert float(logs["convergence"]) == pytest.approx(0.8 + abs(error))
    term.after(None, "generator", {name: value.detach() for name, value in logs.items()})
    assert float(term.k) == pytest.approx(wanted)
    assert float(term.energy) == 0.8


def test_the_critics_step_is_where_the_real_energy_comes_from():
    term = balance(k=0.3)
    term.after(None, "critic", {"real": torch.tensor(-0.25, dtype=torch.float64)})
    assert (float(term.energy), float(term.k)) == (0.25, 0.3)
    assert {name: float(value) for name, value in term.logs(None, "critic", None).items()} == {"k": 0.3}


def test_training_moves_k_as_its_logs_say_and_adds_them_to_no_loss():
    model, seen = build("began", gamma=0.5, balance_rate=0.4), []
    model.fit(splits(), FitConfig(Budget(steps=8), batch_size=8), callbacks=[lambda p: seen.append(p.logs)])
    k = 0.0
    for logs in seen:
        assert float(logs["critic/k"]) == pytest.approx(k, abs=1e-6)
        real, fake = -float(logs["critic/real"]), -float(logs["critic/fake"])
        assert float(logs["critic/loss"]) == pytest.approx(real - k * fake, abs=1e-5)
        error = 0.5 * real - float(logs["generator/loss"])
        assert float(logs["generator/balance"]) == pytest.approx(error, abs=1e-5)
        assert float(logs["generator/convergence"]) == pytest.approx(real + abs(error), abs=1e-5)
        k = min(max(k + 0.4 * float(logs["generator/balance"]), 0), 1)
    assert k > 0.05, "a test of a k that stays at 0 would prove nothing"
    (term,) = model.terms
    assert float(term.k) == pytest.approx(k, abs=1e-6)


def test_gamma_reaches_the_term():
    (term,) = build("began", gamma=0.7, balance_rate=0.02).terms
    assert (term.gamma, term.rate) == (0.7, 0.02)


def test_k_is_saved_and_a_resumed_run_ends_as_one_never_cut_off(tmp_path):
    config = FitConfig(Budget(steps=7), batch_size=8, seed=2)
    whole = build("began", balance_rate=0.4)
    whole.fit(splits(), config)
    path = tmp_path / "training.pt"
    config = replace(config, checkpoint=path, checkpoint_seconds=0)

    def cut(progress):
        if progress.step == 5:
            raise Cut

    with pytest.raises(Cut):
        build("began", balance_rate=0.4).fit(splits(), config, callbacks=[cut])
    rest = build("began", balance_rate=0.4, seed=9)
    rest.origin = replace(rest.origin, seed=0)
    rest.fit(splits(), config, resume=path)
    assert float(rest.terms[0].k) > 0
    assert same(whole.state_dict(), rest.state_dict())
    genbench.save(tmp_path / "model.safetensors", whole)
    again = genbench.load(tmp_path / "model.safetensors")
    assert torch.equal(again.terms[0].k, whole.terms[0].k)
    assert torch.equal(again.terms[0].energy, whole.terms[0].energy)


@pytest.mark.parametrize("network", ["convolutional", "residual", "dense"])
def test_neither_generator_nor_decoder_squashes_its_images_and_samples_stay_within_the_levels(network):
    model = build("began", network=network)
    assert not any(isinstance(module, nn.Tanh) for module in model.modules())
    for weight in model.generator.parameters():
        weight.data *= 30
    model.average = None
    assert float(model.eval().generator(normal((4, 6), gen())).detach().abs().max()) > 1
    assert int(model.sample(4, generator=gen()).max()) <= 16


def test_the_generator_learns_six_times_as_fast_as_the_critic():
    critic, generator = build("began").phases()[0].turns
    rates = [turn.optimizer([nn.Parameter(torch.zeros(1))]).defaults["lr"] for turn in (critic, generator)]
    assert rates == [5e-4, 3e-3]
