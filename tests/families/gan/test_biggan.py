import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

import genbench
from families.adversarial.conditional_norm import Conditional, VectorBatchNorm
from families.adversarial.losses import HINGE
from families.adversarial.spectral import spectrally_normalised
from families.gan.biggan import HierarchicalCode, Orthogonality, filters, overlap
from families.layers.attention import Attention
from genbench import Batch, Budget, DataSpec, FitConfig, Split, Splits
from tests.families.gan.small_biggan import NETWORKS, build, gen, of

# Hierarchical z


def test_the_code_cuts_the_noise_and_puts_the_class_beside_each_later_chunk():
    code = HierarchicalCode(8, 3, 4, 2)
    u = torch.arange(16.0).view(2, 8)
    first, *others = code(u, of(2, 0))
    assert torch.equal(first, u[:, :4])
    for k, condition in enumerate(others):
        assert torch.equal(condition[:, :4], code.embedding.weight[[2, 0]])
        assert torch.equal(condition[:, 4:], u[:, 4 + 2 * k : 6 + 2 * k])
    assert (len(others), code.features, code.condition, code.latents) == (2, 4, 6, 8)


def test_all_of_the_noise_is_used():
    for latents in (3, 5, 7, 64):
        assert sum(HierarchicalCode(latents, 3, 4, 2).sizes) == latents


def conditioned(model, u, label):
    """What each conditional layer of the generator makes of one image's noise and label."""
    made = []
    layers = [layer for layer in model.generator.layers if isinstance(layer, Conditional)]
    hooks = [layer.register_forward_hook(lambda module, inputs, output: made.append(output)) for layer in layers]
    model.generate(u, of(label))
    for hook in hooks:
        hook.remove()
    return made


@NETWORKS
def test_each_chunk_enters_at_its_own_block_and_the_class_at_all(network):
    model = build(network=network).double().eval()
    u = torch.randn(1, 7, dtype=torch.float64, generator=gen())
    before, sizes = conditioned(model, u, 0), model.code.sizes
    assert sizes == [3, 2, 2], "16 pixels: 4 → 8 → 16, two blocks"
    assert len(before) == 2
    for chunk in range(3):
        moved = u.clone()
        start = sum(sizes[:chunk])
        moved[:, start : start + sizes[chunk]] += 1
        changed = [not torch.equal(a, b) for a, b in zip(before, conditioned(model, moved, 0), strict=True)]
        assert changed == [block >= chunk - 1 for block in range(2)]
    for block in range(2):  # the class, by what a block gets when the ones before it are deaf to it
        deaf = copy.deepcopy(model)
        layers = [layer for layer in deaf.generator.layers if isinstance(layer, Conditional)]
        for layer in layers[:block]:
            for norm in (m for m in layer.modules() if isinstance(m, VectorBatchNorm)):
                for linear in (norm.gain, norm.bias):
                    nn.utils.parametrize.remove_parametrizations(linear, "weight")
                    linear.weight.data.zero_()
        changed = [not torch.equal(a, b) for a, b in zip(conditioned(deaf, u, 0), conditioned(deaf, u, 1), strict=True)]
        assert changed == [k >= block for k in range(2)]


@NETWORKS
@pytest.mark.parametrize("shape", [(1, 2, 2), (1, 28, 28), (3, 32, 32)])
def test_every_condition_has_a_block(network, shape):
    model = build(DataSpec(shape, classes=3), network=network)
    layers = [layer for layer in model.generator.layers if isinstance(layer, Conditional)]
    assert len(layers) == len(model.code.sizes) - 1


def test_the_average_holds_the_embedding_and_samples_use_it():
    model, u = build().eval(), torch.randn(4, 7, generator=gen())
    held = model.average.copies["code"].embedding
    assert torch.equal(held.weight, model.code.embedding.weight)
    before = model.decode(u, of(0, 1, 2, 0))
    (generator,) = (turn for turn in model.phases()[0].turns if turn.name == "generator")
    assert model.code in generator.learns
    with torch.no_grad():
        model.code.embedding.weight += 5
    assert torch.equal(model.decode(u, of(0, 1, 2, 0)), before)
    generator.after({}, None)
    assert not torch.equal(model.decode(u, of(0, 1, 2, 0)), before)
    assert any("copies.code.embedding" in name for name in model.state_dict())


# Orthogonality


def test_orthogonal_regularisation_by_hand():
    generator = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Conv2d(2, 3, 2), nn.ConvTranspose2d(3, 2, 2)).double()
    game = nn.Module()
    game.generator = generator
    weights = [layer.weight for layer in (generator[0], generator[2])] + [generator[3].weight.transpose(0, 1)]
    wanted = 0.0
    for weight in weights:
        rows = weight.flatten(1)
        for i in range(len(rows)):
            for j in range(len(rows)):
                wanted += float((rows[i] @ rows[j]).detach()) ** 2 if i != j else 0
    (term,) = Orthogonality(0.5).generator(game, None).values()
    assert float(term.detach()) == pytest.approx(0.5 * wanted)
    term.backward()
    for layer, turned in zip((generator[0], generator[2], generator[3]), (False, False, True), strict=True):
        rows = filters(layer).detach()
        products = rows @ rows.T
        by_hand = 4 * 0.5 * (products - products.diag().diag()) @ rows
        gradient = layer.weight.grad.transpose(0, 1) if turned else layer.weight.grad
        torch.testing.assert_close(gradient.flatten(1), by_hand)
    assert all(layer.bias.grad is None for layer in (generator[0], generator[2], generator[3]))


def test_lengths_of_filters_are_free():
    assert float(overlap(torch.diag(torch.tensor([3.0, 0.1, 7.0])))) == 0


def test_it_reads_the_weight_before_spectral_normalisation():
    layer = nn.Linear(4, 3)
    plain = layer.weight.detach().clone()
    assert torch.equal(filters(spectrally_normalised(layer)), plain)
    assert not torch.allclose(layer.weight, plain)


def test_the_game_adds_it_to_the_generators_side_alone():
    model = build(weight=0.25)
    given = Batch(torch.zeros(6, 1, 16, 16, dtype=torch.uint8), torch.arange(6) % 3)
    step = genbench.Step(0, 0.0, gen())
    logs = model.generator_loss(given, step)
    kinds = (nn.Linear, nn.Conv2d)
    layers = [m for m in model.generator.modules() if isinstance(m, kinds)]
    torch.testing.assert_close(logs["orthogonality"], 0.25 * sum(overlap(filters(layer)) for layer in layers))
    assert "orthogonality" not in model.critic_loss(given, step)
    logs["orthogonality"].backward()
    assert model.code.embedding.weight.grad is None


def test_weights_begin_orthogonal():
    model = build()
    matrices = [filters(m) for m in model.generator.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    matrices += [filters(m) for m in model.critic.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    matrices.append(model.code.embedding.weight)
    for matrix in matrices:
        small = matrix if len(matrix) <= matrix.shape[1] else matrix.T
        torch.testing.assert_close(small @ small.T, torch.eye(len(small)), atol=1e-5, rtol=0)


# The game


def test_the_game_is_the_papers():
    model = build().eval()
    critic, generator = model.phases()[0].turns
    rates = {turn.name: turn.optimizer([nn.Parameter(torch.zeros(1))]).defaults for turn in (critic, generator)}
    assert rates["critic"]["lr"] == 4 * rates["generator"]["lr"]
    assert rates["generator"]["betas"] == rates["critic"]["betas"] == (0.0, 0.999)
    assert (critic.every, generator.every) == (1, 2)
    assert model.loss == HINGE
    assert model.given == ("label",)
    images = torch.randn(2, 1, 16, 16, generator=gen())
    scores = torch.stack([model.score(images, of(label, label)) for label in range(3)]).detach()
    rows, features = model.head.embedding.weight, model.critic.eval()(images)[1]
    torch.testing.assert_close(scores - scores[0], ((rows - rows[0]) @ features.T).detach(), msg="⟨V y, φ(x)⟩")


@NETWORKS
def test_every_layer_of_both_networks_has_spectral_norm_1_and_the_embedding_its_own(network):
    model, given = build(network=network, attention=True).train(), of(0, 1, 2, 0)
    for _ in range(30):  # power iterations
        model.score(model.generate(torch.randn(4, 7, generator=gen()), given), given)
    kinds = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.Embedding)
    for net in (model.generator, model.critic, model.head):
        for layer in (m for m in net.modules() if isinstance(m, kinds)):
            assert is_parametrized(layer)
            matrix = layer.weight.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else layer.weight
            assert float(torch.linalg.matrix_norm(matrix.flatten(1), 2).detach()) == pytest.approx(1, abs=1e-3)
    assert not is_parametrized(model.code.embedding)


def test_a_saved_model_draws_the_same(tmp_path):
    model = build(truncation=0.5, attention=True)
    images = torch.randint(0, 17, (12, 1, 16, 16), generator=gen(), dtype=torch.uint8)
    data = Split(images, torch.arange(12) % 3)
    model.finish = lambda *args: None
    model.fit(Splits(data, data), FitConfig(Budget(steps=4), batch_size=6))
    genbench.save(tmp_path / "model.safetensors", model)
    again = genbench.load(tmp_path / "model.safetensors")
    drawn = [m.sample(4, labels=torch.arange(4) % 3, generator=gen()) for m in (model, again)]
    assert torch.equal(*drawn)


@pytest.mark.parametrize(
    ("message", "options"),
    [
        ("latents=2: give at least 3", {"latents": 2}),
        ("embedding=0", {"embedding": 0}),
        ("truncation=0", {"truncation": 0}),
        ("weight=0", {"weight": 0}),
        ("network='dense'", {"network": "dense"}),
    ],
)
def test_what_cannot_be_is_refused(message, options):
    with pytest.raises(ValueError, match=message):
        build(**options)


@NETWORKS
@pytest.mark.parametrize("wanted", [True, False])
def test_both_networks_attend_once_where_asked_at_half_the_resolution(network, wanted):
    model, sizes = build(network=network, attention=wanted), []
    for net in (model.generator, model.critic):
        for layer in (module for module in net.modules() if isinstance(module, Attention)):
            layer.register_forward_hook(lambda module, inputs, output, net=net: sizes.append((net, output.shape[2:])))
    given = of(0, 1, 2)
    model.score(model.generate(torch.randn(3, 7, generator=gen()), given), given)
    assert sizes == ([(model.generator, (8, 8)), (model.critic, (8, 8))] if wanted else [])
