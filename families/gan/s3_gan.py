"""S³GAN: few labels, the others guessed by the critic's own classifier, and rotations that need none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from families.adversarial.losses import HINGE
from families.adversarial.spectral import spectrally_normalised
from families.adversarial.terms import Scored
from families.gan.builder import GANBuilder, gan_recipe
from families.gan.codes import ClassCode
from families.gan.few_labels import FewLabels, check_labelled, labelled_of
from families.gan.model import GAN
from families.gan.projection import class_generator, projection_critic
from families.layers.ema import Average
from families.layers.options import positive_or_zero, switch
from families.layers.rotations import TURNS, all_turns, check_square
from genbench.interface import Phase, Step
from genbench.spec import Batch

ADAM = partial(torch.optim.Adam, betas=(0.0, 0.999))


class S3GAN(FewLabels):
    """A projection GAN whose critic also tells the class of images and how far they are turned.

    Args:
        parts: what :class:`GAN` takes, in its order.
        weights: the weights of the class loss, of the critic's rotation loss and of the generator's.
        soft: whether an unknown label counts as the probabilities of all classes, and not as the likeliest one.
        average: decay of the moving averages of generator, and of critic and classifier; 0 for none.
        options: what else :class:`GAN` takes.
    """

    def __init__(
        self,
        *parts: Any,  # noqa: ANN401 - handed on
        weights: tuple[float, float, float],
        soft: bool,
        average: float = 0.0,
        **options: Any,  # noqa: ANN401 - handed on
    ) -> None:
        super().__init__(*parts, average=average, **options)
        features: Any = self.critic
        self.classes = spectrally_normalised(nn.Linear(features.features, self.spec.classes))
        self.rotations = spectrally_normalised(nn.Linear(features.features, TURNS))
        self.weights = weights
        self.soft = soft
        self.judges = Average(self._judges(), average) if average else None

    def phases(self) -> Sequence[Phase]:
        """Return the one phase: the critic with its three heads, then the generator."""
        (phase,) = super().phases()
        critic, generator = phase.turns
        critic = replace(critic, learns=[*critic.learns, self.classes, self.rotations])
        return [self.counted(Phase(phase.name, phase.share, [critic, generator]))]

    @property
    def setting(self) -> str:
        """What the recipe prescribes beside its loss, for a column of the table."""
        names = ("classes", "rotations", "generator's rotations")
        told = ", ".join(f"{name} {weight:g}" for name, weight in zip(names, self.weights, strict=True))
        return f"{super().setting}; {told}; unknown labels {'by probability' if self.soft else 'the likeliest'}"

    def critic_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the hinge under known or guessed labels, the class loss of labelled images, and that of rotations."""
        given, u = self.fakes_of(batch, step)
        with torch.no_grad():
            fakes = self._shown(self.generate(u, given), step)
        images = self._shown(self._real(batch), step)
        game = self.game
        logs = game.critic_loss(self.guessed(images, batch.labels), game.scored(fakes, given), step, u=u)
        labelled, labels = labelled_of(batch)
        told = self.classes(self.critic(self._shown(self._real(labelled), step))[1])
        of_classes = self.weights[0] * F.cross_entropy(told, labels)
        of_turns, right = self._turns(images)
        added = {"class": of_classes, "rotation": self.weights[1] * of_turns}
        accuracy = (told.argmax(1) == labels).double().mean()
        return (
            logs
            | added
            | {
                "loss": logs["loss"] + sum(added.values()),
                "class_accuracy": accuracy,
                "rotation_accuracy": right,
            }
        )

    def generator_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the generator's side of the hinge, and how well the turns of its images are told."""
        given, u = self.fakes_of(batch, step)
        fakes = self._shown(self.generate(u, given), step)
        logs = self.game.generator_loss(self.game.scored(fakes, given), step, u=u)
        rotation = self.weights[2] * self._turns(fakes)[0]
        return logs | {"rotation": rotation, "loss": logs["loss"] + rotation}

    def guessed(self, images: Tensor, labels: Tensor | None) -> Scored:
        """Return scores of real images under their labels, where these are -1 under what the classifier says of them.

        What it says carries no gradient: the hinge does not teach it.
        """
        logit, features = self.critic(images)
        with torch.no_grad():
            probabilities = self.classes(features).softmax(1)
        known = torch.full((len(images),), -1, device=images.device) if labels is None else labels
        if self.soft:
            weights = torch.where(
                (known >= 0)[:, None], F.one_hot(known.clamp(min=0), self.spec.classes).to(features), probabilities
            )
            head: Any = self.head
            return Scored(images, logit + ((weights @ head.embedding.weight) * features).sum(1), features)
        chosen = Batch(torch.empty(len(images), 0), torch.where(known >= 0, known, probabilities.argmax(1)))
        return Scored(images, self.head(logit, features, chosen), features, chosen)

    def told(self, images: Tensor) -> Tensor:
        """Return the logits of the classes, by the averages of critic and classifier if there are any."""
        judges = self._judges() if self.judges is None else self.judges.copies
        return judges["classes"](judges["critic"](images)[1])

    def _turns(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the cross-entropy of how far images are turned, and how often it is told."""
        shown, quarters = all_turns(images)
        told = self.rotations(self.critic(shown)[1])
        return F.cross_entropy(told, quarters), (told.argmax(1) == quarters).double().mean()

    def _judges(self) -> dict[str, nn.Module]:
        return {"critic": self.critic, "classes": self.classes}

    def _after_critic(self, logs: Mapping[str, Tensor], step: Step) -> None:
        super()._after_critic(logs, step)
        if self.judges is not None:
            self.judges.update(self._judges())


@gan_recipe(lr=1e-3, critic_lr=1e-3)
def s3_gan(
    builder: GANBuilder,
    *,
    class_weight: float = 1.0,
    rotation_weight: float = 1.0,
    generator_rotation_weight: float = 0.2,
    soft: bool = False,
) -> GAN:
    """S³GAN (1903.02271): a projection GAN from few labels, trained together with its classifier.

    The critic minimises the hinge with each real image under its label, or where that is unknown under the likeliest
    class of its own classifier; the cross-entropy of that classifier on labelled images; and that of the turn of
    rotated real images. The generator minimises ``-E C`` and, by a fifth, the cross-entropy of rotated fakes.

    Departures: the shared networks of ``projection-cgan`` where the paper has BigGAN's; everything is trained together,
    the paper's "-CO"; one critic step; one rate for both; samples and answers of moving averages.

    Args:
        builder: what all recipes share.
        class_weight: the weight of the class loss.
        rotation_weight: the weight of the critic's rotation loss.
        generator_rotation_weight: the weight of the generator's.
        soft: whether an unknown label counts as the probabilities of all classes.

    Raises:
        ValueError: for data without classes or without a labelled share, images that are not square, or an option out
            of range.
    """
    weights = (class_weight, rotation_weight, generator_rotation_weight)
    positive_or_zero(
        class_weight=class_weight,
        rotation_weight=rotation_weight,
        generator_rotation_weight=generator_rotation_weight,
    )
    switch(soft=soft)
    check_labelled(builder.spec, "s3-gan")
    check_square(builder.spec.shape, "s3-gan")
    code = ClassCode(builder.latents)
    critic, head = projection_critic(builder)
    return builder.build(
        HINGE,
        generator=class_generator(builder, code),
        critic=critic,
        code=code,
        head=head,
        optimizer=ADAM,
        kind=partial(S3GAN, weights=weights, soft=soft),
    )
