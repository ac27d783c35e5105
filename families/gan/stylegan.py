"""Style-based generator: a mapped code styles every layer of a synthesis that begins with a constant."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from einops import rearrange
from torch import Generator as Source
from torch import Tensor

from families.adversarial.losses import NON_SATURATING
from families.adversarial.penalties import R1
from families.gan.builder import GANBuilder, gan_recipe
from families.gan.growth import GrowingGAN, Stage
from families.gan.pggan import ADAM, Critic
from families.gan.styles import PER_LEVEL, StyleGenerator, Styles
from families.layers.equalised import EqualisedLinear
from families.layers.evaluation import evaluation
from families.layers.options import positive, share, switch, whole
from families.layers.scaling import halvings, to_uint8
from genbench.implicit import ImplicitModel
from genbench.interface import Step
from genbench.seed import normal, uniform
from genbench.spec import Batch

FIRST = 0.3  # of the budget goes to the level that growth begins with
FADING = 0.2  # of it to all fades
MEAN_DECAY = 0.995  # of the mean w, a step
CODES = 1000  # codes whose principal directions a traversal takes
FARTHEST = 2.5  # deviations that it goes to either side


class StyleGAN(GrowingGAN):
    """A GAN that grows, whose generator is a :class:`StyleGenerator`.

    Args:
        parts: what :class:`GrowingGAN` takes, in its order.
        mixing: the chance that a batch's later layers take the styles of other codes in training.
        truncation: ψ, how far samples are from the mean style; 1 for as they come.
        truncated: how many layers it reaches, from the first; None for all.
        options: what else :class:`GrowingGAN` takes.

    Attributes:
        mean: w̄, a running mean of the averaged mapping's styles.
    """

    generator: StyleGenerator
    mean: Tensor

    def __init__(
        self,
        *parts: Any,  # noqa: ANN401 - handed on
        mixing: float,
        truncation: float = 1.0,
        truncated: int | None = None,
        **options: Any,  # noqa: ANN401 - handed on
    ) -> None:
        super().__init__(*parts, **options)
        self.mixing = mixing
        self.truncation = truncation
        self.truncated = truncated
        self.register_buffer("mean", torch.zeros(self.generator.sizes[0]))

    @property
    def truncation(self) -> float:
        """ψ of samples: 1 for none, 0 for the mean style alone."""
        return self._truncation

    @truncation.setter
    def truncation(self, value: float) -> None:
        if not 0 <= value <= 1:
            raise ValueError(f"truncation={value}: give 0 to 1, 1 for none")
        self._truncation = value

    def marks(self) -> Sequence[str]:
        """Return what sets the networks apart, in words."""
        dense: Any = [layer for layer in self.generator.mapping if isinstance(layer, EqualisedLinear)]
        parts = [f"styles of {len(dense)} layers at rate ×{dense[0].rate:g}", f"mixed with chance {self.mixing:g}"]
        parts += [f"constant begun as {self.generator.constant.start}"]
        parts += [] if self.generator.noise else ["no noise in the layers"]
        reach = "" if self.truncated is None else f" in the first {self.truncated} layers"
        return [*parts, *([f"samples at ψ {self.truncation:g}{reach}"] * (self.truncation != 1))]

    def generate(self, batch: Batch, stage: Stage, alpha: float, step: Step) -> Tensor:
        """Return a fake for each row, the styles of two codes mixed at a layer drawn for the batch, or of one."""
        u = self.draw_noise(len(batch), step.generator)
        layers = PER_LEVEL * (stage.level + 1)
        styles: Styles | None = None
        if float(uniform((1,), step.generator)) < self.mixing:
            cut = int(torch.randint(1, layers, (1,), generator=step.generator, device=step.generator.device))
            other = normal((len(batch), self.generator.sizes[0]), step.generator, self.device).to(u)
            styles = Styles(other=other, cut=cut)
        return self.generator(u, stage.level, alpha, styles)

    def render(self, u: Tensor, given: Batch) -> Tensor:
        """Return :meth:`decode` with styles drawn towards their mean, where ``truncation`` is not 1."""
        if self.truncation == 1:
            return self.decode(u, given)
        return self._image(u, Styles(mean=self.mean, psi=self.truncation, truncated=self.truncated))

    def traverse(self, rows: int, steps: int, *, generator: Source) -> Tensor:
        """Return a sample whose style is moved along a principal direction of styles a row, the widest first.

        Args:
            rows: the largest number of rows.
            steps: the number of images a row.
            generator: the source of the sample's noise and of the codes whose styles are looked at.

        Returns:
            uint8 ``(min(rows, W), steps, C, H, W)``.

        Raises:
            ValueError: for fewer than one row or step.
        """
        whole(1, rows=rows, steps=steps)
        network: Any = self.maker()
        with evaluation(self):
            u = self.draw_noise(1, generator)
            codes = normal((CODES, network.sizes[0]), generator, self.device).to(u)
            spread = network.mapped(codes)
            _, deviations, directions = torch.linalg.svd(spread - spread.mean(0), full_matrices=False)
            rows = min(rows, len(directions))
            reach = torch.linspace(-FARTHEST, FARTHEST, steps).to(u)
            moves = (deviations[:rows] / math.sqrt(CODES - 1))[:, None] * directions[:rows]
            w = network.mapped(u[:, : network.sizes[0]]) + reach[:, None] * moves[:, None]
            images = self._image(u.expand(rows * steps, -1), Styles(mapped=w.flatten(0, 1)))
            shown = to_uint8(images, self.spec.levels)
        return rearrange(shown, "(row step) c y x -> row step c y x", step=steps)

    def _image(self, u: Tensor, styles: Styles) -> Tensor:
        return self.full(self.maker()(u, int(self.level), float(self.alpha), styles))

    def _after(self, stage: Stage, logs: Mapping[str, Tensor], step: Step) -> None:
        super()._after(stage, logs, step)
        network: Any = self.maker()
        codes = normal((64, network.sizes[0]), step.generator, self.device).to(self.mean)
        with torch.no_grad():
            self.mean.lerp_(network.mapped(codes.to(next(self.parameters()))).mean(0).to(self.mean), 1 - MEAN_DECAY)


def stages(levels: int) -> Sequence[Stage]:
    """Return the stages from the second level on: 0.3 of the budget, 0.2 for the fades, the rest for what follows."""
    first = min(1, levels - 1)
    grown = levels - 1 - first
    if not grown:
        return [Stage(first, False, 1.0)]
    found = [Stage(first, False, FIRST)]
    for level in range(first + 1, levels):
        found += [Stage(level, True, FADING / grown), Stage(level, False, (1 - FIRST - FADING) / grown)]
    return found


@gan_recipe(own_networks=True, lr=2e-3, average=0.995, width=16)
def stylegan(
    builder: GANBuilder,
    *,
    gamma: float = 10.0,
    mixing: float = 0.9,
    truncation: float = 1.0,
    truncated: int | None = None,
    mapping: int = 8,
    slow: float = 0.01,
    constant: str = "ones",
    noise: bool = True,
) -> ImplicitModel:
    """StyleGAN (1812.04948): a mapping network, styles by adaptive instance normalisation, noise at every layer.

    The critic minimises ``-E log D(x) - E log(1 - D(y)) + γ/2 E ‖∇C(x)‖²``, the generator ``-E log D(y)``. It grows as
    ``pggan`` does, from the second coarsest sides on; styles of two codes are mixed in training.

    Departures: one rate for all sides, where its grows with them; z and w of ``latents`` numbers; sixteen channels at
    the finest sides; images clamped to [-1, 1], as ``pggan``'s are; samples are not truncated unless ``truncation``
    says so, and no likelihood is.

    Args:
        builder: what all recipes share; the networks are the paper's own, ``width`` the channels at full sides.
        gamma: γ, the weight of the penalty.
        mixing: the chance that the styles of a batch are mixed.
        truncation: ψ of ``w̄ + ψ (w - w̄)`` in samples: towards 0 better images of fewer kinds.
        truncated: how many layers ψ reaches, from the first; None for all.
        mapping: dense layers from z to w.
        slow: their rate beside all others'; 0.1 for trainings of some thousand rounds, where styles else hardly move.
        constant: how the constant that the synthesis begins with begins: ``"ones"`` as in the paper, whose first
            instance normalisation then has nothing to normalise, or ``"noise"`` as in its successor (1912.04958).
        noise: whether every layer adds a plane of noise.

    Raises:
        ValueError: for an option out of range.
    """
    if mixing != 1:
        share(mixing=mixing)
    positive(gamma=gamma)
    switch(noise=noise)
    if truncated is not None:
        whole(0, truncated=truncated)
    levels = halvings(*builder.spec.shape[1:]) + 1
    first = stages(levels)[0].level
    start: dict[str, Any] = {"mapping": mapping, "slow": slow, "constant": constant, "noise": noise}
    generator = StyleGenerator(builder.spec.shape, builder.latents, levels, builder.width, first, **start)
    return StyleGAN(
        builder.spec,
        generator,
        Critic(builder.spec.shape, levels, builder.width, first, blurred=True),
        sum(generator.sizes),
        stages=stages(levels),
        finest=levels - 1,
        loss=NON_SATURATING,
        penalty=R1(gamma),
        rules=builder.rules(ADAM),
        directed=generator.sizes[0],
        mixing=mixing,
        truncation=truncation,
        truncated=truncated,
    )
