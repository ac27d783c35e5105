"""The networks that the recipes of GANs share, so that a table compares what else they do, and their options.

A recipe under :func:`gan_recipe` takes a :class:`GANBuilder` in place of a spec and says only what is its own::

    @gan_recipe()
    def gan(builder: GANBuilder) -> GAN:
        return builder.build(NON_SATURATING, optimizer=ADAM)

Its signature in the catalogue has the shared options too, with the recipe's own defaults where it gives some. The
networks are those of :mod:`families.adversarial.dcgan` unless ``network`` says otherwise; training takes batches of 64
unless its :class:`genbench.FitConfig` says otherwise.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import partial, wraps
from typing import Any

import torch
from torch import nn

from families.adversarial.augment import augmentation
from families.adversarial.dcgan import Norm
from families.adversarial.losses import Loss
from families.adversarial.networks import ImageCritic
from families.adversarial.penalties import Penalty
from families.adversarial.terms import Term
from families.gan.codes import Code
from families.gan.heads import Head
from families.gan.model import GAN
from families.gan.networks import NETWORKS
from families.gan.rules import Rules
from families.layers.options import one_of, positive, share, whole
from genbench.implicit import ImplicitModel
from genbench.spec import DataSpec

ADAM = partial(torch.optim.Adam, betas=(0.5, 0.999))


@dataclass(frozen=True, kw_only=True)
class GANBuilder:
    """The options that the recipes of GANs have in common, and a GAN of shared networks under them.

    Args:
        spec: the spec of the data.
        network: ``"convolutional"`` (DCGAN's kind), ``"residual"`` or ``"dense"``, generator and critic alike.
        width: channels at half the resolution, or units of a hidden layer where the network is dense.
        latents: size Z of the noise, drawn from N(0, I).
        lr: the learning rate of both networks.
        critic_lr: the critic's own, if it has one (two time scales, 1706.08500).
        critic_steps: critic steps for each generator step.
        average: decay of the moving average of the generator that samples come from, ramped up as
            ``min(average, (1 + t) / (10 + t))`` over the generator's steps t; 0 for none. It takes in batch
            normalisation's running statistics; spectral normalisation uses the live singular vectors.
        augment: what is done to every image before the critic sees it (DiffAugment, 2006.10738): any of ``color``,
            ``translation`` and ``cutout``, with commas between; nothing by default.

    Raises:
        ValueError: for an option out of range.
    """

    spec: DataSpec
    network: str = "convolutional"
    width: int = 32
    latents: int = 64
    lr: float = 2e-4
    critic_lr: float | None = None
    critic_steps: int = 1
    average: float = 0.99
    augment: str = ""

    def __post_init__(self) -> None:
        whole(1, latents=self.latents)
        positive(lr=self.lr, critic_lr=self.lr if self.critic_lr is None else self.critic_lr)
        share(average=self.average)
        one_of(NETWORKS, network=self.network)

    def classes(self) -> int:
        """Return the number of labels of the data.

        Raises:
            ValueError: where there are none.
        """
        if not self.spec.classes:
            raise ValueError("classes=0: this recipe needs a label for each image, and the data have none")
        return self.spec.classes

    def generator(self, code: Code, **parts: Norm | bool) -> nn.Module:
        """Make a generator: codes to images on [-1, 1].

        Args:
            code: what it is fed by.
            parts: the parts of a network of feature maps: ``norm``, for its normalisation, and whether ``attention``.
        """
        return NETWORKS[self.network].generator(self.spec.shape, code.features, self.width, **self._checked(parts))

    def critic(self, norm: Norm | None = None, **parts: bool) -> ImageCritic:
        """Make a critic: images on [-1, 1] to a logit and features.

        Args:
            norm: the normalisation instead of the network's own: batch normalisation, and none in a dense one.
            parts: the parts of a network of feature maps: whether ``attention``.
        """
        own = {} if norm is None else {"norm": norm}
        return NETWORKS[self.network].critic(self.spec.shape, self.width, **own, **self._checked(parts))

    def _checked(self, parts: dict[str, Any]) -> dict[str, Any]:
        if any(parts.values()) and not NETWORKS[self.network].maps:
            able = " or ".join(name for name, networks in NETWORKS.items() if networks.maps)
            raise ValueError(f"network={self.network!r}: this recipe needs feature maps: give {able}")
        return parts if NETWORKS[self.network].maps else {}

    def rules(self, optimizer: Callable[..., torch.optim.Optimizer]) -> Rules:
        """Return the rules that these options say, under ``optimizer``, a function of ``(parameters, lr=…)``."""
        return Rules(
            optimizer=partial(optimizer, lr=self.lr),
            critic_optimizer=partial(optimizer, lr=self.critic_lr or self.lr),
            critic_steps=self.critic_steps,
            average=self.average,
            augment=augmentation(self.augment),
        )

    def build(
        self,
        loss: Loss,
        *,
        optimizer: Callable[..., torch.optim.Optimizer],
        critic: nn.Module | None = None,
        generator: nn.Module | None = None,
        code: Code | None = None,
        head: Head | None = None,
        penalty: Penalty | None = None,
        terms: Sequence[Term] = (),
        bound: float | None = None,
        clip: float | None = None,
        kind: Callable[..., GAN] = GAN,
    ) -> GAN:
        """Build a GAN of these options; parts that are not given are the shared ones.

        Args:
            loss: both sides of the game.
            optimizer: a function of ``(parameters, lr=…)``, for both sides.
            critic: the critic instead of the shared one, which has its network's own normalisation.
            generator: the generator instead of the shared one.
            code: the code instead of plain noise.
            head: the head instead of the critic's own logit.
            penalty: the penalty added to the critic's loss.
            terms: the terms added to either side's loss.
            bound: the bound of the critic's weights.
            clip: the largest 2-norm of either side's gradient.
            kind: the class of the model, with what it takes beside.
        """
        code = code or Code(self.latents)
        return kind(
            self.spec,
            generator or self.generator(code),
            critic or self.critic(),
            code,
            head or Head(),
            loss=loss,
            penalty=penalty,
            terms=terms,
            bound=bound,
            clip=clip,
            **vars(self.rules(optimizer)),
        )


GANRecipe = Callable[..., ImplicitModel]
COMMON = {item.name: item.default for item in fields(GANBuilder) if item.default is not MISSING}


def gan_recipe(
    *,
    own_networks: bool = False,
    **defaults: Any,  # noqa: ANN401 - defaults of any option
) -> Callable[[GANRecipe], GANRecipe]:
    """Make a recipe ``(spec, **options)`` of a function ``(builder, **own)``.

    Args:
        own_networks: whether the recipe has networks of its own, so that there is no option ``network``.
        defaults: the recipe's own for shared options.
    """
    common = {name: default for name, default in COMMON.items() if not own_networks or name != "network"} | defaults

    def decorate(function: GANRecipe) -> GANRecipe:
        own = list(inspect.signature(function).parameters.values())[1:]
        spec = inspect.Parameter("spec", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=DataSpec)
        shared = [inspect.Parameter(k, inspect.Parameter.KEYWORD_ONLY, default=v) for k, v in common.items()]

        @wraps(function)
        def recipe(spec: DataSpec, **options: Any) -> ImplicitModel:  # noqa: ANN401 - options of any type
            mine = {name: options.pop(name, default) for name, default in common.items()}
            return function(GANBuilder(spec=spec, **mine), **options)

        vars(recipe)["__signature__"] = inspect.Signature([spec, *shared, *own])
        return recipe

    return decorate
