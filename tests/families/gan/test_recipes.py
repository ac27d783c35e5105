from functools import partial

import pytest
import torch
from torch import nn

import genbench
from families.gan.heads import Head, JointHead
from families.layers.adversarial import NON_SATURATING, WASSERSTEIN
from families.layers.penalties import gradient_penalty
from genbench import Batch, Budget, DataSpec, FitConfig, Split, Splits

SPEC = DataSpec((1, 8, 8), levels=17, classes=3)


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def build(name, **options):
    return genbench.build(name, SPEC, width=8, **options)


def adam_of(turn):
    return turn.optimizer([nn.Parameter(torch.zeros(1))])


def test_gan_is_the_non_saturating_game_without_penalty():
    model = build("gan")
    assert (model.loss, model.penalty, model.critic_steps) == (NON_SATURATING, None, 1)
    assert type(model.head) is Head
    for turn in model.phases()[0].turns:
        assert turn.every == 1
        assert adam_of(turn).defaults["betas"] == (0.5, 0.999)


def test_wgan_gp_is_the_papers():
    model = genbench.build("wgan-gp", DataSpec((1, 28, 28)), width=4)
    critic, generator = model.phases()[0].turns
    assert model.loss is WASSERSTEIN
    assert isinstance(model.penalty, partial)
    assert (model.penalty.func, model.penalty.keywords) == (gradient_penalty, {"weight": 10.0})
    assert (critic.every, generator.every) == (1, 5)
    for turn in (critic, generator):
        assert isinstance(adam_of(turn), torch.optim.Adam)
        assert adam_of(turn).defaults["betas"] == (0.0, 0.9)
    norms = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm2d)
    assert not any(isinstance(module, norms) for module in model.critic.modules())
    assert any(isinstance(module, norms) for module in model.generator.modules())
    assert any(isinstance(module, norms) for module in genbench.build("gan", model.spec, width=4).critic.modules())


def test_all_rows_share_one_pair_of_networks():
    def sizes(module):
        return [p.shape for p in module.parameters() if p.dim() > 1]

    one, two = build("gan"), build("wgan-gp")
    assert sizes(one.generator) == sizes(two.generator)
    assert sizes(one.critic) == sizes(two.critic)


def test_cgan_gives_the_label_to_both_networks():
    model = build("cgan").eval()
    u, images = torch.randn(1, 64, generator=gen()), torch.randn(1, 1, 8, 8, generator=gen(1))
    empty = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    decoded = [model.decode(u, Batch(empty, torch.tensor([k]))) for k in range(3)]
    scores = [model.score(images, Batch(empty, torch.tensor([k]))) for k in range(3)]
    for a, b in [(0, 1), (1, 2), (0, 2)]:
        assert not torch.equal(decoded[a], decoded[b])
        assert not torch.equal(scores[a], scores[b])
    assert model.given == ("label",)


def test_the_joint_layer_makes_the_labels_effect_depend_on_the_image():
    head = JointHead(6, 3, 16)
    features, labels = torch.randn(2, 6, generator=gen()), torch.tensor([0, 1])

    def effect(row):
        pair = features[row].expand(2, 6)
        score = head(torch.zeros(2), pair, Batch(torch.zeros(2, 0), labels))
        return float((score[0] - score[1]).detach())

    assert effect(0) != pytest.approx(effect(1), abs=1e-4)
    given = Batch(torch.zeros(2, 0), labels)
    torch.testing.assert_close(
        head(torch.tensor([2.0, 3.0]), features, given) - head(torch.zeros(2), features, given),
        torch.tensor([2.0, 3.0]),
    )


def test_cgan_learns_to_draw_what_the_label_says():
    spec = DataSpec((1, 2, 2), levels=9, classes=2)
    labels = torch.arange(64) % 2
    images = (labels * 6 + 1).to(torch.uint8).view(-1, 1, 1, 1).repeat(1, 1, 2, 2)
    data = Splits(Split(images, labels), Split(images[:8], labels[:8]))
    model = genbench.build("cgan", spec, width=8, latents=4, hidden=16, rate=2e-3)
    model.fit(data, FitConfig(Budget(steps=100), batch_size=32))
    drawn = model.sample(40, labels=torch.arange(40) % 2, generator=gen()).float().mean((1, 2, 3))
    assert float(drawn[1::2].mean() - drawn[::2].mean()) > 3


def test_labels_that_are_missing_are_refused():
    with pytest.raises(ValueError, match="label"):
        genbench.build("cgan", DataSpec((1, 8, 8)))
    model = build("cgan")
    with pytest.raises(ValueError, match="labels=None"):
        model.decode(torch.zeros(2, 64), Batch(torch.zeros(2, 1, 8, 8)))
    images, labels = torch.zeros(4, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 1, -1, 2])
    data = Splits(Split(images, labels), Split(images, labels))
    with pytest.raises(ValueError, match="unknown"):
        model.fit(data, FitConfig(Budget(steps=1), batch_size=4))


@pytest.mark.parametrize("name", ["gan", "wgan-gp", "cgan", "pix2pix"])
@pytest.mark.parametrize("value", [-1, 0, float("nan"), "x", True])
def test_a_rate_that_is_none_is_refused_at_construction(name, value):
    spec = genbench.DataSpec((1, 8, 8), 17, 4, source=(1, 8, 8))
    with pytest.raises(ValueError, match=r"rate="):
        genbench.build(name, spec, rate=value)
