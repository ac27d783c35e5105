import pytest
import torch
from torch import nn

import genbench
from families.layers.distances import gram, l1
from families.layers.edges import smoothed_edges
from families.layers.instance_norm import instance
from families.translation.animegan import LightTranslator, colour_distance, greyed, style_distance
from genbench import Batch, DataSpec, Split, Splits
from tests.families.translation.toy import drawn_nearer, gen, integers, step

SPEC = DataSpec((3, 8, 8), 256, classes=4, source=(3, 8, 8), paired=False)


def build(spec=SPEC, **options):
    return genbench.build("animegan", spec, **({"width": 4, "blocks": 1} | options))


def pictures(n=4, seed=0, images=None):
    images = integers(n, (3, 8, 8), seed) if images is None else images
    return Batch(images, torch.arange(n) % 4, integers(n, (3, 8, 8), seed + 100))


def splits(n=16):
    return Splits(*(Split(one.images, one.labels, one.sources) for one in (pictures(n, seed) for seed in (0, 2))))


def undecided(model, logit=0.5):
    model.critic.forward = lambda images: torch.full((len(images), 1, 2, 2), logit)
    return model


@pytest.mark.parametrize(("game", "edges", "loss"), [(300, 0.1, 232.5), (300, 0.0, 225.0), (1.0, 1.0, 1.0)])
def test_an_undecided_critic_s_loss_is_that_worked_out_by_hand(game, edges, loss):
    """C = ½: g (¼ + ¼ + ¼ + e/4)."""
    model = undecided(build(game=game, edges=edges))
    assert model.critic_loss(pictures(), step())["loss"].item() == pytest.approx(loss)
    logs = undecided(build(game=game)).generator_loss(pictures(), step())
    rest = sum(logs[name].item() for name in ("content", "style", "colour"))
    assert logs["loss"].item() - rest == pytest.approx(game / 4, rel=1e-4)


def test_fakes_are_grey_cartoons_and_grey_ones_with_blurred_edges():
    model, given, seen = build(), pictures(), []
    model.critic.register_forward_hook(lambda module, inputs, logits: seen.append(inputs[0]))
    model.critic_loss(given, step())
    real, fake, grey, blurred = seen
    assert torch.equal(real, model.target(given))
    assert torch.equal(fake, model.translate(given, step()))
    assert torch.equal(grey, greyed(real))
    assert torch.equal(blurred, greyed(smoothed_edges(real)))
    assert not torch.equal(blurred, grey)
    assert grey.shape == real.shape
    assert torch.equal(grey[:, 0], grey[:, 2])
    passes, quiet = [], build(edges=0.0)
    quiet.critic.register_forward_hook(lambda module, inputs, logits: passes.append(inputs[0]))
    quiet.critic_loss(given, step())
    assert len(passes) == 3


def test_the_style_is_a_grey_cartoon_s_whose_hue_does_not_count():
    """A red and a blue of the same luma are the same style, and another luma is not."""
    model = build()

    def style(red, blue):
        images = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
        images[:, 0, :, ::2], images[:, 2, :, ::2] = red, blue
        return model.generator_loss(pictures(2, images=images), step())["style"].item()

    red, blue, brighter = style(57, 0), style(0, 150), style(150, 0)  # .299 · 57 = 17.04, .114 · 150 = 17.1
    assert abs(red - blue) < 0.05 * abs(brighter - blue)


def test_styles_are_compared_over_all_pairs_by_their_gram_matrices():
    maps, styles = (torch.randn(2, 3, 4, 5, generator=gen(seed)) for seed in (0, 1))
    pairs = [l1(gram(maps[i : i + 1]), gram(styles[j : j + 1])) for i in range(2) for j in range(2)]
    torch.testing.assert_close(style_distance(maps, styles), torch.stack(pairs).mean())
    assert style_distance(torch.ones(1, 2, 1, 3), torch.zeros(1, 2, 1, 3)) == 0.5


def test_content_and_colour_are_the_photograph_s():
    model, given = build(content=1.0, colour=1.0, style=0.0), pictures()
    logs = model.generator_loss(given, step())
    other = model.generator_loss(pictures(images=255 - given.images), step())
    drawn, photograph = model.translate(given, step()), model.source(given)
    torch.testing.assert_close(logs["content"], l1(model.perception(drawn), model.perception(photograph)))
    torch.testing.assert_close(logs["colour"], colour_distance(drawn, photograph))
    for name in ("content", "colour"):
        assert logs[name].item() == other[name].item() > 0
    model.generator.forward = lambda source, u=None: source
    logs = model.generator_loss(given, step())
    assert logs["content"].item() == logs["colour"].item() == 0


def test_colours_count_by_their_luma_and_by_parabolas_of_u_and_v_on_0_to_1():
    black, red = -torch.ones(1, 3, 2, 2), -torch.ones(1, 3, 2, 2)
    red[:, 0] = 1
    luma = 0.299
    u, v = 0.492 * -luma, 0.877 * (1 - luma)
    assert colour_distance(red, black).item() == pytest.approx(luma + u**2 / 2 + v**2 / 2)
    assert colour_distance(torch.ones(1, 3, 2, 2), black).item() == pytest.approx(1)


def test_the_first_phase_is_content_alone_at_a_rate_of_its_own():
    model = build(lr=1e-3, critic_lr=2e-3, initialise_lr=3e-3)
    features, first, game = model.phases()
    assert [phase.name for phase in (features, first, game)] == ["features", "initialise", "adversarial"]
    assert first.share == pytest.approx(0.1 * 0.95)
    (turn,) = first.turns
    assert list(turn.learns) == [model.generator]
    assert turn.loss(pictures(), step()).keys() == {"loss", "content"}
    rates = {}
    for turn in (*first.turns, *game.turns):
        rule = turn.optimizer([nn.Parameter(torch.zeros(1))]).defaults
        rates[turn.name, len(rates)] = rule["lr"]
        assert rule["betas"] == (0.5, 0.999)
    assert rates == {("generator", 0): 3e-3, ("critic", 1): 2e-3, ("generator", 2): 1e-3}


def test_the_network_is_light_and_of_the_paper_s_parts():
    spec = DataSpec((3, 32, 32), source=(3, 32, 32), paired=False)
    model, other = genbench.build("animegan", spec), genbench.build("cartoongan", spec)
    sizes = [sum(one.numel() for one in each.generator.parameters()) for each in (model, other)]
    assert sizes[0] <= sizes[1] / 2
    convolutions = [one for one in model.generator.modules() if isinstance(one, nn.Conv2d)]
    assert all(one.groups == one.in_channels or one.kernel_size == (1, 1) for one in convolutions[1:])
    assert sum(one.out_channels == 2 * one.in_channels == 128 for one in convolutions) == 3  # wide inside
    assert convolutions[-1].kernel_size == (1, 1)
    for norm, (own, critic) in {
        "batch": ("BatchNorm2d", "InstanceNorm2d"),
        "instance": ("InstanceNorm2d",) * 2,
    }.items():
        made = genbench.build("animegan", spec, norm=norm)
        kinds = [{type(one).__name__ for one in side.modules()} for side in (made.generator, made.critic)]
        assert [{kind for kind in side if kind.endswith("Norm2d")} for side in kinds] == [{own}, {critic}]
        assert "Upsample" in kinds[0]
        assert "ConvTranspose2d" not in kinds[0]
    assert model.critic.normalisation == "spectral norm"
    assert (model.perceptual, model.perception.layer, model.latents) == ("efficientnet-lite0", "middle", 0)


def test_every_kernel_of_the_critic_is_divided_by_its_largest_singular_value():
    critic = build().critic
    for _ in range(60):
        critic(torch.randn(2, 3, 8, 8, generator=gen()))
    for layer in (one for one in critic.modules() if isinstance(one, nn.Conv2d)):
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("sides", [(32, 32), (28, 28), (13, 17), (8, 8), (2, 3)])
def test_images_of_any_sides_are_drawn_and_every_weight_learns(sides):
    net = LightTranslator((1, *sides), (3, *sides), 4, 1, instance)
    images = net(torch.randn(2, 1, *sides, generator=gen()))
    assert images.shape == (2, 3, *sides)
    assert images.detach().abs().max() < 1
    (images * torch.randn(images.shape, generator=gen(1))).sum().backward()
    assert all(one.grad is not None and one.grad.any() for one in net.parameters())


def test_photographs_learn_to_be_drawn():
    model = build(initialise=0.9, lr=1e-2, initialise_lr=1e-2)
    drawn_nearer(model, splits(), model.source(pictures()))
    one, two = (model.sample(4, sources=pictures().sources, generator=gen(seed)) for seed in (0, 1))
    assert torch.equal(one, two)
    assert float(model.perception.scale) != 1


def test_the_setting_says_weights_and_features():
    said = "5 content, 1 style, 10 colour, {}, 1 grey, 0.1 edges, classifier middle"
    assert build().setting == said.format("1 game")
    assert build(game=3.0).setting == said.format("3 game")
    assert build(edges=0.0).setting == said.format("1 game").replace(", 0.1 edges", "")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("game", 0.0),
        ("content", -1.0),
        ("style", -1.0),
        ("colour", -1.0),
        ("edges", -1.0),
        ("initialise", 1.0),
        ("width", 0),
        ("blocks", -1),
        ("lr", 0.0),
        ("critic_lr", 0.0),
        ("initialise_lr", 0.0),
    ],
)
def test_options_out_of_range_are_refused(option, value):
    with pytest.raises(ValueError, match=f"{option}={value}: give"):
        build(**{option: value})


@pytest.mark.parametrize(
    ("shape", "message"),
    [((3, 1, 8), "needs images of 2 px"), ((1, 8, 8), r"shape=\(1, 8, 8\): animegan draws images of 3 channels")],
)
def test_images_that_it_cannot_draw_are_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        build(DataSpec(shape, source=shape, classes=4, paired=False))
