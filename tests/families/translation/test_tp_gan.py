import math
from dataclasses import replace

import pytest
import torch

import genbench
from families.layers.distances import l1
from families.translation.two_pathway import Frontal
from genbench import Budget, DataSpec, Field, FitConfig, Split, Splits
from genbench.likelihood.effort import EFFORTS, Effort
from genbench.seed import normal
from tests.families.translation.toy import gen, integers, step

FIELDS = {"landmarks": Field((4, 2), 16, "source"), "identity": Field((), 4)}
SPEC = DataSpec((1, 16, 16), source=(1, 16, 16), fields=FIELDS)
TERMS = {"pixels", "symmetry", "parts", "smoothness", "classes", "identity"}


def build(**options):
    return genbench.build("tp-gan", SPEC, **{"width": 4, "code": 8, "latents": 5} | options)


def faces(n=4, seed=0):
    landmarks = torch.randint(16, (n, 4, 2), generator=gen(seed + 2))
    fields = {"landmarks": landmarks, "identity": torch.arange(n) % 4}
    return Split(integers(n, (1, 16, 16), seed), sources=integers(n, (1, 16, 16), seed + 1), fields=fields)


def frontal(model, image, *, parts=0.0, seed=None):
    """What two paths would make if every image were ``image``, every part of one value, every identity as likely."""
    scales = [image, torch.nn.functional.avg_pool2d(image, 2), torch.nn.functional.avg_pool2d(image, 4)]
    own = [torch.full((len(image), 1, p.part.height, p.part.width), parts) for p in model.generator.paths()]
    return Frontal(scales, own, torch.zeros(len(image), 4))


def any_gradient(module):
    return any(p.grad is not None and bool(p.grad.any()) for p in module.parameters())


def silent(critic):
    with torch.no_grad():
        critic.logit.weight.zero_()
        critic.logit.bias.zero_()


def test_distances_count_at_every_scale_and_part_by_their_weights():
    """|ŷ - y| = .2 everywhere: .2 (1 + 1 + 1.5) = .7; parts .1 off: 3 · 4 · .1 = 1.2."""
    model = build()
    target = torch.full((2, 1, 16, 16), 0.5)
    terms = model.compared(frontal(model, target - 0.2, parts=0.4), target)
    assert float(terms["pixels"]) == pytest.approx(0.7)
    assert float(terms["parts"]) == pytest.approx(1.2)
    assert float(terms["symmetry"]) == float(terms["smoothness"]) == 0


def test_each_scale_is_compared_with_the_means_of_the_target():
    model, target = build(), torch.rand(2, 1, 16, 16, generator=gen())
    assert float(model.compared(frontal(model, target), target)["pixels"]) == pytest.approx(0, abs=1e-6)


def test_one_pixel_off_counts_twice_in_symmetry_at_every_scale_and_twice_in_smoothness():
    model, image = build(), torch.zeros(1, 1, 16, 16)
    image[0, 0, 3, 5] = 1
    made = frontal(model, image)
    terms = model.compared(made, torch.zeros_like(image))
    # 2/256 at full size, a mean of a quarter on 64 pixels, of a sixteenth on 16: the same share at every scale
    assert float(terms["symmetry"]) == pytest.approx(0.3 * (1 + 1 + 1.5) * 2 / 256)
    assert float(terms["smoothness"]) == pytest.approx(1e-3 * 4 / 256)
    turned = replace(made, images=[image + image.flip(3), *made.images[1:]])
    assert float(model.compared(turned, image)["symmetry"]) == pytest.approx(0.3 * (1 + 1.5) * 2 / 256)


def test_symmetry_is_that_of_the_output_and_not_of_the_target():
    model = build()
    made = frontal(model, torch.zeros(2, 1, 16, 16))
    assert float(model.compared(made, torch.rand(2, 1, 16, 16, generator=gen()))["symmetry"]) == 0


def test_each_part_is_compared_with_the_target_at_its_own_frontal_place():
    model, target = build(), torch.rand(2, 1, 16, 16, generator=gen())
    made = frontal(model, torch.zeros_like(target))
    for i, path in enumerate(model.generator.paths()):
        part = path.part
        own = target[:, :, part.top : part.top + part.height, part.left : part.left + part.width]
        others = [torch.zeros_like(image) if k != i else own for k, image in enumerate(made.parts)]
        rest = sum(float(p.part.frontal(target).mean()) for k, p in enumerate(model.generator.paths()) if k != i)
        assert float(model.compared(replace(made, parts=others), target)["parts"]) == pytest.approx(3 * rest)


def test_identity_is_the_distance_of_the_last_two_layers_and_the_code_s_cross_entropy():
    model, target = build(), torch.rand(2, 1, 16, 16, generator=gen())
    made = frontal(model, torch.zeros_like(target))
    terms = model.recognised(made, target, torch.tensor([0, 3]))
    assert float(terms["classes"]) == pytest.approx(1e-3 * math.log(4))
    fakes, reals = ([model.recogniser(images, stage) for stage in (1, 2)] for images in (made.images[0], target))
    assert [tuple(layer.shape[1:]) for layer in reals] == [(32, 8, 8), (64, 4, 4)]
    wanted = 3e-3 * sum(l1(fake, real) for fake, real in zip(fakes, reals, strict=True))
    assert float(terms["identity"]) == pytest.approx(float(wanted))
    assert float(wanted) > 0
    same = model.recognised(replace(made, images=[target]), target, torch.tensor([0, 3]))
    assert float(same["identity"]) == 0
    data = Splits(faces(20), faces(4))
    model.phases()[1].enter(data, step())
    layers = [model.recogniser(model.target(faces(20)), stage).detach() for stage in (1, 2)]
    scales = [float(layer.square().mean().sqrt()) for layer in layers]
    wanted = sum(3e-3 * l1(fake, real) / scale for fake, real, scale in zip(fakes, reals, scales, strict=True))
    again = model.recognised(made, target, torch.tensor([0, 3]))
    assert float(again["identity"]) == pytest.approx(float(wanted))
    assert (model.perceptual, build(identity=0.0).perceptual) == ("classifier", None)
    assert set(build(identity=0.0).recognised(made, target, torch.tensor([0, 3]))) == {"classes"}


def test_the_game_is_logistic_towards_nine_tenths_on_both_sides_and_a_thousandth_for_the_generator():
    model, given = build(), faces()
    silent(model.critic)
    with torch.no_grad():
        model.critic.logit.bias.fill_(2.0)
    real, fake = math.log1p(math.exp(-2)), math.log1p(math.exp(2))
    smooth = 0.9 * real + 0.1 * fake
    assert float(model.critic_loss(given, step())["loss"]) == pytest.approx(smooth + fake)
    logs = model.generator_loss(given, step())
    assert float(logs["loss"]) == pytest.approx(1e-3 * smooth + sum(float(logs[name]) for name in TERMS))


def test_the_critic_sees_images_alone_and_scores_places_of_a_map():
    model, given = build(), faces()
    scored = model.scored(model.target(given), given)
    assert scored.given is None
    assert scored.logits.shape == (4, 1, 4, 4)
    assert model.critic.layers[0].in_channels == 1


@pytest.mark.parametrize(
    ("name", "log"),
    [("weight", "pixels"), ("symmetry",) * 2, ("parts",) * 2, ("classes",) * 2, ("smoothness",) * 2, ("identity",) * 2],
)
def test_a_doubled_weight_doubles_its_term(name, log):
    one, two = (build(**{name: value}).generator_loss(faces(), step())[log] for value in (0.5, 1.0))
    torch.testing.assert_close(2 * one, two)
    assert float(one) > 0


def test_with_all_other_terms_silent_the_generator_learns_through_the_critic():
    rest = dict.fromkeys(("weight", "symmetry", "parts", "identity", "classes", "smoothness"), 0.0)
    one, two = build(**rest, game=1.0), build(**rest, game=0.0)
    for model in (one, two):
        model.generator_loss(faces(), step())["loss"].backward()
    assert any_gradient(one.generator.fuse)
    assert not any_gradient(two.generator.fuse)


def test_the_critic_s_turn_gives_the_generator_no_gradient():
    model = build()
    model.critic_loss(faces(), step())["loss"].backward()
    assert not any_gradient(model.generator)
    assert not any_gradient(model.recogniser)
    assert any_gradient(model.critic)


def test_identities_are_learned_first_and_by_their_network_alone():
    model = build()
    first, second = model.phases()
    assert [(phase.name, phase.share) for phase in (first, second)] == [("identity", 0.05), ("whole", 0.95)]
    assert [(turn.name, list(turn.learns), turn.every) for turn in (*first.turns, *second.turns)] == [
        ("identity", [model.recogniser], 1),
        ("critic", [model.critic], 2),
        ("generator", [model.generator], 1),
    ]
    given = faces()
    model.recogniser.head.weight.data.zero_()
    model.recogniser.head.bias.data.zero_()
    assert float(first.turns[0].loss(given, step())["loss"]) == pytest.approx(math.log(4))
    other = replace(given, sources=255 - given.sources)
    torch.testing.assert_close(build().identity_loss(given, step()), build().identity_loss(other, step()))
    (alone,) = build(identity=0.0).phases()
    assert (alone.name, alone.share) == ("whole", 1.0)


def test_samples_follow_source_landmarks_and_noise_and_read_no_identity():
    model, given = build(), faces(5)
    model.turned(normal((5, 5), gen()), given)
    model.eval()
    bare = {"landmarks": given.fields["landmarks"]}
    u = 50 * normal((5, 5), gen(3))  # the noise is faint beside the code
    whole = model.decode(u, replace(given, fields=bare))
    for i in range(5):
        torch.testing.assert_close(model.decode(u[i : i + 1], given.rows(slice(i, i + 1)))[0], whole[i])
    assert not torch.equal(whole, model.decode(-u, given))
    moved = {"landmarks": given.fields["landmarks"].flip(0)}
    assert not torch.equal(whole, model.decode(u, replace(given, fields=moved)))
    images = model.sample(5, sources=given.sources, fields=bare, generator=gen(1))
    assert torch.equal(images, model.sample(5, sources=given.sources, fields=bare, generator=gen(1)))


def test_the_likelihood_is_given_source_and_landmarks_and_its_chains_follow_a_gradient(monkeypatch):
    monkeypatch.setitem(EFFORTS, "fast", Effort(6, 2, search=4))
    answer = build().eval().log_likelihood(faces(2), generator=gen())
    assert (answer.kind, answer.given, answer.method) == ("estimate", ("source", "landmarks"), "ais")
    assert torch.isfinite(answer.nats).all()


def test_it_learns_to_turn_faces():
    images = integers(8, (1, 4, 4), levels=256).repeat_interleave(4, 2).repeat_interleave(4, 3)
    landmarks = torch.randint(16, (8, 4, 2), generator=gen(1))
    data = Split(images, sources=255 - images, fields={"landmarks": landmarks, "identity": torch.arange(8) % 4})
    model = build(lr=3e-3)
    model.finish = lambda data, generator: None  # what is asked for here is images
    logs = []
    config = FitConfig(Budget(steps=80), batch_size=8)
    model.fit(Splits(data, data), config, callbacks=[lambda progress: logs.append(progress.logs)])
    first, last = (float(log["generator/pixels"]) for log in (logs[10], logs[-1]))
    assert last < 0.5 * first
    made = model.sample(8, sources=data.sources, fields={"landmarks": landmarks}, generator=gen())
    assert float((made.float() - images).abs().mean()) < 0.5 * float((data.sources.float() - images).abs().mean())


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (replace(SPEC, source=None, fields={"identity": Field((), 4)}), "'tp-gan' needs a source"),
        (replace(SPEC, paired=False), "recipe 'tp-gan': paired=False"),
        (replace(SPEC, fields={"landmarks": FIELDS["landmarks"]}), "recipe 'tp-gan': fields="),
        (replace(SPEC, fields={"identity": FIELDS["identity"]}), "'tp-gan' needs a landmarks"),
        (
            replace(SPEC, fields={**FIELDS, "landmarks": Field((5, 2), 16, "source")}),
            r"landmarks=.*needs pixels \(x, y\)",
        ),
        (
            replace(SPEC, fields={**FIELDS, "landmarks": Field((4, 2), 17, "source")}),
            r"landmarks=.*needs pixels \(x, y\)",
        ),
    ],
)
def test_data_that_it_cannot_use_are_refused_in_one_line(spec, message):
    with pytest.raises(ValueError, match=message) as caught:
        genbench.build("tp-gan", spec)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["width", "code", "latents", "weight", "symmetry", "parts", "game", "identity", "classes", "smoothness", "lr"],
)
def test_options_out_of_range_are_refused(name):
    with pytest.raises(ValueError, match=rf"{name}=-1"):
        build(**{name: -1})


def test_its_setting_says_what_each_term_weighs():
    said = "1 pixels, 0.3 symmetry, 3 parts, 0.001 classes, 0.001 smoothness"
    assert build(identity=0.0).setting == f"{said}, 0.001 game"
    assert build(identity=0.0, game=0.0).setting == f"{said}, 0 game"
