"""StackGAN++: colours of scales by hand, who hears what, and a loss that is a sum over scales."""

import copy

import pytest
import torch
import torch.nn.functional as F

from families.gan.tree import colour_consistency, colours
from families.layers.evaluation import evaluation
from families.layers.growing import reduced, up
from genbench import Budget, DataSpec, FitConfig
from genbench.interface import frozen
from genbench.training.turns import TurnRunner, restored
from tests.families.gan.captioned import COLOUR, SPEC, captions, louder, shuffled, splits, told
from tests.families.gan.tiny import build, gen, step


def made(spec=SPEC, **options):
    return build("stackgan-pp", spec, **({"augmented": 5} | options))


def drawn(model, u, words):
    with frozen(model), torch.no_grad():
        return model.decode(u, told(len(u), words=words))


def moved_in(model, turn):
    before = copy.deepcopy(model.state_dict())
    runner = TurnRunner.make(turn)
    with restored({p: p.requires_grad for p in model.parameters()}):
        for k in range(2):
            runner.step(model.train(), told(), step(k), k)
    trained = dict(model.named_parameters())
    return {n for n, value in model.state_dict().items() if n in trained and not torch.equal(value, before[n])}


def test_colours_by_hand():
    image = torch.tensor([[0.0, 0, 0], [2, 0, 0]]).T.reshape(1, 3, 2, 1)
    mean, covariance = colours(image)
    assert mean.tolist() == [[1, 0, 0]]
    assert covariance.tolist() == [[[1, 0, 0], [0, 0, 0], [0, 0, 0]]]
    grey = torch.randn(2, 1, 4, 4, generator=gen())
    torch.testing.assert_close(colours(grey)[1][:, 0, 0], grey.var((1, 2, 3), correction=0))
    two = torch.randn(1, 2, 3, 3, generator=gen())
    torch.testing.assert_close(colours(two)[1][0], torch.cov(two.flatten(2)[0], correction=0))


def test_the_term_by_hand_weighs_covariances_five_times():
    coarse, fine = torch.zeros(1, 1, 2, 2), torch.tensor([[[[1.0, 3], [1, 3]]]])
    assert colour_consistency([coarse, fine]).item() == pytest.approx(2**2 + 5 * 1**2)
    thrice = colour_consistency([coarse, fine, up(coarse)])
    assert thrice.item() == pytest.approx(2 * (2**2 + 5 * 1**2))
    assert colour_consistency([coarse]).item() == 0


def test_a_pyramid_of_means_as_real_images_have_it_pays_nothing():
    fine = torch.rand(4, 3, 8, 8, generator=gen())
    pyramid = [reduced(fine, 2), reduced(fine, 1), fine]
    assert colour_consistency(pyramid).item() == pytest.approx(0, abs=1e-10)
    assert float((colours(fine)[1] - colours(pyramid[1])[1]).abs().max()) > 0.01


def test_an_enlarged_image_has_the_same_colours_and_the_coarser_one_hears_nothing():
    coarse = torch.randn(3, 3, 4, 4, generator=gen(), requires_grad=True)
    assert colour_consistency([coarse, up(coarse)]).item() == pytest.approx(0, abs=1e-10)
    fine = torch.randn(3, 3, 8, 8, generator=gen(1), requires_grad=True)
    ours, theirs = torch.autograd.grad(colour_consistency([coarse, fine]), [fine, coarse], allow_unused=True)
    assert ours.abs().max() > 0
    assert theirs is None


def test_each_critic_has_a_turn_and_all_generators_one():
    model = made()
    text, tree = model.phases()
    assert (text.name, text.share, tree.name, tree.share) == ("text", 0.04, "tree", 0.96)
    assert [turn.name for turn in tree.turns] == ["critic-0", "critic-1", "critic-2", "generators"]
    for scale in range(3):
        names = moved_in(model, tree.turns[scale])
        own = {n for n, _ in model.named_parameters() if n.startswith(f"critics.{scale}.")}
        assert names == own
    names = moved_in(model, tree.turns[3])
    assert {n for n in names if not n.startswith("average")} == {
        n for n, _ in model.named_parameters() if n.startswith("tree.")
    }


def test_reals_of_a_scale_are_means_and_fakes_are_the_trees_own(monkeypatch):
    model, seen = made().train(), []
    for scale in range(3):
        monkeypatch.setattr(model.critics[scale], "critic_loss", lambda *given: seen.append(given) or {})
        model.critic_loss(scale, told(), step())
    whole = told().images.float() / 8 - 1
    with torch.no_grad():
        images, _ = model.tree(*model._noise(told(), step()), model.told(told())[1])
    for scale, (real, fake, _, words, vectors) in enumerate(seen):
        torch.testing.assert_close(real, reduced(whole, 2 - scale))
        torch.testing.assert_close(fake, images[scale], atol=1e-4, rtol=1e-4)
        assert torch.equal(words, told().fields["caption"])
        assert torch.equal(vectors, model.words(words))
        assert not fake.requires_grad


def test_the_generators_loss_is_a_sum_over_scales_and_terms():
    torch.manual_seed(0)
    model = louder(made()).train()
    logs = model.generator_loss(told(), step())
    _, vectors = model.told(told())
    images, divergences = model.tree(*model._noise(told(), step()), vectors)
    parts = []
    for critic, fake in zip(model.critics, images, strict=True):
        maps = critic.trunk(fake)
        scores = (critic.conditional(maps, vectors), critic.unconditional(maps))
        parts.append(sum(F.softplus(-score).mean() for score in scores))
    torch.testing.assert_close([logs[f"scale-{k}"] for k in range(3)], parts)
    torch.testing.assert_close(logs["divergence"], 2 * divergences.mean())
    torch.testing.assert_close(logs["colours"], 50 * colour_consistency(images))
    torch.testing.assert_close(logs["loss"], sum(parts) + logs["divergence"] + logs["colours"])
    assert min(map(float, parts)) > 0
    free = made(consistency=0)
    free.load_state_dict(model.state_dict())
    without = free.train().generator_loss(told(), step())
    assert "colours" not in without
    torch.testing.assert_close(without["loss"], logs["loss"] - logs["colours"])


def test_each_noise_changes_a_sample_and_augmentation_without_deviation_none():
    model = louder(made(average=0.0))
    assert model.latents == 6 + 5
    u, words = model.draw_noise(4, gen()), captions(4)

    def moved(part):
        other = u.clone()
        other[:, part] += 1
        return (drawn(model, other, words) - drawn(model, u, words)).abs().amax((1, 2, 3)).min()

    assert min(moved(slice(0, 6)), moved(slice(6, 11))) > 1e-3
    model.tree.augmentation.layer.weight.data[5:] = 0
    model.tree.augmentation.layer.bias.data[5:] = -200
    assert moved(slice(6, 11)) == 0 < moved(slice(0, 6))


def test_the_order_of_words_changes_no_sample_and_another_adjective_does():
    model = louder(made(average=0.0))
    u, words = model.draw_noise(6, gen()), captions()
    torch.testing.assert_close(drawn(model, u, shuffled(words)), drawn(model, u, words), atol=1e-3, rtol=0)
    other = words.clone()
    other[words == 1] = 2
    changed = (drawn(model, u, other) - drawn(model, u, words)).abs().amax((1, 2, 3)) > 1e-2
    assert changed.tolist() == [bool((row == 1).any()) for row in words]


def test_every_branch_hears_the_code():
    model = louder(made())
    model.eval()
    maps, code = torch.randn(2, 16, 4, 4, generator=gen()), torch.randn(2, 5, generator=gen(1))
    widths = [branch.layers[0][0].in_channels - 5 for branch in model.tree.branches]
    for branch, width in zip(model.tree.branches, widths, strict=True):
        one = maps[:, :1].expand(-1, width, -1, -1)
        assert not torch.allclose(branch(one, code), branch(one, code.flip(0)), atol=1e-3)


def test_samples_are_the_last_scale_by_the_average_and_the_pyramid_has_all():
    model = louder(made())
    for parameter in model.tree.parameters():
        parameter.data.zero_()
    u, given = model.draw_noise(3, gen()), told(3)
    with evaluation(model):
        images = model.pyramid(u, given)
        assert [tuple(one.shape[1:]) for one in images] == [(1, 4, 4), (1, 8, 8), (1, 16, 16)]
        torch.testing.assert_close(model.decode(u, given), (images[-1] + 1) * 8)
        copy_ = model.average.copies["tree"]
        again, _ = copy_(u[:, :6], u[:, 6:], model.words(given.fields["caption"]))
        torch.testing.assert_close(images[-1], again[-1])
        for scale in range(3):
            some, _ = copy_(u[:, :6], u[:, 6:], model.words(given.fields["caption"]), scale)
            assert len(some) == scale + 1
            torch.testing.assert_close(some[-1], images[scale])


def test_the_average_moves_with_the_generators_and_takes_in_their_statistics():
    model = made()
    begun = model.average.copies["tree"].state_dict()
    begun = {name: value.clone() for name, value in begun.items() if "running" in name}
    moved_in(model, model.phases()[1].turns[-1])
    assert int(model.average.steps) == 2
    live, held = model.tree.state_dict(), model.average.copies["tree"].state_dict()
    assert begun
    for name, value in begun.items():
        assert bool((held[name] - live[name]).abs().sum() < (value - live[name]).abs().sum()), name
        assert not torch.equal(held[name], live[name])


def test_without_captions_z_stands_in_their_place():
    model = made(conditional=False)
    assert (model.given, model.latents, model.words) == ((), 6, None)
    (tree,) = model.phases()
    assert (tree.name, tree.share) == ("tree", 1)
    assert all(critic.conditional is None for critic in model.critics)
    logs = model.train().generator_loss(told(), step())
    assert "divergence" not in logs
    assert "colours" in logs
    bare = told()
    critic = model.critic_loss(2, bare, step())
    real = model.critics[2].unconditional(model.critics[2].trunk(bare.images.float() / 8 - 1))
    images, _ = model.tree(*model._noise(bare, step()), None)
    fake = model.critics[2].unconditional(model.critics[2].trunk(images[2]))
    torch.testing.assert_close(critic["loss"], F.softplus(-real).mean() + F.softplus(fake).mean(), atol=1e-4, rtol=1e-4)
    louder(model)
    u = model.draw_noise(3, gen())
    codes = []
    for branch in model.tree.branches:
        branch.register_forward_pre_hook(lambda module, given: codes.append(given[1]))
    model.tree(u, None, None)
    assert len(codes) == 2
    assert all(torch.equal(code, u) for code in codes)
    assert torch.equal(drawn(model, u, captions(3)), drawn(model, u, captions(3).flip(0)))
    model.eval()
    maps, code = torch.randn(2, 1, 4, 4, generator=gen()), torch.randn(2, 6, generator=gen(1))
    branch = model.tree.branches[0]
    maps = maps.expand(-1, branch.layers[0][0].in_channels - 6, -1, -1)
    assert not torch.allclose(branch(maps, code), branch(maps, code.flip(0)), atol=1e-3)


def test_both_sides_of_a_scale_see_what_has_been_augmented(monkeypatch):
    model = made(augment="translation")
    seen = []
    monkeypatch.setattr(type(model.rules), "shown", lambda self, images, step: seen.append(images.shape[2]) or images)
    for scale in range(3):
        model.critic_loss(scale, told(), step())
    model.generator_loss(told(), step())
    assert seen == [4, 4, 8, 8, 16, 16, 4, 8, 16]


@pytest.mark.parametrize(
    ("shape", "sides"),
    [
        ((1, 28, 28), [7, 14, 28]),
        ((3, 32, 32), [8, 16, 32]),
        ((3, 8, 8), [4, 8]),
        ((1, 13, 17), [13]),
        ((1, 2, 2), [2]),
        ((1, 64, 64), [16, 32, 64]),
    ],
)
def test_sizes_follow_the_shape(shape, sides):
    model = made(DataSpec(shape, 17, fields=SPEC.fields), width=4)
    given = told(3, spec=model.spec)
    with evaluation(model):
        images = model.pyramid(model.draw_noise(3, gen()), given)
    assert [one.shape[2] for one in images] == sides
    assert images[-1].shape[1:] == shape
    for scale in range(len(sides)):
        assert torch.isfinite(model.critic_loss(scale, given, step())["loss"])
    assert torch.isfinite(model.generator_loss(given, step())["loss"])


def test_it_learns_to_draw_what_captions_say_in_colours_that_agree():
    """Two captions, of which one is dark images and the other bright ones."""
    torch.manual_seed(0)
    data = splits(64, COLOUR)
    bright = torch.arange(64) % 2
    words = torch.tensor([[1, 4, 7, 10], [3, 4, 7, 10]])[bright]
    for part in (data.train, data.validation):
        noise = torch.rand(part.images.shape, generator=gen())
        part.images.copy_((noise * 4 + 12 * bright[: len(part)].view(-1, 1, 1, 1)).byte())
        part.fields["caption"].copy_(words[: len(part)])
    model = made(COLOUR, lr=4e-3)
    model.fit(data, FitConfig(Budget(steps=120), batch_size=16))
    drawn = model.sample(40, fields={"caption": words[:40]}, generator=gen()).float().mean((1, 2, 3))
    assert (drawn[bright[:40] == 1].mean() - drawn[bright[:40] == 0].mean()) > 6
    with evaluation(model):
        coarse, fine = model.pyramid(model.draw_noise(40, gen()), told(40, spec=COLOUR, words=words[:40]))
    assert (coarse.mean((2, 3)) - fine.mean((2, 3))).abs().mean() < 0.3


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"needs a caption with each image"):
        made(DataSpec((1, 8, 8)))
    for options, message in (
        ({"weight": -1.0}, "weight=-1.0: give a positive number, or 0"),
        ({"consistency": -1.0}, "consistency=-1.0: give a positive number, or 0"),
        ({"augmented": 0}, "augmented=0: give a whole number, 1 or more"),
        ({"width": 0}, "width=0"),
        ({"latents": 0}, "latents=0"),
    ):
        with pytest.raises(ValueError, match=message):
            made(**options)
    with pytest.raises(ValueError, match="caption"):
        made().sample(2, generator=gen())
