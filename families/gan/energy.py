"""Recipes whose critic is an autoencoder: the error with which it copies an image is the image's energy.

A low energy says real. The logit is minus the energy (see :class:`AutoencodingCritic`), so that ``real`` and ``fake``
in the log are minus the mean energies and ``in_order`` is how often the real image has the lower one. The critic is
the two shared networks, first critic and then generator, with a linear code between them.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from families.adversarial.autoencoding_critic import (
    MEAN_ABSOLUTE,
    ROOT_MEAN_SQUARE,
    AutoencodingCritic,
    CopyingError,
    unsquashed,
)
from families.adversarial.losses import Loss, wasserstein_generator
from families.adversarial.terms import GameStep, GameView, Term
from families.gan.builder import ADAM, GANBuilder, gan_recipe
from families.gan.codes import Code
from families.gan.model import GAN
from families.layers.options import positive, positive_or_zero, whole
from families.outputs.base import at_least_single


@gan_recipe(lr=1e-3)
def ebgan(builder: GANBuilder, *, code: int = 64, margin: float = 0.36, weight: float = 0.1) -> GAN:
    """Energy-based GAN (1609.03126): the critic minimises ``E(x) + max(0, m - E(G(z)))``, the generator ``E(G(z))``.

    To the generator's side comes the pull-away term of the critic's codes, the paper's EBGAN-PT. Departures: the energy
    is the paper's norm ``‖Dec(Enc(x)) - x‖`` divided by √(C·H·W), so that one margin serves every size: the
    paper's 10 for 28×28 digits is 0.36. The pull-away term keeps the paper's weight, which beside so much smaller an
    energy counts more; convolutional networks, where the paper's are dense for digits; samples of a moving average. The
    learning rate is the paper's.

    Args:
        builder: what all recipes share.
        code: numbers in the critic's code, whose cosines the pull-away term takes; fewer copy fewer fakes.
        margin: m; the critic leaves fakes of more energy alone.
        weight: the weight of the pull-away term; 0 for none.

    Raises:
        ValueError: for a margin that is not positive, a negative weight, or a code of less than one number.
    """
    positive(margin=margin)
    positive_or_zero(weight=weight)
    terms = [PullAway(weight)] if weight else []
    critic = _autoencoder(builder, code, ROOT_MEAN_SQUARE)
    return builder.build(margin_loss(margin), critic=critic, terms=terms, optimizer=ADAM)


@gan_recipe(lr=3e-3, critic_lr=5e-4)
def began(builder: GANBuilder, *, code: int = 64, gamma: float = 0.75, balance_rate: float = 0.1) -> GAN:
    """Boundary equilibrium GAN (1703.10717): ``L(x) - k L(G(z))`` against ``L(G(z))``, L the mean absolute error.

    After each generator step ``k ← clamp(k + λ (γ L(x) - L(G(z))), 0, 1)`` holds ``E L(G(z)) / E L(x)`` at γ; the log
    has k and the convergence measure ``L(x) + |γ L(x) - L(G(z))|``.

    Neither the generator nor the critic's decoder has a tanh at its end: with one in the decoder the autoencoder copied
    digits as black, and with one in the generator some runs ended in black alone. Samples are cut off at both ends.

    Departures, all for runs of hundreds of steps. Batch normalisation stays, in the critic too: without it
    the autoencoder had not learned more than black in 200. The generator learns six times as fast as the critic, where
    the paper has one rate for both: with one, the autoencoder improved on real images sooner than fakes could follow,
    so that k stayed at 0, nothing pushed fakes away, and they became one or two shapes. λ is 0.1: the paper's 0.001
    would not move k in that time, and at 1 it ran from bound to bound. γ is a little above the paper's 0.3 to 0.7, for
    more kinds of images. Noise is Gaussian for its uniform, Adam's β₁ 0.5, rates stay as they are where its are halved
    as the measure stalls, and samples come from a moving average.

    Args:
        builder: what all recipes share.
        code: numbers in the critic's code; the fewer, the worse its copies.
        gamma: γ, the diversity ratio: where it is low, sharper images of fewer kinds.
        balance_rate: λ, how fast k moves.

    Raises:
        ValueError: for a γ outside (0, 1], a rate that is not positive, or a code of less than one number.
    """
    positive(gamma=gamma, balance_rate=balance_rate)
    if gamma > 1:
        raise ValueError(f"gamma={gamma}: give at most 1")
    generator = unsquashed(builder.generator(Code(builder.latents)))
    critic = unsquashed(_autoencoder(builder, code, MEAN_ABSOLUTE))
    terms = [Balance(gamma, balance_rate)]
    return builder.build(EQUILIBRIUM, generator=generator, critic=critic, terms=terms, optimizer=ADAM)


def _autoencoder(builder: GANBuilder, code: int, error: CopyingError) -> AutoencodingCritic:
    whole(1, code=code)
    return AutoencodingCritic(builder.critic(), builder.generator(Code(code)), code, error)


def margin_loss(margin: float) -> Loss:
    """Return ``E(x) + max(0, m - E(G(z)))`` and ``E(G(z))`` (1609.03126, equations 1 and 2), of logits ``-E``."""

    def critic(real: Tensor, fake: Tensor) -> Tensor:
        return F.relu(margin + fake).mean() - real.mean()

    return Loss(critic, wasserstein_generator)


def real_energy(real: Tensor, fake: Tensor) -> Tensor:
    """Return ``E(x)``, of logits ``-E``."""
    return -real.mean()


EQUILIBRIUM = Loss(real_energy, wasserstein_generator)  # -k L(G(z)) comes from Balance, which has the k


def pull_away(codes: Tensor) -> Tensor:
    """Return ``1/(N(N-1)) Σ_i Σ_{j≠i} cos²(s_i, s_j)`` of codes ``(N, F)``.

    It is 1 where all lie on one line, 0 where none meet, and 0 for a batch of one, which has no pairs.
    """
    unit = F.normalize(codes, dim=1)
    squares = at_least_single(unit @ unit.T).square()
    return (squares.sum() - squares.diagonal().sum()) / max(len(codes) * (len(codes) - 1), 1)


class PullAway(Term):
    """A term of the generator: :func:`pull_away` of the critic's codes of fakes (1609.03126, section 2.4).

    Args:
        weight: the weight of the term.
    """

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight

    @property
    def setting(self) -> str:
        """What the term is in words, for a column of the table."""
        return f"pull-away {self.weight:g}"

    def generator(self, game: GameView, step: GameStep) -> dict[str, Tensor]:
        """Return the term, weighted."""
        return {"pull_away": self.weight * pull_away(step.fake.features)}


class Balance(Term):
    """A term with the k of ``-k L(G(z))`` in the critic's loss, and its control (1703.10717).

    Args:
        gamma: the ratio γ.
        rate: the rate λ.

    Attributes:
        k: 0 to begin with.
        energy: L(x) of the critic's last step.
    """

    k: Tensor
    energy: Tensor

    def __init__(self, gamma: float, rate: float) -> None:
        super().__init__()
        self.gamma, self.rate = gamma, rate
        self.register_buffer("k", torch.zeros(()))
        self.register_buffer("energy", torch.zeros(()))

    @property
    def setting(self) -> str:
        """What the term is in words, for a column of the table."""
        return f"balance {self.gamma:g}, rate {self.rate:g}"

    def critic(self, game: GameView, step: GameStep) -> dict[str, Tensor]:
        """Return ``-k L(G(z))``."""
        return {"pushed": self.k * step.fake.logits.mean()}

    def logs(self, game: GameView, turn: str, step: GameStep) -> dict[str, Tensor]:
        """Return the k of the critic's step; behind the generator's what moves k, and the convergence measure."""
        if turn == "critic":
            return {"k": self.k.clone()}
        error = self.gamma * self.energy + step.fake.logits.mean()
        return {"balance": error, "convergence": self.energy + error.abs()}

    def after(self, game: GameView, turn: str, logs: Mapping[str, Tensor]) -> None:
        """Note L(x) behind the critic's step, move k behind the generator's."""
        if turn == "critic":
            self.energy.copy_(-logs["real"])
        else:
            self.k.add_(self.rate * logs["balance"]).clamp_(0, 1)
