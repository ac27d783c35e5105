import pytest
import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

import genbench
from families.adversarial.conditional_norm import ClassBatchNorm
from families.adversarial.losses import HINGE
from families.layers.attention import Attention
from genbench import Batch, Budget, DataSpec, FitConfig, Split, Splits

SPEC = DataSpec((1, 8, 8), levels=17, classes=3)
NETWORKS = pytest.mark.parametrize("network", ["convolutional", "residual"])


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def batch(n=6):
    images = torch.randint(0, 17, (n, 1, 8, 8), generator=gen(), dtype=torch.uint8)
    return Batch(images, torch.arange(n) % 3)


def build(**options):
    return genbench.build("sagan", SPEC, **{"width": 4, "latents": 6} | options)


def trained(model, steps):
    data = Split(**vars(batch(12)))
    model.finish = lambda *args: None
    model.fit(Splits(data, data), FitConfig(Budget(steps=steps), batch_size=6))
    return model


def test_two_time_scales_step_by_step_with_the_hinge():
    model = build()
    rates = {turn.name: turn.optimizer([nn.Parameter(torch.zeros(1))]).defaults for turn in model.phases()[0].turns}
    assert rates["critic"]["lr"] == 4 * rates["generator"]["lr"]
    assert rates["generator"]["betas"] == rates["critic"]["betas"] == (0.0, 0.9)
    assert {turn.every for turn in model.phases()[0].turns} == {1}
    assert model.loss == HINGE


@NETWORKS
def test_both_networks_attend_once_at_one_resolution(network):
    model, sizes = build(network=network), []
    for net in (model.generator, model.critic):
        (layer,) = (m for m in net.modules() if isinstance(m, Attention))
        layer.register_forward_hook(lambda module, inputs, output: sizes.append(output.shape[2:]))
    model.score(model.generate(torch.randn(6, 6, generator=gen()), batch()), batch())
    assert sizes == [(4, 4), (4, 4)]


@NETWORKS
def test_gamma_begins_at_0_and_each_turn_learns_its_own(network):
    model = build(network=network)
    gammas = [m.gamma for net in (model.generator, model.critic) for m in net.modules() if isinstance(m, Attention)]
    assert [gamma.item() for gamma in gammas] == [0, 0]
    for turn, net in zip(("critic", "generator"), (model.critic, model.generator), strict=True):
        (learns,) = (t.learns for t in model.phases()[0].turns if t.name == turn)
        assert net in learns
    trained(model, 3)
    assert all(gamma.item() != 0 for gamma in gammas)


@NETWORKS
def test_attention_is_part_of_what_both_networks_make(network):
    model, u = build(network=network, average=0.0).eval(), torch.randn(6, 6, generator=gen())
    images, scores = model.decode(u, batch()), model.score(torch.randn(6, 1, 8, 8, generator=gen()), batch())
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, Attention):
                module.gamma.fill_(3)
    assert not torch.allclose(model.decode(u, batch()), images)
    assert not torch.allclose(model.score(torch.randn(6, 1, 8, 8, generator=gen()), batch()), scores)


@NETWORKS
def test_every_layer_of_both_networks_has_spectral_norm_1(network):
    model = build(network=network).train()
    for _ in range(30):  # power iterations
        model.score(model.generate(torch.randn(6, 6, generator=gen()), batch()), batch())
    kinds = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.Embedding)
    for net in (model.generator, model.critic, model.head):
        layers = [m for m in net.modules() if isinstance(m, kinds)]
        assert layers
        assert all(is_parametrized(layer) for layer in layers)
        for layer in layers:
            matrix = layer.weight.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else layer.weight
            assert float(torch.linalg.matrix_norm(matrix.flatten(1), 2).detach()) == pytest.approx(1, abs=1e-3)


def test_the_label_goes_into_the_generators_normalisation_and_the_critics_projection():
    model, images = build().eval(), torch.randn(1, 1, 8, 8, generator=gen())
    assert sum(isinstance(m, ClassBatchNorm) for m in model.generator.modules()) == 2
    given = [Batch(torch.zeros(1, 0), torch.tensor([label])) for label in (0, 1)]
    assert not torch.equal(*(model.score(images, one) for one in given))
    tables = [m for m in model.generator.modules() if isinstance(m, ClassBatchNorm)]
    assert all(torch.equal(table.gain, torch.ones_like(table.gain)) for table in tables), "not normalised"


def test_training_stays_finite_and_a_saved_model_draws_the_same(tmp_path):
    model = trained(build(), 5)
    genbench.save(tmp_path / "model.safetensors", model)
    again = genbench.load(tmp_path / "model.safetensors")
    drawn = [m.sample(4, labels=torch.arange(4) % 3, generator=gen()) for m in (model, again)]
    assert torch.equal(*drawn)
