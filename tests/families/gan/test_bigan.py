"""An encoder that undoes a generator because a critic sees both with their codes: tables, linear toys, abilities."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from families.adversarial.game import Game
from families.adversarial.losses import logistic_fake, logistic_real
from families.gan.bigan import EXCHANGED, PairHead
from families.layers.evaluation import evaluation
from genbench import Batch, DataSpec
from tests.families.gan.tiny import SPEC, batch, build, gen, moved_by, step

GUARD = 1e-9


def learned_table(loss, steps=400):
    """A table of softmaxes E(z given x) against the best critic of each step; G maps z to x by a permutation."""
    permutation = torch.tensor([2, 0, 3, 1])
    generated = torch.zeros(4, 4, dtype=torch.float64)  # p_G(x, z)
    generated[permutation, torch.arange(4)] = 1 / 4
    table = torch.randn(4, 4, generator=gen(), dtype=torch.float64).requires_grad_()
    optimizer = torch.optim.Adam([table], lr=0.05)
    for _ in range(steps):
        encoded = table.softmax(1) / 4  # p_E(x, z)
        critic = ((encoded.detach() + GUARD) / (generated + GUARD)).log()  # D = p_E / (p_E + p_G)
        total = sum(encoded[x, z] * loss(critic[x, z].view(1)) for x in range(4) for z in range(4))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    return table.softmax(1)[permutation, torch.arange(4)]


def test_against_the_best_critic_the_encoder_becomes_the_inverse_of_the_generator_and_with_targets_kept_never():
    real_side = lambda logits: EXCHANGED.generator(logits, logits.new_full((1,), 1e3))  # noqa: E731 - fakes at their best
    assert (learned_table(real_side) > 0.99).all()
    assert not (learned_table(logistic_real) > 0.9).any()


def test_the_coders_loss_is_the_critics_with_its_targets_exchanged():
    real, fake = torch.randn(5, generator=gen()), torch.randn(5, generator=gen(1))
    assert torch.equal(EXCHANGED.generator(real, fake), logistic_fake(real) + logistic_real(fake))
    assert torch.equal(EXCHANGED.critic(fake, real), EXCHANGED.generator(real, fake))


class Joint(nn.Module):
    """A critic of points beside codes, or one that does not see the codes."""

    def __init__(self, blind):
        super().__init__()
        self.blind = blind
        layers = [nn.Linear(4, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x, z):
        return self.layers(torch.cat([x, 0 * z if self.blind else z], 1))[:, 0]


def toy(seed, blind=False, rounds=1500):
    """How far an encoder of x = A z + 1 is from the inverse of its generator, and the ratio of reconstruction."""
    source = gen(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        generator, encoder, critic = nn.Linear(2, 2), nn.Linear(2, 2), Joint(blind)
    mixing = torch.tensor([[2.0, 0.5], [0.0, 1.0]])
    game = Game(generator, critic, loss=EXCHANGED)
    coders = torch.optim.Adam([*generator.parameters(), *encoder.parameters()], lr=1e-3, betas=(0.5, 0.999))
    judge = torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.5, 0.999))
    for _ in range(rounds):
        for optimizer, side in ((judge, "critic"), (coders, "coders")):
            x = torch.randn(128, 2, generator=source) @ mixing.T + 1
            z = torch.randn(128, 2, generator=source)
            real, fake = game.scored(x, encoder(x)), game.scored(generator(z), z)
            loss = game.critic_loss(real, fake, step()) if side == "critic" else None
            loss = loss or game.generator_loss(fake, step(), real=real)
            optimizer.zero_grad()
            loss["loss"].backward()
            optimizer.step()
    with torch.no_grad():
        x = torch.randn(2000, 2, generator=source) @ mixing.T + 1
        copy = generator(encoder(x))
        ratio = (copy - x).norm(dim=1).mean() / (copy.roll(1, 0) - x).norm(dim=1).mean()
        return float(ratio), float((encoder.weight @ generator.weight - torch.eye(2)).norm())


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3))])
def test_a_linear_encoder_learns_the_inverse_and_one_whose_codes_nobody_sees_does_not(seed):
    ratio, distance = toy(seed)
    assert ratio < 0.1
    assert distance < 0.15
    assert toy(seed, blind=True)[0] > 0.5


def test_the_critic_sees_which_code_belongs_to_which_image():
    head = PairHead(7, 5, 6)
    features, codes = torch.randn(4, 7, generator=gen()), torch.randn(4, 5, generator=gen(1))
    logit = torch.randn(4, generator=gen(2))
    scores = head(logit, features, codes)
    assert not torch.allclose(scores, head(logit, features, codes.roll(1, 0)))
    apart = [head(logit, features, codes.roll(k, 0)).sum() for k in range(4)]
    assert len({round(float(one), 5) for one in apart}) == 4, "no sum of a score of images and a score of codes"
    torch.testing.assert_close(head(logit + 1, features, codes), scores + 1)


def test_the_critic_s_turn_moves_critic_and_head_and_the_coders_generator_and_encoder():
    assert [turn.name for turn in build("bigan").phases()[0].turns] == ["critic", "coders"]
    assert moved_by(build("bigan", average=0.0), 0, batch()) == {"critic", "head"}
    assert moved_by(build("bigan", average=0.0), 1, batch()) == {"generator", "encoder"}
    assert moved_by(build("bigan"), 1, batch()) == {"generator", "encoder", "average"}


def test_each_weight_of_the_coders_and_of_the_critic_has_a_gradient():
    model = build("bigan").train()
    for turn in model.phases()[0].turns:
        model.zero_grad()
        turn.loss(batch(), step())["loss"].backward()
        without = [
            name for module in turn.learns for name, parameter in module.named_parameters() if parameter.grad is None
        ]
        assert not without, turn.name


def test_the_critic_is_shown_real_images_with_their_own_codes_and_fakes_with_the_noise_that_made_them(monkeypatch):
    model, seen = build("bigan"), []
    model.head.register_forward_pre_hook(lambda head, inputs: seen.append(inputs[2]))
    images = batch()
    model.critic_loss(images, step())
    model.train()
    _, u = model._drawn(images, step())
    assert torch.equal(seen[0], model.encoder(model.scaled(images)))
    assert torch.equal(seen[1], u)


def test_both_sides_losses_by_hand(monkeypatch):
    model, images = build("bigan").eval(), batch()
    weights = torch.randn(1, 8, 8, generator=gen(5))
    monkeypatch.setattr(model.critic, "forward", lambda shown: ((shown * weights).sum((1, 2, 3)), shown.flatten(1)))
    monkeypatch.setattr(model.head, "forward", lambda logit, features, codes: logit + codes.sum(1))
    score = lambda shown, codes: (shown * weights).sum((1, 2, 3)) + codes.sum(1)  # noqa: E731
    shown = model._real(images)
    given, u = model._drawn(images, step())
    real, fake = score(shown, model.encoder(shown)), score(model.generate(u, given), u)
    critic = F.softplus(-real).mean() + F.softplus(fake).mean()
    torch.testing.assert_close(model.critic_loss(images, step())["loss"], critic)
    coders = F.softplus(real).mean() + F.softplus(-fake).mean()
    torch.testing.assert_close(model.generator_loss(images, step())["loss"], coders)


def test_reconstructions_are_of_an_image_alone_and_pass_by_the_averages():
    model = build("bigan")
    for parameter in model.average.copies["generator"].parameters():
        parameter.data.mul_(20)  # images that are not all of one grey
    images = batch(7)
    whole = model.reconstruct(images)
    assert len(whole.flatten(1).unique(dim=0)) == 7
    assert (whole.dtype, whole.shape) == (torch.uint8, images.images.shape)
    assert torch.equal(model.reconstruct(images.rows(slice(3, 4))), whole[3:4])
    for parameter in (*model.encoder.parameters(), *model.generator.parameters()):
        parameter.data.zero_()
    assert torch.equal(model.reconstruct(images), whole)
    with evaluation(model):
        codes = model.average.copies["encoder"](model.scaled(images))
        assert torch.equal(model.decode(codes, images).round().clamp(0, 16).to(torch.uint8), whole)


def test_ways_between_images_end_at_their_reconstructions_and_latents_move_one_at_a_time():
    model, one, other = build("bigan"), batch(3), batch(3, 1)
    ways = model.interpolate(one, other, 4)
    assert torch.equal(ways[:, 0], model.reconstruct(one))
    assert torch.equal(ways[:, -1], model.reconstruct(other))
    assert model.traverse(4, 5, generator=gen()).shape == (4, 5, 1, 8, 8)


def test_it_trains_in_float64_on_any_shape():
    for shape in ((1, 2, 2), (3, 9, 8), (1, 28, 28)):
        model = build("bigan", DataSpec(shape, 17)).double()
        images = Batch(torch.randint(0, 17, (4, *shape), generator=gen(), dtype=torch.uint8))
        for loss in (model.critic_loss, model.generator_loss):
            assert loss(images, step())["loss"].dtype == torch.float64
        assert model.traverse(2, 2, generator=gen()).shape == (2, 2, *shape)


@pytest.mark.parametrize("options", [{"hidden": 0}, {"depth": -1}, {"average": 1.0}])
def test_options_out_of_range_are_refused(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"^{name}={value}|^decay={value}"):
        build("bigan", SPEC, **options)
