import math

import pytest
import torch
from torch import nn

import genbench
from families.layers.distances import l1
from families.layers.edges import smoothed_edges
from families.translation.critics import DrawingCritic
from families.translation.resnet import Decoder, Encoder
from genbench import Batch, DataSpec, Split, Splits
from tests.families.translation.toy import drawn_nearer, gen, integers, step

SPEC = DataSpec((1, 8, 8), 256, classes=4, source=(1, 8, 8), paired=False)
COLOUR = DataSpec((3, 8, 8), 256, classes=4, source=(3, 8, 8), paired=False)


def build(spec=SPEC, **options):
    return genbench.build("cartoongan", spec, **({"width": 4, "blocks": 1} | options))


def pictures(spec=SPEC, n=4, seed=0):
    return Batch(integers(n, spec.shape, seed), torch.arange(n) % 4, integers(n, spec.source, seed + 100))


def splits(n=16):
    return Splits(*(Split(one.images, one.labels, one.sources) for one in (pictures(n=n, seed=s) for s in (0, 2))))


def silenced(model):
    """The model with a critic whose logit is 0 everywhere."""
    for parameter in model.critic.layers[-1].parameters():
        nn.init.zeros_(parameter)
    return model


def test_an_undecided_critic_costs_three_times_ln_2_and_without_blurred_edges_twice():
    assert silenced(build()).critic_loss(pictures(), step())["loss"].item() == pytest.approx(3 * math.log(2))
    for edges, times in ((0.0, 2.0), (0.5, 2.5)):
        loss = silenced(build(edges=edges)).critic_loss(pictures(), step())["loss"]
        assert loss.item() == pytest.approx(times * math.log(2))


def test_what_the_critic_must_call_fake_are_the_same_cartoons_with_blurred_edges():
    model, given, seen = build(), pictures(), []
    model.critic.register_forward_hook(lambda module, inputs, logits: seen.append(inputs[0]))
    model.critic_loss(given, step())
    real, fake, decoy = seen
    assert torch.equal(real, model.target(given))
    assert torch.equal(fake, model.translate(given, step()))
    assert torch.equal(decoy, smoothed_edges(real))
    assert not torch.equal(decoy, real)
    without, seen = build(edges=0.0), []
    without.critic.register_forward_hook(lambda module, inputs, logits: seen.append(inputs[0]))
    without.critic_loss(given, step())
    assert len(seen) == 2, "real images and translations alone"


def test_what_stays_is_the_photograph_s_and_the_cartoons_say_nothing():
    model, given = silenced(build()), pictures()
    logs = model.generator_loss(given, step())
    seen, source = model.perception(model.translate(given, step())), model.perception(model.source(given))
    torch.testing.assert_close(logs["content"], 10 * l1(seen, source))
    torch.testing.assert_close(logs["loss"], math.log(2) + logs["content"])
    other = Batch(255 - given.images, given.labels, given.sources)
    assert model.generator_loss(other, step())["loss"].item() == logs["loss"].item()
    model.generator.forward = lambda source, u=None: source
    assert model.generator_loss(given, step())["content"].item() == 0


def test_the_first_phase_is_the_photograph_s_features_alone_and_moves_no_critic():
    model = build(initialise=0.5)
    features, first, game = model.phases()
    shares = [(phase.name, phase.share) for phase in (features, first, game)]
    assert shares == [("features", 0.05), ("initialise", pytest.approx(0.475)), ("adversarial", pytest.approx(0.475))]
    (turn,) = first.turns
    assert list(turn.learns) == [model.generator]
    model.critic.forward = lambda images: pytest.fail("no critic is asked")
    logs = turn.loss(pictures(), step())
    assert logs.keys() == {"loss", "content"}
    assert logs["loss"].item() == logs["content"].item() > 0
    assert [turn.name for turn in game.turns] == ["critic", "generator"]
    assert [phase.name for phase in build(initialise=0.0).phases()] == ["features", "adversarial"]


def test_the_features_are_a_trained_network_s_middle_ones():
    assert (build().perceptual, build().perception.layer) == ("classifier", "middle")
    plain = DataSpec((3, 8, 8), source=(3, 8, 8), paired=False)
    assert build(plain).perceptual == build(perceptual="efficientnet-lite0").perceptual == "efficientnet-lite0"
    with pytest.raises(ValueError, match="perceptual='classifier': it learns from labels, and these data have none"):
        build(plain, perceptual="classifier")


def test_grey_photographs_are_kept_in_colour_cartoons():
    spec = DataSpec((3, 8, 8), 256, classes=4, source=(1, 8, 8), paired=False)
    model, given = build(spec), pictures(spec)
    model.generator.forward = lambda source, u=None: source.expand(-1, 3, -1, -1)
    assert model.generator_loss(given, step())["content"].item() == 0


def test_photographs_learn_to_be_drawn():
    model = build(initialise=0.9, lr=1e-2)
    drawn_nearer(model, splits(), model.source(pictures()))
    one, two = (model.sample(4, sources=pictures().sources, generator=gen(seed)) for seed in (0, 1))
    assert torch.equal(one, two)
    assert float(model.perception.scale) != 1


@pytest.mark.parametrize(("sides", "halvings"), [((32, 32), 2), ((28, 28), 2), ((13, 17), 1), ((8, 8), 1), ((2, 2), 0)])
def test_the_critic_halves_twice_at_most_and_is_not_normalised_before_its_third_convolution(sides, halvings):
    critic = DrawingCritic((3, *sides), 4, nn.BatchNorm2d)
    layers = [one for one in critic.modules() if isinstance(one, nn.Conv2d)]
    assert [one.stride[0] for one in layers] == [1, 1 + (halvings > 0), 1, 1 + (halvings > 1), 1, 1, 1]
    assert [one.out_channels for one in layers] == [4, 8, 16, 16, 32, 32, 1]
    assert all(one.kernel_size == (3, 3) for one in layers)
    blocks = [one[1] for one in critic.layers if isinstance(one, nn.Sequential)]
    assert [isinstance(one, nn.BatchNorm2d) for one in blocks] == [False, False, True, False, True, True, False]
    coarse = [-(-side // 2**halvings) for side in sides]
    assert critic(torch.randn(2, 3, *sides)).shape == (2, 1, *coarse)
    slopes = [one.negative_slope for one in critic.modules() if isinstance(one, nn.LeakyReLU)]
    assert slopes == [0.2] * 6


def test_sides_change_by_two_convolutions_with_one_normalisation():
    down = Encoder((3, 32, 32), 4, 0, nn.BatchNorm2d, "reflect", twice=True)
    up = Decoder((3, 32, 32), 4, 0, nn.BatchNorm2d, "reflect", twice=True)
    for part, kind, width in ((down.down[2], nn.Conv2d, 8), (up.up[0], nn.ConvTranspose2d, 8)):
        layers = [one for one in part.modules() if not isinstance(one, nn.Sequential | nn.Identity)]
        assert [type(one) for one in layers] == [kind, nn.Conv2d, nn.BatchNorm2d]
        assert [one.stride[0] for one in layers[:2]] == [2, 1]
        assert [one.out_channels for one in layers[:2]] == [width, width]
    maps = down(torch.randn(2, 3, 32, 32))
    assert maps.shape == (2, 16, 8, 8)
    assert up(maps).shape == (2, 3, 32, 32)


@pytest.mark.parametrize("name", ["cartoongan", "animegan"])
def test_a_drawing_knows_how_bright_its_photograph_is_unless_each_image_is_normalised(name):
    dark = integers(4, (3, 32, 32)) // 4
    both = torch.cat([dark, 100 + 2 * dark])
    for norm, knows in (("batch", True), ("instance", False)):
        model = genbench.build(name, COLOUR, width=4, norm=norm).train()
        one, other = model.image(torch.empty(8, 0), Batch(both, sources=both)).chunk(2)
        assert torch.allclose(one, other, atol=1e-2) is not knows


def test_the_recipe_s_parts_are_the_paper_s():
    model = build(COLOUR, blocks=2, lr=3e-4)
    assert isinstance(model.critic, DrawingCritic)
    for norm, own in {"batch": "BatchNorm2d", "instance": "InstanceNorm2d"}.items():
        made = build(COLOUR, norm=norm)
        kinds = [{type(one).__name__ for one in side.modules()} for side in (made.generator, made.critic)]
        assert [{kind for kind in side if kind.endswith("Norm2d")} for side in kinds] == [{own}, {"InstanceNorm2d"}]
    assert len(model.generator.encoder.blocks.blocks) == 2
    for part in (model.generator.encoder.down[2], model.generator.decoder.up[0]):
        assert sum(isinstance(one, nn.Conv2d | nn.ConvTranspose2d) for one in part.modules()) == 2
    assert model.latents == 0
    for phase in model.phases()[1:]:
        for turn in phase.turns:
            rule = turn.optimizer([nn.Parameter(torch.zeros(1))]).defaults
            assert (rule["lr"], rule["betas"], turn.every) == (3e-4, (0.5, 0.999), 1)
    assert model.setting == "10 content, 1 edges, classifier middle"
    assert build(COLOUR, edges=0.0).setting == "10 content, classifier middle"


@pytest.mark.parametrize(
    ("option", "value"),
    [("content", -1.0), ("edges", -1.0), ("initialise", 1.0), ("width", 0), ("blocks", -1), ("lr", 0.0)],
)
def test_options_out_of_range_are_refused(option, value):
    with pytest.raises(ValueError, match=f"{option}={value}: give"):
        build(**{option: value})


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 1, 8), "needs images of 2 px"),
        ((2, 8, 8), r"shape=\(2, 8, 8\): cartoongan draws images of 1 or 3 channels"),
    ],
)
def test_images_that_it_cannot_draw_are_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        build(DataSpec(shape, source=shape, classes=4, paired=False))
