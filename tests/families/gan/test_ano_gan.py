"""How strange an image is by how near a search comes to it: the loss by hand, no image in another's way."""

import pytest
import torch

from genbench import Batch
from genbench.interface import frozen
from tests.families.gan.tiny import SPEC, batch, build, gen


def made(**options):
    model = build("ano-gan", steps=options.pop("steps", 8), **options)
    for parameter in model.average.copies.parameters() if model.average else ():
        parameter.data.mul_(3)  # images that are not all of one grey
    return model


def from_start(model, k=1):
    with frozen(model), torch.no_grad():
        levels = model.decode(model.starts[k : k + 1], batch(1)).round().clamp(0, 16)
    return Batch(levels.to(torch.uint8))


def test_an_image_of_a_start_is_found_to_a_rounding_and_with_a_square_on_it_it_is_stranger():
    model = made(weight=0.0)
    image = from_start(model)
    score = model.anomaly(image)
    assert score.dtype == torch.float64
    assert float(score) <= 1 / 16 + 1e-6, "the start itself counts"
    square = image.images.clone()
    square[:, :, 2:6, 2:6] = 16 - square[:, :, 2:6, 2:6]
    for weight in (0.0, 0.1):
        judge = made(weight=weight)
        assert float(judge.anomaly(Batch(square))) > float(judge.anomaly(image))


@pytest.mark.parametrize("weight", [0.0, 0.1, 1.0])
def test_the_loss_is_the_share_of_pixels_and_the_share_of_features_by_hand(weight):
    model, images = made(weight=weight), batch(4)
    z = model.draw_noise(4, gen(1))
    with frozen(model), torch.no_grad():
        x = images.images.float() / 8 - 1
        made_of = model.decode(z, images) / 8 - 1
        critic = model.critic_average.copies["critic"]
        apart = (critic(x)[1] - critic(made_of)[1]).abs().mean(1)
        wanted = (1 - weight) * (x - made_of).abs().flatten(1).mean(1) + weight * apart
        torch.testing.assert_close(model.losses(z, x, critic(x)[1], images), wanted)


def test_the_critic_that_judges_is_the_average_and_not_the_one_that_learns():
    model, images = made(weight=1.0), batch(4)
    before = model.anomaly(images)
    for parameter in model.critic.parameters():
        parameter.data.mul_(-2)
    assert torch.equal(model.anomaly(images), before)
    for parameter in model.critic_average.copies["critic"].parameters():
        parameter.data.mul_(2)
    assert not torch.allclose(model.anomaly(images), before)
    live = made(weight=1.0, average=0.0)
    before = live.anomaly(images)
    for parameter in live.critic.parameters():
        parameter.data.mul_(2)
    assert not torch.allclose(live.anomaly(images), before)


def test_an_image_alone_and_in_company_scores_the_same():
    model, images = made(), batch(7)
    order = torch.tensor([4, 2, 6, 0, 5, 1, 3])
    whole = model.anomaly(images)
    torch.testing.assert_close(model.anomaly(images.rows(order)), whole[order], atol=1e-5, rtol=0)
    torch.testing.assert_close(model.anomaly(images.rows(slice(2, 3))), whole[2:3], atol=1e-5, rtol=0)
    assert torch.equal(model.anomaly(images, generator=gen(9)), whole)


def test_a_longer_search_never_ends_farther_and_the_best_step_counts():
    images = batch(5)
    short, long = (made(steps=steps).anomaly(images) for steps in (1, 30))
    assert (long < short).all()
    model = made(steps=5)
    z, least = model._searched(images)
    with frozen(model), torch.no_grad():
        x = model._real(images)
        features = model._judge(x)[1]
        torch.testing.assert_close(model.losses(z, x, features, images).double(), least)
        for start in model.starts:
            at_start = model.losses(start.expand(5, -1), x, features, images).double()
            assert (least <= at_start + 1e-7).all()


def test_a_search_leaves_the_model_as_it_was():
    model = made().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.anomaly(batch(3))
    model.reconstruct(batch(3))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training
    assert all(p.requires_grad for p in (*model.generator.parameters(), *model.critic.parameters()))
    assert all(p.grad is None for p in model.parameters())


def test_the_reconstruction_is_the_image_that_was_found():
    model, images = made(), batch(3)
    z, _ = model._searched(images)
    with frozen(model), torch.no_grad():
        assert torch.equal(model.reconstruct(images), model.decode(z, images).round().clamp(0, 16).to(torch.uint8))


def test_starts_are_the_model_s_own_and_the_same_for_every_image():
    one, other = made(seed=0), made(seed=1)
    assert one.starts.shape == (2, 6)
    assert not torch.equal(one.starts, other.starts)
    assert "starts" in one.state_dict()


def test_critic_and_generator_have_averages_of_their_own():
    model = build("ano-gan", SPEC)
    for turn, names in zip(model.phases()[0].turns, ({"critic_average"}, {"average"}), strict=True):
        before = {name: value.clone() for name, value in model.state_dict().items()}
        for module in turn.learns:
            for parameter in module.parameters():
                parameter.data.add_(1)
        turn.after({"real": torch.zeros(()), "fake": torch.zeros(())}, None)
        moved = {
            name.split(".")[0] for name, value in model.state_dict().items() if not torch.equal(value, before[name])
        }
        assert moved - {"critic", "generator"} == names


@pytest.mark.parametrize("options", [{"weight": 1.5}, {"weight": -0.1}, {"steps": 0}])
def test_options_out_of_range_are_refused(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"^{name}={value}"):
        build("ano-gan", SPEC, **options)
