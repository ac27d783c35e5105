"""Recipes whose critic is an autoencoder: the error with which it copies an image is the image's energy.

A low energy says real. The logit is minus the energy (see :class:`AutoencodingCritic`), so that ``real`` and ``fake``
in the log are minus the mean energies and ``in_order`` is how often the real image has the lower one. The critic is
the shared pair's own two networks, first critic and then generator, with a linear code between them.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from families.adversarial.autoencoding_critic import (
    AutoencodingCritic,
    Error,
    mean_absolute,
    root_mean_square,
    unsquashed,
)
from families.adversarial.losses import Loss, wasserstein_generator
from families.adversarial.terms import GameStep, Term
from families.gan.builder import GANBuilder, gan_recipe
from families.gan.codes import Code
from families.gan.model import GAN
from families.layers.options import positive, positive_or_zero, whole
from families.outputs.base import at_least_single


@gan_recipe(lr=1e-3)
def ebgan(pair: GANBuilder, *, code: int = 64, margin: float = 0.36, weight: float = 0.1) -> GAN:
    """Energy-based GAN (1609.03126): the critic minimises ``E(x) + max(0, m - E(G(z)))``, the generator ``E(G(z))``.

    To the generator's side comes the pull-away term of the critic's codes, the paper's EBGAN-PT. Departures: the energy
    is the paper's norm ``‖Dec(Enc(x)) - x‖`` divided by √(C·H·W), so that one margin serves every size: the
    paper's 10 for 28×28 digits is 0.36. The pull-away term keeps the paper's weight, which beside so much smaller an
    energy counts more; convolutional networks, where the paper's are dense for digits; samples of a moving average. The
    learning rate is the paper's.

    Args:
        pair: what all share.
        code: numbers in the critic's code, whose cosines the pull-away term takes; fewer copy fewer fakes.
        margin: m; the critic leaves fakes of more energy alone.
        weight: of the pull-away term; 0 for none.

    Raises:
        ValueError: for a margin that is not positive, a negative weight, or a code of less than one number.
    """
    positive(margin=margin)
    positive_or_zero(weight=weight)
    terms = [PullAway(weight)] if weight else []
    return pair.game(margin_loss(margin), critic=_autoencoder(pair, code, root_mean_square), terms=terms)


@gan_recipe(lr=3e-3, critic_lr=5e-4)
def began(pair: GANBuilder, *, code: int = 64, gamma: float = 0.75, balance_rate: float = 0.1) -> GAN:
    """Boundary equilibrium GAN (1703.10717): ``L(x) - k L(G(z))`` against ``L(G(z))``, L the mean absolute error.

    After each generator step ``k ← clamp(k + λ (γ L(x) - L(G(z))), 0, 1)`` holds ``E L(G(z)) / E L(x)`` at γ; the log
    has k and the convergence measure ``L(x) + |γ L(x) - L(G(z))|``.

    Neither the generator nor the critic's decoder has a tanh at its end: with one in the decoder the autoencoder copied
    digits as black, and with one in the generator some runs ended in black alone. Samples are cut off at both ends.

    Departures, all for runs of hundreds of steps. The pair's batch normalisation stays, in the critic too: without it
    the autoencoder had not learned more than black in 200. The generator learns six times as fast as the critic, where
    the paper has one rate for both: with one, the autoencoder improved on real images sooner than fakes could follow,
    so that k stayed at 0, nothing pushed fakes away, and they became one or two shapes. λ is 0.1: the paper's 0.001
    would not move k in that time, and at 1 it ran from bound to bound. γ is a little above the paper's 0.3 to 0.7, for
    more kinds of images. Noise is Gaussian for its uniform, Adam's β₁ 0.5, rates stay as they are where its are halved
    as the measure stalls, and samples come from a moving average.

    Args:
        pair: what all share.
        code: numbers in the critic's code; the fewer, the worse its copies.
        gamma: γ, the diversity ratio: where it is low, sharper images of fewer kinds.
        balance_rate: λ, how fast k moves.

    Raises:
        ValueError: for a γ outside (0, 1], a rate that is not positive, or a code of less than one number.
    """
    positive(gamma=gamma, balance_rate=balance_rate)
    if gamma > 1:
        raise ValueError(f"gamma={gamma}: give at most 1")
    generator = unsquashed(pair.generator(Code(pair.latents)))
    critic = unsquashed(_autoencoder(pair, code, mean_absolute))
    return pair.game(EQUILIBRIUM, generator=generator, critic=critic, terms=[Balance(gamma, balance_rate)])


def _autoencoder(pair: GANBuilder, code: int, error: Error) -> AutoencodingCritic:
    whole(1, code=code)
    return AutoencodingCritic(pair.critic(), pair.generator(Code(code)), code, error)


def margin_loss(margin: float) -> Loss:
    """``E(x) + max(0, m - E(G(z)))`` and ``E(G(z))`` (1609.03126, equations 1 and 2), of logits ``-E``."""

    def critic(real: Tensor, fake: Tensor) -> Tensor:
        return F.relu(margin + fake).mean() - real.mean()

    return Loss(critic, wasserstein_generator)


def real_energy(real: Tensor, fake: Tensor) -> Tensor:
    """``E(x)``, of logits ``-E``."""
    return -real.mean()


EQUILIBRIUM = Loss(real_energy, wasserstein_generator)  # -k L(G(z)) comes from Balance, which has the k


def pull_away(codes: Tensor) -> Tensor:
    """``1/(N(N-1)) Σ_i Σ_{j≠i} cos²(s_i, s_j)`` of codes ``(N, F)``: 1 where all lie on one line, 0 where none meet.

    A batch of one has no pairs: 0.
    """
    unit = F.normalize(codes, dim=1)
    squares = at_least_single(unit @ unit.T).square()
    return (squares.sum() - squares.diagonal().sum()) / max(len(codes) * (len(codes) - 1), 1)


class PullAway(Term):
    """The generator's :func:`pull_away` of the critic's codes of fakes (1609.03126, section 2.4).

    Args:
        weight: of the term.
    """

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight

    @property
    def setting(self) -> str:
        """In words, for :attr:`GAN.setting`."""
        return f"pull-away {self.weight:g}"

    def generator(self, game: GAN, play: GameStep) -> dict[str, Tensor]:
        """The term, weighted."""
        return {"pull_away": self.weight * pull_away(play.fake.features)}


class Balance(Term):
    """The k of ``-k L(G(z))`` in the critic's loss, and its control (1703.10717).

    Args:
        gamma: γ.
        rate: λ.

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
        """In words, for :attr:`GAN.setting`."""
        return f"balance {self.gamma:g}, rate {self.rate:g}"

    def critic(self, game: GAN, play: GameStep) -> dict[str, Tensor]:
        """``-k L(G(z))``."""
        return {"pushed": self.k * play.fake.logits.mean()}

    def watch(self, game: GAN, turn: str, play: GameStep) -> dict[str, Tensor]:
        """The k of the critic's step; behind the generator's the error that moves k, and the convergence measure."""
        if turn == "critic":
            return {"k": self.k.clone()}
        error = self.gamma * self.energy + play.fake.logits.mean()
        return {"balance": error, "convergence": self.energy + error.abs()}

    def after(self, game: GAN, turn: str, logs: Mapping[str, Tensor]) -> None:
        """Note L(x) behind the critic's step, move k behind the generator's."""
        if turn == "critic":
            self.energy.copy_(-logs["real"])
        else:
            self.k.add_(self.rate * logs["balance"]).clamp_(0, 1)
