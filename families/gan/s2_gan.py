"""Style and structure: one GAN makes a surface, another an image of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from families.adversarial.dcgan import Critic, unnormalised
from families.adversarial.game import Game
from families.adversarial.losses import NON_SATURATING
from families.adversarial.terms import Scored
from families.gan.builder import ADAM, GANBuilder, gan_recipe
from families.gan.rules import Rules
from families.gan.s2_networks import Regressor, Structure, Style
from families.gan.surface import SLIGHT, halves, leanings, surface
from families.layers.ema import Average
from families.layers.evaluation import evaluation
from families.layers.options import positive_or_zero, whole
from families.layers.scaling import to_levels, to_unit
from genbench.implicit import ImplicitModel
from genbench.interface import Phase, Step, Turn, frozen
from genbench.spec import Batch, DataSpec

SHARES = {"structure": 0.3, "regressor": 0.05, "style": 0.35, "joint": 0.3}
STRUCTURE_BY_STYLE = 0.1  # the weight of the style's loss for the structure, in the joint phase
SLOWER = {"structure": 0.01, "style": 0.1}  # rates in the joint phase, beside those before
TurnLoss = Callable[[Batch, Step], dict[str, Tensor]]


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
        rules: how both games learn; an image is moved with its surface before a critic sees it.
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
        rules: Rules,
    ) -> None:
        super().__init__(spec, 2 * latents)
        self.structure = structure
        self.style = style
        self.structure_critic, self.style_critic = critics
        self.regressor = regressor
        self.weight = weight
        self.rules = rules
        averaged = {"structure": structure, "style": style} if rules.average else {}
        self.averages = nn.ModuleDict({n: Average({"network": net}, rules.average) for n, net in averaged.items()})

    def phases(self) -> Sequence[Phase]:
        """Return the four phases: structure alone, what reads surfaces, style on real surfaces, both together."""
        return [
            Phase("structure", SHARES["structure"], self._structure_turns(joint=False)),
            Phase("regressor", SHARES["regressor"], [self._turn("regressor", self.regressor, self.regressor_loss)]),
            Phase("style", SHARES["style"], self._style_turns(joint=False)),
            Phase("joint", SHARES["joint"], [*self._structure_turns(joint=True), *self._style_turns(joint=True)]),
        ]

    def _structure_turns(self, *, joint: bool) -> Sequence[Turn]:
        return self._game_turns(
            "structure", self.structure_critic, self.structure_critic_loss, partial(self.structure_loss, joint), joint
        )

    def _style_turns(self, *, joint: bool) -> Sequence[Turn]:
        critic, style = partial(self.style_critic_loss, joint), partial(self.style_loss, joint)
        return self._game_turns("style", self.style_critic, critic, style, joint)

    def _game_turns(
        self, name: Literal["structure", "style"], critic: nn.Module, of_critic: TurnLoss, loss: TurnLoss, joint: bool
    ) -> Sequence[Turn]:
        """Return the turns of a critic and of what it judges, both slower in the joint phase."""
        rate = SLOWER[name] if joint else 1.0
        network = self.get_submodule(name)
        turns = [
            Turn(f"critic-{name}", [critic], of_critic, self.rules.critic_optimizer),
            replace(self._turn(name, network, loss), every=self.rules.critic_steps, after=partial(self._after, name)),
        ]
        return [replace(turn, schedule=lambda fraction: rate) for turn in turns]

    def _turn(self, name: str, network: nn.Module, loss: TurnLoss) -> Turn:
        return Turn(name, [network], loss, self.rules.optimizer)

    @property
    def setting(self) -> str:
        """What the recipe prescribes beside its loss, for a column of the table."""
        shares = ", ".join(f"{name} {share:g}" for name, share in SHARES.items())
        joint = ", ".join(f"{name} ×{rate:g}" for name, rate in SLOWER.items())
        parts = [
            f"phases: {shares}",
            f"joint rates: {joint}",
            f"surface of the image by weight {self.weight:g}",
            f"upright within {SLIGHT:g}",
        ]
        return "; ".join([*parts, *self.rules.said])

    def structure_critic_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the critic's side on surfaces of real images and on those that are made."""
        game = Game(self.structure, self.structure_critic, loss=NON_SATURATING)
        with torch.no_grad():
            made = self.structure(self._codes(batch, step)[0])
        real, fake = (game.scored(self.rules.shown(maps, step)) for maps in (surface(self._real(batch)), made))
        return game.critic_loss(real, fake, step)

    def structure_loss(self, joint: bool, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the structure's side, and where ``joint`` a tenth of the style's on images of what it makes."""
        game = Game(self.structure, self.structure_critic, loss=NON_SATURATING)
        z, other = self._codes(batch, step)
        normals = self.structure(z)
        logs = game.generator_loss(game.scored(self.rules.shown(normals, step)), step)
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
        normals = self._maker("structure")(z)
        return normals, self.styled(normals, code)

    def styled(self, normals: Tensor, code: Tensor) -> Tensor:
        """Return images on [-1, 1] of normals ``(B, 3, H', W')`` and codes z', by the average if there is one."""
        return self._maker("style")(normals, code)

    def agreement(self, n: int, generator: torch.Generator) -> tuple[float, float]:
        """Return how often the surface of samples is of the class that made them, and of another sample's.

        Args:
            n: the number of samples.
            generator: the source of their noise.
        """
        with evaluation(self):
            normals, images = self.imagined(self.draw_noise(n, generator))
            shown, made = leanings(surface(images)), leanings(normals)
        own, others = (float((shown == one).double().mean()) for one in (made, made.roll(1, 0)))
        return own, others

    def _given(self, joint: bool, batch: Batch, step: Step) -> tuple[Tensor, Tensor]:
        """Return the surfaces that fakes are made of, of other real images or made ones, and their codes."""
        z, code = self._codes(batch, step)
        return (self.structure(z) if joint else surface(self._real(batch).roll(1, 0))), code

    def _style_game(self) -> Game:
        return Game(self.style, self.style_critic, loss=NON_SATURATING)

    def _scored(self, images: Tensor, normals: Tensor, step: Step) -> Scored:
        beside = F.interpolate(normals, size=images.shape[2:])
        return self._style_game().scored(self.rules.shown(torch.cat([images, beside], 1), step))

    def _codes(self, batch: Batch, step: Step) -> Sequence[Tensor]:
        return self.draw_noise(len(batch), step.generator).chunk(2, 1)

    def _real(self, batch: Batch) -> Tensor:
        return to_unit(batch.images, self.spec.levels).to(next(self.parameters()).dtype)

    def _maker(self, name: str) -> nn.Module:
        return (
            cast("Average", self.averages[name]).copies["network"] if self.rules.average else self.get_submodule(name)
        )

    def _after(self, name: str, logs: Mapping[str, Tensor], step: Step) -> None:
        if self.rules.average:
            cast("Average", self.averages[name]).update({"network": self.get_submodule(name)})


@gan_recipe(own_networks=True, lr=2e-3)
def s2_gan(builder: GANBuilder, *, weight: float = 0.1) -> ImplicitModel:
    """S²-GAN (1603.05631): style and structure, a GAN of surface normals and a GAN of images that have them.

    Structure: the logistic game on normals. Style: the game of pairs (image, normals), real normals of other images in
    the fakes, and λ times the cross-entropy between the classes that a fixed regressor reads off a fake and those of
    its normals. Joint: the style's fakes stand on made normals, and a tenth of the style's loss teaches the structure.

    Departures: no surfaces are measured for these data, so the grey level is seen as height
    (``families/gan/surface.py``), and as its slopes fix most of an image, style has less to decide than in rooms; nine
    classes of leaning where the paper clusters forty; made normals that hardly lean stand upright, as real ones do of
    plain ground; Gaussian noise; no steps are skipped; joint rates a tenth and a hundredth of the first.

    Args:
        builder: what all recipes share.
        weight: λ; 0 for none.

    Raises:
        ValueError: for an option out of range.
    """
    positive_or_zero(weight=weight)
    whole(1, width=builder.width)
    rules = builder.rules(ADAM)
    if "color" in builder.augment:
        raise ValueError(f"augment={builder.augment!r}: surfaces have no colours; give translation or cutout")
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
        rules=rules,
    )
