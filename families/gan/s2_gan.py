"""Style and structure: one GAN makes a surface, another an image of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim import Optimizer

from families.adversarial.augment import Augment, augmentation
from families.adversarial.dcgan import Critic, unnormalised
from families.adversarial.game import Game
from families.adversarial.losses import NON_SATURATING
from families.gan.builder import ADAM, GANBuilder, gan_recipe
from families.gan.s2_networks import Regressor, Structure, Style
from families.gan.surface import halves, leanings, surface
from families.layers.ema import Average
from families.layers.evaluation import evaluation
from families.layers.options import positive_or_zero, whole
from families.layers.scaling import to_levels, to_unit
from genbench.implicit import ImplicitModel
from genbench.interface import Phase, Step, Turn, frozen
from genbench.spec import Batch, DataSpec

SHARES = {"structure": 0.3, "regressor": 0.05, "style": 0.35, "joint": 0.3}
STRUCTURE_BY_STYLE = 0.1  # the weight of the style's loss for the structure, in the joint phase
SLOWER = (0.1, 0.01)  # rates of style and structure in the joint phase, beside those before


class S2GAN(ImplicitModel):
    """Two generators, ``G_t(G_s(z), z')``: normals of a surface, then an image that has them.

    Args:
        spec: the spec of the data.
        structure: G_s, z → normals.
        style: G_t, normals and z' → images on [-1, 1].
        critics: the critic of surfaces, and that of images beside their surfaces.
        regressor: reads surfaces off images; fixed once its phase is over.
        latents: the size of z, and of z'.
        weight: λ, the weight of the regressor's word for the style.
        optimizer: a function of ``(parameters, lr=…)``.
        lr: the learning rate of all that makes and reads.
        critic_lr: that of the critics.
        critic_steps: critic steps for each step of the generator that it judges.
        average: decay of the moving averages of both generators; 0 for none.
        augment: what is done to every image before its critic sees it; surfaces stay beside it as they are.
    """

    def __init__(
        self,
        spec: DataSpec,
        structure: Structure,
        style: Style,
        critics: Sequence[nn.Module],
        regressor: Regressor,
        latents: int,
        *,
        weight: float,
        optimizer: Callable[..., Optimizer],
        lr: float,
        critic_lr: float,
        critic_steps: int,
        average: float,
        augment: Augment | None,
    ) -> None:
        super().__init__(spec, 2 * latents)
        self.structure = structure
        self.style = style
        self.structure_critic, self.style_critic = critics
        self.regressor = regressor
        self.weight = weight
        self.optimizer = optimizer
        self.lr, self.critic_lr = lr, critic_lr
        whole(1, critic_steps=critic_steps)
        self.critic_steps = critic_steps
        self.augment = augment
        averaged = (structure, style) if average else ()
        self.averages = nn.ModuleList(Average({"network": network}, average) for network in averaged)

    def phases(self) -> Sequence[Phase]:
        """Return the four phases: structure alone, what reads surfaces, style on real surfaces, both together."""
        plain, slow = (1.0, 1.0), SLOWER
        return [
            Phase("structure", SHARES["structure"], self._structure_turns(plain[1], joint=False)),
            Phase("regressor", SHARES["regressor"], [self._turn("regressor", self.regressor, self.regressor_loss)]),
            Phase("style", SHARES["style"], self._style_turns(plain[0], joint=False)),
            Phase(
                "joint",
                SHARES["joint"],
                [*self._structure_turns(slow[1], joint=True), *self._style_turns(slow[0], joint=True)],
            ),
        ]

    def _structure_turns(self, rate: float, *, joint: bool) -> Sequence[Turn]:
        after = partial(self._after, 0)
        loss = partial(self.structure_loss, joint)
        return [
            self._turn("critic-structure", self.structure_critic, self.structure_critic_loss, rate=rate, critic=True),
            self._turn("structure", self.structure, loss, rate=rate, after=after),
        ]

    def _style_turns(self, rate: float, *, joint: bool) -> Sequence[Turn]:
        critic, style = partial(self.style_critic_loss, joint), partial(self.style_loss, joint)
        return [
            self._turn("critic-style", self.style_critic, critic, rate=rate, critic=True),
            self._turn("style", self.style, style, rate=rate, after=partial(self._after, 1)),
        ]

    def _turn(
        self,
        name: str,
        network: nn.Module,
        loss: Callable[[Batch, Step], dict[str, Tensor]],
        *,
        rate: float = 1.0,
        critic: bool = False,
        after: Any = None,  # noqa: ANN401 - as Turn's
    ) -> Turn:
        lr = rate * (self.critic_lr if critic else self.lr)

        def made(parameters: Iterable[Parameter]) -> Optimizer:
            return self.optimizer(parameters, lr=lr)

        return Turn(name, [network], loss, made, every=1 if after is None else self.critic_steps, after=after)

    @property
    def setting(self) -> str:
        """What the recipe prescribes beside its loss, for a column of the table."""
        shares = ", ".join(f"{name} {share:g}" for name, share in SHARES.items())
        rule = self.optimizer([Parameter(torch.zeros(1))], lr=self.lr)
        parts = [f"phases: {shares}", f"surface of the image by weight {self.weight:g}"]
        parts += [f"{type(rule).__name__} {self.lr:g}", *(["no average"] * (not len(self.averages)))]
        own = getattr(self.augment, "setting", "")
        return "; ".join([*parts, *([own] if own else [])])

    def structure_critic_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the critic's side on surfaces of real images and on those that are made."""
        game = Game(self.structure, self.structure_critic, loss=NON_SATURATING)
        with torch.no_grad():
            made = self.structure(self._codes(batch, step)[0])
        return game.critic_loss(game.scored(surface(self._real(batch))), game.scored(made), step)

    def structure_loss(self, joint: bool, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the structure's side, and where ``joint`` a tenth of the style's on images of what it makes."""
        game = Game(self.structure, self.structure_critic, loss=NON_SATURATING)
        z, other = self._codes(batch, step)
        normals = self.structure(z)
        logs = game.generator_loss(game.scored(normals), step)
        if not joint:
            return logs
        by_style = self._style_game().generator_loss(self._scored(self.style(normals, other), normals, step), step)
        part = STRUCTURE_BY_STYLE * by_style["loss"]
        return logs | {"by_style": part, "loss": logs["loss"] + part}

    def style_critic_loss(self, joint: bool, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the critic's side on images with their surfaces and on fakes with the surface they were made of."""
        images = self._real(batch)
        with torch.no_grad():
            normals, code = self._given(joint, batch, step)
            fakes = self.style(normals, code)
        real = self._scored(images, surface(images), step)
        return self._style_game().critic_loss(real, self._scored(fakes, normals, step), step)

    def style_loss(self, joint: bool, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the style's side, and unless ``joint`` λ times how badly the surface is read off its images."""
        with torch.no_grad():
            normals, code = self._given(joint, batch, step)
        fakes = self.style(normals, code)
        logs = self._style_game().generator_loss(self._scored(fakes, normals, step), step)
        if joint or not self.weight:
            return logs
        with frozen(self.regressor):
            read = self.weight * F.cross_entropy(self.regressor(fakes), leanings(normals))
        return logs | {"surface": read, "loss": logs["loss"] + read}

    def regressor_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the cross-entropy of what is read off real images and their surfaces' classes."""
        images = self._real(batch)
        read, true = self.regressor(images), leanings(surface(images))
        return {"loss": F.cross_entropy(read, true), "accuracy": (read.argmax(1) == true).double().mean()}

    def decode(self, u: Tensor, given: Batch) -> Tensor:
        """Map noise ``(B, Z)``, z and z' one behind the other, to images ``(B, C, H, W)`` in levels."""
        return to_levels(self.imagined(u)[1], self.spec.levels)

    def imagined(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Return the normals and the image on [-1, 1] of noise ``(B, Z)``, by the averages if there are any."""
        z, code = u.chunk(2, 1)
        networks: list[Any] = [self.structure, self.style]
        for place, average in enumerate(self.averages):
            copies: Any = average
            networks[place] = copies.copies["network"]
        normals = networks[0](z)
        return normals, networks[1](normals, code)

    def agreement(self, n: int, generator: torch.Generator) -> tuple[float, float]:
        """Return how often the surface of samples is of the class that made them, and of another sample's.

        Args:
            n: the number of samples.
            generator: the source of their noise.
        """
        with evaluation(self):
            normals, images = self.imagined(self.draw_noise(n, generator))
            shown, made = leanings(surface(images)), leanings(normals)
        return tuple((shown == one).double().mean().item() for one in (made, made.roll(1, 0)))  # type: ignore[return-value]

    def _given(self, joint: bool, batch: Batch, step: Step) -> tuple[Tensor, Tensor]:
        """Return the surfaces that fakes are made of, of other real images or made ones, and their codes."""
        z, code = self._codes(batch, step)
        return (self.structure(z) if joint else surface(self._real(batch).roll(1, 0))), code

    def _style_game(self) -> Game:
        return Game(self.style, self.style_critic, loss=NON_SATURATING)

    def _scored(self, images: Tensor, normals: Tensor, step: Step) -> Any:  # noqa: ANN401 - Scored
        shown = images if self.augment is None else self.augment(images, step.generator)
        beside = F.interpolate(normals, size=images.shape[2:])
        return self._style_game().scored(torch.cat([shown, beside], 1))

    def _codes(self, batch: Batch, step: Step) -> Sequence[Tensor]:
        return self.draw_noise(len(batch), step.generator).chunk(2, 1)

    def _real(self, batch: Batch) -> Tensor:
        return to_unit(batch.images, self.spec.levels).to(next(self.parameters()).dtype)

    def _after(self, place: int, logs: Mapping[str, Tensor], step: Step) -> None:
        if len(self.averages):
            average: Any = self.averages[place]
            average.update({"network": (self.structure, self.style)[place]})


@gan_recipe(own_networks=True, lr=2e-3)
def s2_gan(builder: GANBuilder, *, weight: float = 0.1) -> ImplicitModel:
    """S²-GAN (1603.05631): style and structure, a GAN of surface normals and a GAN of images that have them.

    Structure: the logistic game on normals. Style: the game of pairs (image, normals), real normals of other images in
    the fakes, and λ times the cross-entropy between the classes that a fixed regressor reads off a fake and those of
    its normals. Joint: the style's fakes stand on made normals, and a tenth of the style's loss teaches the structure.

    Departures: no surfaces are measured for these data, so the grey level is seen as height
    (``families/gan/surface.py``), and as its slopes fix most of an image, style has less to decide than in rooms; nine
    classes of leaning where the paper clusters forty; Gaussian noise; no steps are skipped; joint rates a tenth and a
    hundredth of the first.

    Args:
        builder: what all recipes share.
        weight: λ; 0 for none.

    Raises:
        ValueError: for an option out of range.
    """
    positive_or_zero(weight=weight)
    whole(1, width=builder.width)
    shape = builder.spec.shape
    sides = [side // 2 for side in shape[1:]] if halves(shape) else list(shape[1:])
    channels = shape[0]
    critics = [
        Critic((3, sides[0], sides[1]), builder.width, unnormalised),
        Critic((channels + 3, *shape[1:]), builder.width, unnormalised),
    ]
    return S2GAN(
        builder.spec,
        Structure(sides, builder.latents, builder.width),
        Style(shape, sides, builder.latents, builder.width),
        critics,
        Regressor(channels, builder.width, shape[1] // sides[0]),
        builder.latents,
        weight=weight,
        optimizer=ADAM,
        lr=builder.lr,
        critic_lr=builder.critic_lr or builder.lr,
        critic_steps=builder.critic_steps,
        average=builder.average,
        augment=augmentation(builder.augment),
    )
