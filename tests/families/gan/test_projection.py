import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

import genbench
from families.adversarial.conditional_norm import ClassBatchNorm
from families.adversarial.losses import HINGE
from families.gan.heads import ProjectionHead
from genbench import Batch, Budget, DataSpec, FitConfig, Split, Splits

SPEC = DataSpec((1, 8, 8), levels=17, classes=3)
NETWORKS = pytest.mark.parametrize("network", ["convolutional", "residual"])


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=gen(seed))


def build(spec=SPEC, **options):
    return genbench.build("projection-cgan", spec, **{"width": 4, "latents": 6} | options)


def of(*labels):
    return Batch(torch.zeros(len(labels), 0, dtype=torch.uint8), torch.tensor(labels))


def test_the_score_is_the_logit_and_the_labels_row_times_the_features():
    head, logit, features = ProjectionHead(5, 3).double(), normal(4), normal(4, 5, seed=1)
    score = head(logit, features, of(2, 0, 2, 1))
    for row, label in enumerate((2, 0, 2, 1)):
        inner = sum(head.embedding.weight[label, k] * features[row, k] for k in range(5))
        torch.testing.assert_close(score[row], logit[row] + inner)


@NETWORKS
def test_the_critic_adds_projection_to_what_it_says_without_a_label(network):
    model, images = build(network=network).double().eval(), normal(3, 1, 8, 8)
    logit, features = model.critic(images)
    scores = torch.stack([model.score(images, of(label, label, label)) for label in range(3)])
    torch.testing.assert_close(scores - logit, model.head.embedding.weight @ features.T)
    assert len({round(float(score), 9) for score in scores[:, 0].detach()}) == 3, "the label matters"


@NETWORKS
def test_every_layer_of_the_critic_has_spectral_norm_1_and_the_generators_have_what_they_have(network):
    model = build(network=network).train()
    for _ in range(30):  # power iterations
        model.score(torch.randn(2, 1, 8, 8, generator=gen()), of(0, 1))
    kinds = (nn.Conv2d, nn.Linear, nn.Embedding)
    layers = [m for m in (*model.critic.modules(), *model.head.modules()) if isinstance(m, kinds)]
    assert all(any(isinstance(layer, kind) for layer in layers) for kind in kinds)
    for layer in layers:
        assert float(torch.linalg.matrix_norm(layer.weight.flatten(1), 2).detach()) == pytest.approx(1, abs=1e-3)
    assert not any(is_parametrized(m) for m in model.generator.modules())
    assert not any(isinstance(m, nn.BatchNorm2d) for m in model.critic.modules())


@NETWORKS
def test_the_generator_hears_the_label_in_its_normalisation_alone(network):
    model, u = build(network=network, average=0.0).eval(), torch.randn(1, 6, generator=gen())
    images = [model.decode(u, of(label)) for label in range(3)]
    assert torch.equal(images[0], images[1]), "all classes begin alike"
    tables = [m for m in model.generator.modules() if isinstance(m, ClassBatchNorm)]
    for table in tables:
        model_of_one = copy.deepcopy(table.bias.data)
        table.bias.data[1] += 1
        assert not torch.equal(model.decode(u, of(1)), images[1])
        assert torch.equal(model.decode(u, of(2)), images[2])
        table.bias.data.copy_(model_of_one)
    with torch.no_grad():
        for table in tables:
            table.gain[0] *= 2
    assert not torch.equal(model.decode(u, of(0)), images[0])


def test_the_objective_is_the_hinge_and_the_turns_learn_their_own_tables():
    model = build()
    assert model.loss == HINGE
    assert model.given == ("label",)
    critic, generator = model.phases()[0].turns
    assert critic.every == generator.every == 1
    tables = {id(m.gain) for m in model.generator.modules() if isinstance(m, ClassBatchNorm)}
    assert tables
    assert tables <= {id(p) for module in generator.learns for p in module.parameters()}
    rows = {id(p) for p in model.head.parameters()}
    assert rows
    assert rows <= {id(p) for module in critic.learns for p in module.parameters()}


def test_it_learns_to_draw_what_the_label_says():
    labels = torch.arange(64) % 2
    images = (labels * 6 + 1).to(torch.uint8).view(-1, 1, 1, 1).repeat(1, 1, 2, 2)
    data = Splits(Split(images, labels), Split(images[:8], labels[:8]))
    model = build(DataSpec((1, 2, 2), levels=9, classes=2), width=8, lr=6e-3, average=0.9)
    model.finish = lambda *args: None  # no search for σ
    model.fit(data, FitConfig(Budget(steps=80), batch_size=32))
    drawn = model.sample(40, labels=torch.arange(40) % 2, generator=gen()).float().mean((1, 2, 3))
    assert float(drawn[1::2].mean() - drawn[::2].mean()) > 3


def test_a_saved_model_draws_the_same(tmp_path):
    model = build(network="residual")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=gen())
    genbench.save(tmp_path / "model.safetensors", model)
    again = genbench.load(tmp_path / "model.safetensors")
    drawn = [m.sample(4, labels=torch.arange(4) % 3, generator=gen()) for m in (model, again)]
    assert torch.equal(*drawn)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="label"):
        build(DataSpec((1, 8, 8)))
    with pytest.raises(ValueError, match=r"network='dense': .*convolutional or residual"):
        build(network="dense")
    with pytest.raises(ValueError, match="labels=None"):
        build().score(torch.zeros(2, 1, 8, 8), Batch(torch.zeros(2, 0)))
