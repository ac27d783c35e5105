"""A generative adversarial network: generator against critic, under any loss, penalty and condition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim import Optimizer

from families.gan.codes import Code
from families.gan.heads import Head
from families.layers.adversarial import Loss
from families.layers.ema import Average
from families.layers.penalties import Penalty
from families.layers.scaling import to_levels, to_unit
from families.layers.training import whole
from families.outputs.base import at_least_single
from genbench.implicit import ImplicitModel
from genbench.interface import Batch, DataSpec, Phase, Step, Turn
from genbench.seed import normal

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
        optimizer: makes both optimisers.
        critic_steps: critic steps for each generator step.
        average: decay of the moving average that samples are drawn from; 0 for none.

    Raises:
        ValueError: for less than one critic step, or a decay outside [0, 1).
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
        optimizer: MakeOptimizer,
        critic_steps: int = 1,
        average: float = 0.0,
    ) -> None:
        super().__init__(spec, code.latents, given=code.given)
        whole(1, critic_steps=critic_steps)
        self.generator, self.critic, self.code, self.head = generator, critic, code, head
        self.loss, self.penalty, self.optimizer, self.critic_steps = loss, penalty, optimizer, critic_steps
        self.average = Average(self._makers(), average) if average else None

    def phases(self) -> Sequence[Phase]:
        """Critic, then generator, on every batch that is theirs."""
        critic = Turn("critic", [self.critic, self.head], self.critic_loss, self.optimizer)
        generator = Turn(
            "generator",
            [self.generator, self.code],
            self.generator_loss,
            self.optimizer,
            every=self.critic_steps,
            after=self._follow,
        )
        return [Phase("adversarial", 1.0, [critic, generator])]

    def generate(self, given: Batch, step: Step) -> Tensor:
        """One fake for each row of ``given``, on [-1, 1], from the network that learns."""
        u = normal((len(given), self.latents), step.generator, self.device)
        return self.generator(self.code(u, given))

    def score(self, images: Tensor, given: Batch) -> Tensor:
        """Images on [-1, 1] and their condition → logits ``(B,)``."""
        return at_least_single(self.head(*self.critic(images), given))

    def critic_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """The critic's side of the loss, and the penalty; logs the mean scores."""
        real = to_unit(batch.images, self.spec.levels)
        with torch.no_grad():
            fake = self.generate(batch, step)
        score = partial(self.score, given=batch)
        real_logits, fake_logits = score(real), score(fake)
        loss = self.loss.critic(real_logits, fake_logits)
        logs = {"real": real_logits.mean(), "fake": fake_logits.mean()}
        if self.penalty is not None:
            logs["penalty"] = self.penalty(score, real, fake, step.generator)
            loss = loss + logs["penalty"]
        return {"loss": loss, **logs}

    def generator_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """The generator's side of the loss."""
        fake_logits = self.score(self.generate(batch, step), batch)
        real_logits = fake_logits.new_empty(0)
        if self.loss.relativistic:
            real_logits = self.score(to_unit(batch.images, self.spec.levels), batch)
        return {"loss": self.loss.generator(real_logits, fake_logits)}

    def decode(self, u: Tensor, given: Batch) -> Tensor:
        """Noise ``(B, Z)`` and condition → images ``(B, C, H, W)`` in levels, from the average where there is one."""
        generator, code = (self.generator, self.code) if self.average is None else self.average.copies.values()
        return to_levels(generator(code(u, given)), self.spec.levels)

    def _makers(self) -> dict[str, nn.Module]:
        return {"generator": self.generator, "code": self.code}

    def _follow(self, logs: Mapping[str, Tensor], step: Step) -> None:
        if self.average is not None:
            self.average.update(self._makers())
