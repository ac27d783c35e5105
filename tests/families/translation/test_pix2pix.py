import math

import pytest
import torch
from torch import nn

import genbench
from families.adversarial.losses import NON_SATURATING
from families.adversarial.patch import PatchCritic
from families.translation.dropout import NoiseDropout
from families.translation.unet import UNet
from genbench import Batch, Budget, DataSpec, FitConfig, Split, Splits, Step
from genbench.likelihood.observation import discretised_gaussian
from genbench.seed import normal

SPEC = DataSpec((1, 8, 8), levels=17, source=(3, 8, 8))


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def integers(n, shape, levels, seed):
    return torch.randint(0, levels, (n, *shape), generator=gen(seed), dtype=torch.uint8)


def batch(n=4):
    return Batch(integers(n, (1, 8, 8), 17, 0), sources=integers(n, (3, 8, 8), 256, 1))


def build(**options):
    return genbench.build("pix2pix", SPEC, width=8, **options)


def step(seed=0):
    return Step(0, 0.0, gen(seed))


def steady(net):
    """Running statistics of a random batch, so that evaluation neither swells nor shrinks."""
    net.train()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    return net


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 8, 8), (1, 4, 4), (1, 2, 2), (2, 5, 7)])
def test_networks_take_their_sizes_from_the_shape(shape):
    net, critic = UNet(2, shape, 4, 0.5), PatchCritic(2 + shape[0], *shape[1:], 4)
    source = torch.randn(3, 2, *shape[1:], generator=gen())
    images = net(source, normal((3, net.latents), gen())).detach()
    assert images.shape == (3, *shape)
    assert float(images.abs().max()) <= 1
    logits = critic(images, source).logits
    assert logits.shape[:2] == (3, 1)
    assert logits[0].numel() == critic.places
    assert torch.equal(logits, critic(torch.cat([source, images], 1)).logits)


def test_dropout_is_where_the_docstring_says():
    assert UNet(1, (1, 28, 28), 32, 0.5).shares == [64 * 7 * 7, 0]
    assert UNet(1, (1, 32, 32), 8, 0.5).shares == [64 * 2 * 2, 32 * 4 * 4, 16 * 8 * 8, 0]
    assert UNet(1, (1, 2, 2), 8, 0.5).shares == [8 * 2 * 2]


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.9])
def test_dropout_keeps_units_where_phi_of_u_exceeds_the_rate_and_keeps_the_mean(rate):
    layer = NoiseDropout((2, 3, 3), rate)
    u, ones = normal((5_000, layer.units), gen()), torch.ones(5_000, 2, 3, 3)
    out = layer(ones, u)
    keep = (torch.special.ndtr(u.double()) > rate).view(5_000, 2, 3, 3)
    assert torch.equal(out > 0, keep)
    torch.testing.assert_close(out[keep], torch.full((int(keep.sum()),), 1 / (1 - rate)))
    assert float(out.mean()) == pytest.approx(1.0, abs=0.05)
    assert torch.equal(layer.eval()(ones, u), out), "active at sampling too"


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_a_dropout_rate_outside_its_range_is_refused(rate):
    with pytest.raises(ValueError, match="dropout="):
        build(dropout=rate)


def test_every_skip_carries_what_the_bottleneck_does_not():
    net = UNet(1, (1, 32, 32), 4, 0.5).eval()
    with torch.no_grad():
        net.bottom.layer.weight.zero_()  # nothing passes the bottom: what the image still sees came by a skip
    source = torch.randn(1, 1, 32, 32, generator=gen(), requires_grad=True)
    u = normal((1, net.latents), gen(1))
    (gradient,) = torch.autograd.grad(net(source, u)[0, 0, 16, 16], source)
    assert bool(gradient.any())
    for i, block in enumerate(net.up):
        width = block.norm.num_features
        following = net.up[i + 1].layer if i + 1 < len(net.up) else net.last
        assert following.weight.shape[0] == 2 * width, "the block's own maps and as many from its skip"
        whole = net(source, u)
        kept = following.weight[width:].detach().clone()
        with torch.no_grad():
            following.weight[width:] = 0
        assert not torch.equal(whole, net(source, u)), i
        with torch.no_grad():
            following.weight[width:] = kept


@pytest.mark.parametrize(("side", "patch"), [(28, 16), (32, 16), (8, 4), (2, 1)])
def test_a_logit_sees_one_patch_of_source_and_image(side, patch):
    critic = PatchCritic(2, side, side, 4).double().eval()
    pairs = torch.randn(1, 2, side, side, generator=gen(), dtype=torch.float64, requires_grad=True)
    logits = critic(pairs).logits
    middle = logits.shape[-1] // 2
    (gradient,) = torch.autograd.grad(logits[0, 0, middle, middle], pairs)
    assert critic.patch == patch
    for channel in range(2):
        rows, columns = gradient[0, channel].nonzero().T
        assert int(rows.max() - rows.min()) + 1 == patch
        assert int(columns.max() - columns.min()) + 1 == patch
    assert logits.shape[-1] > 1, "a map of patches and not one judgement"


def mixes(layer, shape):
    """Whether what ``layer`` makes of one map depends on the other maps of the batch."""
    x = torch.randn(4, *shape, generator=gen(), dtype=torch.float64, requires_grad=True)
    first = layer.double()(x)[0]
    (gradient,) = torch.autograd.grad((first * torch.randn(first.shape, generator=gen(1)).double()).sum(), x)
    return bool(gradient[1:].any())


@pytest.mark.parametrize("side", [28, 8, 2])
def test_the_critic_normalises_by_the_batch_behind_its_second_convolution_alone(side):
    critic = PatchCritic(2, side, side, 4).train()
    assert not mixes(critic.layers[:3], (2, side, side))
    assert mixes(critic.layers[:4], (2, side, side))
    assert mixes(critic.layers, (2, side, side))
    assert not mixes(critic.layers.eval(), (2, side, side))


def test_the_u_net_normalises_by_the_batch_behind_all_but_its_first_and_last_convolution():
    net = UNet(2, (1, 32, 32), 4, 0.5).train()
    channels, mixed = [2, 4, 8, 16], [False, True, True, True]
    for layer, into, expected in zip(net.down, channels, mixed, strict=True):
        assert mixes(layer, (into, 8, 8)) == expected
        assert not mixes(layer.eval(), (into, 8, 8))
    for block in (net.bottom, *net.up):
        noise = torch.ones(4, block.latents)

        class Alone(nn.Module):
            def forward(self, x, block=block, noise=noise):
                return block.double()(x, noise)

        size = block.dropout.shape[1] if block.dropout else 4
        size = size // 2 if block is not net.bottom and block.dropout else size
        assert mixes(Alone(), (block.layer.in_channels, size, size))
    assert not mixes(net.last, (net.last.in_channels, 4, 4))


def test_the_critic_scores_an_image_beside_its_source():
    model, given = build().eval(), batch()
    images = torch.randn(4, 1, 8, 8, generator=gen(5))
    other = Batch(given.images, sources=given.sources.flip(0))
    logits = model.scored(images, given).logits
    assert not torch.equal(logits, model.scored(images, other).logits)
    assert not torch.equal(logits, model.scored(images.flip(0), given).logits)


def test_losses_are_the_game_with_half_for_the_critic_and_a_hundred_times_l1():
    model, given = build(), batch()
    real = given.images.float() / 8 - 1
    source = given.sources.float() * (2 / 255) - 1
    fake = model.generator(source, normal((4, model.latents), gen(3)))
    real_logits, fake_logits = model.scored(real, given).logits, model.scored(fake, given).logits
    logs = model.critic_loss(given, step(3))
    torch.testing.assert_close(logs["loss"], NON_SATURATING.critic(real_logits, fake_logits) / 2)
    logs = model.generator_loss(given, step(3))
    wanted = NON_SATURATING.generator(real_logits, fake_logits) + 100 * (fake - real).abs().mean()
    torch.testing.assert_close(logs["loss"], wanted)


def test_the_critics_fakes_carry_no_gradient_to_the_generator():
    model = build()
    model.critic_loss(batch(), step())["loss"].backward()
    assert all(p.grad is None for p in model.generator.parameters())
    critic, generator = model.phases()[0].turns
    assert (list(critic.learns), list(generator.learns)) == ([model.critic], [model.generator])


def test_the_generator_learns_from_the_critic_and_not_from_l1_alone():
    model = build(weight=0.0)
    model.generator_loss(batch(), step())["loss"].backward()
    assert all(bool(p.grad.any()) for p in model.generator.last.parameters())


def test_training_masks_come_from_the_steps_generator():
    model, given = build(), batch()
    one, two = (model.translate(given, step(1)) for _ in range(2))
    assert torch.equal(one, two)
    assert not torch.equal(one, model.translate(given, step(2)))


def test_samples_follow_their_sources_in_order_and_vary_with_the_generator_alone():
    model, given = build(), batch(6)
    steady(model.generator)
    model.translate(given, step())
    model.eval()
    drawn = model.sample(6, sources=given.sources, generator=gen(1))
    torch.manual_seed(9)
    assert torch.equal(drawn, model.sample(6, sources=given.sources, generator=gen(1)))
    assert not torch.equal(drawn, model.sample(6, sources=given.sources, generator=gen(2)))
    u = normal((6, model.latents), gen(1))
    for i in range(6):
        alone = model.decode(u[i : i + 1], given.rows(slice(i, i + 1)))
        assert torch.equal(alone.round().clamp(0, 16)[0], drawn[i].float())


def test_the_likelihood_is_given_the_source():
    model, given = build().eval(), batch(2)
    answer = model.log_likelihood(given, effort="fast/2", generator=gen())
    assert (answer.given, answer.kind, answer.observation) == (("source",), "estimate", "added")
    assert torch.isfinite(answer.nats).all()
    assert not torch.isclose(
        model.log_likelihood(Batch(given.images, sources=given.sources.flip(0)), effort="fast/2", generator=gen()).nats,
        answer.nats,
    ).any()


def test_the_likelihood_is_the_sum_over_all_masks():
    spec = DataSpec((1, 1, 1), levels=17, source=(1, 1, 1))
    model = genbench.build("pix2pix", spec, width=4, dropout=0.3).eval()
    assert model.latents == 4
    with torch.no_grad():
        model.generator.bottom.layer.weight.zero_()
        model.generator.bottom.layer.weight[:, 0, 1, 1] = torch.tensor([0.1, 0.1, -0.1, -0.1])
        model.generator.bottom.layer.bias.fill_(0.5)
        model.generator.last.weight[0, :, 1, 1] = torch.tensor([-0.9, 0.4, 0.7, 0.2])
        model.generator.last.bias.zero_()
    model.variance.fill_(1.5)
    images, sources = torch.tensor([7, 9, 14]), torch.tensor([255, 120, 30])
    given = Batch(images.to(torch.uint8).view(3, 1, 1, 1), sources=sources.to(torch.uint8).view(3, 1, 1, 1))

    masks = torch.cartesian_prod(*[torch.tensor([False, True])] * 4)
    log_prior = torch.where(masks, 0.7, 0.3).double().log().sum(1)
    u = torch.where(masks, 2.0, -2.0)
    exact = []
    for row in range(3):
        every = given.rows(torch.full((16,), row))
        mean = model.decode(u, every).detach().double()
        assert len(mean.unique()) > 10, "or the masks would not matter"
        logs = discretised_gaussian(every.images, mean, math.sqrt(1.5), 17).flatten()
        exact.append(torch.logsumexp(log_prior + logs, 0))
    answer = model.log_likelihood(given, draws=400, generator=gen())
    torch.testing.assert_close(answer.nats, torch.stack(exact), rtol=0, atol=0.08)


def test_it_learns_to_translate():
    source = integers(64, (1, 2, 2), 2, 3).repeat_interleave(2, 2).repeat_interleave(2, 3) * 255
    images = ((255 - source) // 16).to(torch.uint8)  # the negative
    spec = DataSpec((1, 4, 4), 17, source=(1, 4, 4))
    data = Splits(Split(images, sources=source), Split(images[:8], sources=source[:8]))
    model = genbench.build("pix2pix", spec, width=8, dropout=0.1, lr=4e-3)
    model.fit(data, FitConfig(Budget(steps=60), batch_size=32))
    drawn = model.sample(64, sources=source, generator=gen())
    assert float((drawn.float() - images.float()).abs().mean()) < 3
    assert math.sqrt(float(model.variance)) < 6


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (DataSpec((1, 8, 8)), "source"),
        (DataSpec((1, 8, 8), source=(1, 4, 4)), r"source=\(1, 4, 4\)"),
        (DataSpec((1, 8, 8), source=(1, 8, 8), paired=False), "paired=False"),
    ],
)
def test_data_that_cannot_be_translated_are_refused(spec, message):
    with pytest.raises(ValueError, match=message):
        genbench.build("pix2pix", spec)
