import pytest
import torch
from torch import nn

from families.adversarial.autoencoding_critic import MEAN_ABSOLUTE, ROOT_MEAN_SQUARE
from families.adversarial.networks import ImageCritic
from families.gan.energy import PullAway, margin_loss, pull_away
from genbench import Batch, Budget, DataSpec, FitConfig, Split, Splits
from genbench.seed import normal
from tests.contract.test_toys import same
from tests.families.gan.tiny import batch, build, double, gen, gradient, step


def test_the_margin_loss_by_hand():
    real, fake = double(-0.2, -0.4), double(-0.1, -0.5)  # minus energies
    loss = margin_loss(0.36)
    value = loss.critic(real, fake)
    assert float(value) == pytest.approx(0.3 + (0.26 + 0) / 2)
    assert gradient(value, real, fake) == [[-0.5, -0.5], [0.5, 0.0]], "a fake beyond the margin is left alone"
    value = loss.generator(fake.new_empty(0), fake)
    assert float(value) == pytest.approx(0.3)
    assert gradient(value, fake) == [[-0.5, -0.5]], "the generator lowers the energy, also beyond the margin"
    assert not loss.relativistic


def test_pull_away_by_hand_is_squared_and_without_the_diagonal():
    codes = double([1.0, 0.0], [1.0, 1.0], [0.0, 2.0])
    assert float(pull_away(codes)) == pytest.approx(2 * (0.5 + 0 + 0.5) / 6)
    assert float(pull_away(double([1.0, 0.0], [-3.0, 0.0]))) == pytest.approx(1), "cosines of -1 do not cancel"
    assert float(pull_away(torch.eye(4, dtype=torch.float64))) == 0, "no code is near itself"
    assert float(pull_away(double([1.0, 2.0]))) == 0


def test_pull_away_and_its_gradient_are_those_of_the_double_sum():
    codes = torch.randn(5, 3, dtype=torch.float64, generator=gen()).requires_grad_()
    wanted = sum(
        (codes[i] @ codes[j] / (codes[i].norm() * codes[j].norm())) ** 2 for i in range(5) for j in range(5) if i != j
    ) / (5 * 4)
    torch.testing.assert_close(pull_away(codes), wanted)
    torch.testing.assert_close(*(torch.autograd.grad(value, codes) for value in (pull_away(codes), wanted)))


def energies(model, images, given):
    return -model.score(images, given)


def test_ebgan_adds_the_pull_away_of_the_fakes_codes_to_the_generators_side_alone():
    model, plain = build("ebgan", weight=0.7), build("ebgan", weight=0)
    assert [type(term) for term in model.terms] == [PullAway]
    assert not plain.terms
    assert same(model.state_dict(), plain.state_dict())
    logs, without = model.generator_loss(batch(), step()), plain.generator_loss(batch(), step())
    fakes = model.generator(normal((6, 6), gen(3)))
    torch.testing.assert_close(logs["pull_away"], 0.7 * pull_away(model.critic(fakes)[1]))
    torch.testing.assert_close(logs["loss"], without["loss"] + logs["pull_away"])
    torch.testing.assert_close(without["loss"], energies(model, fakes, batch()).mean())
    torch.testing.assert_close(*(m.critic_loss(batch(), step())["loss"] for m in (model, plain)))


def test_the_critic_of_ebgan_minimises_real_energy_and_the_hinge_and_logs_minus_energies():
    plain, images = build("ebgan").train(), batch().images.float() / 8 - 1
    real, fake = energies(plain, images, batch()), energies(plain, plain.generator(normal((6, 6), gen(3))), batch())
    margin = float(fake.detach().sort().values[2:4].mean())  # three fakes on either side
    logs = build("ebgan", margin=margin).train().critic_loss(batch(), step())
    torch.testing.assert_close(logs["loss"], real.mean() + (margin - fake).clamp(min=0).mean())
    torch.testing.assert_close((logs["real"], logs["fake"]), (-real.mean(), -fake.mean()))
    assert float(logs["in_order"]) == float((real < fake).double().mean())


def test_in_order_means_that_real_images_have_the_lower_energy():
    model, images = build("ebgan"), batch().images.float() / 8 - 1
    model.critic.error = lambda seen, copies: (seen - images).abs().flatten(1).mean(1)  # what is real costs nothing
    assert float(model.critic_loss(batch(), step())["in_order"]) == 1
    model.critic.error = lambda seen, copies: -(seen - images).abs().flatten(1).mean(1)
    assert float(model.critic_loss(batch(), step())["in_order"]) == 0


def test_ebgan_learns_to_copy_real_images_and_not_its_fakes():
    images = torch.zeros(32, 1, 4, 4, dtype=torch.uint8)
    images[:16, :, :2], images[16:, :, :, 2:] = 8, 8
    model, logs = build("ebgan", DataSpec((1, 4, 4), 9), lr=5e-3), {}
    data = Splits(Split(images), Split(images[:8]))
    model.fit(
        data, FitConfig(Budget(steps=150), batch_size=16), callbacks=[lambda progress: logs.update(progress.logs)]
    )
    assert -float(logs["critic/real"]) < 0.3
    drawn = model.sample(40, generator=gen()).float().flatten(1)
    nearest = torch.cdist(drawn, images.float().flatten(1).unique(dim=0)).amin(1) / 4
    assert float(nearest.median()) < 2, "levels a pixel"


# Both.


def test_the_errors_and_defaults_are_the_recipes():
    ebgan, began = build("ebgan"), build("began")
    assert (ebgan.critic.error, began.critic.error) == (ROOT_MEAN_SQUARE, MEAN_ABSOLUTE)
    assert float(ebgan.loss.critic(torch.zeros(1), torch.zeros(1))) == pytest.approx(10 / 28, abs=0.005), "the margin"
    assert (ebgan.terms[0].weight, began.terms[0].gamma, began.terms[0].rate) == (0.1, 0.75, 0.1)
    assert ebgan.setting.startswith("critic: batch norm, 1 step; Adam 0.001, β 0.5 0.999; ")
    assert began.setting.startswith("critic: batch norm, 1 step; generator's Adam 0.003, β 0.5 0.999; critic's")
    encoder = build("began", DataSpec((1, 16, 16))).critic.encoder
    assert any(isinstance(module, nn.BatchNorm2d) for module in encoder.modules()), "8×8 images have no place for it"


@pytest.mark.parametrize("name", ["ebgan", "began"])
@pytest.mark.parametrize("network", ["convolutional", "residual", "dense"])
def test_the_critic_is_made_of_the_pairs_own_networks(name, network):
    model, gan = build(name, network=network), build("gan", network=network)
    assert isinstance(model.critic, ImageCritic)
    for mine, theirs in ((model.critic.encoder, gan.critic), (model.critic.decoder, gan.generator)):
        assert type(mine) is type(theirs)
    bodies = [
        [p.shape for n, p in net.named_parameters() if p.dim() > 1 and not n.startswith("logit")]
        for net in (model.critic.encoder, gan.critic)
    ]
    assert bodies[0] == bodies[1]
    losses = [loss(batch(), step())["loss"] for loss in (model.critic_loss, model.generator_loss)]
    assert all(torch.isfinite(loss) for loss in losses)


@pytest.mark.parametrize("name", ["ebgan", "began"])
@pytest.mark.parametrize("shape", [(1, 2, 2), (3, 5, 7), (1, 28, 28), (3, 32, 32)])
def test_any_shape(name, shape):
    model = build(name, DataSpec(shape), width=4)
    given = Batch(torch.randint(0, 256, (4, *shape), generator=gen(), dtype=torch.uint8))
    model.critic_loss(given, step())["loss"].backward()
    model.generator_loss(given, step())["loss"].backward()
    assert model.sample(2, generator=gen()).shape == (2, *shape)
    doubled = model.double().eval()
    assert doubled.score(torch.zeros(2, *shape, dtype=torch.float64), given).dtype == torch.float64


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("ebgan", {"margin": 0}, "margin=0"),
        ("ebgan", {"weight": -1.0}, r"weight=-1\.0"),
        ("began", {"gamma": 0}, "gamma=0"),
        ("began", {"gamma": 1.5}, r"gamma=1\.5: give at most 1"),
        ("began", {"balance_rate": -1}, "balance_rate=-1"),
    ],
)
def test_bad_values_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        build(name, **options)
