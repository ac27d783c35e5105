import math
from dataclasses import replace

import pytest
import torch
from torch import nn

import genbench
from families.adversarial.losses import NON_SATURATING
from families.translation.xgan import IMAGE, SOURCE, XGAN
from genbench import Batch, Budget, DataSpec, Field, FitConfig, Split, Splits
from tests.families.translation.toy import UNPAIRED, Level, adam, batch, gen, integers, ones, step

SEMANTIC = ("semantic", "back_semantic")


class Scaling(nn.Module):
    """``e₁(x) = ax, d₁(c) = bc, e₂(y) = cy, d₂(c) = dc`` on flat images, and a classifier of a code's mean."""

    def __init__(self, encoders, decoders):
        super().__init__()
        self.encoders, self.decoders = (nn.Parameter(torch.tensor(one)) for one in (encoders, decoders))
        self.classifier = nn.Linear(64, 1, bias=False)
        nn.init.zeros_(self.classifier.weight)

    def encode(self, images, domain):
        return self.encoders[domain] * images.flatten(1)

    def decode(self, codes, domain):
        return (self.decoders[domain] * codes).view(-1, 1, 8, 8)

    def forward(self, source, u=None):
        return self.decode(self.encode(source, SOURCE), IMAGE)


def scaling(encoders=(0.5, 0.25), decoders=(1.0, 3.0), critics=(0.0, 0.0), **weights):
    weights = {"reconstruct": 1.0, "domain": 1.0, "semantic": 1.0} | weights
    judges = [one if isinstance(one, Level) else Level(one) for one in critics]
    return XGAN(UNPAIRED, Scaling(encoders, decoders), *judges, loss=NON_SATURATING, optimizer=adam, **weights)


def xgan(spec=UNPAIRED, **options):
    return genbench.build("xgan", spec, **{"width": 4, "code": 8} | options)


def slope(loss, *modules):
    """The gradient of a loss by all weights of some modules, in a row; zeros where there is none."""
    own = [parameter for module in modules for parameter in module.parameters()]
    found = torch.autograd.grad(loss, own, retain_graph=True, allow_unused=True, materialize_grads=True)
    return nn.utils.parameters_to_vector(found)


def test_the_losses_are_those_worked_out_by_hand():
    """x = y = 1: codes ½ and ¼; back ½ and ¾; over to 3/2 and ¼, whose codes are 3/8 and 1/8."""
    model = scaling(reconstruct=2.0, domain=3.0, semantic=4.0)
    logs = {name: float(value.detach()) for name, value in model.translator_loss(ones(), step()).items()}
    expected = {
        "reconstruct": 2 * 0.5**2,
        "back_reconstruct": 2 * 0.25**2,
        "semantic": 4 * 0.125,
        "back_semantic": 4 * 0.125,
        "domain": 3 * math.log(2),
    }
    assert {name: logs[name] for name in expected} == pytest.approx(expected)
    assert logs["loss"] == pytest.approx(sum(expected.values()) + 2 * math.log(2))
    assert float(model.critic_loss(ones(), step())["loss"]) == pytest.approx(4 * math.log(2))


def test_each_critic_judges_translations_into_its_own_domain():
    given = ones()
    given.sources.fill_(0)  # x = -1, ŷ = -3/2; y = 1, its translation ¼
    model = scaling(critics=(Level(slope=1.0), Level(slope=2.0)))
    logs = model.critic_loss(given, step())
    said = {name: float(logs[name]) for name in ("real", "fake", "back_real", "back_fake")}
    assert said == {"real": 1, "fake": -1.5, "back_real": -2, "back_fake": 0.5}
    model = scaling(critics=(Level(slope=1.0), Level(slope=2.0)), reconstruct=0.0, semantic=0.0, domain=0.0)
    expected = math.log1p(math.exp(1.5)) + math.log1p(math.exp(-0.5))
    assert float(model.translator_loss(given, step())["loss"].detach()) == pytest.approx(expected)


def test_a_translation_that_its_encoder_inverts_has_its_source_s_code():
    model = scaling(encoders=(0.5, 0.25), decoders=(2.0, 4.0))
    logs = model.translator_loss(batch(), step())
    assert float(logs["semantic"].detach()) == pytest.approx(0, abs=1e-6)
    assert float(logs["back_semantic"].detach()) == pytest.approx(0, abs=1e-6)


def test_the_classifier_learns_to_tell_domains_and_the_encoders_that_it_cannot():
    model, given = xgan(), batch(8)
    twins = model.twins

    def told():
        x, y = model.source(given), model.target(given)
        return model.domain_loss(twins.encode(x, SOURCE), twins.encode(y, IMAGE))

    for side, sign in ((twins.classifier, -1), (nn.ModuleList([twins.down, twins.encoded]), 1)):
        before, own = told(), list(side.parameters())
        down = slope(before, side)
        kept = nn.utils.parameters_to_vector(own).detach()
        nn.utils.vector_to_parameters(kept - 0.01 * down / down.norm(), own)
        assert sign * float((told() - before).detach()) > 0, "a step down the gradient that each is given"
        nn.utils.vector_to_parameters(kept, own)
    assert model.translator_loss(given, step())["domain"] == told()


def test_a_translation_s_code_goes_to_the_source_s_and_not_the_other_way():
    """|c·d·a - a| and |a·b·c - c| at (a, b, c, d) = (½, 1, ¼, 3), a and c fixed where they stand alone."""
    model = scaling()
    logs = model.translator_loss(ones(), step())
    twins = model.twins
    forth, back = (torch.autograd.grad(logs[name], twins.encoders, retain_graph=True)[0] for name in SEMANTIC)
    torch.testing.assert_close(forth, torch.tensor([-0.75, -1.5]))
    torch.testing.assert_close(back, torch.tensor([-0.25, -0.5]))


def test_every_code_has_mean_0_and_mean_square_1():
    model, given = xgan(), batch(5)
    for codes in (
        model.twins.encode(100 * model.source(given), SOURCE),
        model.twins.encode(model.target(given), IMAGE),
    ):
        torch.testing.assert_close(codes.mean(1), torch.zeros(5), atol=1e-5, rtol=0)
        torch.testing.assert_close(codes.square().mean(1), torch.ones(5), atol=1e-2, rtol=0)


def test_the_code_of_a_source_is_called_so():
    model = scaling()
    nn.init.ones_(model.twins.classifier.weight)  # the logit is the sum of a code
    codes = torch.full((3, 64), 0.5), torch.full((3, 64), -0.5)
    assert float(model.domain_loss(*codes).detach()) == pytest.approx(0, abs=1e-6)
    assert float(model.domain_loss(*codes[::-1]).detach()) == pytest.approx(32, abs=1e-4)


def test_what_is_next_to_the_code_is_one_and_the_ends_are_two():
    twins = xgan().twins
    with torch.no_grad():
        for parameter in (*twins.down[IMAGE].parameters(), *twins.up[IMAGE].parameters()):
            parameter.add_(0.1)  # they begin alike
    x = torch.rand(2, 1, 8, 8) * 2 - 1
    seen = []
    for part in (twins.encoded, twins.decoded):
        part.register_forward_hook(lambda module, into, out: seen.append(module))
    images = [twins.decode(twins.encode(x, own), other) for own in (SOURCE, IMAGE) for other in (SOURCE, IMAGE)]
    assert [seen.count(part) for part in (twins.encoded, twins.decoded)] == [4, 4]
    assert all(not torch.equal(a, b) for i, a in enumerate(images) for b in images[:i])
    kinds = [[type(one) for one in part.modules()] for part in (*twins.down, twins.encoded, twins.decoded, *twins.up)]
    counts = [(own.count(nn.Conv2d), own.count(nn.ConvTranspose2d), own.count(nn.Linear)) for own in kinds]
    assert [type(one) for one in twins.classifier].count(nn.Linear) == 3
    assert counts == [(2, 0, 0), (2, 0, 0), (1, 0, 2), (0, 1, 1), (0, 2, 0), (0, 2, 0)]


def test_both_directions_teach_both_ends_through_the_critics_alone():
    model = xgan(reconstruct=0.0, domain=0.0, semantic=0.0)
    twins = model.twins
    loss = model.translator_loss(batch(), step())["loss"]
    for part in (*twins.down, twins.encoded, twins.decoded, *twins.up):
        assert bool(slope(loss, part).any())
    assert not bool(slope(loss, twins.classifier).any())
    heavy = xgan(game=2.0, reconstruct=0.0, domain=0.0, semantic=0.0)
    torch.testing.assert_close(heavy.translator_loss(batch(), step())["loss"], 2 * loss)
    silent = xgan(game=0.0, reconstruct=0.0, domain=0.0, semantic=0.0)
    assert float(silent.translator_loss(batch(), step())["loss"].detach()) == 0


def test_a_reconstruction_stays_in_the_domain_of_images():
    given = batch(3)
    y = given.images.float() / 127.5 - 1
    assert torch.equal(scaling().reconstruct(given), ((0.75 * y + 1) * 127.5).round().to(torch.uint8))
    expected = ((1.5 * (given.sources.float() / 127.5 - 1) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    assert torch.equal(scaling().sample(3, sources=given.sources, generator=gen()), expected)


def test_the_turns_are_the_translator_s_and_the_critics():
    model = xgan()
    translator, critics = model.phases()[0].turns
    assert (translator.name, critics.name) == ("translator", "critics")
    assert list(translator.learns) == [model.generator]
    assert list(critics.learns) == [model.critic, model.back_critic]
    assert model.setting == "10 reconstruction, 1 domain, 1 semantic, 1 game"
    assert xgan(game=0.5).setting == "10 reconstruction, 1 domain, 1 semantic, 0.5 game"


@pytest.mark.parametrize(("source", "shape"), [((1, 1, 1), (3, 1, 1)), ((3, 13, 17), (1, 13, 17))])
def test_domains_may_differ_in_channels_and_sides_may_be_odd(source, shape):
    model = xgan(DataSpec(shape, 256, source=source, paired=False))
    sources = integers(2, source)
    assert model.sample(2, sources=sources, generator=gen()).shape == (2, *shape)


def test_it_learns_to_reconstruct_both_domains():
    """Images of one level each, which a code of eight numbers can hold."""
    levels = torch.arange(16, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 8, 8) * 16
    data = Splits(*[Split(levels.clone(), sources=255 - levels)] * 2)
    model, given = xgan(lr=3e-3), genbench.Batch(levels, sources=255 - levels)
    before = model.translator_loss(given, step())
    model.fit(data, FitConfig(Budget(steps=120), batch_size=8))
    after = model.translator_loss(given, step())
    for name in ("reconstruct", "back_reconstruct"):
        assert float(after[name].detach()) < 0.4 * float(before[name].detach())


@pytest.mark.parametrize("option", ["reconstruct", "domain", "semantic", "game"])
def test_negative_weights_are_refused(option):
    with pytest.raises(ValueError, match=rf"{option}=-1.0: give a positive number, or 0"):
        xgan(**{option: -1.0})


@pytest.mark.parametrize(("option", "value"), [("width", 0), ("code", 1), ("lr", 0.0)])
def test_options_out_of_range_are_refused(option, value):
    with pytest.raises(ValueError, match=f"{option}={value}"):
        xgan(**{option: value})


TOLD = DataSpec((1, 8, 8), 256, source=(1, 8, 8), paired=False, fields={"source_label": Field((), 3, "source")})


def told(n=6, seed=0):
    return Split(
        integers(n, seed=seed), sources=integers(n, seed=seed + 9), fields={"source_label": torch.arange(n) % 3}
    )


def test_a_teacher_draws_the_sources_codes_to_what_it_sees_of_them_and_learns_before_the_game():
    model = xgan(TOLD, perceptual="classifier", teach=2.0)
    plain = xgan(TOLD)
    assert [phase.name for phase in plain.phases()] == ["adversarial"]
    assert [(phase.name, phase.share) for phase in model.phases()] == [("features", 0.05), ("adversarial", 0.95)]
    assert (model.perceptual, plain.perceptual) == ("classifier", None)
    assert model.setting == f"{plain.setting}, 2 taught by classifier high"
    data = Splits(told(), told(4, seed=1))
    model.phases()[1].enter(data, step())
    given = Batch(data.train.images, sources=data.train.sources, fields=data.train.fields)
    sources = model.source(given)
    assert float(model.teacher.perception(sources).detach().square().mean()) == pytest.approx(1, rel=1e-4)
    codes = model.twins.encode(sources, SOURCE)
    wanted = model.teacher.told(model.teacher.perception(sources).mean((2, 3)))
    logs = model.translator_loss(given, step())
    assert float(logs["taught"].detach()) == pytest.approx(2 * float((wanted - codes).detach().abs().mean()))
    torch.testing.assert_close(wanted.mean(1), torch.zeros(6), atol=1e-5, rtol=0)
    model.teacher.weight = 0.0
    torch.testing.assert_close(logs["loss"], model.translator_loss(given, step())["loss"] + logs["taught"])
    assert bool(slope(logs["taught"], model.twins.down[SOURCE]).any())
    assert bool(slope(logs["taught"], model.teacher.told).any())
    assert not bool(slope(logs["taught"], model.twins.down[IMAGE], model.twins.up).any())
    assert not bool(slope(logs["taught"], model.teacher.perception).any())
    model.teacher.weight = 2.0
    begun = model.teacher.told[0].weight.detach().clone()
    model.fit(data, FitConfig(Budget(steps=40), batch_size=4))
    assert not torch.equal(begun, model.teacher.told[0].weight)


def test_a_classifier_teaches_where_sources_have_labels():
    with pytest.raises(ValueError, match="it learns from labels in a field 'source_label', and these data have none"):
        xgan(replace(UNPAIRED, classes=4), perceptual="classifier")
    teacher = xgan(perceptual="efficientnet-lite0").teacher
    assert (teacher.perception.name, teacher.told[0].in_features) == ("efficientnet-lite0", 40)


def test_both_autoencoders_begin_alike_where_they_can_and_go_apart():
    model = xgan(TOLD)
    assert torch.equal(model.generator(x := torch.rand(3, 1, 8, 8)), model.twins.decode(model.twins.encode(x, 0), 0))
    model.fit(Splits(told(), told(4, seed=1)), FitConfig(Budget(steps=1), batch_size=4))
    for own in (model.twins.down, model.twins.up):
        parts = [nn.utils.parameters_to_vector(part.parameters()) for part in own]
        assert not torch.equal(*parts)
    coloured = xgan(DataSpec((1, 8, 8), 256, source=(3, 8, 8), paired=False)).twins
    first, other = coloured.down[IMAGE][2].weight, coloured.down[SOURCE][2].weight
    assert first.shape == other.shape
    assert not torch.equal(first, other)
