"""The five training methods of 1606.03498 on the shared networks, each by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from einops import rearrange, reduce
from torch import Tensor, nn

from families.adversarial.losses import (
    Loss,
    logistic_fake,
    non_saturating_generator,
    smoothed_critic,
    smoothed_real,
)
from families.adversarial.terms import GameStep, GameView, Term
from families.adversarial.virtual_norm import VirtuallyNormalised
from families.gan.builder import ADAM, GANBuilder, gan_recipe
from families.gan.codes import Code
from families.gan.heads import Head
from families.gan.model import GAN
from families.layers.convolutional import silent
from families.layers.options import positive_or_zero, share, switch, whole
from families.outputs.base import at_least_single
from genbench.spec import Batch


@gan_recipe()
def improved_gan(
    builder: GANBuilder,
    *,
    feature_matching: bool = False,
    minibatch_discrimination: bool = True,
    historical_averaging: float = 1e-3,
    label_smoothing: float = 0.1,
    virtual_batch_normalisation: bool = True,
    kernels: int = 50,
    kernel_size: int = 5,
) -> GAN:
    """Improved GAN (1606.03498): the non-saturating game with five methods, each of which can be switched by itself.

    All are on but feature matching, as where the paper trains for image quality without labels. Feature matching,
    which it keeps for semi-supervised learning, takes the place of the generator's loss, and with it the
    generator no longer hears of minibatch discrimination.

    Departures: the weight of historical averaging, for which the paper prints none: at 1 both networks were seen to
    stand still. In minibatch discrimination, whose sizes it does not print either (its code has 100 kernels of 5), the
    features that are compared are means over the map's places, as its code for CIFAR-10 pools them, and closeness is a
    mean over the batch in place of a sum, so that it is of one size in batches of any; the layer that reads both begins
    unheard, its weights at zero. Networks are the shared ones, the critic's batch normalisation among them; samples
    come from a moving average.

    Args:
        builder: what all recipes share.
        feature_matching: the generator minimises ``‖E f(x) - E f(G(z))‖²``, f the critic's features, in place of its
            loss.
        minibatch_discrimination: the critic sees how close an image's features are to those of the rest of its batch.
        historical_averaging: weight of ``‖θ - (1/t) Σ θ[i]‖²`` in the loss of both sides; 0 for none.
        label_smoothing: the critic's target for real images is so much less than 1, and stays 0 for fakes.
        virtual_batch_normalisation: the generator normalises by a batch of noise fixed at construction.
        kernels: numbers B by which minibatch discrimination says how close an image is to the others.
        kernel_size: numbers C that each of them compares.

    Raises:
        ValueError: for an option out of range, one to be on or off that is neither, or virtual batch normalisation of a
            network that has none to replace.
    """
    switch(feature_matching=feature_matching, minibatch_discrimination=minibatch_discrimination)
    switch(virtual_batch_normalisation=virtual_batch_normalisation)
    share(label_smoothing=label_smoothing)
    positive_or_zero(historical_averaging=historical_averaging)
    code = Code(builder.latents)
    generator, critic = builder.generator(code), builder.critic()
    if virtual_batch_normalisation:
        generator = VirtuallyNormalised(generator, code.features, rows=64)
    head = MinibatchHead(critic.features, critic.places, kernels, kernel_size) if minibatch_discrimination else Head()
    terms: list[Term] = [FeatureMatching()] if feature_matching else []
    if historical_averaging:
        sides = {"critic": [critic, head], "generator": [generator, code]}
        terms.append(HistoricalAverage(sides, historical_averaging))
    loss = Loss(
        smoothed_critic(1 - label_smoothing),
        nothing if feature_matching else non_saturating_generator,
        setting=f"label smoothing {label_smoothing:g}" if label_smoothing else "",
        real_share=smoothed_real(1 - label_smoothing),
        fake_share=logistic_fake,
    )
    return builder.build(loss, critic=critic, generator=generator, code=code, head=head, terms=terms, optimizer=ADAM)


def nothing(real: Tensor, fake: Tensor) -> Tensor:
    """Return 0: no loss but what terms add."""
    return fake.new_zeros(())


class FeatureMatching(Term):
    """``‖E f(x) - E f(G(z))‖²`` for the generator, f the critic's features (1606.03498, section 3.1)."""

    needs_real = True

    @property
    def setting(self) -> str:
        """What the term is in words, for a column of the table."""
        return "feature matching"

    def generator(self, game: GameView, step: GameStep) -> dict[str, Tensor]:
        """Return the squared distance of the two batches' means."""
        if step.real is None:
            raise ValueError("real=None: feature matching reads the real images' features")
        distance = step.real.features.mean(0) - step.fake.features.mean(0)
        return {"feature_matching": distance.square().sum()}


class MinibatchHead(Head):
    """Minibatch discrimination (1606.03498, section 3.2): a layer reads f(x) beside its closeness to the other images.

    With f the means of the critic's features over places, and a tensor T, ``M_i = f(x_i) T`` and ``o(x_i)_b =
    (1/(n - 1)) Σ_{j≠i} exp(-‖M_ib - M_jb‖₁)`` over the rest of the batch; real images and fakes are batches of their
    own. The score is ``logit + v · LeakyReLU(W [f(x_i), o(x_i)] + c)``.

    Args:
        features: the number F of features.
        places: over how many places they are laid out.
        kernels: B, numbers that join f.
        size: C, numbers that each of them compares.

    Raises:
        ValueError: for less than one of either.
    """

    def __init__(self, features: int, places: int, kernels: int, size: int) -> None:
        super().__init__()
        whole(1, kernels=kernels, kernel_size=size)
        self.setting = f"minibatch discrimination {kernels}×{size}"
        self.places, channels = places, features // places
        self.tensor = nn.Parameter(torch.randn(channels, kernels, size) / channels**0.5)
        self.joint = nn.Sequential(
            nn.Linear(channels + kernels, channels), nn.LeakyReLU(0.2), silent(nn.Linear(channels, 1, bias=False))
        )

    def forward(self, logit: Tensor, features: Tensor, given: Batch) -> Tensor:
        """Map logits ``(B,)`` and features ``(B, F)`` to scores ``(B,)``."""
        pooled = at_least_single(reduce(features, "image (channel place) -> image channel", "mean", place=self.places))
        rows = torch.tensordot(pooled, self.tensor.to(pooled), 1)  # (B, kernels, size)
        rows = rearrange(rows, "image kernel size -> kernel image size")
        itself = torch.eye(len(features), dtype=torch.bool, device=features.device)
        near = torch.exp(-torch.cdist(rows, rows, p=1)).masked_fill(itself, 0).sum(2) / max(len(features) - 1, 1)
        return logit + self.joint(torch.cat([pooled, rearrange(near, "kernel image -> image kernel")], 1))[:, 0]


class HistoricalAverage(Term):
    """``‖θ - (1/t) Σ θ[i]‖²`` for both sides, over their weights so far (1606.03498, section 3.3).

    Args:
        sides: modules of ``"critic"`` and ``"generator"``, whose weights now are the first of the average.
        weight: the weight of the term.

    Attributes:
        critic_mean, generator_mean: average of all weights in one vector.
        critic_steps, generator_steps: the number t of steps.
    """

    def __init__(self, sides: Mapping[str, Iterable[nn.Module]], weight: float) -> None:
        super().__init__()
        self.weight = weight
        for name, modules in sides.items():
            self.register_buffer(f"{name}_mean", _flat(modules).detach().clone())
            self.register_buffer(f"{name}_steps", torch.ones((), dtype=torch.int64))

    @property
    def setting(self) -> str:
        """What the term is in words, for a column of the table."""
        return f"historical averaging {self.weight:g}"

    def critic(self, game: GameView, step: GameStep) -> dict[str, Tensor]:
        """Return the critic's distance, weighted."""
        return {"history": self._distance(game, "critic")}

    def generator(self, game: GameView, step: GameStep) -> dict[str, Tensor]:
        """Return the generator's distance, weighted."""
        return {"history": self._distance(game, "generator")}

    def after(self, game: GameView, turn: str, logs: Mapping[str, Tensor]) -> None:
        """Move the average of the side that has stepped."""
        steps, mean = self.get_buffer(f"{turn}_steps"), self.get_buffer(f"{turn}_mean")
        steps += 1
        mean.lerp_(_flat(game.sides[turn]), float(1 / steps))

    def _distance(self, game: GameView, turn: str) -> Tensor:
        return self.weight * (_flat(game.sides[turn]) - self.get_buffer(f"{turn}_mean")).square().sum()


def _flat(modules: Iterable[nn.Module]) -> Tensor:
    return torch.cat([p.flatten() for module in modules for p in module.parameters()])
