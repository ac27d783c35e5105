import math
from dataclasses import replace

import pytest
import torch
from torch import nn

import genbench
from families.layers.distances import l2
from families.translation.dropout import NoiseDropout
from genbench import Budget, DataSpec, FitConfig, Split, Splits
from genbench.likelihood.effort import EFFORTS, Effort
from genbench.seed import normal
from tests.families.translation.toy import gen, integers, step

SPEC = DataSpec((1, 8, 8), classes=4, source=(1, 8, 8))


def build(spec=SPEC, **options):
    return genbench.build("deblurgan", spec, **{"width": 4, "blocks": 2} | options)


def blurred(n=16, seed=0):
    images = integers(n, (1, 4, 4), seed).repeat_interleave(2, 2).repeat_interleave(2, 3)
    near = (images.int() + images.roll(1, 2) + images.roll(1, 3) + images.roll((1, 1), (2, 3)).int()) // 4
    return Split(images, torch.arange(n) % 4, near.to(torch.uint8))


def entered(model, data):
    """The model with its features on scale, before their network has learned."""
    model.phases()[-1].enter(Splits(data, data), step())
    return model


def silent(model):
    """The model whose translator says nothing, so that it gives back its source."""
    with torch.no_grad():
        for parameter in model.generator.decoder.last.parameters():
            parameter.zero_()
    return model


def any_gradient(module):
    return any(p.grad is not None and bool(p.grad.any()) for p in module.parameters())


def test_a_translator_that_says_nothing_gives_back_its_source():
    model, given = silent(build()), blurred()
    assert torch.equal(model.translate(given, step()), model.source(given))
    assert torch.equal(model.sample(16, sources=given.sources, generator=gen()), given.sources)


def test_what_it_says_is_added_to_the_source_and_cut_off_at_both_ends():
    model, given = build(), blurred()
    with torch.no_grad():
        model.generator.decoder.last[0].weight.zero_()
        model.generator.decoder.last[0].bias.fill_(math.atanh(0.5))
    torch.testing.assert_close(model.translate(given, step()), (model.source(given) + 0.5).clamp(max=1))


def test_grey_sources_are_added_to_every_colour():
    spec = DataSpec((3, 8, 8), classes=4, source=(1, 8, 8))
    given = blurred(4)
    made = silent(build(spec)).translate(given, step())
    assert torch.equal(made, build().source(given).expand(-1, 3, -1, -1))


def test_content_begins_a_hundred_times_as_large_as_the_pixels_squared_error():
    data = blurred()
    model = entered(silent(build()), data)
    logs = model.generator_loss(data, step())
    wanted = 100 * l2(model.source(data), model.target(data))
    torch.testing.assert_close(logs["content"], wanted)
    assert float(wanted) > 0
    torch.testing.assert_close(logs["loss"], wanted - model.scored(model.source(data), data).logits.mean())


def test_content_is_the_squared_distance_of_features_and_of_the_low_layer():
    data = blurred()
    model = entered(build(), data)
    assert (model.perception.layer, model.perceptual) == ("low", "classifier")
    made = model.translate(data, step(2))
    wanted = 100 * model.perception.factor * l2(model.perception(made), model.perception(model.target(data)))
    torch.testing.assert_close(model.generator_loss(data, step(2))["content"], wanted)


def test_the_critic_is_wasserstein_s_under_a_penalty_and_sees_images_alone():
    model, given = build(), blurred()
    real, fake = model.scored(model.target(given), given), model.scored(model.translate(given, step(1)), given)
    assert real.given is None
    assert real.logits.shape[1] == 1
    assert real.logits[0].numel() > 1, "a logit for each patch"
    logs = model.critic_loss(given, step(1))
    torch.testing.assert_close(logs["loss"], fake.logits.mean() - real.logits.mean() + logs["penalty"])
    assert float(logs["penalty"].detach()) > 0


class Slope(nn.Module):
    """The logit ``2 Σ images / side`` of an image, so that the gradient's norm is 2 over all of its axes."""

    def forward(self, images):
        return 2 * images.flatten(1).sum(1) / math.sqrt(images[0].numel())


def test_the_gradient_s_norm_is_over_all_of_an_image():
    model = build()
    model.critic = Slope()
    assert float(model.critic_loss(blurred(), step())["penalty"]) == pytest.approx(10 * (2 - 1) ** 2, rel=1e-4)


def test_interpolates_have_a_share_of_their_own_in_each_row():
    model, given, seen = build(), blurred(), []

    class Watch(Slope):
        def forward(self, images):
            seen.append(images.detach())
            return super().forward(images)

    model.critic = Watch()
    model.critic_loss(given, step())
    real, fake, between = seen
    shares = ((between - fake) * (real - fake)).flatten(1).sum(1) / (real - fake).flatten(1).square().sum(1)
    torch.testing.assert_close(between, fake + shares.view(-1, 1, 1, 1) * (real - fake))
    assert len(shares.unique()) == len(given)
    assert float(shares.min()) >= 0
    assert float(shares.max()) < 1


def test_normalisation_is_each_image_s_own():
    model = build()
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in model.modules())
    assert any(isinstance(layer, nn.InstanceNorm2d) for layer in model.critic.modules())
    assert any(isinstance(layer, nn.InstanceNorm2d) for layer in model.generator.modules())


def test_dropout_stands_in_every_block_and_is_u_in_sampling_too():
    model, given = build().eval(), blurred()
    layers = [layer for layer in model.modules() if isinstance(layer, NoiseDropout)]
    assert len(layers) == 2
    assert model.latents == 2 * 8 * 4 * 4
    assert {layer.scale for layer in layers} == {2.0}
    one, two = (model.sample(16, sources=given.sources, generator=gen(seed)) for seed in (1, 2))
    assert not torch.equal(one, two)
    assert torch.equal(one, model.sample(16, sources=given.sources, generator=gen(1)))
    u = normal((16, model.latents), gen(1))
    whole = model.decode(u, given)
    for i in (0, 7):
        torch.testing.assert_close(
            model.decode(u[i : i + 1], given.rows(slice(i, i + 1)))[0], whole[i], rtol=0, atol=1e-3
        )


def test_without_dropout_there_is_no_u_and_one_image_of_each_source():
    model, given = build(dropout=0.0), blurred()
    assert model.latents == 0
    assert not any(isinstance(layer, NoiseDropout) for layer in model.modules())
    one, two = (model.sample(16, sources=given.sources, generator=gen(seed)) for seed in (1, 2))
    assert torch.equal(one, two)
    assert model.log_likelihood(given, generator=gen()).method == "direct"


def test_masks_have_no_gradient_and_chains_say_so(monkeypatch):
    monkeypatch.setitem(EFFORTS, "fast", Effort(2, 1, search=2))
    answer = build().eval().log_likelihood(blurred(2), generator=gen())
    assert (answer.method, answer.kind, answer.given) == ("ais without gradient", "estimate", ("source",))


def test_the_critic_steps_five_times_and_rates_fall_in_the_second_half():
    features, game = build().phases()
    assert [phase.name for phase in (features, game)] == ["features", "adversarial"]
    assert [(turn.name, turn.every) for turn in game.turns] == [("critic", 1), ("generator", 5)]
    assert [turn.schedule(fraction) for turn in game.turns for fraction in (0.5, 0.75)] == [1.0, 0.5] * 2
    model = build(critic_steps=2)
    assert [turn.every for turn in model.phases()[-1].turns] == [1, 2]


def test_each_turn_gives_gradient_to_its_own_side_alone():
    model = entered(build(content=0.0), blurred())
    model.critic_loss(blurred(), step())["loss"].backward()
    assert not any_gradient(model.generator)
    assert not any_gradient(model.perception)
    assert any_gradient(model.critic)
    model.generator_loss(blurred(), step())["loss"].backward()
    assert any_gradient(model.generator), "through the critic alone"


def test_features_give_gradient_to_the_image_alone():
    model = entered(build(), blurred())
    model.generator_loss(blurred(), step())["content"].backward()
    assert any_gradient(model.generator)
    assert not any_gradient(model.perception)


@pytest.mark.parametrize(("option", "log", "turn"), [("content", "content", 1), ("penalty", "penalty", 0)])
def test_a_doubled_weight_doubles_its_term(option, log, turn):
    one, two = (
        entered(build(**{option: value}), blurred()).phases()[-1].turns[turn].loss(blurred(), step())[log]
        for value in (5.0, 10.0)
    )
    torch.testing.assert_close(2 * one, two)
    assert float(one.detach()) > 0


def test_it_learns_to_sharpen():
    data = blurred(64)
    model = build(dropout=0.0, lr=2e-3, critic_steps=1)
    model.fit(Splits(data, blurred(16, seed=3)), FitConfig(Budget(steps=80), batch_size=16))
    made = model.sample(64, sources=data.sources, generator=gen()).float()
    error, copied = ((one.float() - data.images).square().mean() for one in (made, data.sources))
    assert float(error) < 0.7 * float(copied)
    assert float(model.perception.scale) != 1


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (DataSpec((1, 8, 8)), "'deblurgan' needs a source"),
        (replace(SPEC, paired=False), "recipe 'deblurgan': paired=False"),
        (replace(SPEC, source=(1, 4, 4)), r"source=\(1, 4, 4\)"),
        (DataSpec((1, 8, 8), classes=4, source=(3, 8, 8)), r"source=\(3, 8, 8\): deblurgan adds to the source"),
        (DataSpec((1, 1, 8), classes=4, source=(1, 1, 8)), r"shape=\(1, 1, 8\)"),
    ],
)
def test_data_that_it_cannot_use_are_refused_in_one_line(spec, message):
    with pytest.raises(ValueError, match=message) as caught:
        genbench.build("deblurgan", spec)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lr", 0.0),
        ("width", 0),
        ("blocks", -1),
        ("dropout", 1.0),
        ("content", -1),
        ("penalty", 0.0),
        ("critic_steps", 0),
        ("perceptual", "inception"),
    ],
)
def test_options_out_of_range_are_refused(name, value):
    with pytest.raises(ValueError, match=rf"{name}={value!r}"):
        build(**{name: value})
