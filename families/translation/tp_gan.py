"""Faces turned to the front by a network of two paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from families.adversarial.losses import Loss, logistic_fake, smoothed_critic, smoothed_real, weighted_generator
from families.layers.distances import l1, symmetry, total_variation
from families.layers.options import positive, positive_or_zero, whole
from families.layers.perceptual import CLASSIFIER, ROWS, Classifier
from families.outputs.base import at_least_single
from families.translation.checks import needs, pairs
from families.translation.critics import GlobalCritic
from families.translation.model import generator_side
from families.translation.one_way import OneWay
from families.translation.two_pathway import LANDMARKS, Frontal, TwoPathway
from genbench.interface import GenerativeModel, Phase, Step, Turn
from genbench.spec import Batch, DataSpec, Splits

SCALES = (1.0, 1.0, 1.5)  # weights of the image, of its half and of its quarter
REAL = 0.9  # the target of a real image, on both sides of the game
IDENTITY_SHARE, IDENTITY_RATE = 0.05, 1e-3  # of the phase in which faces are told apart
LAST = (1, 2)  # stages of the identity network that are compared


@dataclass(frozen=True)
class Weights:
    """What each term weighs.

    Args:
        pixels: the distance from the target, at every scale.
        symmetry: the distance from the mirror image, at every scale.
        parts: the distance of each part's image.
        identity: the distance of what the identity network sees.
        classes: the cross-entropy of the identity that the code tells.
        smoothness: the total variation.
    """

    pixels: float
    symmetry: float
    parts: float
    identity: float
    classes: float
    smoothness: float


class TPGAN(OneWay):
    """A translator of faces by two paths, whose terms see every scale, every part and the code.

    Args:
        spec: the spec of the data.
        generator: the network of two paths.
        critic: images → logits.
        recogniser: the network that tells identities, learned in a phase of its own; None for none.
        weights: the weights of the terms.
        options: what else :class:`OneWay` takes.

    Attributes:
        scales: the root mean square of each compared layer of the recogniser, on the first training images.
    """

    generator: TwoPathway
    recogniser: Classifier | None
    scales: Tensor

    def __init__(
        self,
        spec: DataSpec,
        generator: TwoPathway,
        critic: nn.Module,
        *,
        recogniser: Classifier | None,
        weights: Weights,
        **options: Any,  # noqa: ANN401 - handed on
    ) -> None:
        super().__init__(spec, generator, critic, given=("source", "landmarks"), **options)
        self.recogniser, self.weights = recogniser, weights
        self.perceptual = None if recogniser is None else CLASSIFIER
        self.register_buffer("scales", torch.ones(len(LAST)))

    @property
    def setting(self) -> str:
        """What each term and the game weigh, for a column of the table."""
        terms = [f"{weight:g} {term}" for term, weight in asdict(self.weights).items() if weight]
        return ", ".join([*terms, self.loss.setting])

    def phases(self) -> Sequence[Phase]:
        """Return the identity network's phase, if there is one, and the game's."""
        (game,) = super().phases()
        if self.recogniser is None:
            return [replace(game, name="whole")]
        adam = partial(torch.optim.Adam, lr=IDENTITY_RATE)
        first = Phase("identity", IDENTITY_SHARE, [Turn("identity", [self.recogniser], self.identity_loss, adam)])
        return [first, replace(game, name="whole", share=1 - IDENTITY_SHARE, enter=self._weigh_layers)]

    @torch.no_grad()
    def _weigh_layers(self, data: Splits, step: Step) -> None:
        """Set the scale of the identity network's layers."""
        images = self.target(Batch(data.train.images[:ROWS]).to(self.device))
        recogniser = cast("Classifier", self.recogniser)
        self.scales.copy_(torch.stack([recogniser(images, stage).square().mean().sqrt() for stage in LAST]))
        self.scales.clamp_(min=1e-6)

    def identity_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the cross-entropy of the names that the identity network gives real images."""
        names = cast("Classifier", self.recogniser)(self.target(batch))
        return {"loss": F.cross_entropy(names, batch.fields["identity"].long())}

    def turned(self, u: Tensor, batch: Batch) -> Frontal:
        """Return all that the two paths make of each source under noise u ``(B, latents)``."""
        return self.generator(self.source(batch), u, batch.fields["landmarks"].long())

    def image(self, u: Tensor, batch: Batch) -> Tensor:
        """Return the image on [-1, 1] of each source of the batch under noise u ``(B, latents)``."""
        return self.turned(u, batch).images[0]

    def generator_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the generator's side of the game, and what its terms add."""
        turned = self.turned(self.draw_noise(len(batch), step.generator), batch)
        target = self.target(batch)
        logs = generator_side(self.game, turned.images[0], target, step)
        added = self.compared(turned, target) | self.recognised(turned, target, batch.fields["identity"].long())
        return {**logs, **added, "loss": logs["loss"] + torch.stack(list(added.values())).sum()}

    def compared(self, turned: Frontal, target: Tensor) -> dict[str, Tensor]:
        """Return the terms of pixels: distances at every scale and part, symmetry and smoothness, weighted."""
        pixels, mirror = target.new_zeros(()), target.new_zeros(())
        for weight, image in zip(SCALES, turned.images, strict=False):  # small faces have fewer scales
            pixels = pixels + weight * l1(image, F.adaptive_avg_pool2d(target, (image.shape[2], image.shape[3])))
            mirror = mirror + weight * symmetry(image)
        paths = self.generator.paths()
        apart = [l1(image, path.part.frontal(target)) for image, path in zip(turned.parts, paths, strict=True)]
        return {
            "pixels": self.weights.pixels * pixels,
            "symmetry": self.weights.symmetry * mirror,
            "parts": self.weights.parts * torch.stack(apart).sum(),
            "smoothness": self.weights.smoothness * total_variation(at_least_single(turned.images[0])),
        }

    def recognised(self, turned: Frontal, target: Tensor, identities: Tensor) -> dict[str, Tensor]:
        """Return the terms of identity, weighted: what a network sees of it, and the name that the code tells.

        Args:
            turned: what the two paths make.
            target: the true frontal images.
            identities: their identities, int64 ``(B,)``.
        """
        added = {"classes": self.weights.classes * F.cross_entropy(turned.identities, identities)}
        if self.recogniser is not None:
            images = turned.images[0]
            apart = [l1(self.recogniser(images, stage), self.recogniser(target, stage)) for stage in LAST]
            added["identity"] = self.weights.identity * (torch.stack(apart) / self.scales).sum()
        return added


def tp_gan(
    spec: DataSpec,
    *,
    width: int = 16,
    code: int = 64,
    latents: int = 100,
    weight: float = 1.0,
    symmetry: float = 0.3,
    parts: float = 3.0,
    game: float = 1e-3,
    identity: float = 3e-3,
    classes: float = 1e-3,
    smoothness: float = 1e-3,
    lr: float = 1e-4,
) -> GenerativeModel:
    """TP-GAN (1704.04086): a face turned to the front by one path over the whole of it and one over each part.

    Over scales s of 1, ½ and ¼ with w = 1, 1 and 1.5, the generator minimises
    ``Σ w (|ŷ_s - y_s| + .3 |ŷ_s - mirror ŷ_s|) + 3 Σ |part - y's part|``, 1e-3 of the game, 3e-3 of the L1 distance of
    an identity network's last two layers, each over its root mean square on training images, 1e-3 of the cross-entropy
    of the identity that the encoder's code tells, and 1e-3 of the total variation.
    Patches round the source's landmarks go through a U-Net each; its maps lie at the part's mean frontal place, where
    they meet those of the whole. The critic sees images alone and gives a logit for each place of a 4×4 map, towards a
    target of .9 for real images on both sides; it steps on every second batch.

    Adam(1e-4, (0.9, 0.999)). Departures: distances are means, whose weights the authors' sums of 128² pixels come to;
    parts are a quarter of theirs and meet as rectified maps, where theirs are images whose dark pixels lose against
    zeros; the identity network is a small one, trained on the identities of the training split in the first twentieth
    of the budget, for Light CNN; batches are larger than 10.

    Args:
        spec: the spec of the data, pairs of one height and width, with fields ``landmarks`` ``(4, 2)``, the pixels
            (x, y) of left eye, right eye, nose and mouth of the source, and ``identity``.
        width: channels at the image's sides, and of the critic's first convolution.
        code: the size of the encoder's code.
        latents: the size of the noise beside it.
        weight: the weight of the distance from the target.
        symmetry: the weight of the distance from the mirror image.
        parts: the weight of the parts' distances.
        game: the weight of the game on the generator's side.
        identity: the weight of the identity network's distance; 0 for no such network.
        classes: the weight of the code's cross-entropy.
        smoothness: the weight of the total variation.
        lr: the learning rate.

    Raises:
        ValueError: for a spec without pairs, landmarks or identities, or with other landmarks; for an option out of
            range.
    """
    source = pairs(spec, "tp-gan")
    needs(spec, "tp-gan", "landmarks", "identity")
    points, names = spec.fields["landmarks"], spec.fields["identity"].levels
    if points.shape != (LANDMARKS, 2) or points.levels > max(spec.shape[1:]):
        raise ValueError(
            f"landmarks={points}: tp-gan needs pixels (x, y) of two eyes, nose and mouth, {(LANDMARKS, 2)}"
        )
    positive(lr=lr)
    weighed = {"symmetry": symmetry, "parts": parts, "identity": identity, "classes": classes, "smoothness": smoothness}
    positive_or_zero(game=game, weight=weight, **weighed)
    whole(1, width=width, code=code, latents=latents)
    logistic = Loss(
        smoothed_critic(REAL),
        lambda real, fake: smoothed_real(REAL)(fake),
        real_share=smoothed_real(REAL),
        fake_share=logistic_fake,
    )
    return TPGAN(
        spec,
        TwoPathway(source, spec.shape[0], width, code, latents, names),
        GlobalCritic(*spec.shape, width, regions=True),
        recogniser=Classifier(spec.shape[0], names) if identity else None,
        weights=Weights(pixels=weight, **weighed),
        loss=weighted_generator(logistic, game),
        optimizer=partial(torch.optim.Adam, lr=lr, betas=(0.9, 0.999)),
        critic_every=2,
    )
