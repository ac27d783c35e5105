"""A generative adversarial network: generator against critic, under any loss, penalty, terms and condition."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim import Optimizer

from families.adversarial.augment import Augment
from families.adversarial.losses import Loss
from families.adversarial.penalties import Penalty
from families.adversarial.terms import GameStep, Scored, Term
from families.gan.codes import Code
from families.gan.heads import Head
from families.layers.attention import Attention
from families.layers.ema import Average
from families.layers.options import positive, whole
from families.layers.scaling import to_levels, to_unit
from families.outputs.base import at_least_single
from genbench.implicit import ImplicitModel
from genbench.interface import Phase, Step, Turn
from genbench.spec import Batch, DataSpec

MakeOptimizer = Callable[[Iterable[Parameter]], Optimizer]


class GAN(ImplicitModel):
    """Images ``generator(code(u, condition))`` against scores ``head(*critic(image), condition)``.

    In each round the critic steps on real images and on fakes made without gradient; on every ``critic_steps``-th
    round the generator steps too. Both networks stay in training mode for that. Samples come from the moving average
    of generator and code where there is one, always in evaluation mode; the average's batch normalisation uses the
    live generator's running statistics.

    Args:
        spec: of the data.
        generator: code → images on [-1, 1].
        critic: images on [-1, 1] → ``(logit, features)``.
        code: noise and condition → what the generator takes; learns with it.
        head: logit, features and condition → score; learns with the critic.
        loss: both sides of the game.
        penalty: added to the critic's loss, its weight included.
        terms: what else is added to either side.
        optimizer: makes the generator's optimiser.
        critic_optimizer: makes the critic's; the generator's where there is none.
        critic_steps: critic steps for each generator step.
        bound: after each of its steps the critic's weights are clipped to ±bound, if one is given.
        clip: largest 2-norm of either player's gradient, if it is clipped.
        average: decay of the moving average that samples are drawn from; 0 for none.
        augment: ``(images, generator) → images``, differentiable; the critic sees nothing that has not been through it.

    Raises:
        ValueError: for less than one critic step, a bound or clip that is not positive, or a decay outside [0, 1).
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
    ) -> None:
        super().__init__(spec, code.latents, given=code.given, categories=code.categories)
        whole(1, critic_steps=critic_steps)
        if bound is not None:
            positive(bound=bound)
        if clip is not None:
            positive(clip=clip)
        self.generator, self.critic, self.code, self.head = generator, critic, code, head
        self.loss, self.penalty, self.terms = loss, penalty, nn.ModuleList(terms)
        self.optimizer, self.critic_optimizer = optimizer, critic_optimizer or optimizer
        self.critic_steps, self.bound, self.clip, self.augment = critic_steps, bound, clip, augment
        self.average = Average(self._makers(), average) if average else None

    def phases(self) -> Sequence[Phase]:
        """Critic, then generator, on every batch that is theirs."""
        critic = Turn(
            "critic",
            [self.critic, self.head, *self.terms],
            self.critic_loss,
            self.critic_optimizer,
            after=self._after_critic,
            clip=self.clip,
        )
        generator = Turn(
            "generator",
            [self.generator, self.code],
            self.generator_loss,
            self.optimizer,
            every=self.critic_steps,
            after=self._after_generator,
            clip=self.clip,
        )
        return [Phase("adversarial", 1.0, [critic, generator])]

    @property
    def setting(self) -> str:
        """What the objective prescribes beside its loss, read off the parts, for a column of the table.

        ``critic: batch norm, 1 step; Adam 0.0002, β 0.5 0.999; weights ±0.01; gradient penalty 10``: what normalises
        the critic, its steps to one of the generator; the learning rule of both, or of each where they differ; the
        bounds of weights and gradients and the penalty with its numbers, where there are any. Behind these come the
        generator's normalisation beyond its batches', attention, a missing tanh or average, and what critic, loss,
        code, head, terms and augmentation say of themselves.
        """
        rules = [_rule(self.optimizer), _rule(self.critic_optimizer)]
        if rules[0] == rules[1]:
            rules.pop()
        else:
            rules = [f"generator's {rules[0]}", f"critic's {rules[1]}"]
        steps = f"{self.critic_steps} step{'s' if self.critic_steps > 1 else ''}"
        bound = [] if self.bound is None else [f"weights ±{self.bound:g}"]
        bound += [] if self.clip is None else [f"gradients ≤ {self.clip:g}"]
        penalty = [] if self.penalty is None else [_named(self.penalty)]
        critic = ", ".join([" and ".join(_norms(self.critic)) or "no norm", *_attention(self.critic), steps])
        squashed = any(isinstance(module, nn.Tanh) for module in self.generator.modules())
        marks = [norm for norm in _norms(self.generator) if norm != "batch norm"]
        marks += [*_attention(self.generator), *([] if squashed else ["no tanh"])]
        marks += ["no average"] if self.average is None else []
        generator = [f"generator: {', '.join(marks)}"] if marks else []
        parts = [self.critic, self.loss, self.code, self.head, *self.terms, self.augment]
        own = [text for part in parts if (text := getattr(part, "setting", ""))]
        return "; ".join([f"critic: {critic}", *rules, *bound, *penalty, *generator, *own])

    def generate(self, u: Tensor, given: Batch) -> Tensor:
        """One fake for each row of ``u`` and ``given``, on [-1, 1], from the network that learns."""
        return self.generator(self.code(u, given))

    def judge(self, images: Tensor, given: Batch) -> Scored:
        """What the critic says of images on [-1, 1] with their conditions."""
        logit, features = self.critic(images)
        return Scored(images, at_least_single(self.head(logit, features, given)), at_least_single(features), given)

    def score(self, images: Tensor, given: Batch) -> Tensor:
        """Images on [-1, 1] and their condition → logits ``(B,)``."""
        return self.judge(images, given).logits

    def critic_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """The critic's side of the loss, penalty and terms; logs the mean scores and how often they are in order."""
        given, u = self._drawn(batch, step)
        with torch.no_grad():
            fakes = self._shown(self.generate(u, given), step)
        real = self.judge(self._shown(self._real(batch), step), batch)
        play = GameStep(step, u, self.judge(fakes, given), real)
        logs = {"real": real.logits.mean(), "fake": play.fake.logits.mean()}
        logs["in_order"] = (real.logits > play.fake.logits).double().mean()
        logs |= _merged(term.watch(self, "critic", play) for term in self._terms())
        parts = [term.critic(self, play) for term in self._terms()]
        if self.penalty is not None:
            score = partial(self.score, given=batch)
            parts.append({"penalty": self.penalty(score, real.images, fakes, step.generator)})
        added = _merged(parts)
        return {"loss": sum(added.values(), self.loss.critic(real.logits, play.fake.logits)), **logs, **added}

    def generator_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """The generator's side of the loss and the terms."""
        given, u = self._drawn(batch, step)
        fake, real = self.judge(self._shown(self.generate(u, given), step), given), None
        if self.loss.relativistic or any(term.reads_real for term in self._terms()):
            real = self.judge(self._shown(self._real(batch), step), batch)
        loss = self.loss.generator(fake.logits.new_empty(0) if real is None else real.logits, fake.logits)
        play = GameStep(step, u, fake, real)
        logs = _merged(term.watch(self, "generator", play) for term in self._terms())
        added = _merged(term.generator(self, play) for term in self._terms())
        return {"loss": sum(added.values(), loss), **logs, **added}

    def decode(self, u: Tensor, given: Batch) -> Tensor:
        """Noise ``(B, Z)`` and condition → images ``(B, C, H, W)`` in levels, from the average where there is one."""
        generator, code = (self.generator, self.code) if self.average is None else self.average.copies.values()
        return to_levels(generator(code(u, given)), self.spec.levels)

    def render(self, u: Tensor, given: Batch) -> Tensor:
        """:meth:`decode` of what the code makes of u in sampling."""
        return self.decode(self.code.tempered(u), given)

    def _drawn(self, batch: Batch, step: Step) -> tuple[Batch, Tensor]:
        return self.hidden(batch, step.generator), self.draw_noise(len(batch), step.generator)

    def _real(self, batch: Batch) -> Tensor:
        """Its images on [-1, 1], in the precision of the weights."""
        return to_unit(batch.images, self.spec.levels).to(next(self.parameters()).dtype)

    def _shown(self, images: Tensor, step: Step) -> Tensor:
        return images if self.augment is None else self.augment(images, step.generator)

    def _makers(self) -> dict[str, nn.Module]:
        return {"generator": self.generator, "code": self.code}

    def _terms(self) -> list[Term]:
        return [term for term in self.terms if isinstance(term, Term)]

    def _after_critic(self, logs: Mapping[str, Tensor], step: Step) -> None:
        if self.bound is not None:
            for parameter in (*self.critic.parameters(), *self.head.parameters()):
                parameter.data.clamp_(-self.bound, self.bound)
        for term in self._terms():
            term.after(self, "critic", logs)

    def _after_generator(self, logs: Mapping[str, Tensor], step: Step) -> None:
        if self.average is not None:
            self.average.update(self._makers())
        for term in self._terms():
            term.after(self, "generator", logs)


def _merged(parts: Iterable[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    merged: dict[str, Tensor] = {}
    for part in parts:
        for name, value in part.items():
            merged[name] = merged[name] + value if name in merged else value
    return merged


def _norms(network: nn.Module) -> list[str]:
    """Every kind of layer called ``…Norm`` or ``…Norm2d``, in words: ``"batch norm"``."""
    kinds = (re.fullmatch(r"_?(\w+?)Norm(?:\dd)?", type(module).__name__) for module in network.modules())
    words = {re.sub(r"\B(?=[A-Z])", " ", kind[1]).lower() for kind in kinds if kind}
    return [f"{word} norm" for word in sorted(words)]


def _attention(network: nn.Module) -> list[str]:
    return ["attention"] if any(isinstance(module, Attention) for module in network.modules()) else []


def _rule(make: MakeOptimizer) -> str:
    """``"Adam 0.0002, β 0.5 0.999"``."""
    optimizer = make([Parameter(torch.zeros(1))])
    betas = "".join(f" {beta:g}" for beta in optimizer.defaults.get("betas", ()))
    return f"{type(optimizer).__name__} {optimizer.defaults['lr']:g}" + (f", β{betas}" if betas else "")


def _named(penalty: Penalty) -> str:
    """``"local penalty 10, spread 0.5"``: the function's name, its weight, its other numbers."""
    function, numbers = (penalty.func, dict(penalty.keywords)) if isinstance(penalty, partial) else (penalty, {})
    name = getattr(function, "__name__", type(function).__name__).strip("_").replace("_", " ")
    weight = f" {numbers.pop('weight'):g}" if "weight" in numbers else ""
    return ", ".join([name + weight, *(f"{key} {value:g}" for key, value in sorted(numbers.items()))])
