"""Two domains by one trunk: what is shared and what is not, that no pair is read, and that the trunk couples them."""

import pytest
import torch

from families.layers.evaluation import evaluation
from genbench import Batch, Budget, DataSpec, FitConfig, Split, Splits
from genbench.metrics.joint import joint
from tests.families.gan.tiny import build, gen, moved_by, normalised, step

SPEC = DataSpec((1, 8, 8), levels=17, source=(3, 8, 8))


def batch(n=6, seed=0):
    source = gen(seed)
    images = torch.randint(0, 17, (n, 1, 8, 8), generator=source, dtype=torch.uint8)
    return Batch(images, sources=torch.randint(0, 256, (n, 3, 8, 8), generator=source, dtype=torch.uint8))


def made(**options):
    return build("co-gan", SPEC, **options)


def test_trunks_are_one_module_and_ends_are_apart():
    for network in (made().generator, made().critic):
        assert len(network.trunks) == 1
        own = network.ends if hasattr(network, "ends") else network.stems
        first, second = (list(part.parameters()) for part in own)
        assert first
        assert not {id(p) for p in first} & {id(p) for p in second}
        names = [name for name, _ in network.named_parameters()]
        assert len(names) == len(set(names))
        assert len(made(shared=False).generator.trunks) == 2


def test_the_loss_of_sources_reaches_the_trunk_and_their_own_end_alone():
    model = made().train()
    images = batch()
    code = model.code(model.draw_noise(6, gen()), images)
    game = model.games()[1]
    game.generator_loss(game.scored(model.generator(code, 1)), step())["loss"].backward()
    learned = [name for name, p in model.generator.named_parameters() if p.grad is not None and p.grad.any()]
    reached = {".".join(name.split(".")[:2]) for name in learned}
    assert reached == {"trunks.0", "ends.1"}
    touched = {
        name.split(".")[1] for name, p in model.critic.named_parameters() if "stems" in name and p.grad is not None
    }
    assert touched == {"1"}


@pytest.mark.parametrize("which", ["critic_loss", "generator_loss"])
def test_pairs_are_not_read(which):
    model, images = made().eval(), batch()
    turned = Batch(images.images, sources=images.sources.roll(1, 0))
    one, other = (getattr(model, which)(each, step()) for each in (images, turned))
    for name in one:
        if not name.endswith("in_order"):
            torch.testing.assert_close(one[name], other[name], atol=1e-6, rtol=0)


def test_losses_are_the_sums_over_the_domains_and_fakes_are_of_one_z():
    model, images = made().eval(), batch()
    logs = model.critic_loss(images, step())
    _, u = images, model.draw_noise(6, step().generator)
    total = 0
    for domain, (game, real) in enumerate(
        zip(model.games(), (images.images.float() / 8 - 1, images.sources.float() / 127.5 - 1), strict=True)
    ):
        fake = game.scored(model.generator(u, domain))
        total = total + game.critic_loss(game.scored(real), fake, step())["loss"]
    torch.testing.assert_close(logs["loss"], total)
    assert {"real", "fake", "source_real", "source_fake"} <= set(logs)
    first, second = (
        g.generator_loss(g.scored(model.generator(u, i)), step())["loss"] for i, g in enumerate(model.games())
    )
    torch.testing.assert_close(model.generator_loss(images, step())["loss"], first + second)


def test_each_turn_moves_its_own_side_and_no_critic_normalises():
    assert moved_by(made(average=0.0), 0, batch()) == {"critic"}
    assert moved_by(made(average=0.0), 1, batch()) == {"generator"}
    larger = build("co-gan", DataSpec((1, 16, 16), levels=17, source=(3, 16, 16)))  # whose critics have more layers
    assert not normalised(larger.critic)
    assert normalised(larger.generator)
    rule = made().phases()[0].turns[0].optimizer(made().critic.parameters())
    assert rule.defaults["weight_decay"] == 5e-4


def test_a_pair_is_what_one_z_makes_in_both_domains_and_its_image_is_the_sample_of_it():
    model = made()
    images, sources = model.pairs(5, generator=gen(3))
    assert (images.shape, sources.shape) == ((5, 1, 8, 8), (5, 3, 8, 8))
    assert torch.equal(images, model.sample(5, generator=gen(3)))
    u = model.draw_noise(5, gen(3))
    with evaluation(model):
        shown = model.average.copies["generator"](u, 1)
    assert torch.equal(sources, ((shown + 1) * 127.5).round().clamp(0, 255).to(torch.uint8))


def two_modes(n, seed):
    """Images bright on the left or on the right, and as sources negatives of others of them."""
    source = gen(seed)

    def drawn():
        side = torch.randint(0, 2, (n, 1, 1, 1), generator=source)
        bright = (torch.arange(8) // 4).view(1, 1, 1, 8) == side
        return (bright * 200 + 20 * torch.rand(n, 1, 8, 8, generator=source)).to(torch.uint8)

    return Split(drawn(), None, 255 - drawn())


@pytest.mark.slow
def test_one_trunk_couples_the_domains_and_two_do_not():
    spec = DataSpec((1, 8, 8), source=(1, 8, 8), paired=False)
    kappas = []
    for shared in (True, False):
        model = build("co-gan", spec, width=16, latents=8, shared=shared, lr=2e-3)
        model.fit(Splits(two_modes(256, 0), two_modes(32, 1)), FitConfig(Budget(steps=400), 64))
        images, sources = model.pairs(200, generator=gen(5))
        kappas.append(joint(sources, 255 - images, 256).kappa)
    assert kappas[0] > 0.5
    assert kappas[1] < 0.35


@pytest.mark.parametrize(
    ("spec", "options", "said"),
    [
        (DataSpec((1, 8, 8)), {}, "source=None, and it needs a source to translate from"),
        (DataSpec((1, 8, 8), source=(1, 4, 4)), {}, "source=(1, 4, 4): co-gan needs the image's height and width"),
        (SPEC, {"shared": 1}, "shared=1"),
        (SPEC, {"decay": -1.0}, "decay=-1.0: give a positive number, or 0 for none"),
    ],
)
def test_data_without_a_second_domain_and_other_networks_are_refused(spec, options, said):
    with pytest.raises(ValueError, match=r"(source|decay|shared)=") as error:
        build("co-gan", spec, **options)
    assert said in str(error.value)
