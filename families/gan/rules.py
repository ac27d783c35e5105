"""How both sides of a game learn, whatever the networks: optimisers, steps, the average, what a critic is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

from families.adversarial.augment import Augment
from families.layers.options import whole
from genbench.interface import Step

MakeOptimizer = Callable[[Iterable[Parameter]], Optimizer]


@dataclass(frozen=True)
class Rules:
    """The rules of a game.

    Args:
        optimizer: a function that makes the generator's optimiser.
        critic_optimizer: a function that makes the critic's.
        critic_steps: critic steps for each generator step.
        average: decay of the moving average that samples come from; 0 for none.
        augment: what is done to every image before a critic sees it.

    Raises:
        ValueError: for less than one critic step.
    """

    optimizer: MakeOptimizer
    critic_optimizer: MakeOptimizer
    critic_steps: int
    average: float
    augment: Augment | None

    def __post_init__(self) -> None:
        whole(1, critic_steps=self.critic_steps)

    def shown(self, images: Tensor, step: Step) -> Tensor:
        """Return images as a critic sees them."""
        return images if self.augment is None else self.augment(images, step.generator)

    @property
    def said(self) -> Sequence[str]:
        """The rules in words, for a column of the table."""
        steps = f"{self.critic_steps} critic step{'s' if self.critic_steps > 1 else ''}"
        own = getattr(self.augment, "setting", "")
        optimizers = learning_rules(self.optimizer, self.critic_optimizer)
        return [steps, *optimizers, *([] if self.average else ["no average"]), *([own] if own else [])]


def learning_rules(generator: MakeOptimizer, critic: MakeOptimizer) -> Sequence[str]:
    """Return the rule of both optimisers in words, or that of each where they differ."""
    rules = [learning_rule(generator), learning_rule(critic)]
    return rules[:1] if rules[0] == rules[1] else [f"generator's {rules[0]}", f"critic's {rules[1]}"]


def learning_rule(make: MakeOptimizer) -> str:
    """Return an optimiser's name, rate and betas: ``"Adam 0.0002, β 0.5 0.999"``."""
    optimizer = make([Parameter(torch.zeros(1))])
    betas = "".join(f" {beta:g}" for beta in optimizer.defaults.get("betas", ()))
    return f"{type(optimizer).__name__} {optimizer.defaults['lr']:g}" + (f", β{betas}" if betas else "")
