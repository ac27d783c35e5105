"""One round between a critic and a generator, for whatever model holds the game."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

from torch import Tensor, nn

from families.adversarial.losses import Loss
from families.adversarial.penalties import OfPass, Penalty
from families.adversarial.terms import GameStep, Scored, Term
from families.outputs.base import at_least_single
from genbench.interface import Step

RESERVED = ("loss", "real", "fake", "in_order")  # what a game logs under names of its own


@dataclass(frozen=True, eq=False)
class Game:
    """A critic against a generator: scores, both sides of the loss, the penalty, terms, logs and the bound of weights.

    A game refers to networks and owns none: the model that holds it keeps them, saves them and may make the game anew
    whenever it is asked for. The holder makes the fakes, says what is real, shows both to :meth:`scored` and hands the
    scores to :meth:`critic_loss` or :meth:`generator_loss`. So one model can hold several games, over images of two
    domains, over levels of a pyramid or over parts of a code, and what is fake may come from a pool of past ones::

        with torch.no_grad():
            fakes = generator(u)
        logs = game.critic_loss(game.scored(images), game.scored(fakes), step)

    Args:
        generator: makes the fakes. The game never calls it; terms look at its weights.
        critic: images → logits, or ``(logits, features)``, or a ``Scored`` where it shows more. Without a head a critic
            that is given something takes it behind the images.
        code: makes what the generator takes, where something that learns does.
        head: ``(logit, features, given) → score``, where the condition meets the critic's answer and not its input.
        loss: both sides of the game.
        penalty: the penalty added to the critic's loss, its weight included; under the condition of the real images.
        terms: what else is added to either side.
        bound: the weights of critic and head are clipped to ±bound behind each of the critic's steps, if it is given.
    """

    generator: nn.Module
    critic: nn.Module
    code: nn.Module | None = None
    head: nn.Module | None = None
    _: KW_ONLY
    loss: Loss
    penalty: Penalty | None = None
    terms: Sequence[Term] = ()
    bound: float | None = None

    @property
    def sides(self) -> Mapping[str, Sequence[nn.Module]]:
        """The modules of each side by the name of its turn: critic and head, generator and code."""
        critic, generator = (self.critic, self.head), (self.generator, self.code)
        return {
            "critic": [module for module in critic if module is not None],
            "generator": [module for module in generator if module is not None],
        }

    @property
    def critic_learns(self) -> Sequence[nn.Module]:
        """What learns in the critic's turn: critic, head, and terms that have weights of their own."""
        return [*self.sides["critic"], *(term for term in self.terms if any(True for _ in term.parameters()))]

    @property
    def needs_real(self) -> bool:
        """Whether the generator's side needs the scores of real images: its loss does, or a term."""
        return self.loss.relativistic or any(term.needs_real for term in self.terms)

    def scored(self, images: Tensor, given: Any = None) -> Scored:  # noqa: ANN401 - whatever critic or head takes
        """Return what the critic says of images or codes.

        Args:
            images: ``(B, …)``.
            given: their condition, of the kind that the head takes, or without one the critic; None for none.

        Raises:
            ValueError: where the critic answers neither logits, nor a pair of logits and features, nor a ``Scored``.
        """
        conditioned = self.head is None and given is not None
        answer = self.critic(images, given) if conditioned else self.critic(images)
        answer = _as_scored(answer, images)
        logits = answer.logits if self.head is None else self.head(answer.logits, answer.features, given)
        return replace(
            answer,
            images=images,
            logits=at_least_single(logits),
            features=at_least_single(answer.features),
            given=given,
        )

    def scored_real(self, images: Tensor, given: Any = None) -> Scored:  # noqa: ANN401 - as above
        """Return :meth:`scored` of real images in the critic's turn, by a pass whose slope the penalty may take too."""
        of_pass = isinstance(self.penalty, OfPass)
        return self.scored(images.detach().requires_grad_() if of_pass else images, given)

    def critic_loss(
        self,
        real: Scored,
        fake: Scored,
        step: Step,
        *,
        u: Tensor | None = None,
        weight: float = 1.0,
        decoys: Sequence[tuple[float, Scored]] = (),
        source: Tensor | None = None,
        target: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the critic's ``loss``, the mean scores, what terms log, and every part that was added, by name.

        Where real and fake scores are alike in number, ``in_order`` says how often a real one is above its fake.

        Args:
            real: scores of what is real.
            fake: scores of fakes that carry no gradient towards their generator.
            step: where training stands.
            u: noise that the fakes were made of, for terms.
            weight: the weight of the fakes' side of the loss.
            decoys: other batches that the critic must call fake, such as real images under a wrong caption, each with
                its weight. Penalty and terms do not see them.
            source: what the fakes were translated from, for terms.
            target: images of the domain that they were translated into, for terms.

        Raises:
            ValueError: for a weight or decoys under a loss whose sides cannot be taken apart, or for a term that
                returns a name of the game's own, ``loss``, ``real``, ``fake`` or ``in_order``.
        """
        seen = GameStep(step, fake, real, u, source, target)
        logs = {"real": real.logits.mean(), "fake": fake.logits.mean()}
        if real.logits.shape == fake.logits.shape:
            logs["in_order"] = (real.logits > fake.logits).double().mean()
        logs |= merged(_named(term, term.logs(self, "critic", seen)) for term in self.terms)
        parts: list[Mapping[str, Tensor]] = [_named(term, term.critic(self, seen)) for term in self.terms]
        if isinstance(self.penalty, OfPass) and real.images.requires_grad:
            parts.append({"penalty": self.penalty.of_pass(real.images, real.logits)})
        elif self.penalty is not None:
            score = lambda images: self.scored(images, real.given).logits  # noqa: E731 - bound to this batch
            parts.append({"penalty": self.penalty(score, real.images, fake.images, step.generator)})
        added = merged(parts)
        if weight == 1:
            loss = self.loss.critic(real.logits, fake.logits)
        else:
            loss = self.loss.on_real(real.logits) + weight * self.loss.on_fake(fake.logits)
        for share, decoy in decoys:
            loss = loss + share * self.loss.on_fake(decoy.logits)
        return {"loss": sum(added.values(), loss), **logs, **added}

    def generator_loss(
        self,
        fake: Scored,
        step: Step,
        *,
        real: Scored | None = None,
        u: Tensor | None = None,
        source: Tensor | None = None,
        target: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the generator's ``loss``, what terms log, and every part that was added, by name.

        Args:
            fake: scores of fakes that carry the gradient towards their generator.
            step: where training stands.
            real: scores of real images, where :attr:`needs_real`.
            u: noise that the fakes were made of, for terms.
            source: what the fakes were translated from, for terms.
            target: images of the domain that they were translated into, for terms.

        Raises:
            ValueError: without real scores where they are needed, or for a term that returns a name of the game's own.
        """
        if real is None and self.needs_real:
            raise ValueError("real=None: this loss, or one of the terms, needs the scores of real images too")
        seen = GameStep(step, fake, real, u, source, target)
        loss = self.loss.generator(fake.logits.new_empty(0) if real is None else real.logits, fake.logits)
        logs = merged(_named(term, term.logs(self, "generator", seen)) for term in self.terms)
        added = merged(_named(term, term.generator(self, seen)) for term in self.terms)
        return {"loss": sum(added.values(), loss), **logs, **added}

    def after(self, turn: str, logs: Mapping[str, Tensor]) -> None:
        """Clip weights behind the critic's step, then let every term act, for the ``after`` of a turn.

        Args:
            turn: ``"critic"`` or ``"generator"``.
            logs: detached logs of the step.
        """
        if turn == "critic" and self.bound is not None:
            for module in self.sides["critic"]:
                for parameter in module.parameters():
                    parameter.data.clamp_(-self.bound, self.bound)
        for term in self.terms:
            term.after(self, turn, logs)


def merged(parts: Iterable[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return one dictionary of all parts, in which values of one name are added."""
    out: dict[str, Tensor] = {}
    for part in parts:
        for name, value in part.items():
            out[name] = out[name] + value if name in out else value
    return out


def combined(games: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return the summed ``loss`` of several games, and beside it what each logs.

    Args:
        games: what each game logs, by what stands before its names there, such as ``"back_"``.
    """
    logs = {f"{prefix}{name}": value for prefix, own in games.items() for name, value in own.items() if name != "loss"}
    return {"loss": merged([{"loss": own["loss"]} for own in games.values()])["loss"], **logs}


def _named(term: Term, values: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Return what a term gives, unless a name in it is the game's own."""
    for name in values:
        if name in RESERVED:
            raise ValueError(
                f"{type(term).__name__}: its value {name!r} has a name of the game's own: "
                f"give another than {', '.join(RESERVED)}"
            )
    return values


def _as_scored(answer: object, images: Tensor) -> Scored:
    """Return a critic's answer to images, of any kind that it may have, as a ``Scored``."""
    if isinstance(answer, Scored):
        return answer
    if isinstance(answer, Tensor):
        return Scored(images, answer, answer.new_empty(len(images), 0))
    parts = answer if isinstance(answer, tuple) else ()
    if len(parts) == 2 and all(isinstance(part, Tensor) for part in parts):
        return Scored(images, *parts)
    said = f"tuple of {len(parts)}" if isinstance(answer, tuple) else type(answer).__name__
    raise ValueError(f"critic: it answers a {said}: give logits, a pair (logits, features), or a Scored")
