"""StackGAN: a small image from a caption, and a second generator that enlarges and refines it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from families.adversarial.dcgan import Generator
from families.gan.builder import ADAM, GANBuilder, gan_recipe
from families.gan.captioned import Augmentation, CaptionCritic, CaptionedGAN, Words, needs_captions
from families.gan.pyramid import split
from families.gan.rules import Rules
from families.layers.convolutional import faint, halving, he
from families.layers.ema import Average
from families.layers.evaluation import evaluation
from families.layers.options import positive_or_zero, whole
from families.layers.scaling import halved, halvings, to_levels
from genbench.implicit import ImplicitModel
from genbench.interface import Phase, Step, Turn
from genbench.spec import Batch, DataSpec

SHARES = (0.4, 0.56)  # of the budget, by stage; the words have the rest
BLOCKS = 2  # residual, in stage II


def normalised(into: int, out: int) -> Sequence[nn.Module]:
    """Return a 3×3 convolution and batch normalisation behind it."""
    return he(nn.Conv2d(into, out, 3, padding=1, bias=False)), nn.BatchNorm2d(out)


class Residual(nn.Module):
    """``relu(x + norm(conv(relu(norm(conv(x))))))``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(*normalised(width, width), nn.ReLU(), *normalised(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, width, H, W)`` to as many."""
        return torch.relu(x + self.inner(x))


class StageOne(nn.Module):
    """z and a caption to a small image.

    Args:
        shape: the shape of the small image.
        latents: the size of z.
        augmented: the size of the augmented caption.
        width: channels at half the resolution.
    """

    def __init__(self, shape: tuple[int, int, int], latents: int, augmented: int, width: int) -> None:
        super().__init__()
        self.augmentation = Augmentation(augmented)
        self.network = Generator(shape, latents + augmented, width)

    def forward(self, z: Tensor, noise: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Map z, ε and captions' vectors to images on [-1, 1] and the augmentation's divergence of each."""
        told, divergence = self.augmentation(vectors, noise)
        return self.network(torch.cat([z, told], 1)), divergence


class StageTwo(nn.Module):
    """A small image and its caption, augmented anew, to an image of full size. There is no z.

    Args:
        shape: the shape of the image.
        sides: height and width of the small one.
        augmented: the size of the augmented caption.
        width: channels at the small image's scale.
    """

    def __init__(self, shape: tuple[int, int, int], sides: Sequence[int], augmented: int, width: int) -> None:
        super().__init__()
        self.augmentation = Augmentation(augmented)
        first = he(nn.Conv2d(shape[0], width, 3, padding=1))
        second = he(halving(width, 2 * width, sides, bias=False))
        self.encoder = nn.Sequential(first, nn.ReLU(), second, nn.BatchNorm2d(2 * width), nn.ReLU())
        layers: list[nn.Module] = [*normalised(2 * width + augmented, 2 * width), nn.ReLU()]
        layers += [Residual(2 * width) for _ in range(BLOCKS)]
        into = 2 * width
        for place, wanted in enumerate(dict.fromkeys([tuple(sides), shape[1:]])):
            out = max(width >> place, 1)
            layers += [nn.Upsample(size=wanted), *normalised(into, out), nn.ReLU()]
            into = out
        self.layers = nn.Sequential(*layers, faint(nn.Conv2d(into, shape[0], 3, padding=1)), nn.Tanh())
        self.sides = halved(sides, 1)

    def forward(self, images: Tensor, noise: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Map small images, ε and captions' vectors to images on [-1, 1] and the augmentation's divergence of each."""
        told, divergence = self.augmentation(vectors, noise)
        beside = told[:, :, None, None].expand(-1, -1, *self.sides)
        return self.layers(torch.cat([self.encoder(images), beside], 1)), divergence


class StackGAN(CaptionedGAN):
    """Two GANs given captions, the second of which refines what the first has learned to make.

    Noise is ``[z, ε₁, ε₂]``. Each stage learns in a phase of its own; the second runs on the first's average, in
    evaluation mode and without gradient.

    Args:
        spec: the spec of the data.
        words: φ and ψ.
        stages: :class:`StageOne` and :class:`StageTwo`.
        critics: a critic for each.
        latents: the size of z.
        halved: how often the small image is halved.
        weight: the weight of the divergence.
        rules: how both stages learn.
    """

    def __init__(
        self,
        spec: DataSpec,
        words: Words,
        stages: tuple[StageOne, StageTwo],
        critics: Sequence[CaptionCritic],
        *,
        latents: int,
        halved: int,
        weight: float,
        rules: Rules,
    ) -> None:
        self.sizes = [latents, *(stage.augmentation.size for stage in stages)]
        super().__init__(spec, sum(self.sizes), words, rules)
        self.stages = nn.ModuleList(stages)
        self.critics = nn.ModuleList(critics)
        self.halved = halved
        self.weight = weight
        averaged = stages if rules.average else ()
        self.averages = nn.ModuleList(Average({"stage": stage}, rules.average) for stage in averaged)

    def phases(self) -> Sequence[Phase]:
        """Return the three phases: words, stage I, stage II, each stage with a critic of its own."""
        stages = [
            Phase(
                f"stage-{place + 1}",
                share,
                [
                    Turn(
                        "critic", [self.critics[place]], partial(self.critic_loss, place), self.rules.critic_optimizer
                    ),
                    Turn(
                        "generator",
                        [self.stages[place]],
                        partial(self.generator_loss, place),
                        self.rules.optimizer,
                        every=self.rules.critic_steps,
                        after=partial(self._after, place),
                    ),
                ],
            )
            for place, share in enumerate(SHARES)
        ]
        return [*self.text_phases, *stages]

    @property
    def setting(self) -> str:
        """What the recipe prescribes beside its loss, for a column of the table."""
        shares = ", ".join(f"{phase.name} {phase.share:g}" for phase in self.phases())
        sizes = f"captions augmented to {self.sizes[1]}, divergence by weight {self.weight:g}"
        return "; ".join([f"phases: {shares}", sizes, *self.rules.said])

    def critic_loss(self, place: int, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the critic's side at a stage, on real images of its size and on fakes of the same captions."""
        captions, vectors = self.told(batch)
        with torch.no_grad():
            fakes, _ = self._made(place, vectors, step)
        real = self.real(batch, self.halved if place == 0 else 0)
        seen, made = (self.rules.shown(images, step) for images in (real, fakes))
        return self._critic(place).critic_loss(seen, made, step, captions, vectors)

    def generator_loss(self, place: int, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the generator's side at a stage, and the weighted divergence of its augmented captions."""
        _, vectors = self.told(batch)
        fakes, divergences = self._made(place, vectors, step)
        loss = self._critic(place).generator_loss(self.rules.shown(fakes, step), step, vectors)
        divergence = self.weight * divergences.mean()
        return {"loss": loss + divergence, "divergence": divergence}

    def decode(self, u: Tensor, given: Batch) -> Tensor:
        """Map noise ``(B, Z)``, z and both ε, to images ``(B, C, H, W)`` in levels, by averages if there are any."""
        return to_levels(self.drawn(u, given)[1], self.spec.levels)

    def drawn(self, u: Tensor, given: Batch) -> tuple[Tensor, Tensor]:
        """Return the small image of noise ``(B, Z)`` and what stage II makes of it, both on [-1, 1]."""
        z, first, second = split(u, self.sizes)
        _, vectors = self.told(given)
        small, _ = self._maker(0)(z, first, vectors)
        return small, self._maker(1)(small, second, vectors)[0]

    def _made(self, place: int, vectors: Tensor, step: Step) -> tuple[Tensor, Tensor]:
        z, first, second = split(self.draw_noise(len(vectors), step.generator), self.sizes)
        if place == 0:
            return self.stages[0](z, first, vectors)
        maker = self._maker(0)
        with evaluation(maker):
            small, _ = maker(z, first, vectors)
        return self.stages[1](small, second, vectors)

    def _critic(self, place: int) -> CaptionCritic:
        return cast("CaptionCritic", self.critics[place])

    def _maker(self, place: int) -> nn.Module:
        return cast("Average", self.averages[place]).copies["stage"] if self.rules.average else self.stages[place]

    def _after(self, place: int, logs: Mapping[str, Tensor], step: Step) -> None:
        if self.rules.average:
            cast("Average", self.averages[place]).update({"stage": self.stages[place]})


@gan_recipe(own_networks=True, lr=1e-3)
def stackgan(builder: GANBuilder, *, augmented: int = 32, weight: float = 2.0) -> ImplicitModel:
    """StackGAN (1612.03242): stage I makes a small image from a caption, stage II refines it from the same caption.

    In each stage the critic minimises ``E s(-C(x, φ)) + ½ [E s(C(x, φ')) + E s(C(y, φ))]`` with s the softplus, y a
    fake and φ' the vector of a caption that says something else; the generator ``E s(-C(y, φ))`` plus the weighted
    divergence of its augmented caption, ``c = μ + σ ε``, from N(0, I).

    Departures: the words' vectors are learned on the training images in a first phase (``families/gan/captioned.py``),
    where the paper takes a network that was trained on other captions beforehand; the generator's loss is the
    non-saturating one and the divergence a mean over dimensions by weight 2, as in the authors' code; nothing rectifies
    μ and log σ; a wrong caption is never one that says the same; stage I has the shared networks; the small image is
    half as large, or as large where sides cannot be halved; rates stay as they are; samples of moving averages.

    Args:
        builder: what all recipes share.
        augmented: the size of c.
        weight: the weight of the divergence; 0 for none.

    Raises:
        ValueError: for an option out of range, or data without captions.
    """
    positive_or_zero(weight=weight)
    whole(1, width=builder.width, latents=builder.latents)
    spec = builder.spec
    needs_captions(spec)
    channels, height, breadth = spec.shape
    times = min(halvings(height, breadth), 1)
    small = (channels, height >> times, breadth >> times)
    return StackGAN(
        spec,
        Words(spec, max(builder.width // 2, 1)),
        (
            StageOne(small, builder.latents, augmented, builder.width),
            StageTwo(spec.shape, small[1:], augmented, builder.width),
        ),
        [CaptionCritic(shape, builder.width, conditional=True, unconditional=False) for shape in (small, spec.shape)],
        latents=builder.latents,
        halved=times,
        weight=weight,
        rules=builder.rules(ADAM),
    )
