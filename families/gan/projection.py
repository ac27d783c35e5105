"""A critic that projects its features on the label's embedding, and a generator normalised by class."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from families.adversarial.conditional_norm import ClassBatchNorm
from families.adversarial.dcgan import unnormalised
from families.adversarial.losses import HINGE
from families.adversarial.spectral import spectrally_normalised
from families.gan.builder import ADAM, GANBuilder, gan_recipe
from families.gan.codes import ClassCode, Code
from families.gan.heads import ProjectionHead
from families.gan.model import GAN


@gan_recipe()
def projection_cgan(builder: GANBuilder) -> GAN:
    """Conditional GAN with projection critic (1802.05637): score ``ψ(φ(x)) + ⟨V y, φ(x)⟩``, hinge loss.

    φ is the critic without its last layer, ψ that layer, and V a row for each label; all are spectrally normalised. The
    generator hears the label in its batch normalisation alone, as a gain and a bias for each class.

    Departures: the shared networks, learning rate and single critic step that ``cgan`` and ``sngan`` have too, so that
    the table compares how the label is told; the paper has residual networks (``network = "residual"``), where φ(x) is
    a sum over places and not the whole coarsest map, and five critic steps at Adam's betas (0, 0.9); samples
    come from a moving average.

    Args:
        builder: what all recipes share.

    Raises:
        ValueError: for data without classes, a dense network, or an option out of range.
    """
    code = ClassCode(builder.latents)
    critic, head = projection_critic(builder)
    generator = class_generator(builder, code)
    return builder.build(HINGE, generator=generator, critic=critic, code=code, head=head, optimizer=ADAM)


def class_generator(builder: GANBuilder, code: Code, *, attention: bool = False) -> nn.Module:
    """Make the shared generator with a gain and a bias for each class in its batch normalisation."""
    return builder.generator(code, norm=partial(ClassBatchNorm, classes=builder.classes()), attention=attention)


def projection_critic(
    builder: GANBuilder, *, attention: bool = False, initialise: Callable[[nn.Module], None] | None = None
) -> tuple[nn.Module, ProjectionHead]:
    """Make the shared critic and a projection on the label, with no batch normalisation but spectral in every layer.

    Args:
        builder: what all recipes share.
        attention: whether the critic has some.
        initialise: the initialisation instead of the networks' own, for ``nn.Module.apply``.
    """
    critic = builder.critic(unnormalised, attention=attention)
    head = ProjectionHead(critic.features, builder.classes())
    if initialise is not None:
        critic.apply(initialise)
        head.apply(initialise)
    return spectrally_normalised(critic), spectrally_normalised(head)
