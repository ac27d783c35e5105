import math

import pytest
import torch
from torch import nn

from families.adversarial.losses import LEAST_SQUARES_WHOLE, WASSERSTEIN, slow_critic
from families.adversarial.penalties import GradientPenalty
from families.adversarial.terms import Scored
from families.translation.domains import Domains, another, permuted
from genbench import Batch, Budget, DataSpec, Field, FitConfig, Split, Splits
from tests.families.translation.toy import adam, gen, integers, step

FIELDS = {"domain": Field((), 4), "source_domain": Field((), 4, "source")}
SPEC = DataSpec((1, 8, 8), 256, source=(1, 8, 8), paired=False, fields=FIELDS)


class Shift(nn.Module):
    """``x + a (wanted - own)``: what comes back is what went."""

    def __init__(self, factor=0.1):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, images, own, wanted):
        own = torch.zeros_like(wanted) if own is None else own
        return images + self.factor * (wanted - own).view(-1, 1, 1, 1)


class Stay(Shift):
    """``x + a wanted``, whatever x is: nothing comes back."""

    def forward(self, images, own, wanted):
        return images + self.factor * wanted.view(-1, 1, 1, 1)


class Judge(nn.Module):
    """A logit that is the mean and a weight times the domain it is told, and classes that it always guesses alike."""

    def __init__(self, told=0.0, slope=1.0, classes=4):
        super().__init__()
        self.told, self.slope = nn.Parameter(torch.tensor(told)), nn.Parameter(torch.tensor(slope))
        self.guess = nn.Parameter(torch.zeros(classes))
        self.seen = []

    def forward(self, images, domain):
        self.seen.append((images.detach(), domain))
        logits = self.slope * images.flatten(1).mean(1) + self.told * domain
        return Scored(
            images, logits, images.flatten(1)[:, :0], classes=self.guess.expand(len(images), -1) + 0 * logits[:, None]
        )


def model(translator=None, critic=None, **options):
    options = {"loss": WASSERSTEIN, "optimizer": adam, "reconstruct": 10.0} | options
    return Domains(SPEC, translator or Shift(), critic or Judge(), **options)


def batch(n=8, seed=0):
    domain = torch.arange(n) % 4
    return Batch(
        integers(n, seed=seed), sources=integers(n, seed=9), fields={"domain": domain, "source_domain": domain}
    )


def test_permuted_wants_what_the_batch_has_and_another_wants_any_other():
    own = torch.tensor([0, 0, 1, 3]).repeat(500)
    order = permuted(own, 4, gen())
    assert torch.equal(order.bincount(minlength=4), own.bincount(minlength=4))
    assert 0.3 < float((order == own).double().mean()) < 0.45, "by chance: ½² + ¼² + ¼² = .375"
    others = another(own, 4, gen())
    assert not bool((others == own).any())
    shares = others[own == 0].bincount(minlength=4) / 1000
    assert shares.tolist() == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3], abs=0.06)
    assert set(another(torch.tensor([0, 1] * 20), 2, gen()).tolist()) == {0, 1}
    assert not torch.equal(order, permuted(own, 4, gen(1)))


def test_what_comes_back_is_compared_with_the_image_under_its_own_domain():
    assert float(model(Shift()).generator_loss(batch(), step())["reconstruct"]) == pytest.approx(0, abs=1e-5)
    own, wanted = batch().fields["domain"], permuted(batch().fields["domain"], 4, gen())
    expected = 10 * 0.1 * (own + wanted).double().mean()
    logs = model(Stay()).generator_loss(batch(), step())
    assert float(logs["reconstruct"]) == pytest.approx(float(expected), rel=1e-4)
    score = (batch().images.float() / 127.5 - 1).mean() + 0.1 * wanted.double().mean()
    assert float(logs["loss"]) == pytest.approx(float(expected - score), rel=1e-4)


def test_an_error_of_a_fifth_on_the_way_back_adds_two():
    class Lossy(Shift):
        def forward(self, images, own, wanted):
            return images + self.factor

    logs = model(Lossy(0.1)).generator_loss(batch(), step())
    assert float(logs["reconstruct"]) == pytest.approx(2)
    logs = model(Lossy(0.1), identity=3.0).generator_loss(batch(), step())
    assert float(logs["identity"]) == pytest.approx(0.3)
    assert "identity" not in model().generator_loss(batch(), step())


def test_four_equal_guesses_cost_ln_4_of_real_images_alone():
    whole = model(classify=2.0)
    logs = whole.critic_loss(batch(), step())
    assert float(logs["classes"]) == pytest.approx(2 * math.log(4))
    assert float(whole.generator_loss(batch(), step())["classes"]) == pytest.approx(2 * math.log(4))
    assert "classes" not in model().critic_loss(batch(), step())
    few = Batch(integers(4), fields={"domain": torch.zeros(4, dtype=torch.int64)})
    sure = Judge()
    sure.guess.data[0] = 50.0  # every image is said to be of domain 0, where all real ones are
    whole = model(critic=sure, classify=1.0, wanted=lambda own, domains, generator: own + 3)
    assert float(whole.critic_loss(few, step())["classes"]) == pytest.approx(0)
    assert float(whole.generator_loss(few, step())["classes"]) == pytest.approx(50)


def test_a_critic_that_tells_no_classes_is_refused():
    class Mute(Judge):
        def forward(self, images, domain):
            return super().forward(images, domain).logits

    with pytest.raises(ValueError, match="critic: it tells no classes"):
        model(critic=Mute(), classify=1.0).critic_loss(batch(), step())


def test_the_critic_is_told_the_images_own_domain_and_the_wanted_one_of_translations():
    critic = Judge(told=1.0)
    whole = model(critic=critic, wanted=lambda own, domains, generator: (own + 1) % domains)
    whole.critic_loss(batch(), step())
    (_, own), (fakes, wanted) = critic.seen
    assert torch.equal(own, torch.arange(8) % 4)
    assert torch.equal(wanted, (own + 1) % 4)
    critic.seen.clear()
    whole.generator_loss(batch(), step())
    assert torch.equal(critic.seen[0][1], wanted), "the target's critic judges, never the source's"
    torch.testing.assert_close(critic.seen[0][0], fakes)


def test_sources_are_not_read_in_training():
    given = batch()
    bare = Batch(given.images, fields={"domain": given.fields["domain"]})
    for side in ("critic_loss", "generator_loss"):
        torch.testing.assert_close(getattr(model(), side)(given, step()), getattr(model(), side)(bare, step()))


def test_each_domain_has_a_pool_of_its_own():
    critic = Judge()
    whole = model(Stay(), critic, pool=2, wanted=lambda own, domains, generator: (own + 1) % domains)
    constant = Batch(torch.full((8, 1, 8, 8), 0, dtype=torch.uint8), fields={"domain": torch.arange(8) % 4})
    for k in range(6):
        whole.critic_loss(constant, step(k))
    values = [sorted({round(float(value), 4) for value in pool.images[:, 0, 0, 0]}) for pool in whole.pools]
    assert values == [[-1.0], [-0.9], [-0.8], [-0.7]]
    for images, domain in critic.seen[1::2]:
        torch.testing.assert_close(images[:, 0, 0, 0], -1 + 0.1 * domain)


def test_the_penalty_is_added_and_the_turns_wait():
    logs = model(critic=Judge(slope=3.0), penalty=GradientPenalty(10.0)).critic_loss(batch(), step())
    assert float(logs["penalty"]) == pytest.approx(10 * (3 / 8 - 1) ** 2)
    critic, generator = model(critic_steps=5).phases()[0].turns
    assert (critic.name, critic.every, generator.name, generator.every) == ("critic", 1, "generator", 5)
    first, second = model(critic_first=False).phases()[0].turns
    assert (first.name, second.name) == ("generator", "critic")


def test_the_critic_s_turn_gives_the_translator_no_gradient():
    whole = model()
    whole.critic_loss(batch(), step())["loss"].backward()
    assert whole.generator.factor.grad is None
    whole.generator_loss(batch(), step())["loss"].backward()
    assert whole.generator.factor.grad is not None


@pytest.mark.parametrize("given", [("source", "domain"), ("source", "source_domain", "domain")])
def test_samples_go_from_the_source_s_domain_if_it_is_told_to_the_one_asked_for(given):
    whole = model(Shift(0.08), given=given, loss=slow_critic(LEAST_SQUARES_WHOLE))
    sources = torch.full((3, 1, 8, 8), 51, dtype=torch.uint8)
    fields = {"domain": torch.tensor([0, 2, 3]), "source_domain": torch.tensor([0, 1, 0])}
    drawn = whole.sample(3, sources=sources, fields={name: fields[name] for name in given[1:]}, generator=gen())
    steps = [0, 1, 3] if "source_domain" in given else [0, 2, 3]
    assert drawn[:, 0, 0, 0].tolist() == [51 + round(0.08 * 127.5 * step) for step in steps]


def test_a_reconstruction_goes_through_the_next_domain_and_back():
    given = Batch(torch.full((4, 1, 8, 8), 51, dtype=torch.uint8), fields={"domain": torch.arange(4)})
    whole = model(Shift(0.08))
    one = round(0.08 * 127.5)
    assert whole.between(given)[:, 0, 0, 0].tolist() == [51 + one] * 3 + [51 - round(3 * 0.08 * 127.5)]
    assert torch.equal(whole.reconstruct(given), given.images)
    assert model(Stay(0.08)).reconstruct(given)[:, 0, 0, 0].tolist() == [
        51 + round(0.08 * 127.5 * (own + (own + 1) % 4)) for own in range(4)
    ]
    with pytest.raises(ValueError, match="domain"):
        whole.reconstruct(Batch(given.images))


def test_it_learns_and_comes_back():
    fields = {"domain": torch.arange(16) % 4, "source_domain": torch.arange(16) % 4}
    split = Split(integers(16), sources=integers(16, seed=1), fields=fields)
    whole = model(Stay(0.5), pool=3)
    whole.fit(Splits(split, split), FitConfig(Budget(steps=40), batch_size=8))
    assert float(whole.generator.factor) < 0.3, "nothing comes back unless nothing moves"


def test_data_of_one_domain_and_options_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"fields=\[\]: a model of several domains needs a field 'domain'"):
        Domains(
            DataSpec((1, 8, 8), source=(1, 8, 8)), Shift(), Judge(), loss=WASSERSTEIN, reconstruct=1.0, optimizer=adam
        )
    for name, value in (
        ("reconstruct", -1.0),
        ("classify", -1.0),
        ("identity", -1.0),
        ("pool", -1),
        ("critic_steps", 0),
    ):
        with pytest.raises(ValueError, match=f"{name}={value}"):
            model(**{name: value})
