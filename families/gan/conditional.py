"""Recipes that are told the label."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from families.adversarial.losses import NON_SATURATING
from families.adversarial.terms import GameStep, GameView, Scored, Term
from families.gan.builder import ADAM, GANBuilder, gan_recipe
from families.gan.codes import LabelCode, labels_of
from families.gan.heads import JointHead
from families.gan.model import GAN
from families.layers.options import positive
from families.outputs.base import at_least_single


@gan_recipe()
def cgan(builder: GANBuilder, *, hidden: int = 128, strength: float = 3.0) -> GAN:
    """Conditional GAN (1411.1784): the label goes into the generator's code and into a joint layer of the critic.

    Departures: as for ``gan``; the joint layer multiplies image and label and is LeakyReLU where the paper's is
    maxout, and the critic's own logit is added to its output; the one-hot label is scaled (with 64 latents one of
    strength 6 was seen to drown the noise, and one of 1 to go unheard).

    Args:
        builder: what all recipes share.
        hidden: units of the critic's joint layer.
        strength: the strength of the label beside the noise.

    Raises:
        ValueError: for data without classes, or an option out of range.
    """
    code, critic = LabelCode(builder.latents, builder.classes(), strength), builder.critic()
    head = JointHead(critic.features, code.classes, hidden)
    return builder.build(NON_SATURATING, critic=critic, code=code, head=head, optimizer=ADAM)


class AuxiliaryClassifier(Term):
    """``-λ L_C``, ``L_C = E log P(c given a real image) + E log P(c given a fake)`` (1610.09585, section 3).

    P is a linear layer on the critic's features. The critic learns it on both kinds; the generator sees its fakes'.

    Args:
        features: the number of the critic's features.
        classes: number of labels.
        weight: the weight λ.

    Raises:
        ValueError: for a weight that is not positive.
    """

    def __init__(self, features: int, classes: int, weight: float) -> None:
        super().__init__()
        positive(weight=weight)
        self.weight, self.logits = weight, nn.Linear(features, classes)

    @property
    def setting(self) -> str:
        """What the term is in words, for a column of the table."""
        return f"auxiliary classifier {self.weight:g}"

    def critic(self, game: GameView, step: GameStep) -> dict[str, Tensor]:
        """Return the cross-entropy of real images and of fakes."""
        return {"class": self._entropy(step.fake) + (0 if step.real is None else self._entropy(step.real))}

    def generator(self, game: GameView, step: GameStep) -> dict[str, Tensor]:
        """Return the fakes' cross-entropy with the labels that they were made for."""
        return {"class": self._entropy(step.fake)}

    def _entropy(self, scored: Scored) -> Tensor:
        logits = at_least_single(self.logits(scored.features))
        return self.weight * F.cross_entropy(logits, labels_of(scored.given))


@gan_recipe()
def acgan(builder: GANBuilder, *, weight: float = 1.0, strength: float = 1.0) -> GAN:
    """Auxiliary classifier GAN (1610.09585): the generator hears the label, the critic does not but tells it.

    With ``L_S`` how well the critic tells real from fake, and ``L_C`` how well it tells the class of both, it raises
    ``L_S + L_C`` and the generator ``L_C - L_S``, the latter in its non-saturating form.

    Departures: as for ``gan``; one critic for all classes, where the paper has two networks for every ten.

    Args:
        builder: what all recipes share.
        weight: the weight λ of ``L_C`` on both sides.
        strength: the strength of the label beside the noise: less than ``cgan``'s, since a classifier listens for it
            (3 was seen to drown the noise).

    Raises:
        ValueError: for data without classes, or an option out of range.
    """
    code, critic = LabelCode(builder.latents, builder.classes(), strength), builder.critic()
    classifier = AuxiliaryClassifier(critic.features, code.classes, weight)
    return builder.build(NON_SATURATING, critic=critic, code=code, terms=[classifier], optimizer=ADAM)
