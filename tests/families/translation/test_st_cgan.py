import math
from dataclasses import replace

import pytest
import torch
from torch import nn

import genbench
from families.translation.paired import Paired
from genbench import Budget, DataSpec, Field, FitConfig, Split, Splits
from genbench.likelihood.observation import discretised_gaussian
from tests.families.translation.toy import gen, integers, step

SPEC = DataSpec((3, 8, 8), source=(3, 8, 8), fields={"shadow": Field((1, 8, 8), 2)})


def build(**options):
    return genbench.build("st-cgan", SPEC, width=4, **options)


def shaded(n=4, seed=0):
    """Images of noise, a mask of squares, and as source the image at half its light where the mask is 1."""
    images = integers(n, (3, 8, 8), seed)
    mask = integers(n, (1, 2, 2), seed + 1, levels=2).repeat_interleave(4, 2).repeat_interleave(4, 3)
    return Split(images, sources=torch.where(mask == 1, images // 2, images), fields={"shadow": mask})


class Says(nn.Module):
    """A translator that always answers the same number."""

    def __init__(self, value, channels):
        super().__init__()
        self.value, self.channels, self.seen = nn.Parameter(torch.tensor(value)), channels, []

    def forward(self, source, u):
        self.seen.append(source)
        return self.value.expand(len(source), self.channels, *source.shape[2:])


def silent(critic):
    """The critic with every logit at 0."""
    with torch.no_grad():
        critic.layers[-1].weight.zero_()
        critic.layers[-1].bias.zero_()


def any_gradient(module):
    return any(p.grad is not None and bool(p.grad.any()) for p in module.parameters())


def test_generators_minimise_both_distances_and_a_tenth_of_both_games():
    """|m̂ - m| = .2, |ŷ - y| = .3, C = 0: .2 + 5 · .3 + .2 ln 2 = 1.839."""
    model = build()
    model.generator.detector, model.generator.remover = Says(0.8, 1), Says(0.7, 3)
    silent(model.critic.mask)
    silent(model.critic.image)
    white = torch.full((2, 3, 8, 8), 255, dtype=torch.uint8)
    given = Split(white, sources=white // 2, fields={"shadow": torch.ones(2, 1, 8, 8, dtype=torch.uint8)})
    logs = model.generator_loss(given, step())
    assert float(logs["mask"]) == pytest.approx(0.2)
    assert float(logs["l1"]) == pytest.approx(1.5)
    assert float(logs["loss"]) == pytest.approx(1.7 + 0.2 * math.log(2))
    assert float(model.critic_loss(given, step())["loss"]) == pytest.approx(4 * math.log(2)), "two critics, two sides"


@pytest.mark.parametrize(("name", "log"), [("mask", "mask"), ("weight", "l1")])
def test_a_doubled_weight_doubles_its_term(name, log):
    one, two = (build(**{name: value}).generator_loss(shaded(), step())[log] for value in (3.0, 6.0))
    torch.testing.assert_close(2 * one, two)


def test_the_setting_says_the_weights_of_distances_and_games():
    assert build().setting == "1 mask, 5 l1, 0.1 game"
    assert build(game=0.5).setting == "1 mask, 5 l1, 0.5 game"


def test_a_doubled_game_doubles_its_share_of_the_loss():
    one, two = (build(mask=0.0, weight=0.0, game=g).generator_loss(shaded(), step())["loss"] for g in (0.1, 0.2))
    torch.testing.assert_close(2 * one, two)


def test_the_detector_learns_from_the_image_s_distance_alone():
    model = build(mask=0.0, game=0.0)
    model.generator_loss(shaded(), step())["loss"].backward()
    assert any_gradient(model.generator.detector)


def test_both_generators_learn_through_the_second_critic_alone():
    model = build(mask=0.0, weight=0.0)
    silent(model.critic.mask)
    model.generator_loss(shaded(), step())["loss"].backward()
    assert any_gradient(model.generator.detector)
    assert any_gradient(model.generator.remover)


def test_the_detector_alone_learns_through_the_first_critic():
    model = build(mask=0.0, weight=0.0)
    silent(model.critic.image)
    model.generator_loss(shaded(), step())["loss"].backward()
    assert any_gradient(model.generator.detector)
    assert not any_gradient(model.generator.remover)


def test_the_remover_is_told_the_mask_that_was_found_and_never_the_true_one():
    model, given = build(), shaded()
    model.generator.remover = Says(0.0, 3)
    model.generator_loss(given, step())
    model.critic_loss(given, step())
    model.sample(4, sources=given.sources, generator=gen())
    found = model.generator.detector(model.source(given), torch.empty(4, 0))
    for seen in model.generator.remover.seen[:2]:
        torch.testing.assert_close(seen, torch.cat([model.source(given), found], 1))
    other = replace(given, fields={"shadow": 1 - given.fields["shadow"]})
    assert torch.equal(model.translate(given, step()), model.translate(other, step()))


def test_the_critics_see_source_mask_and_image():
    model, given = build(), shaded()
    assert model.critic.mask.layers[0].in_channels == 4
    assert model.critic.image.layers[0].in_channels == 7
    scenes = []
    model.critic.image.register_forward_pre_hook(lambda module, inputs: scenes.append(torch.cat(inputs[::-1], 1)))
    model.critic.mask.register_forward_pre_hook(lambda module, inputs: scenes.append(torch.cat(inputs[::-1], 1)))
    model.critic_loss(given, step())
    source, images = model.source(given), Paired.target(model, given)
    mask = given.fields["shadow"].float() * 2 - 1
    masked, whole, found, made = scenes
    assert torch.equal(masked, torch.cat([source, mask], 1))
    assert torch.equal(whole, torch.cat([source, mask, images], 1))
    with torch.no_grad():
        assert torch.equal(found, torch.cat([source, made[:, 3:4]], 1))
        assert torch.equal(made, torch.cat([source, model.translate(given, step())], 1))


def test_logits_of_both_critics_count_as_means_of_their_own():
    model, given = build(game=1.0, mask=0.0, weight=0.0).eval(), shaded()
    silent(model.critic.mask)
    with torch.no_grad():
        model.critic.mask.layers[-1].bias.fill_(2.0)
        silent(model.critic.image)
        model.critic.image.layers[-1].bias.fill_(-1.0)
    wanted = math.log1p(math.exp(-2)) + math.log1p(math.exp(1))
    assert float(model.generator_loss(given, step())["loss"]) == pytest.approx(wanted)
    assert model.critic.places == (16, 16)


def test_the_critics_turn_gives_the_generators_no_gradient_and_each_turn_learns_its_own():
    model = build()
    model.critic_loss(shaded(), step())["loss"].backward()
    assert not any_gradient(model.generator)
    assert any_gradient(model.critic.mask)
    assert any_gradient(model.critic.image)
    (phase,) = model.phases()
    assert [list(turn.learns) for turn in phase.turns] == [[model.critic], [model.generator]]
    assert [turn.every for turn in phase.turns] == [1, 1]


def test_sampling_and_detecting_read_no_field_and_a_row_follows_its_source():
    model, given = build(), shaded(5)
    model.translate(given, step())
    images = model.sample(5, sources=given.sources, generator=gen(1))
    assert torch.equal(images, model.sample(5, sources=given.sources, generator=gen(2)))
    bare = replace(given, fields={})
    mask = model.train().detect(bare)
    assert (mask.dtype, mask.shape) == (torch.bool, (5, 1, 8, 8))
    assert model.training
    assert torch.equal(mask, model.eval().detect(given))
    with torch.no_grad():
        said = model.generator.detector(model.source(bare), torch.empty(5, 0))
    assert torch.equal(mask, said > 0)
    for i in range(5):
        row = bare.rows(slice(i, i + 1))
        assert torch.equal(model.detect(row)[0], mask[i])
        assert torch.equal(model.sample(1, sources=row.sources, generator=gen())[0], images[i])


def test_the_likelihood_is_the_discretised_gaussian_of_the_one_image():
    model, given = build().eval(), shaded()
    model.variance.fill_(400.0)
    mean = model.decode(torch.empty(4, 0), given).detach().double()
    wanted = discretised_gaussian(given.images, mean, 20.0, 256).flatten(1).sum(1)
    for draws in (1, 3):
        answer = model.log_likelihood(given, draws=draws, generator=gen(draws))
        torch.testing.assert_close(answer.nats, wanted)
        assert (answer.method, answer.kind, answer.observation) == ("direct", "estimate", "added")


def test_it_learns_to_find_a_shadow_and_to_take_it_away():
    data, other = shaded(64), shaded(16, seed=5)
    bright = Splits(*(replace(one, images=one.images // 8 + 200) for one in (data, other)))
    for split in (bright.train, bright.validation):
        split.sources.copy_(torch.where(split.fields["shadow"] == 1, split.images // 2, split.images))
    model = build(lr=3e-3)
    model.fit(bright, FitConfig(Budget(steps=60), batch_size=16))
    wrong = model.detect(bright.validation) != bright.validation.fields["shadow"].bool()
    assert float(wrong.float().mean()) < 0.05
    made = model.sample(16, sources=bright.validation.sources, generator=gen()).float()
    error = (made - bright.validation.images).abs().mean()
    assert float(error) < 0.5 * float((bright.validation.sources.float() - bright.validation.images).abs().mean())


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (replace(SPEC, source=None), "'st-cgan' needs a source"),
        (replace(SPEC, paired=False), "recipe 'st-cgan': paired=False"),
        (replace(SPEC, fields={}), r"recipe 'st-cgan': fields="),
        (replace(SPEC, source=(3, 4, 4)), r"source=\(3, 4, 4\)"),
        (
            replace(SPEC, fields={"shadow": Field((1, 4, 4), 2)}),
            r"shadow=\(1, 4, 4\): st-cgan needs a mask .*\(1, 8, 8\)",
        ),
        (replace(SPEC, fields={"shadow": Field((1, 8, 8), 1)}), "shadow=1 levels: st-cgan needs masks of two"),
    ],
)
def test_data_that_it_cannot_use_are_refused_in_one_line(spec, message):
    with pytest.raises(ValueError, match=message) as caught:
        genbench.build("st-cgan", spec)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["mask", "weight", "game", "lr"])
def test_options_out_of_range_are_refused(name):
    with pytest.raises(ValueError, match=rf"{name}=-1"):
        build(**{name: -1})


def test_a_batch_without_masks_cannot_be_learned_from():
    with pytest.raises(ValueError, match=r"fields=\[\]: this model learns from a field 'shadow'"):
        build().critic_loss(replace(shaded(), fields={}), step())
