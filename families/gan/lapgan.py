"""Laplacian pyramid GAN: the coarsest image by one GAN, and what each finer level adds by a GAN of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from families.adversarial import mlp
from families.adversarial.game import Game
from families.adversarial.losses import NON_SATURATING
from families.gan.builder import ADAM, GANBuilder, gan_recipe
from families.gan.codes import labels_of
from families.gan.pyramid import Detail, LevelCritic, split
from families.gan.rules import Rules
from families.layers.bounds import held
from families.layers.ema import Average
from families.layers.growing import down, reduced, up
from families.layers.options import one_of, switch
from families.layers.scaling import halvings, to_levels, to_unit
from genbench.implicit import ImplicitModel
from genbench.interface import Phase, Step, Turn
from genbench.spec import Batch, DataSpec, Splits

COARSE = 4  # times the width: units of the coarsest level's dense layers
GROWTH = 2.0  # each level's share of the budget is so many times the next coarser one's
AT_ONCE = 1024


class LapGAN(ImplicitModel):
    """A pyramid of GANs: ``I_K = G_K(z)``, then ``I_k = l_k + σ_k G_k(l_k, z_k)`` with ``l_k = u(I_{k+1})``.

    The sum is clamped to [-1, 1], unless that would give details the coarse part that they are to be without.

    Level k is learned in a phase of its own, on the coarse images of real ones: its reals are the details
    ``h_k = I_k - u(I_{k+1})``, its fakes ``σ_k G_k(l_k, z_k)``, and the critic is shown ``l_k`` plus either. The
    levels' σ_k are the deviations of the training images' details.

    Args:
        spec: the spec of the data.
        generators: a generator a level, the finest first; the last maps codes to the coarsest image.
        critics: a critic a level.
        latents: the size of the coarsest level's noise; each other level has a plane of it.
        mode: how images are enlarged, ``"nearest"`` or ``"bilinear"``.
        conditional: whether all levels are told the label.
        rules: how both sides of each level learn.

    Attributes:
        deviations: σ_k of each level but the coarsest, 1 until its phase begins.
    """

    deviations: Tensor

    def __init__(
        self,
        spec: DataSpec,
        generators: Sequence[nn.Module],
        critics: Sequence[nn.Module],
        *,
        latents: int,
        mode: str,
        conditional: bool,
        rules: Rules,
    ) -> None:
        self.coarsest = len(generators) - 1
        planes = [spec.shape[1] * spec.shape[2] >> 2 * level for level in reversed(range(self.coarsest))]
        self.sizes = [latents, *planes]
        super().__init__(spec, sum(self.sizes), given=("label",) if conditional else ())
        self.generators = nn.ModuleList(generators)
        self.critics = nn.ModuleList(critics)
        self.mode = mode
        self.conditional = conditional
        self.rules = rules
        self.register_buffer("deviations", torch.ones(self.coarsest))
        averaged: Iterable[nn.Module] = self.generators if rules.average else ()
        self.averages = nn.ModuleList(Average({"generator": module}, rules.average) for module in averaged)

    def phases(self) -> Sequence[Phase]:
        """Return a phase a level, coarse to fine, in which that level's critic and generator learn and no others."""
        weights = [GROWTH ** (self.coarsest - level) for level in range(self.coarsest + 1)]
        return [
            Phase(
                f"level-{level}",
                weights[level] / sum(weights),
                [
                    Turn(
                        "critic", [self.critics[level]], partial(self.critic_loss, level), self.rules.critic_optimizer
                    ),
                    Turn(
                        "generator",
                        [self.generators[level]],
                        partial(self.generator_loss, level),
                        self.rules.optimizer,
                        every=self.rules.critic_steps,
                        after=partial(self._after, level),
                    ),
                ],
                enter=partial(self._enter, level),
            )
            for level in reversed(range(self.coarsest + 1))
        ]

    @property
    def setting(self) -> str:
        """What the recipe prescribes beside its loss, for a column of the table."""
        marks = [f"{self.coarsest + 1} levels, {self.mode} between", "dropout 0.5 in the finer critics"]
        marks += [
            "details without a coarse part" if any(map(_consistent, self.generators)) else "images held to [-1, 1]"
        ]
        marks += ["label planes"] * self.conditional
        return "; ".join([*marks, *self.rules.said])

    def game(self, level: int) -> Game:
        """Return the game of a level, over images of it."""
        return Game(self.generators[level], self.critics[level], loss=NON_SATURATING)

    def critic_loss(self, level: int, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the critic's side at a level, on real images there and on fakes over the same coarse images."""
        real, coarse, planes = self._real(level, batch)
        with torch.no_grad():
            fakes = self._made(level, self.generators[level], coarse, self._noise(level, batch, step), planes)
        game = self.game(level)
        shown = [torch.cat([self.rules.shown(images, step), planes], 1) for images in (real, fakes)]
        return game.critic_loss(game.scored(shown[0]), game.scored(shown[1]), step)

    def generator_loss(self, level: int, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the generator's side at a level, over the coarse images of real ones."""
        _, coarse, planes = self._real(level, batch)
        fakes = self._made(level, self.generators[level], coarse, self._noise(level, batch, step), planes)
        game = self.game(level)
        return game.generator_loss(game.scored(torch.cat([self.rules.shown(fakes, step), planes], 1)), step)

    def decode(self, u: Tensor, given: Batch) -> Tensor:
        """Map noise ``(B, Z)``, coarse to fine, to images ``(B, C, H, W)`` in levels, by averages if there are any."""
        return to_levels(self.pyramid(u, given)[-1], self.spec.levels)

    def pyramid(self, u: Tensor, given: Batch) -> Sequence[Tensor]:
        """Return the images on [-1, 1] of noise ``(B, Z)`` at every level, the coarsest first."""
        made: list[Tensor] = []
        for level, noise in zip(reversed(range(self.coarsest + 1)), split(u, self.sizes), strict=True):
            maker = self._averaged(level).copies["generator"] if len(self.averages) else self.generators[level]
            coarse = up(made[-1], self.mode) if made else None
            made.append(self._made(level, maker, coarse, noise, self._planes(level, given, u.dtype)))
        return made

    def details(self, images: Tensor, level: int) -> Tensor:
        """Return ``h_k`` of images in any scale: what a level adds to the enlarged coarser one."""
        here = reduced(images, level)
        return here - up(down(here), self.mode)

    def _made(self, level: int, maker: nn.Module, coarse: Tensor | None, noise: Tensor, planes: Tensor) -> Tensor:
        if coarse is None:
            return maker(torch.cat([noise, planes[:, :, 0, 0]], 1))
        plane = (2 * torch.special.ndtr(noise) - 1).unflatten(1, (1, *coarse.shape[2:]))
        made = coarse + self.deviations[level].to(coarse) * maker(coarse, plane, planes)
        return made if _consistent(maker) else held(made, maker.training)

    def _real(self, level: int, batch: Batch) -> tuple[Tensor, Tensor | None, Tensor]:
        """Return real images at a level on [-1, 1], their coarse part enlarged if there is one, planes of the label."""
        images = batch.images.float()
        real = reduced(images, level)
        dtype = next(self.parameters()).dtype
        coarse = None if level == self.coarsest else to_unit(up(down(real), self.mode), self.spec.levels).to(dtype)
        return to_unit(real, self.spec.levels).to(dtype), coarse, self._planes(level, batch, dtype)

    def _planes(self, level: int, given: Batch, dtype: torch.dtype) -> Tensor:
        sides = [side >> level for side in self.spec.shape[1:]]
        if not self.conditional:
            return torch.zeros(len(given), 0, *sides, dtype=dtype, device=self.device)
        told = F.one_hot(labels_of(given), self.spec.classes).to(dtype)
        return told[:, :, None, None].expand(-1, -1, *sides)

    def _noise(self, level: int, batch: Batch, step: Step) -> Tensor:
        return split(self.draw_noise(len(batch), step.generator), self.sizes)[self.coarsest - level]

    def _enter(self, level: int, data: Splits, step: Step) -> None:
        if level == self.coarsest:
            return
        count, sums = 0, torch.zeros(2, dtype=torch.float64, device=self.device)
        for part in data.train.images.split(AT_ONCE):
            found = self.details(part.float(), level).double()
            count, sums = count + found.numel(), sums + torch.stack([found.sum(), found.square().sum()])
        deviation = ((sums[1] - sums[0] ** 2 / count) / (count - 1)).sqrt() * 2 / (self.spec.levels - 1)
        self.deviations[level] = deviation.clamp(min=torch.finfo(torch.float32).eps)

    def _after(self, level: int, logs: Mapping[str, Tensor], step: Step) -> None:
        if len(self.averages):
            self._averaged(level).update({"generator": self.generators[level]})

    def _averaged(self, level: int) -> Average:
        return cast("Average", self.averages[level])


def _consistent(maker: nn.Module) -> bool:
    """Return whether what a level's generator adds is to be without a coarse part."""
    return isinstance(maker, Detail) and maker.consistent


@gan_recipe(own_networks=True, lr=1e-3)
def lapgan(
    builder: GANBuilder, *, upsampling: str = "nearest", consistent: bool = False, conditional: bool = False
) -> ImplicitModel:
    """Laplacian pyramid of GANs (1506.05751): each level is a game of its own, with ``-log D`` for the generator.

    As the critic sees the sum of coarse image and detail, it judges images of its level; a generator may move the
    coarse part unless ``consistent``. Levels learn from real coarse images, so that none depends on another.

    Departures: Adam with β₁ ½ where the paper has gradient descent with momentum; kernels 5, 5, 3 on sides below 16;
    details in units of their deviation, as the authors' code; sums held to [-1, 1], as real images are, by whose
    background alone a critic would tell them; the coarsest level dense, with a tanh; shares of the budget that double
    from level to level; samples of moving averages.

    Args:
        builder: what all recipes share; the networks are the paper's own.
        upsampling: ``"nearest"`` or ``"bilinear"``.
        consistent: whether details have no 2×2 means, as those of real images have none; with ``"nearest"`` alone, and
            with images that are not held to [-1, 1], which would give them some.
        conditional: whether generators and critics are told the label, the paper's class-conditional model.

    Raises:
        ValueError: for an option out of range, or no labels where it is conditional.
    """
    one_of(["nearest", "bilinear"], upsampling=upsampling)
    switch(consistent=consistent, conditional=conditional)
    if consistent and upsampling != "nearest":
        raise ValueError(f"consistent={consistent}: enlarging by {upsampling} leaves no details without means")
    channels, *sides = builder.spec.shape
    classes = builder.classes() if conditional else 0
    coarsest = halvings(*sides)
    each = [[side >> level for side in sides] for level in range(coarsest + 1)]
    details = [Detail(channels, classes, each[level], builder.width, consistent) for level in range(coarsest)]
    critics: list[nn.Module] = [
        LevelCritic(channels + classes, each[level], builder.width) for level in range(coarsest)
    ]
    height, breadth = each[-1]
    coarse = (channels, height, breadth)
    return LapGAN(
        builder.spec,
        [*details, mlp.Generator(coarse, builder.latents + classes, COARSE * builder.width)],
        [*critics, mlp.Critic((channels + classes, height, breadth), COARSE * builder.width)],
        latents=builder.latents,
        mode=upsampling,
        conditional=conditional,
        rules=builder.rules(ADAM),
    )
