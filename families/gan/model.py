"""A generative adversarial network: generator against critic, under any loss, penalty, terms and condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from families.adversarial.augment import Augment
from families.adversarial.game import Game
from families.adversarial.losses import Loss
from families.adversarial.normalisation import normalisations
from families.adversarial.penalties import Penalty
from families.adversarial.terms import Scored, Term
from families.gan.codes import Code
from families.gan.heads import Head
from families.gan.rules import MakeOptimizer, learning_rules
from families.layers.attention import Attention
from families.layers.ema import Average
from families.layers.options import positive, whole
from families.layers.scaling import to_levels, to_unit
from genbench.implicit import ImplicitModel
from genbench.interface import Phase, Step, Turn
from genbench.spec import Batch, DataSpec


class GAN(ImplicitModel):
    """A GAN of images ``generator(code(u, condition))`` and scores ``head(*critic(image), condition)``.

    In each round the critic steps on real images and on fakes made without gradient; on every ``critic_steps``-th
    round the generator steps too. Both networks stay in training mode for that. Samples come from the moving average
    of generator and code where there is one, always in evaluation mode.

    Args:
        spec: the spec of the data.
        generator: code → images on [-1, 1].
        critic: images on [-1, 1] → ``(logit, features)``.
        code: noise and condition → what the generator takes; learns with it.
        head: logit, features and condition → score; learns with the critic.
        loss: both sides of the game.
        penalty: the penalty added to the critic's loss, its weight included.
        terms: what else is added to either side.
        optimizer: a function that makes the generator's optimiser.
        critic_optimizer: a function that makes the critic's; the generator's where there is none.
        critic_steps: critic steps for each generator step.
        bound: after each of its steps the critic's weights are clipped to ±bound, if one is given.
        clip: largest 2-norm of either side's gradient, if it is clipped.
        average: decay of the moving average that samples are drawn from; 0 for none.
        augment: ``(images, generator) → images``, differentiable; the critic sees nothing that has not been through it.
        beside: modules by name that learn with the generator, in its turn and its average.

    Raises:
        ValueError: for less than one critic step, a bound or clip that is not positive, a decay outside [0, 1), or
            terms that are no :class:`Term`.
    """

    def __init__(
        self,
        spec: DataSpec,
        generator: nn.Module,
        critic: nn.Module,
        code: Code,
        head: Head,
        *,
        loss: Loss,
        penalty: Penalty | None = None,
        terms: Sequence[Term] = (),
        optimizer: MakeOptimizer,
        critic_optimizer: MakeOptimizer | None = None,
        critic_steps: int = 1,
        bound: float | None = None,
        clip: float | None = None,
        average: float = 0.0,
        augment: Augment | None = None,
        beside: Mapping[str, nn.Module] | None = None,
    ) -> None:
        super().__init__(spec, code.latents, given=code.given, categories=code.categories)
        whole(1, critic_steps=critic_steps)
        if bound is not None:
            positive(bound=bound)
        if clip is not None:
            positive(clip=clip)
        for term in terms:
            if not isinstance(term, Term):
                raise ValueError(f"terms: {type(term).__name__} is no Term: give modules of a class derived from Term")
        self.generator = generator
        self.critic = critic
        self.code = code
        self.head = head
        self.loss = loss
        self.penalty = penalty
        self.terms = nn.ModuleList(terms)
        self.optimizer = optimizer
        self.critic_optimizer = critic_optimizer or optimizer
        self.critic_steps = critic_steps
        self.bound = bound
        self.clip = clip
        self.augment = augment
        self.beside = tuple(beside or ())
        for name, module in (beside or {}).items():
            self.add_module(name, module)
        self.average = Average(self._makers(), average) if average else None

    @property
    def game(self) -> Game:
        """The game over the model's own networks, made anew at each call, since the model owns them."""
        return Game(
            self.generator,
            self.critic,
            self.code,
            self.head,
            loss=self.loss,
            penalty=self.penalty,
            terms=[term for term in self.terms if isinstance(term, Term)],
            bound=self.bound,
        )

    def phases(self) -> Sequence[Phase]:
        """Return the one phase: critic, then generator, on every batch that is theirs."""
        critic = Turn(
            "critic",
            self.game.critic_learns,
            self.critic_loss,
            self.critic_optimizer,
            after=self._after_critic,
            clip=self.clip,
        )
        generator = Turn(
            "generator",
            [*self.game.sides["generator"], *(self.get_submodule(name) for name in self.beside)],
            self.generator_loss,
            self.optimizer,
            every=self.critic_steps,
            after=self._after_generator,
            clip=self.clip,
        )
        return [Phase("adversarial", 1.0, [critic, generator])]

    @property
    def setting(self) -> str:
        """What the recipe prescribes beside its loss, as its parts say it, for a column of the table.

        ``critic: batch norm, 1 step; Adam 0.0002, β 0.5 0.999; weights ±0.01; gradient penalty 10``: what normalises
        the critic, its steps to one of the generator; the learning rule of both, or of each where they differ; the
        bounds of weights and gradients and the penalty with its numbers, where there are any. Behind these come the
        generator's normalisation beyond its batches', attention, a missing tanh or average, and what critic, loss,
        code, head, terms and augmentation say of themselves.
        """
        rules = learning_rules(self.optimizer, self.critic_optimizer)
        steps = f"{self.critic_steps} step{'s' if self.critic_steps > 1 else ''}"
        bound = [] if self.bound is None else [f"weights ±{self.bound:g}"]
        bound += [] if self.clip is None else [f"gradients ≤ {self.clip:g}"]
        penalty = [] if self.penalty is None else [self.penalty.setting]
        norms = " and ".join(normalisations(self.critic)) or "no norm"
        critic = ", ".join([norms, *_attention(self.critic), steps])
        squashed = any(isinstance(module, nn.Tanh) for module in self.generator.modules())
        marks = [norm for norm in normalisations(self.generator) if norm != "batch norm"]
        marks += [*_attention(self.generator), *([] if squashed else ["no tanh"])]
        marks += ["no average"] if self.average is None else []
        generator = [f"generator: {', '.join(marks)}"] if marks else []
        parts = [self.critic, self.loss, self.code, self.head, *self.terms, self.augment]
        own = [text for part in parts if (text := getattr(part, "setting", ""))]
        return "; ".join([f"critic: {critic}", *rules, *bound, *penalty, *generator, *own])

    def generate(self, u: Tensor, given: Batch) -> Tensor:
        """Return one fake for each row of ``u`` and ``given``, on [-1, 1], from the network that learns."""
        return self.generator(self.code(u, given))

    def score(self, images: Tensor, given: Batch) -> Tensor:
        """Return the logits ``(B,)`` of images on [-1, 1] under their condition."""
        return self.game.scored(images, given).logits

    def critic_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the critic's side of the game on real images and on fakes without gradient."""
        given, u = self._drawn(batch, step)
        with torch.no_grad():
            fakes = self._shown(self.generate(u, given), step)
        game = self.game
        real = game.scored_real(self._shown(self._real(batch), step), batch)
        fake = game.scored(fakes, given)
        return game.critic_loss(real, fake, step, u=u)

    def generator_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the generator's side of the game."""
        given, u = self._drawn(batch, step)
        game = self.game
        fake = game.scored(self._shown(self.generate(u, given), step), given)
        real: Scored | None = None
        if game.needs_real:
            real = game.scored(self._shown(self._real(batch), step), batch)
        return game.generator_loss(fake, step, real=real, u=u)

    def decode(self, u: Tensor, given: Batch) -> Tensor:
        """Map noise ``(B, Z)`` and condition to images ``(B, C, H, W)`` in levels, by the average if there is one."""
        makers = self._makers() if self.average is None else self.average.copies
        return to_levels(makers["generator"](makers["code"](u, given)), self.spec.levels)

    def render(self, u: Tensor, given: Batch) -> Tensor:
        """Return :meth:`decode` of what the code makes of u in sampling."""
        return self.decode(self.code.truncated(u), given)

    def _drawn(self, batch: Batch, step: Step) -> tuple[Batch, Tensor]:
        """Return the fakes' conditions and noise, drawn in this order."""
        given = self.hidden(batch, step.generator)
        u = self.draw_noise(len(batch), step.generator)
        return given, u

    def _real(self, batch: Batch) -> Tensor:
        """Return the batch's images on [-1, 1], in the precision of the weights."""
        return to_unit(batch.images, self.spec.levels).to(next(self.parameters()).dtype)

    def _shown(self, images: Tensor, step: Step) -> Tensor:
        return images if self.augment is None else self.augment(images, step.generator)

    def _makers(self) -> dict[str, nn.Module]:
        own = {name: self.get_submodule(name) for name in self.beside}
        return {"generator": self.generator, "code": self.code, **own}

    def _after_critic(self, logs: Mapping[str, Tensor], step: Step) -> None:
        self.game.after("critic", logs)

    def _after_generator(self, logs: Mapping[str, Tensor], step: Step) -> None:
        if self.average is not None:
            self.average.update(self._makers())
        self.game.after("generator", logs)


def _attention(network: nn.Module) -> list[str]:
    return ["attention"] if any(isinstance(module, Attention) for module in network.modules()) else []
