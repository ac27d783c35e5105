"""StackGAN++: a tree of generators, whose images of every scale are judged with their caption and alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from families.gan.builder import ADAM, GANBuilder, gan_recipe
from families.gan.captioned import Augmentation, CaptionCritic, CaptionedGAN, Words, needs_captions
from families.gan.pyramid import split
from families.gan.rules import Rules
from families.gan.tree import Tree, colour_consistency
from families.layers.ema import Average
from families.layers.options import positive_or_zero, switch, whole
from families.layers.scaling import halvings, to_levels
from genbench.implicit import ImplicitModel
from genbench.interface import Phase, Step, Turn
from genbench.spec import Batch, DataSpec

SCALES = 3  # at most


class StackGANv2(CaptionedGAN):
    """A tree of generators that learns in one turn, and a critic for the images of each of its scales.

    Noise is ``[z, ε]``, or z alone where nothing is given.

    Args:
        spec: the spec of the data.
        words: φ and ψ; None for a model that is given nothing.
        tree: the generators.
        critics: a critic for each scale, the coarsest first.
        latents: the size of z.
        weight: the weight of the divergence.
        consistency: the weight of the colours.
        rules: how all sides learn.
    """

    def __init__(
        self,
        spec: DataSpec,
        words: Words | None,
        tree: Tree,
        critics: Sequence[CaptionCritic],
        *,
        latents: int,
        weight: float,
        consistency: float,
        rules: Rules,
    ) -> None:
        self.sizes = [latents, 0 if tree.augmentation is None else tree.augmentation.size]
        super().__init__(spec, sum(self.sizes), words, rules)
        self.tree = tree
        self.critics = nn.ModuleList(critics)
        self.weight = weight
        self.consistency = consistency
        self.average = Average({"tree": tree}, rules.average) if rules.average else None

    def phases(self) -> Sequence[Phase]:
        """Return the phase of the words, if there are any, and that of the tree, each critic with a turn of its own."""
        turns = [
            Turn(f"critic-{scale}", [critic], partial(self.critic_loss, scale), self.rules.critic_optimizer)
            for scale, critic in enumerate(self.critics)
        ]
        turns.append(
            Turn(
                "generators",
                [self.tree],
                self.generator_loss,
                self.rules.optimizer,
                every=self.rules.critic_steps,
                after=self._after,
            )
        )
        before = self.text_phases
        return [*before, Phase("tree", 1 - sum(phase.share for phase in before), turns)]

    @property
    def setting(self) -> str:
        """What the recipe prescribes beside its loss, for a column of the table."""
        told = f"captions augmented to {self.sizes[1]}, divergence by weight {self.weight:g}"
        parts = [f"{len(self.critics)} scales", told if self.words is not None else "given nothing"]
        return "; ".join([*parts, f"colours by weight {self.consistency:g}", *self.rules.said])

    def critic_loss(self, scale: int, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return a scale's critic's side, on real images of its size and on fakes of the same captions."""
        captions, vectors = self.told(batch)
        with torch.no_grad():
            images, _ = self.tree(*self._noise(batch, step), vectors, scale)
        real = self.real(batch, len(self.critics) - 1 - scale)
        seen, made = (self.rules.shown(one, step) for one in (real, images[scale]))
        return self._critic(scale).critic_loss(seen, made, step, captions, vectors)

    def generator_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the sum of the generators' sides at all scales, the divergence and the colours, by their weights."""
        _, vectors = self.told(batch)
        images, divergences = self.tree(*self._noise(batch, step), vectors)
        logs = {
            f"scale-{scale}": self._critic(scale).generator_loss(self.rules.shown(made, step), step, vectors)
            for scale, made in enumerate(images)
        }
        if self.words is not None:
            logs["divergence"] = self.weight * divergences.mean()
        if self.consistency:
            logs["colours"] = self.consistency * colour_consistency(images)
        return {"loss": torch.stack([part.to(divergences.dtype) for part in logs.values()]).sum(), **logs}

    def decode(self, u: Tensor, given: Batch) -> Tensor:
        """Map noise ``(B, Z)`` to images of the last scale, ``(B, C, H, W)`` in levels, by the average if any."""
        return to_levels(self.pyramid(u, given)[-1], self.spec.levels)

    def pyramid(self, u: Tensor, given: Batch) -> Sequence[Tensor]:
        """Return the images on [-1, 1] of noise ``(B, Z)`` at every scale, the coarsest first."""
        tree = self.tree if self.average is None else self.average.copies["tree"]
        z, noise = split(u, self.sizes)
        images, _ = tree(z, noise, self.told(given)[1])
        return images

    def _noise(self, batch: Batch, step: Step) -> Sequence[Tensor]:
        return split(self.draw_noise(len(batch), step.generator), self.sizes)

    def _critic(self, scale: int) -> CaptionCritic:
        return cast("CaptionCritic", self.critics[scale])

    def _after(self, logs: Mapping[str, Tensor], step: Step) -> None:
        if self.average is not None:
            self.average.update({"tree": self.tree})


@gan_recipe(own_networks=True, lr=1e-3)
def stackgan_pp(
    builder: GANBuilder,
    *,
    conditional: bool = True,
    augmented: int = 32,
    weight: float = 2.0,
    consistency: float = 50.0,
) -> ImplicitModel:
    """StackGAN++ (1710.10916): generators in a tree, one game a scale, with the caption and without.

    A scale's critic minimises ``E s(-C(x, φ)) + ½ [E s(C(x, φ')) + E s(C(y, φ))] + E s(-U(x)) + E s(U(y))`` with s the
    softplus, x real images halved by 2×2 means, y fakes of the scale and φ' the vector of a caption that says something
    else. All generators together minimise ``Σ_i E s(-C(y_i, φ)) + E s(-U(y_i))``, the weighted divergence of their
    augmented caption, and ``w Σ_i ‖μ_i - μ_{i-1}‖² + 5 ‖Σ_i - Σ_{i-1}‖²``, μ and Σ mean and covariance of an image's
    colours, the coarser one's as they are, the finer one's at the coarser one's sides.

    Departures: the words' vectors are learned on the training images (``families/gan/captioned.py``); in the games
    without a caption reals and fakes weigh the same, where the code counts reals twice; colours are held together in
    both modes, where the code does so without captions alone, and at one scale: means of pixels vary less than the
    pixels, so that as the code has it real digits would pay for what they are; nothing rectifies μ and log σ; a wrong
    caption is never one that says the same; at most three scales, fewer where sides are halved less often; critics have
    no normalisation; β₂ and rates as the other recipes; samples of a moving average, statistics of batches included.

    Args:
        builder: what all recipes share.
        conditional: whether it is given captions; without them z stands in their place and critics see images alone.
        augmented: the size of the augmented caption.
        weight: the weight of its divergence; 0 for none.
        consistency: w, the weight of colours; 0 for none.

    Raises:
        ValueError: for an option out of range, or data without captions where it is given them.
    """
    switch(conditional=conditional)
    positive_or_zero(weight=weight, consistency=consistency)
    whole(1, width=builder.width, latents=builder.latents)
    spec = builder.spec
    if conditional:
        needs_captions(spec)
    channels, height, breadth = spec.shape
    times = min(halvings(height, breadth), SCALES - 1)
    shapes = [(channels, height >> level, breadth >> level) for level in reversed(range(times + 1))]
    augmentation = Augmentation(augmented) if conditional else None
    return StackGANv2(
        spec,
        Words(spec, max(builder.width // 2, 1)) if conditional else None,
        Tree(shapes, builder.latents, augmentation, builder.width),
        [CaptionCritic(shape, builder.width, conditional=conditional, unconditional=True) for shape in shapes],
        latents=builder.latents,
        weight=weight,
        consistency=consistency,
        rules=builder.rules(ADAM),
    )
