"""Translation between several domains: an image of one is made one of another, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from families.adversarial.game import Game
from families.adversarial.image_pool import ImagePool
from families.adversarial.losses import Loss
from families.adversarial.penalties import Penalty
from families.adversarial.terms import GameStep, GameView, Scored, Term
from families.layers.distances import l1
from families.layers.evaluation import evaluation
from families.layers.options import positive_or_zero, whole
from families.layers.scaling import to_levels, to_uint8
from families.translation.model import MakeOptimizer, Schedule, Translation
from genbench.interface import Phase, Step, Turn
from genbench.seed import uniform
from genbench.spec import SOURCE_LEVELS, Batch, DataSpec

Wanted = Callable[[Tensor, int, Generator], Tensor]


def permuted(own: Tensor, domains: int, generator: Generator) -> Tensor:
    """Return the rows' domains in another order, so that the batch wants what it has (1711.09020)."""
    return own[uniform((len(own),), generator, own.device).argsort()]


def another(own: Tensor, domains: int, generator: Generator) -> Tensor:
    """Return for each row one of the other domains, equally likely."""
    steps = uniform((len(own),), generator, own.device).mul(domains - 1).long().clamp(max=domains - 2)
    return (own + 1 + steps) % domains


class Classes(Term):
    """``w`` times the cross-entropy of the domain that the critic tells: of real images, and of translations.

    The critic learns to tell domains from real images alone.

    Args:
        weight: the weight w.

    Raises:
        ValueError: for a negative weight.
    """

    def __init__(self, weight: float) -> None:
        super().__init__()
        positive_or_zero(classify=weight)
        self.weight = weight

    @property
    def setting(self) -> str:
        """The weight in words."""
        return f"{self.weight:g} classes"

    def critic(self, game: GameView, step: GameStep) -> dict[str, Tensor]:
        """Return the cross-entropy of real images' domains."""
        return self._told(cast("Scored", step.real))

    def generator(self, game: GameView, step: GameStep) -> dict[str, Tensor]:
        """Return the cross-entropy of the domains that translations should be in."""
        return self._told(step.fake)

    def _told(self, seen: Scored) -> dict[str, Tensor]:
        if seen.classes is None:
            raise ValueError("critic: it tells no classes, and classify needs them")
        return {"classes": self.weight * F.cross_entropy(seen.classes, seen.given)}


class Domains(Translation):
    """One model of all domains: ``ŷ = G(x, c, c')`` of an image x of domain c should be of domain c'.

    The translator minimises its side of the game, ``λ |G(ŷ, c', c) - x|``, and ``i |G(x, c, c) - x|``. What it learns
    from are the batch's images under their field ``domain``; sources are read in sampling alone, where they are
    translated from ``source_domain``, if that is given, into ``domain``.

    Args:
        spec: the spec of the data, with a field ``domain``.
        translator: ``(images, own, wanted)`` → images, domains int64 ``(B,)``.
        critic: ``(images, domain)`` → logits, or a :class:`Scored`, with ``classes`` if it classifies.
        loss: both sides of the game.
        reconstruct: the weight λ.
        classify: the weight of the domain's cross-entropy on either side.
        identity: the weight i.
        wanted: a function that draws the domains to translate into, :func:`permuted` or :func:`another`.
        given: what samples are conditioned on; without ``"source_domain"`` the translator is told None for it.
        pool: past fakes of each domain that the critic's turn exchanges some of its own for; 0 for none.
        penalty: the penalty added to the critic's loss.
        optimizer: a function that makes both optimisers.
        schedule: a function from the fraction of the phase to the learning-rate factor.
        critic_steps: the critic's steps for each of the translator's.
        critic_first: whether the critic's turn comes before the translator's in a round.

    Raises:
        ValueError: for data without a field ``domain``, or an option out of range.
    """

    def __init__(
        self,
        spec: DataSpec,
        translator: nn.Module,
        critic: nn.Module,
        *,
        loss: Loss,
        reconstruct: float,
        classify: float = 0.0,
        identity: float = 0.0,
        wanted: Wanted = permuted,
        given: tuple[str, ...] = ("source", "domain"),
        pool: int = 0,
        penalty: Penalty | None = None,
        optimizer: MakeOptimizer,
        schedule: Schedule | None = None,
        critic_steps: int = 1,
        critic_first: bool = True,
    ) -> None:
        super().__init__(spec, translator, given)
        if "domain" not in spec.fields:
            raise ValueError(f"fields={sorted(spec.fields)}: a model of several domains needs a field 'domain'")
        positive_or_zero(reconstruct=reconstruct, identity=identity)
        whole(0, pool=pool)
        whole(1, critic_steps=critic_steps)
        self.domains = spec.fields["domain"].levels
        self.critic = critic
        self.loss, self.penalty = loss, penalty
        self.back, self.identity = reconstruct, identity
        classes = Classes(classify)
        self.terms = nn.ModuleList([classes] if classify else [])
        self.wanted = wanted
        self.pools = nn.ModuleList(ImagePool(pool, spec.shape) for _ in range(self.domains if pool else 0))
        self.optimizer, self.schedule = optimizer, schedule
        self.critic_steps, self.critic_first = critic_steps, critic_first

    @property
    def setting(self) -> str:
        """What holds an image to its source, and what the game has beside it, for a column of the table."""
        terms = [term.setting for term in cast("Sequence[Term]", self.terms)]
        penalty = [] if self.penalty is None else [self.penalty.setting]
        pools = [f"pools of {cast('ImagePool', self.pools[0]).size}"] if len(self.pools) else []
        return ", ".join([f"{self.back:g} reconstruct", f"{self.identity:g} identity", *terms, *penalty, *pools])

    @property
    def game(self) -> Game:
        """The game between the translator and the critic of images of a domain."""
        terms = cast("Sequence[Term]", self.terms)
        return Game(self.generator, self.critic, loss=self.loss, penalty=self.penalty, terms=terms)

    def phases(self) -> Sequence[Phase]:
        """Return the one phase: a step of the critic and one of the translator."""
        critic = Turn("critic", [self.critic], self.critic_loss, self.optimizer, self.schedule)
        generator = Turn(
            "generator", [self.generator], self.generator_loss, self.optimizer, self.schedule, self.critic_steps
        )
        return [Phase("adversarial", 1.0, [critic, generator] if self.critic_first else [generator, critic])]

    def image(self, u: Tensor, batch: Batch) -> Tensor:
        """Return each source on [-1, 1] as an image of the batch's ``domain``."""
        own = batch.fields["source_domain"] if "source_domain" in self.given else None
        return self.generator(self.source(batch), own, batch.fields["domain"])

    def _translated(self, batch: Batch, step: Step) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return images, their domains, the domains that are wanted, and translations into these."""
        images, own = self.target(batch), batch.fields["domain"]
        wanted = self.wanted(own, self.domains, step.generator)
        return images, own, wanted, self.generator(images, own, wanted)

    def critic_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the critic's side of the game, on fakes without gradient, from the pools if there are any."""
        with torch.no_grad():
            images, own, wanted, fakes = self._translated(batch, step)
        for domain, pool in enumerate(self.pools):
            rows = wanted == domain
            fakes[rows] = cast("ImagePool", pool).exchange(fakes[rows], step.generator)
        game = self.game
        return game.critic_loss(game.scored(images, own), game.scored(fakes, wanted), step)

    def generator_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the translator's side of the game, the way back, and what it does to images as they are."""
        images, own, wanted, fakes = self._translated(batch, step)
        game = self.game
        added = {"reconstruct": self.back * l1(self.generator(fakes, wanted, own), images)}
        if self.identity:
            added["identity"] = self.identity * l1(self.generator(images, own, own), images)
        real = game.scored(images, own) if game.needs_real else None
        logs = game.generator_loss(game.scored(fakes, wanted), step, real=real)
        return {**logs, "loss": sum(added.values(), logs["loss"]), **added}

    def reconstruct(self, batch: Batch, *, generator: Generator | None = None) -> Tensor:
        """Return every image of its ``domain`` after a way through the next one and back, uint8 ``(B, C, H, W)``."""
        batch, own, through = self._there(batch)
        with evaluation(self):
            images = self.generator(self.generator(self.target(batch), own, through), through, own)
        return to_uint8(to_levels(images, self.spec.levels), self.spec.levels)

    def between(self, batch: Batch, *, generator: Generator | None = None) -> Tensor:
        """Return every image in the next domain, behind the last the first: what :meth:`reconstruct` goes by."""
        batch, own, through = self._there(batch)
        with evaluation(self):
            images = self.generator(self.target(batch), own, through)
        return to_uint8(to_levels(images, SOURCE_LEVELS), SOURCE_LEVELS)

    def _there(self, batch: Batch) -> tuple[Batch, Tensor, Tensor]:
        """Return the batch checked, its images' domains, and the next ones."""
        batch = self.checked(batch, ("domain",))
        own = batch.fields["domain"]
        return batch, own, (own + 1) % self.domains
