from dataclasses import replace

import pytest
import torch
from torch import nn

import genbench
from families.layers.training import half_then_linear
from families.translation.combogan import combogan as recipe
from families.translation.combogan import each_by_its_own
from families.translation.domains import another
from genbench import Batch, DataSpec, Field
from tests.families.translation.toy import gen, integers, step

FIELDS = {"domain": Field((), 4), "source_domain": Field((), 4, "source")}
SPEC = DataSpec((1, 8, 8), 256, source=(1, 8, 8), paired=False, fields=FIELDS)


def combogan(spec=SPEC, **options):
    return genbench.build("combogan", spec, **{"width": 4, "blocks": 1, "pool": 3} | options)


def batch(n=8):
    domain = torch.arange(n) % 4
    return Batch(integers(n), sources=integers(n, seed=9), fields={"domain": domain, "source_domain": domain})


def touched(modules):
    return [any(one.grad is not None and bool(one.grad.any()) for one in module.parameters()) for module in modules]


def test_rows_go_to_the_network_of_their_domain_and_keep_their_order():
    seen = []

    def times(factor):
        return lambda x: seen.append((factor, len(x))) or factor * x

    x, domain = torch.arange(1.0, 7.0), torch.tensor([2, 0, 2, 3, 0, 2])
    networks = [times(factor) for factor in (10, 20, 30, 40)]
    assert each_by_its_own(networks, x, domain).tolist() == [30, 20, 90, 160, 50, 180]
    assert seen == [(10, 2), (30, 3), (40, 1)], "what no row is of is not called"


def test_every_domain_has_an_encoder_a_decoder_and_a_critic_and_nothing_is_common():
    model = combogan()
    parts = [*model.generator.encoders, *model.generator.decoders, *model.critic.critics]
    assert [len(model.generator.encoders), len(model.generator.decoders), len(model.critic.critics)] == [4, 4, 4]
    weights = [id(one) for part in parts for one in part.parameters()]
    assert len(weights) == len(set(weights)) == len(list(model.parameters()))


def test_a_way_from_0_to_2_teaches_encoder_0_and_decoder_2_alone():
    model = combogan()
    own, wanted = torch.zeros(2, dtype=torch.int64), torch.full((2,), 2)
    image = model.generator(torch.rand(2, 1, 8, 8), own, wanted)
    image.square().sum().backward()
    assert touched(model.generator.encoders) == [True, False, False, False]
    assert touched(model.generator.decoders) == [False, False, True, False]
    model.zero_grad(set_to_none=True)
    model.critic(image.detach(), wanted).sum().backward()
    assert touched(model.critic.critics) == [False, False, True, False]


def test_a_row_of_a_mixed_batch_is_what_it_is_alone():
    model, given = combogan().double(), batch()
    x, own = model.target(given), given.fields["domain"]
    wanted = another(own, 4, gen())
    together = model.generator(x, own, wanted)
    said = model.critic(together, wanted)
    for i in range(len(x)):
        row = slice(i, i + 1)
        torch.testing.assert_close(together[row], model.generator(x[row], own[row], wanted[row]))
        torch.testing.assert_close(said[row], model.critic(together[row], wanted[row]))
        decoder, encoder = model.generator.decoders[int(wanted[i])], model.generator.encoders[int(own[i])]
        torch.testing.assert_close(together[row], decoder(encoder(x[row])))
        torch.testing.assert_close(said[row], model.critic.critics[int(wanted[i])](together[row]).logits)


def test_both_sides_are_the_paper_s():
    model, given = combogan(pool=0, identity=2.0), batch()
    x, a = model.target(given), given.fields["domain"]
    b = another(a, 4, gen())
    fake = model.generator(x, a, b)
    logs = model.generator_loss(given, step())
    back = 10 * (model.generator(fake, b, a) - x).abs().mean()
    same = 2 * (model.generator(x, a, a) - x).abs().mean()
    torch.testing.assert_close(logs["loss"], (model.critic(fake, b) - 1).square().mean() + back + same)
    half = ((model.critic(x, a) - 1).square().mean() + model.critic(fake, b).square().mean()) / 2
    torch.testing.assert_close(model.critic_loss(given, step())["loss"], half)


def test_no_row_is_translated_into_its_own_domain():
    model, given, told = combogan(), batch(), []
    model.generator.register_forward_hook(lambda module, said, out: told.append(said[1:]))
    model.critic_loss(given, step())
    ((own, wanted),) = told
    assert torch.equal(own, given.fields["domain"])
    assert not bool((own == wanted).any())


def test_blocks_are_shared_out_and_each_image_is_normalised_by_itself():
    generator = combogan(blocks=3).generator
    shares = [[len(one.blocks.blocks) for one in part] for part in (generator.encoders, generator.decoders)]
    assert shares == [[2] * 4, [1] * 4]
    model = combogan()
    norms = [one for one in model.modules() if "Norm" in type(one).__name__]
    assert norms
    assert all(isinstance(one, nn.InstanceNorm2d) and not one.track_running_stats for one in norms)
    pads = {
        one.padding_mode for one in model.generator.modules() if isinstance(one, nn.Conv2d) and one.kernel_size[0] == 7
    }
    assert pads == {"reflect"}


def test_every_domain_has_a_pool_and_the_generators_go_first():
    model = combogan()
    assert [pool.size for pool in model.pools] == [3] * 4
    generator, critic = model.phases()[0].turns
    assert (generator.name, critic.name, generator.every, critic.every) == ("generator", "critic", 1, 1)
    assert generator.schedule is critic.schedule is half_then_linear
    assert model.setting == "10 reconstruct, 0 identity, pools of 3"


def test_samples_go_from_the_source_s_domain_to_the_one_asked_for():
    model, given = combogan(), batch(4)
    fields = {"source_domain": torch.tensor([0, 1, 2, 3]), "domain": torch.tensor([2, 2, 0, 0])}
    drawn = model.sample(4, sources=given.sources, fields=fields, generator=gen())
    with torch.no_grad():
        x = model.source(given)
        for i, (a, b) in enumerate(zip(*(one.tolist() for one in fields.values()), strict=True)):
            image = model.generator.decoders[b](model.generator.encoders[a](x[i : i + 1]))
            expected = ((image + 1) * 127.5).round().to(torch.uint8)
            assert int((drawn[i].int() - expected[0].int()).abs().max()) <= 1
    moved = model.sample(
        4, sources=given.sources, fields=fields | {"source_domain": torch.ones(4).long()}, generator=gen()
    )
    assert (moved != drawn).flatten(1).any(1).tolist() == [True, False, True, True]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            replace(SPEC, fields={"domain": Field((), 4)}),
            r"fields=\['domain'\]: combogan needs a field 'source_domain'",
        ),
        (replace(SPEC, shape=(3, 8, 8)), r"source=\(1, 8, 8\): combogan translates between domains of one shape"),
        (replace(SPEC, shape=(1, 1, 8), source=(1, 1, 8)), r"shape=\(1, 1, 8\): combogan needs images of 2 px"),
    ],
)
def test_data_that_it_cannot_use_are_refused(spec, message):
    with pytest.raises(ValueError, match=message):
        recipe(spec)


@pytest.mark.parametrize(
    ("option", "value"),
    [("reconstruct", -1.0), ("identity", -1.0), ("pool", -1), ("blocks", -1), ("width", 0), ("lr", 0.0)],
)
def test_options_out_of_range_are_refused(option, value):
    with pytest.raises(ValueError, match=f"{option}={value}"):
        combogan(**{option: value})
