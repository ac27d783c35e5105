"""Anomalies by a GAN: how near to an image its generator comes, by search."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor, nn

from families.adversarial.dcgan import unnormalised
from families.adversarial.losses import WASSERSTEIN
from families.adversarial.penalties import GradientPenalty
from families.gan.builder import GANBuilder, gan_recipe
from families.gan.model import GAN
from families.gan.objectives import ADAM_WITHOUT_MOMENTUM
from families.layers.coded import row_chunks
from families.layers.ema import Average
from families.layers.options import share, whole
from families.layers.scaling import to_uint8, to_unit
from genbench.interface import Step, frozen
from genbench.spec import Batch

STARTS = 2
RATE = 0.05  # of the search, falling as a cosine


class AnoGAN(GAN):
    """A Wasserstein GAN that says how strange an image is: the least loss that a search over z finds for it.

    ``(1 - λ) mean |x - G(z)| + λ mean |f(x) - f(G(z))|`` with f the critic's last features and pixels on [-1, 1], by
    Adam from starts that are the same for every image. Each z has its own gradient and its own Adam, so that no image's
    score depends on its neighbours.

    Args:
        parts: what :class:`GAN` takes, in its order.
        weight: λ.
        steps: the number of steps of the search.
        average: decay of the moving average of generator and critic; 0 for none.
        options: what else :class:`GAN` takes.

    Attributes:
        starts: where each search begins, ``(2, Z)``, drawn from N(0, I).
    """

    starts: Tensor

    def __init__(
        self,
        *parts: Any,  # noqa: ANN401 - handed on
        weight: float,
        steps: int,
        average: float = 0.0,
        **options: Any,  # noqa: ANN401 - handed on
    ) -> None:
        super().__init__(*parts, average=average, **options)
        self.weight = weight
        self.search_steps = steps
        self.critic_average = Average({"critic": self.critic}, average) if average else None
        self.register_buffer("starts", torch.randn(STARTS, self.latents))

    @property
    def setting(self) -> str:
        """What the recipe prescribes beside its loss, and how it searches."""
        return (
            f"{super().setting}; anomalies by {STARTS} searches of {self.search_steps} steps, features {self.weight:g}"
        )

    def anomaly(self, batch: Batch, *, generator: Generator | None = None) -> Tensor:
        """Return the least loss that the search finds for each image, float64 ``(B,)``: the larger, the stranger."""
        return self._searched(batch)[1]

    def reconstruct(self, batch: Batch, *, generator: Generator | None = None) -> Tensor:
        """Return the image that the search finds for each, uint8 ``(B, C, H, W)``."""
        z = self._searched(batch)[0]
        with frozen(self), torch.no_grad():
            return torch.cat(
                [to_uint8(self.decode(z[rows], batch.rows(rows)), self.spec.levels) for rows in row_chunks(batch)]
            )

    def losses(self, z: Tensor, images: Tensor, features: Tensor, given: Batch) -> Tensor:
        """Return the loss of codes ``(B, Z)`` beside images on [-1, 1] and their features ``(B, F)``, ``(B,)``."""
        made = to_unit(self.decode(z, given), self.spec.levels)
        distance = (made - images).abs().flatten(1).mean(1)
        apart = (self._judge(made)[1] - features).abs().flatten(1).mean(1)
        return (1 - self.weight) * distance + self.weight * apart

    def _searched(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the best codes ``(B, Z)`` and their losses, float64 ``(B,)``."""
        batch = self.checked(batch)
        with frozen(self):
            parts = [self._search(batch.rows(rows)) for rows in row_chunks(batch)]
        return torch.cat([z for z, _ in parts]), torch.cat([loss for _, loss in parts])

    def _search(self, batch: Batch) -> tuple[Tensor, Tensor]:
        images = self._real(batch)
        with torch.no_grad():
            features = self._judge(images)[1]
        best = self.starts[:1].expand(len(batch), -1).clone()
        least = torch.full((len(batch),), math.inf, dtype=torch.float64, device=images.device)
        for start in self.starts:
            z = start.expand(len(batch), -1).clone().requires_grad_()
            optimizer = torch.optim.Adam([z], lr=RATE)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.search_steps)
            for step in range(self.search_steps + 1):
                with torch.enable_grad():
                    losses = self.losses(z, images, features, batch)
                    total = losses.sum()
                better = losses.detach().double() < least
                best[better], least[better] = z.detach()[better], losses.detach().double()[better]
                if step < self.search_steps:
                    (z.grad,) = torch.autograd.grad(total, z)
                    optimizer.step()
                    schedule.step()
        return best, least

    def _judge(self, images: Tensor) -> tuple[Tensor, Tensor]:
        critic: nn.Module = self.critic if self.critic_average is None else self.critic_average.copies["critic"]
        return critic(images)

    def _after_critic(self, logs: Any, step: Step) -> None:  # noqa: ANN401 - as GAN's
        super()._after_critic(logs, step)
        if self.critic_average is not None:
            self.critic_average.update({"critic": self.critic})


@gan_recipe(lr=1e-3, critic_steps=5)
def ano_gan(builder: GANBuilder, *, penalty: float = 10.0, weight: float = 0.1, steps: int = 200) -> GAN:
    """AnoGAN (1703.05921): a GAN of normal images, and as anomaly score how near to an image its generator comes.

    Training is that of ``wgan-gp``. The score is the paper's ``(1 - λ) R + λ F``, R the distance of pixels and F that
    of the critic's features, at the best z that gradients find.

    Departures: a Wasserstein GAN, whose critic normalises by no batch, where the paper has DCGAN; R and F are means
    where its are sums, so that λ does not depend on sizes; 200 steps of Adam from two fixed starts, the best of all
    counts, where it has 500 from one random z; samples, search and features are by moving averages.

    Args:
        builder: what all recipes share.
        penalty: the weight of the gradient penalty.
        weight: λ, the share of the features.
        steps: the number of steps of each search.

    Raises:
        ValueError: for a share outside [0, 1], or less than one step.
    """
    if weight != 1:
        share(weight=weight)
    whole(1, steps=steps)
    return builder.build(
        WASSERSTEIN,
        critic=builder.critic(unnormalised),
        penalty=GradientPenalty(penalty),
        optimizer=ADAM_WITHOUT_MOMENTUM,
        kind=partial(AnoGAN, weight=weight, steps=steps),
    )
