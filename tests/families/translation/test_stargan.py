import math
from dataclasses import replace

import pytest
import torch
from torch import nn

import genbench
from families.layers.training import half_then_linear
from families.translation.domains import permuted
from families.translation.stargan import stargan as recipe
from genbench import Batch, Budget, DataSpec, Field, FitConfig, Split, Splits
from tests.families.translation.toy import gen, integers, step

FIELDS = {"domain": Field((), 4)}
SPEC = DataSpec((1, 8, 8), 256, source=(1, 8, 8), paired=False, fields=FIELDS)
COLOUR = replace(SPEC, shape=(3, 8, 8), source=(3, 8, 8))


def stargan(spec=SPEC, **options):
    return genbench.build("stargan", spec, **{"width": 4, "blocks": 1} | options)


def batch(n=8, shape=(1, 8, 8)):
    return Batch(integers(n, shape), fields={"domain": torch.arange(n) % 4})


def test_four_equal_guesses_cost_ln_4_on_either_side():
    model = stargan(classify=2.0)
    nn.init.zeros_(model.critic.classes.weight)
    nn.init.zeros_(model.critic.classes.bias)
    for side in (model.critic_loss, model.generator_loss):
        assert float(side(batch(), step())["classes"].detach()) == pytest.approx(2 * math.log(4))


def test_the_critic_learns_domains_from_real_images_alone():
    model, given = stargan(), batch()
    head = model.critic.classes.weight
    (slope,) = torch.autograd.grad(model.critic_loss(given, step())["loss"], head)
    told = model.critic(model.target(given)).classes
    (alone,) = torch.autograd.grad(nn.functional.cross_entropy(told, given.fields["domain"]), head)
    torch.testing.assert_close(slope, alone)


def test_both_sides_are_the_paper_s():
    model, given = stargan(), batch()
    x, c = model.target(given), given.fields["domain"]
    wanted = permuted(c, 4, gen())
    fake = model.generator(x, c, wanted)
    seen = model.critic(fake)
    expected = -seen.logits.mean() + nn.functional.cross_entropy(seen.classes, wanted)
    expected = expected + 10 * (x - model.generator(fake, wanted, c)).abs().mean()
    torch.testing.assert_close(model.generator_loss(given, step())["loss"], expected)
    logs = model.critic_loss(given, step())
    game = seen.logits.mean() - model.critic(x).logits.mean()
    torch.testing.assert_close(logs["loss"], game + logs["penalty"] + logs["classes"])


def test_the_penalty_pulls_the_slope_to_1_and_the_weight_is_10():
    model = stargan()
    nn.init.zeros_(model.critic.logits.weight)
    assert float(model.critic_loss(batch(), step())["penalty"]) == pytest.approx(10), "a flat critic: 10 (0 - 1)²"


@pytest.mark.parametrize("level", [0, 128])
def test_an_image_of_one_level_shows_which_domain_was_asked_for(level):
    """Constant maps vanish in a normalisation behind mirrored padding, and with them all that tells the domain."""
    model = stargan().double()
    sources = torch.full((4, 1, 8, 8), level, dtype=torch.uint8)
    seen = []
    model.generator.translator.encoder.down[0].register_forward_hook(lambda layer, maps, out: seen.append(out))
    images = model.generator(model.source(Batch(sources, sources=sources)), None, torch.arange(4))
    for i in range(4):
        for j in range(i):
            for one in (images, seen[0]):
                assert float((one[i] - one[j]).abs().max().detach()) > 1e-2


def test_the_generator_is_told_the_wanted_domain_and_not_the_image_s_own():
    model = stargan()
    x, wanted = torch.rand(2, 1, 8, 8), torch.tensor([1, 3])
    one, two = (model.generator(x, own, wanted) for own in (torch.tensor([0, 2]), torch.tensor([3, 1])))
    assert torch.equal(one, two)
    assert model.generator.translator.encoder.down[0][0].in_channels == 1 + 4


def test_networks_have_the_paper_s_kernels_and_no_statistics_of_batches():
    model = stargan()
    kernels = {layer.kernel_size for layer in model.modules() if getattr(layer, "stride", 0) == (2, 2)}
    assert kernels == {(4, 4)}
    for norm in model.modules():
        assert not getattr(norm, "track_running_stats", False)
    assert not any("Norm" in type(one).__name__ for one in model.critic.modules())
    assert {one.negative_slope for one in model.critic.modules() if isinstance(one, nn.LeakyReLU)} == {0.01}
    assert model.critic.logits.bias is None


def test_the_critic_takes_five_steps_for_one():
    critic, generator = stargan().phases()[0].turns
    assert (critic.name, critic.every, generator.name, generator.every) == ("critic", 1, "generator", 5)
    assert critic.schedule is generator.schedule is half_then_linear
    assert stargan().setting == "10 reconstruct, 0 identity, 1 classes, gradient penalty 10"


def test_in_training_no_source_is_read_and_in_sampling_the_source_and_the_domain_are():
    model = stargan(COLOUR)
    images = integers(16, (3, 8, 8))
    fields = {"domain": torch.arange(16) % 4}
    splits = Splits(*[Split(images, sources=255 - images, fields=fields)] * 2)
    other = Splits(*[Split(images, sources=images, fields=fields)] * 2)
    fitted = []
    for data in (splits, other):
        model = stargan(COLOUR)
        model.finish = lambda data, generator: None
        model.fit(data, FitConfig(Budget(steps=5), batch_size=8))
        fitted.append(model.sample(4, sources=images[:4], fields={"domain": torch.arange(4)}, generator=gen()))
    assert torch.equal(*fitted)
    with pytest.raises(ValueError, match="domain"):
        model.sample(4, sources=images[:4], generator=gen())


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (replace(SPEC, fields={}), r"fields=\[\]: stargan needs a field 'domain'"),
        (replace(SPEC, shape=(3, 8, 8)), r"source=\(1, 8, 8\): stargan translates between domains of one shape"),
        (
            replace(SPEC, fields={"domain": Field((), 1)}),
            r"fields\['domain'\] has 1 value: stargan translates",
        ),
        (replace(SPEC, shape=(1, 1, 8), source=(1, 1, 8)), r"shape=\(1, 1, 8\): stargan needs images of 2 px"),
    ],
)
def test_data_that_it_cannot_use_are_refused(spec, message):
    with pytest.raises(ValueError, match=message):
        recipe(spec)


@pytest.mark.parametrize(
    ("option", "value"),
    [("reconstruct", -1.0), ("classify", -1.0), ("penalty", 0.0), ("critic_steps", 0), ("width", 0), ("lr", 0.0)],
)
def test_options_out_of_range_are_refused(option, value):
    with pytest.raises(ValueError, match=f"{option}={value}"):
        stargan(**{option: value})
