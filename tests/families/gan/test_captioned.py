"""What GANs that are given captions share: words, their matching and augmentation, critics of wrong captions."""

import math

import pytest
import torch
import torch.nn.functional as F

from families.gan.captioned import Augmentation, CaptionCritic, CaptionHead, Words, divergence, same_words
from tests.families.gan.captioned import SPEC, captions, shuffled, told
from tests.families.gan.tiny import gen, step

SHAPE = (1, 8, 8)


def images(n=6, seed=0):
    return torch.randn(n, *SHAPE, generator=gen(seed))


def critic(**heads):
    torch.manual_seed(0)
    made = CaptionCritic(SHAPE, 4, **({"conditional": True, "unconditional": False} | heads))
    for parameter in made.parameters():
        parameter.data.mul_(20)
    return made


def vectors(n=6, seed=1):
    return torch.randn(n, 64, generator=gen(seed))


def test_the_divergence_by_hand_is_a_mean_over_dimensions():
    mean, deviation = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 2.0]])
    found = divergence(mean, deviation.log())
    assert found.tolist() == pytest.approx([0.6534], abs=1e-4)
    p, q = torch.distributions.Normal(mean, deviation), torch.distributions.Normal(0.0, 1.0)
    assert torch.distributions.kl_divergence(p, q).sum().item() == pytest.approx(1.3069, abs=1e-4)
    torch.testing.assert_close(found, torch.distributions.kl_divergence(p, q).mean(1))
    assert divergence(torch.zeros(1, 3), torch.zeros(1, 3)).item() == 0


def test_a_mean_may_be_below_0_and_a_deviation_below_1():
    torch.manual_seed(0)
    made = Augmentation(8)
    given = vectors(50)
    mean, _ = made(given, torch.zeros(50, 8))
    one, _ = made(given, torch.ones(50, 8))
    assert bool((mean < 0).any())
    assert bool((mean > 0).any())
    assert bool((one - mean < 0.99).any())
    assert bool((one - mean > 1.01).any())
    torch.testing.assert_close(made(given, torch.full((50, 8), 2.0))[0] - mean, 2 * (one - mean))


def test_captions_say_the_same_whatever_their_order():
    one = torch.tensor([[1, 5, 9, 12]])
    assert same_words(one, torch.tensor([[12, 1, 9, 5], [1, 5, 9, 11], [1, 1, 9, 12]])).tolist() == [True, False, False]


def test_the_order_of_words_and_padding_change_no_vector_and_another_word_does():
    torch.manual_seed(0)
    words = Words(SPEC, 4)
    said = captions()
    torch.testing.assert_close(words(shuffled(said)), words(said))
    torch.testing.assert_close(words(F.pad(said, (0, 2))), words(said))
    other = said.clone()
    other[:, 0] = other[:, 0] % 9 + 1
    assert (words(other) - words(said)).abs().amax(1).min() > 1e-3


def test_matching_by_hand_counts_every_caption_that_says_the_same_as_right(monkeypatch):
    words = Words(SPEC, 4)
    axes = torch.eye(3, 64)
    monkeypatch.setattr(type(words.images), "forward", lambda self, shown: 5 * axes)
    monkeypatch.setattr(Words, "forward", lambda self, said: 2 * axes[[0, 0, 2]])
    said = torch.tensor([[1, 4, 7, 10], [10, 4, 1, 7], [2, 4, 7, 11]])
    found = words.matching(images(3), said)
    scores = 10 * torch.tensor([[1.0, 1, 0], [0, 0, 0], [0, 0, 1]])
    right = torch.tensor([[1.0, 1, 0], [1, 1, 0], [0, 0, 1]])
    wanted = -sum((right * way.softmax(1)).sum(1).log().mean() for way in (scores, scores.T)) / 2
    torch.testing.assert_close(found["loss"], wanted)
    assert found["matched"] == 1


def test_matching_learns_which_caption_is_whose():
    torch.manual_seed(0)
    words = Words(SPEC, 4)
    batch = told(9)
    shown = batch.images.float() / 8 - 1
    optimizer = torch.optim.Adam(words.parameters(), 3e-3)
    begun = words.matching(shown, batch.fields["caption"])["loss"].item()
    for _ in range(60):
        optimizer.zero_grad()
        found = words.matching(shown, batch.fields["caption"])
        found["loss"].backward()
        optimizer.step()
    assert found["loss"] < begun / 4
    assert found["matched"] == 1


def test_the_critics_loss_by_hand():
    made, real, fake, said, given = critic(), images(), images(seed=9), captions(), vectors()
    found = made.critic_loss(real, fake, step(), said, given)["loss"]
    right = made.conditional(made.trunk(real), given)
    wrong = made.conditional(made.trunk(real), given.roll(1, 0))
    forged = made.conditional(made.trunk(fake), given)
    wanted = F.softplus(-right).mean() + (F.softplus(wrong).mean() + F.softplus(forged).mean()) / 2
    torch.testing.assert_close(found, wanted)
    assert not torch.allclose(right, wrong, atol=1e-2)
    torch.testing.assert_close(made.generator_loss(fake, step(), given), F.softplus(-forged).mean())


def test_constant_logits_of_0_are_worth_twice_log_2():
    made = critic()
    made.conditional.layers[-1].weight.data.zero_()
    found = made.critic_loss(images(), images(seed=9), step(), captions(), vectors())["loss"]
    assert found.item() == pytest.approx(2 * math.log(2))
    assert made.generator_loss(images(), step(), vectors()).item() == pytest.approx(math.log(2))


def test_a_wrong_caption_never_says_the_same():
    made, given = critic(), vectors()
    said = captions()
    said[1] = said[0].flip(0)
    found = made.critic_loss(images(), images(seed=9), step(), said, given)["loss"]
    wrong = made.conditional(made.trunk(images()), given.roll(1, 0))[[0, 2, 3, 4, 5]]
    right, forged = made.conditional(made.trunk(images()), given), made.conditional(made.trunk(images(seed=9)), given)
    halves = F.softplus(wrong).mean() / 2 + F.softplus(forged).mean() / 2
    torch.testing.assert_close(found, F.softplus(-right).mean() + halves)


@pytest.mark.parametrize("n", [1, 6])
def test_a_batch_of_one_caption_has_no_wrong_one_and_its_loss_is_a_number(n):
    made, said = critic(), captions(1).expand(n, -1)
    given = vectors(1).expand(n, -1)
    found = made.critic_loss(images(n), images(n, 9), step(), said, given)["loss"]
    right, forged = (made.conditional(made.trunk(images(n, seed)), given) for seed in (0, 9))
    torch.testing.assert_close(found, F.softplus(-right).mean() + F.softplus(forged).mean() / 2)


def test_a_caption_meets_an_image_before_a_layer_that_is_not_linear():
    torch.manual_seed(0)
    head = CaptionHead((4, 2, 2))
    for parameter in head.parameters():
        parameter.data.mul_(20)
    maps, given = torch.randn(2, 4, 2, 2, generator=gen()), vectors(2)
    one, two = head(maps, given), head(maps, given.flip(0))
    assert (one - two).abs().max() > 1e-2
    assert ((one - two)[0] + (one - two)[1]).abs() > 1e-2, "a sum of two scores would cancel"


def test_the_score_of_an_image_alone_does_not_hear_the_caption():
    made = critic(unconditional=True)
    maps = made.trunk(images())
    alone = (
        F.softplus(-made.unconditional(maps)).mean() + F.softplus(made.unconditional(made.trunk(images(seed=9)))).mean()
    )
    found = [made.critic_loss(images(), images(seed=9), step(), captions(), vectors(seed=s)) for s in (1, 2)]
    for logs in found:
        torch.testing.assert_close(logs["alone"], alone)
    told_of = [logs["loss"] - logs["alone"] for logs in found]
    assert (told_of[0] - told_of[1]).abs() > 1e-2
    conditional = critic()
    conditional.load_state_dict({k: v for k, v in made.state_dict().items() if not k.startswith("uncond")})
    torch.testing.assert_close(
        told_of[0], conditional.critic_loss(images(), images(seed=9), step(), captions(), vectors())["loss"]
    )
    both = made.generator_loss(images(), step(), vectors())
    torch.testing.assert_close(
        both, conditional.generator_loss(images(), step(), vectors()) + F.softplus(-made.unconditional(maps)).mean()
    )
