import pytest
import torch
from torch import nn

from families.autoencoder.distributions import Gaussian
from families.autoencoder.divergences import kl
from families.autoencoder.model import Autoencoder
from families.autoencoder.networks import Decoder, Encoder
from families.autoencoder.priors import ClassAndStyle, LabelNormal, StandardNormal
from families.autoencoder.vae_gan import vae_gan
from families.outputs import DiscretisedLogistic, LogisticMixture
from genbench import Batch, DataSpec
from genbench.abilities import Classifies, Interpolates, Reconstructs, Traverses
from genbench.seed import generator
from tests.families.autoencoder.tiny import BOUNDED, PIXELS, randomised
from tests.families.helpers import every_image

ALL = [*BOUNDED, "vae-gan"]
IMAGES = every_image(PIXELS)


def build(name):
    if name == "vae-gan":
        torch.manual_seed(0)
        return vae_gan(PIXELS, width=4, latents=2).eval()
    return randomised(name, scale=1.0)


def batch(model, label=0):
    return Batch(IMAGES, torch.full((len(IMAGES),), label) if model.given else None)


@pytest.mark.parametrize("name", ALL)
def test_every_model_with_codes_reconstructs_interpolates_and_traverses(name):
    model = build(name)
    assert isinstance(model, Reconstructs)
    assert isinstance(model, Interpolates)
    assert isinstance(model, Traverses)
    assert isinstance(model, Classifies) == (name == "aae-semi-supervised")
    images = batch(model)
    again = model.reconstruct(images)
    assert again.shape == IMAGES.shape
    assert again.dtype == torch.uint8
    assert torch.equal(again, model.reconstruct(images))
    walk = model.traverse(2, 5, generator=generator(0))
    assert walk.shape == (2, 5, 1, 2, 2)
    assert walk.dtype == torch.uint8
    assert torch.equal(walk, model.traverse(2, 5, generator=generator(0)))


@pytest.mark.parametrize("name", ALL)
def test_the_ends_of_an_interpolation_are_the_reconstructions(name):
    model = build(name)
    start, end = batch(model), batch(model, 1).rows(torch.arange(len(IMAGES) - 1, -1, -1))
    path = model.interpolate(start, end, 3)
    assert path.shape == (len(IMAGES), 3, 1, 2, 2)
    assert torch.equal(path[:, 0], model.reconstruct(start))
    assert torch.equal(path[:, 2], model.reconstruct(end))


class Bars(nn.Module):
    """A decoder whose pixel j brightens with latent j, times a gain of its own; scales are tiny."""

    def __init__(self, gains):
        super().__init__()
        self.gains = nn.Parameter(torch.tensor(gains))

    def forward(self, codes):
        means = codes[:, : len(self.gains)] * self.gains
        return torch.stack((means, torch.full_like(means, -9.0)), 1)[:, :, None]  # (B, 2, 1, Z)


class Fixed(Decoder):
    """A decoder that says what its network is made to say: there is no bias that could begin elsewhere."""

    @property
    def bias(self):
        return torch.zeros(0)


class Identity(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.size = size

    def forward(self, x):
        flat = x[:, :1].flatten(1)
        return torch.cat((flat, torch.full_like(flat, -3.0)), 1)


def bars(gains, prior=None, given=(), classes=0):
    size = len(gains)
    spec = DataSpec((1, 1, size), 201, classes=classes)
    encoder, decoder = Encoder(Identity(size), classes), Fixed(Bars(gains), classes)
    prior = prior or StandardNormal(size)
    return Autoencoder(spec, encoder, decoder, prior, kl, DiscretisedLogistic(201), given=given, lr=1e-3)


def test_a_traversal_moves_one_latent_a_row_from_end_to_end():
    model = bars([0.1, 0.3, 0.2])
    images = model.traverse(3, 5, generator=generator(0)).flatten(2).float()  # (rows, steps, pixels)
    for row, latent in enumerate((1, 2, 0)):
        others = [i for i in range(3) if i != latent]
        assert (images[row, :, others] == images[row, :1, others]).all()
        gain = [0.1, 0.3, 0.2][latent]
        expected = 100 + 100 * gain * torch.tensor([-2.5, -1.25, 0.0, 1.25, 2.5])
        assert torch.equal(images[row, :, latent], expected.round())


@pytest.mark.parametrize("gains", [[0.02, 0.3, 0.1, 0.2], [0.3, 0.02, 0.2, 0.1]])
def test_the_latents_that_change_images_most_come_first(gains):
    model = bars(gains)
    influence = model.influence(generator(0))
    assert influence.argsort(descending=True).tolist() == torch.tensor(gains).argsort(descending=True).tolist()
    walk = model.traverse(2, 2, generator=generator(0)).flatten(2).float()
    moved = [(row[1] - row[0]).abs().argmax().item() for row in walk]
    assert moved == torch.tensor(gains).argsort(descending=True)[:2].tolist()


def test_a_traversal_goes_by_the_prior_s_own_mean_and_spread():
    prior = LabelNormal(2, 3)
    prior.means.data, prior.log_stds.data = torch.full((3, 2), 0.5), torch.full((3, 2), 0.1).log()
    model = bars([0.4, 0.3], prior, ("label",), 3)
    images = model.traverse(1, 3, generator=generator(0)).flatten(2)[0, :, 0].float()
    assert torch.equal(images, (100 + 100 * 0.4 * torch.tensor([0.25, 0.5, 0.75])).round())


def test_an_interpolation_is_a_straight_line_between_codes():
    model = bars([0.5, 0.5])
    start, end = (Batch(torch.tensor(levels, dtype=torch.uint8)[None, None, None]) for levels in ([20, 180], [100, 60]))
    path = model.interpolate(start, end, 5)[0].flatten(1).float()
    assert torch.equal(path[:, 0], torch.linspace(60, 100, 5))
    assert torch.equal(path[:, 1], torch.linspace(140, 80, 5))


class Same(nn.Module):
    """A decoder that says the same of every code and pixel."""

    def __init__(self, parameters):
        super().__init__()
        self.parameters_ = nn.Parameter(parameters)

    def forward(self, codes):
        return self.parameters_[None, :, None, None].repeat(len(codes), 1, 1, 2)


def test_without_a_generator_a_mixture_shows_its_likeliest_component_s_means():
    """Of weights 0.3, 0.3 and 0.4 the second holds the median; a channel's mean leans on the levels before it."""
    weights = torch.tensor([0.3, 0.3, 0.4]).log()
    means = torch.tensor([[-0.9, 0.7, 0.2], [0.8, 0.6, -0.3], [-0.5, 0.9, 0.3]])  # (channels, components)
    scales, bends = torch.full((3, 3), -1.0), torch.tensor([[0.0, 0.0, 0.5], [0.0, 0.0, -0.4], [0.0, 0.0, 0.8]])
    network = Same(torch.cat((weights, means.flatten(), scales.flatten(), bends.atanh().flatten())))
    encoder, decoder, output = Encoder(Identity(2)), Fixed(network), LogisticMixture(256, 3)
    model = Autoencoder(DataSpec((3, 1, 2)), encoder, decoder, StandardNormal(2), kl, output, lr=1e-3)
    shown = model.reconstruct(Batch(torch.zeros(4, 3, 1, 2, dtype=torch.uint8)))

    def level(mean):
        return round((mean + 1) * 127.5)

    red = level(0.2)
    green = level(-0.3 + 0.5 * (red / 127.5 - 1))
    blue = level(0.3 - 0.4 * (red / 127.5 - 1) + 0.8 * (green / 127.5 - 1))
    assert (shown == torch.tensor([red, green, blue])[:, None, None]).all()


def test_without_a_generator_a_reconstruction_is_each_channel_s_median():
    model = randomised("vae", scale=1.0)
    drawn = torch.stack([model.reconstruct(Batch(IMAGES), generator=generator(k)) for k in range(301)])
    median = drawn.float().median(0).values
    share = (drawn == 1).float().mean(0)
    clear = (share - 0.5).abs() > 0.1
    assert torch.equal(model.reconstruct(Batch(IMAGES)).float()[clear], median[clear])


def test_abilities_leave_the_mode_and_the_global_generator_alone():
    model = build("vae-gan").train()
    state = torch.get_rng_state()
    model.traverse(1, 2, generator=generator(0))
    model.interpolate(Batch(IMAGES), Batch(IMAGES), 2)
    assert model.training
    assert torch.equal(state, torch.get_rng_state())


def test_silly_questions_are_refused():
    model = bars([0.1, 0.3])
    images = Batch(torch.zeros(3, 1, 1, 2, dtype=torch.uint8))
    with pytest.raises(ValueError, match="steps=1: give at least 2"):
        model.interpolate(images, images, 1)
    with pytest.raises(ValueError, match="others: 2 partners for 3 images"):
        model.interpolate(images, images.rows(slice(2)), 4)
    with pytest.raises(ValueError, match="rows=0: give at least 1"):
        model.traverse(0, 4, generator=generator(0))
    with pytest.raises(ValueError, match="steps=0: give at least 1"):
        model.traverse(1, 0, generator=generator(0))


@pytest.mark.parametrize("name", ["vae", "aae-semi-supervised"])
def test_a_traversal_of_more_rows_than_latents_moves_every_latent_once(name):
    model = randomised(name, scale=1.0)  # two latents, to which the semi-supervised one adds a class that stays
    assert torch.equal(model.traverse(9, 4, generator=generator(0)), model.traverse(2, 4, generator=generator(0)))


@pytest.mark.parametrize(("gains", "moved"), [([0.3, 0.3, 0.0, 0.1], [3, 2]), ([0.3, 0.3, 0.0, 0.0], [2, 3])])
def test_latents_without_influence_are_moved_all_the_same_and_a_class_stays_as_it_was_drawn(gains, moved):
    model, codes = bars(gains, ClassAndStyle(2, 2)), []
    model.decoder.register_forward_pre_hook(lambda module, inputs: codes.append(inputs[0].clone()))
    images = model.traverse(4, 3, generator=generator(0)).flatten(2)
    walk = codes[-1].view(2, 3, 4)
    assert images.shape == (2, 3, 4)
    for row, latent in zip(walk, moved, strict=True):
        assert torch.equal(row[:, latent], torch.tensor([-2.5, 0.0, 2.5]))
    assert (walk[:, :, :2] == walk[:1, :1, :2]).all()
    assert sorted(walk[0, 0, :2].tolist()) == [0, 1]


def test_latents_of_the_same_influence_keep_their_order():
    walk = bars([0.2, 0.2, 0.3, 0.2]).traverse(4, 2, generator=generator(0)).flatten(2).float()
    assert [(row[1] - row[0]).abs().argmax().item() for row in walk] == [2, 0, 1, 3]


def test_a_class_is_not_moved_along_one_number():
    model = randomised("aae-semi-supervised", scale=1.0)
    assert (model.influence(generator(0))[:2] == 0).all()
    assert isinstance(model.posterior(Batch(IMAGES)).parts[1], Gaussian)
