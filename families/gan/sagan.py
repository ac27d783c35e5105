"""Self-attention in both networks."""

from __future__ import annotations

from families.adversarial.losses import HINGE
from families.adversarial.spectral import spectrally_normalised
from families.gan.builder import GANBuilder, gan_recipe
from families.gan.codes import ClassCode
from families.gan.model import GAN
from families.gan.objectives import ADAM_WITHOUT_MOMENTUM
from families.gan.projection import class_generator, projection_critic


@gan_recipe(network="residual", width=16, lr=4e-4, critic_lr=1.6e-3)
def sagan(builder: GANBuilder) -> GAN:
    """Self-attention GAN (1805.08318): attention with a learned γ from 0 on, at one map of either network.

    Spectral normalisation in generator and critic; the critic learns four times as fast, step by step with the
    generator (two time scales); Adam(0, 0.9), hinge loss, normalisation by class in the generator, projection in the
    critic.

    Departures: both learning rates are four times the paper's 1e-4 and 4e-4, since runs here have hundreds of steps
    where the paper's have up to a million (at its rates, 400 left noise); attention stands at half the resolution
    of small images; samples come from a moving average. As in the authors' code, the classes' gains and biases are not
    spectrally normalised.

    Args:
        builder: what all recipes share.

    Raises:
        ValueError: for data without classes, a dense network, or an option out of range.
    """
    code = ClassCode(builder.latents)
    generator = spectrally_normalised(class_generator(builder, code, attention=True))
    critic, head = projection_critic(builder, attention=True)
    return builder.build(
        HINGE,
        generator=generator,
        critic=critic,
        code=code,
        head=head,
        optimizer=ADAM_WITHOUT_MOMENTUM,
    )
