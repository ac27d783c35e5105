"""A generator whose codes can be read off its images: what they say is found without labels."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Generator, Tensor, nn

from families.adversarial.losses import NON_SATURATING
from families.adversarial.terms import GameStep, GameView, Term
from families.gan.builder import ADAM, GANBuilder, gan_recipe
from families.gan.codes import InfoCode, uniform_codes
from families.gan.model import GAN
from families.layers.evaluation import evaluation
from families.layers.options import positive, whole
from families.layers.scaling import to_uint8
from families.outputs.base import at_least_single

LEAST_VARIANCE = 1e-3  # of Q(c given x): without one, a code that is read exactly would be worth any number of nats


class Information(Term):
    """``-λ L_I`` of each code, ``L_I = E log Q(c given x) + H(c)``, in nats: a lower bound on I(c; x) of the fakes.

    Q is two layers on the critic's features (1606.03657): a softmax over the category, and a Gaussian
    with its own mean and variance for each number. Fakes alone have codes, so real images play no part.

    Both sides lower it. The generator moves what the images say of their codes. Q and the features that it reads, its
    trunk, learn in the critic's turn, where the fakes stand still: so the trunk serves both the game and Q.

    Args:
        features: the number of the critic's features.
        categories: values of the category.
        continuous: the number of codes that are numbers.
        weight: the weight λ of the category.
        continuous_weight: λ of the numbers.
        hidden: units of Q's first layer.

    Raises:
        ValueError: for a weight that is not positive, or less than one hidden unit.
    """

    def __init__(
        self, features: int, categories: int, continuous: int, weight: float, continuous_weight: float, hidden: int
    ) -> None:
        super().__init__()
        positive(weight=weight, continuous_weight=continuous_weight)
        whole(1, hidden=hidden)
        self.categories, self.continuous = categories, continuous
        self.weight, self.continuous_weight = weight, continuous_weight
        self.first = nn.Sequential(nn.Linear(features, hidden, bias=False), nn.BatchNorm1d(hidden), nn.LeakyReLU(0.2))
        self.last = nn.Linear(hidden, categories + 2 * continuous)

    @property
    def setting(self) -> str:
        """What the term is in words, for a column of the table."""
        return f"information {self.weight:g}" + (f", numbers {self.continuous_weight:g}" if self.continuous else "")

    def critic(self, game: GameView, step: GameStep) -> dict[str, Tensor]:
        """Return the bounds with their weights."""
        return self.generator(game, step)

    def generator(self, game: GameView, step: GameStep) -> dict[str, Tensor]:
        """Return the bounds with their weights.

        Raises:
            ValueError: for a batch of one in training, which Q's batch normalisation cannot normalise; without the
                noise that the fakes were made of.
        """
        if step.u is None:
            raise ValueError("u=None: the codes are read from the noise that the fakes were made of: give it")
        if self.training and len(step.fake.features) < 2:
            raise ValueError("batch_size=1: Q normalises by the batch: give 2 or more")
        read = at_least_single(self.last(self.first(step.fake.features)))
        logits, mean, raw = read.split([self.categories, self.continuous, self.continuous], 1)
        entropy = F.cross_entropy(logits, step.fake.given.fields["category"]) - math.log(self.categories)
        bounds = {"category": self.weight * entropy}
        if self.continuous:
            variance, codes = LEAST_VARIANCE + F.softplus(raw), uniform_codes(step.u, self.continuous).to(mean)
            surprise = ((codes - mean).square() / variance + (2 * math.pi * variance).log()) / 2 - math.log(2)
            bounds["continuous"] = self.continuous_weight * surprise.sum(1).mean()
        return bounds


class InfoGAN(GAN):
    """A GAN on an :class:`InfoCode`, whose codes can be moved one at a time."""

    code: InfoCode

    def traverse(self, rows: int, steps: int, *, generator: Generator) -> Tensor:
        """Return a sample whose codes are moved: first the category, then each number from -1 to 1, all else as drawn.

        The category's values take as many rows as they need, and begin again where the last of these has room.

        Args:
            rows: the largest number of rows.
            steps: the number of images a row.
            generator: the source of the sample's noise.

        Returns:
            uint8 ``(min(rows, the category's + one a number), steps, C, H, W)``.

        Raises:
            ValueError: for fewer than one row or step.
        """
        whole(1, rows=rows, steps=steps)
        values = torch.arange(-(-self.categories // steps) * steps, device=self.device)
        moved = len(values) // steps + self.code.continuous
        given = self.hidden(self.conditions(1, generator=generator), generator)
        u = self.draw_noise(1, generator).repeat(moved * steps, 1)
        given = given.rows(torch.zeros(moved * steps, dtype=torch.int64, device=self.device))
        category = given.fields["category"].clone()
        category[: len(values)] = values
        reach = torch.special.ndtri(torch.linspace(0, 1, steps, dtype=u.dtype, device=u.device))  # -∞ to ∞
        for number in range(self.code.continuous):
            start = len(values) + number * steps
            u[start : start + steps, self.latents - self.code.continuous + number] = reach
        with evaluation(self):
            images = to_uint8(self.decode(u, self.under(given, category)), self.spec.levels)
        return rearrange(images, "(row step) c h w -> row step c h w", step=steps)[:rows]


@gan_recipe(lr=1e-3, critic_lr=2e-4)
def infogan(
    builder: GANBuilder,
    *,
    categories: int | None = None,
    continuous: int = 2,
    weight: float = 1.0,
    continuous_weight: float = 0.1,
    hidden: int = 128,
) -> GAN:
    """InfoGAN (1606.03657): codes that Q reads off images, by ``min over G, Q, max over D of V(D, G) - λ L_I(G, Q)``.

    The paper's learning rates: with the generator's at the critic's 2e-4, 16×16 digits hid the category in patterns
    that no eye would find, though Q read all of it; so they are not those of the other rows.

    Departures: the shared networks, and Gaussian noise z of its size, where the paper's for digits have dense
    layers and 62 uniform numbers; Q's variance is learned and at least 1e-3; samples come from a moving average.

    Args:
        builder: what all recipes share.
        categories: values of the category; as many as the data have classes by default, and 10 where they have none.
        continuous: how many numbers, uniform on [-1, 1], stand beside it.
        weight: the weight λ of the category.
        continuous_weight: λ of the numbers, smaller since their entropy is a differential one.
        hidden: units of Q's first layer.

    Raises:
        ValueError: for an option out of range, or data of one class where no ``categories`` are given.
    """
    if categories is None and builder.spec.classes == 1:
        raise ValueError("classes=1: a category needs two values, and the data have one class: give categories")
    critic = builder.critic()
    code = InfoCode(builder.latents, (builder.spec.classes or 10) if categories is None else categories, continuous)
    term = Information(critic.features, code.categories, continuous, weight, continuous_weight, hidden)
    return builder.build(NON_SATURATING, critic=critic, code=code, terms=[term], optimizer=ADAM, kind=InfoGAN)
