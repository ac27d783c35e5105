"""BigGAN at the size of the data, and the parts that are its own."""

from __future__ import annotations

import math
from functools import partial

import torch
from einops import rearrange
from torch import Tensor, nn

from families.adversarial.conditional_norm import VectorBatchNorm
from families.adversarial.losses import HINGE
from families.adversarial.spectral import spectrally_normalised
from families.adversarial.terms import GameStep, GameView, Term
from families.gan.builder import GANBuilder, gan_recipe
from families.gan.codes import Code, labels_of
from families.gan.model import GAN
from families.gan.projection import projection_critic
from families.layers.options import positive, switch, whole
from families.layers.scaling import scales
from families.outputs.base import at_least_single
from genbench.spec import Batch

ADAM_OF_BIGGAN = partial(torch.optim.Adam, betas=(0.0, 0.999))  # no momentum, but a long memory of squares


@gan_recipe(network="residual", width=16, lr=4e-4, critic_lr=1.6e-3, critic_steps=2)
def biggan(
    builder: GANBuilder,
    *,
    embedding: int = 32,
    weight: float = 1e-4,
    attention: bool = False,
    truncation: float | None = None,
) -> GAN:
    """BigGAN (1809.11096): noise and one embedding of the class reach every block of the generator.

    z is cut into chunks. The first goes into the first layer; each other, beside the embedding that all blocks share,
    gives a block's batch normalisation its gains and biases by linear maps. Projection critic, spectral normalisation
    in both networks, hinge loss, orthogonal initialisation and regularisation, two critic steps, Adam(0, 0.999), a
    moving average of generator and embedding.

    Departures: size and depth are the data's, attention is an option and off, and the critic's blocks widen in their
    second convolution, as the other rows' do; both learning rates are eight times the paper's 5e-5 and 2e-4, since runs
    here have hundreds of steps (at the paper's, 400 of them left noise), and the average's decay is that of other rows,
    where 0.9999 would outlast such a run; running statistics are averaged like weights, where the paper's are gathered
    anew for every truncation.

    Args:
        builder: what all recipes share.
        embedding: size of the class embedding.
        weight: the weight β of the orthogonal regularisation.
        attention: whether both networks attend to the map at half the resolution, as the paper's do at 64 of 128 px.
        truncation: samples are made of noise that stays within ±truncation, for better images and fewer kinds; none
            by default. An attribute of the model, to be set at any time; a saved model has that of its construction.
            The likelihood is that of the model without.

    Raises:
        ValueError: for data without classes, a dense network, or an option out of range.
    """
    positive(weight=weight)
    switch(attention=attention)
    blocks = max(scales(*builder.spec.shape[1:]), 1)
    code = HierarchicalCode(builder.latents, builder.classes(), embedding, blocks, truncation)
    generator = builder.generator(code, norm=partial(VectorBatchNorm, features=code.condition), attention=attention)
    critic, head = projection_critic(builder, attention=attention, initialise=orthogonal_init)
    return builder.build(
        HINGE,
        generator=spectrally_normalised(generator.apply(orthogonal_init)),
        critic=critic,
        code=code.apply(orthogonal_init),
        head=head,
        terms=[Orthogonality(weight)],
        optimizer=ADAM_OF_BIGGAN,
        kind=BigGAN,
    )


class BigGAN(GAN):
    """A GAN on a :class:`HierarchicalCode`, whose truncation can be set at any time."""

    code: HierarchicalCode

    @property
    def truncation(self) -> float | None:
        """The largest size of the noise that samples are made of; None for no bound."""
        return self.code.truncation

    @truncation.setter
    def truncation(self, value: float | None) -> None:
        if value is not None:
            positive(truncation=value)
        self.code.truncation = value


class HierarchicalCode(Code):
    """A code of noise in chunks: one for the generator's first layer, the others for blocks, beside the class's vector.

    Chunks are of one size but for the first, which has what is left over.

    Args:
        latents: size Z of u.
        classes: number of labels.
        embedding: size of the class's vector.
        blocks: the number of the generator's blocks.
        truncation: largest size of the noise in samples; None for no bound.

    Attributes:
        condition: size of what a block is given.

    Raises:
        ValueError: for too few latents to go round, or an option out of range.
    """

    given = ("label",)

    def __init__(
        self, latents: int, classes: int, embedding: int, blocks: int, truncation: float | None = None
    ) -> None:
        super().__init__(latents)
        whole(1, embedding=embedding)
        if truncation is not None:
            positive(truncation=truncation)
        chunk = latents // (blocks + 1)
        if chunk < 1:
            raise ValueError(f"latents={latents}: give at least {blocks + 1}, for the first layer and {blocks} blocks")
        self.features, self.condition = latents - blocks * chunk, embedding + chunk
        self.sizes, self.truncation = [self.features, *[chunk] * blocks], truncation
        self.embedding = nn.Embedding(classes, embedding)
        self.setting = f"noise and label embedding {embedding} in every block"

    def forward(self, u: Tensor, given: Batch) -> tuple[Tensor, ...]:
        """Map noise ``(B, Z)`` and labels to the first chunk, and a condition ``(B, condition)`` for each block."""
        first, *others = u.split(self.sizes, 1)
        shared = self.embedding(labels_of(given))
        return first, *(torch.cat([shared, chunk], 1) for chunk in others)

    def truncated(self, u: Tensor) -> Tensor:
        """Return noise within ±truncation."""
        return u if self.truncation is None else truncated_normal(u, self.truncation)


def truncated_normal(u: Tensor, bound: float) -> Tensor:
    """Map noise from N(0, 1) to noise from N(0, 1) given that it lies within ±bound, the larger for the larger u.

    The inverse distribution function of the one at the distribution function of the other: drawn so, values are
    distributed as if those outside were drawn again (1809.11096), and still come from u alone.
    """
    wide = u.double() / math.sqrt(2)
    narrow = math.sqrt(2) * torch.erfinv(torch.erf(wide) * math.erf(bound / math.sqrt(2)))
    return narrow.clamp(-bound, bound).to(u)


class Orthogonality(Term):
    """``β Σ ‖W Wᵀ ⊙ (1 - I)‖²``: the generator's filters, rows of each W, are to be orthogonal; their length is free.

    The paper writes filters as columns. W is the weight before spectral normalisation, as in the authors'
    code. The class embedding is the code's and no part of it.

    Args:
        weight: the weight β.
    """

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight

    @property
    def setting(self) -> str:
        """What the term is in words, for a column of the table."""
        return f"orthogonality {self.weight:g}"

    def generator(self, game: GameView, step: GameStep) -> dict[str, Tensor]:
        """Return the sum over all linear layers and convolutions, weighted."""
        layers = [module for module in game.generator.modules() if isinstance(module, FILTERED)]
        return {"orthogonality": self.weight * torch.stack([overlap(filters(layer)) for layer in layers]).sum()}


FILTERED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def filters(layer: nn.Module) -> Tensor:
    """Return a layer's weight before any spectral normalisation, one filter a row."""
    weight = next(value for name, value in layer.named_parameters() if "weight" in name)
    if isinstance(layer, nn.ConvTranspose2d):
        return rearrange(weight, "into out height width -> out (into height width)")
    return weight.flatten(1)


def overlap(rows: Tensor) -> Tensor:
    """Return the sum of the squared inner products of different rows, each two counted twice."""
    return at_least_single(rows @ rows.T).fill_diagonal_(0).square().sum()


@torch.no_grad()
def orthogonal_init(module: nn.Module) -> None:
    """Set orthogonal weights and biases of 0, for ``nn.Module.apply``."""
    if isinstance(module, (*FILTERED, nn.Embedding)):
        nn.init.orthogonal_(module.weight)
    if isinstance(module, FILTERED) and module.bias is not None:
        nn.init.zeros_(module.bias)
