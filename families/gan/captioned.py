"""What GANs that are given captions share: the words' vector, its augmentation, critics of an image and a caption."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from families.adversarial.dcgan import Critic, dcgan_init, unnormalised
from families.adversarial.game import Game
from families.adversarial.losses import NON_SATURATING
from families.gan.rules import Rules
from families.layers.convolutional import ImageEncoder, faint, he
from families.layers.growing import reduced
from families.layers.options import whole
from families.layers.scaling import to_unit
from families.outputs.base import at_least_single
from genbench.implicit import ImplicitModel
from genbench.interface import Phase, Step, Turn
from genbench.spec import Batch, DataSpec

FIELD = "caption"
PHASE = "text"
TEXT_SHARE = 0.04  # of the budget, in which the words' vectors are learned
VECTOR = 64  # size of a caption's vector
SHARPNESS = 10.0  # of the cosines that captions and images are matched by
WRONG = 0.5  # the weight of each of the two kinds of pairs that a critic is to call fake


def captions_of(batch: Batch) -> Tensor:
    """Return the tokens of each row's caption, ``(B, T)``.

    Raises:
        ValueError: where there are none.
    """
    if FIELD not in batch.fields:
        raise ValueError("caption=None: this model is given a caption for each image")
    return batch.fields[FIELD].long()


def needs_captions(spec: DataSpec) -> None:
    """Refuse data without captions.

    Raises:
        ValueError: naming the field.
    """
    if FIELD not in spec.fields:
        raise ValueError("fields: no caption, and this recipe is given one; say captions: in front of the data set")


def same_words(captions: Tensor, others: Tensor) -> Tensor:
    """Say which captions ``(..., T)`` have the same words, in whatever order, as ``others``, broadcast: ``(...)``."""
    return (captions.sort(-1).values == others.sort(-1).values).all(-1)


class Words(nn.Module):
    """φ, captions to vectors, learned beside ψ, images to vectors, by which belongs to which; fixed afterwards.

    φ is a sum over words, padding left out, of learned vectors, behind it two layers: the order of words plays no part.

    Args:
        spec: the spec of the data.
        width: features of ψ at the image's scale.
    """

    def __init__(self, spec: DataSpec, width: int) -> None:
        super().__init__()
        self.words = nn.Embedding(spec.fields[FIELD].levels, VECTOR)
        self.layers = nn.Sequential(he(nn.Linear(VECTOR, VECTOR)), nn.LeakyReLU(0.2), he(nn.Linear(VECTOR, VECTOR)))
        self.images = ImageEncoder(spec.shape, width, 0, VECTOR, last=he)

    def forward(self, captions: Tensor) -> Tensor:
        """Map tokens ``(B, T)``, 0 for padding, to vectors ``(B, 64)``."""
        said = (captions > 0).to(self.words.weight.dtype)
        return self.layers((self.words(captions) * said[..., None]).sum(1))

    def matching(self, images: Tensor, captions: Tensor) -> dict[str, Tensor]:
        """Return the loss of matching a batch's images on [-1, 1] with its captions, both ways.

        With scores ``10 cos(ψ(x_i), φ(t_j))`` it is the mean of ``-log P(right)`` of images and of captions, under a
        softmax over the batch in which every caption that says the same counts as right.
        """
        seen, said = (F.normalize(vectors, dim=1) for vectors in (self.images(images), self(captions)))
        scores = SHARPNESS * at_least_single(seen @ said.T)
        right = same_words(captions[:, None], captions[None])
        found = right.gather(1, scores.argmax(1, keepdim=True)).double().mean()
        return {"loss": (_missed(scores, right) + _missed(scores.T, right)) / 2, "matched": found}


def _missed(scores: Tensor, right: Tensor) -> Tensor:
    """Return the mean over rows of ``-log P(right)`` under a softmax of scores, both ``(B, B)``."""
    return (scores.logsumexp(1) - scores.masked_fill(~right, -math.inf).logsumexp(1)).mean()


class Augmentation(nn.Module):
    """Conditioning augmentation: ``c = μ + σ ε`` with (μ, log σ) a dense layer of the caption's vector.

    Args:
        size: the size of c.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        whole(1, augmented=size)
        self.size = size
        self.layer = faint(nn.Linear(VECTOR, 2 * size))

    def forward(self, vectors: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Map vectors ``(B, 64)`` and ε ``(B, size)`` to c ``(B, size)`` and the divergence of each ``(B,)``."""
        mean, log_deviation = self.layer(vectors).chunk(2, 1)
        return mean + log_deviation.exp() * noise, divergence(mean, log_deviation)


def divergence(mean: Tensor, log_deviation: Tensor) -> Tensor:
    """Return ``½ mean(μ² + σ² - 1 - 2 log σ)`` over dimensions: KL(N(μ, σ²) ‖ N(0, I)) a dimension, ``(B,)``."""
    mean, log_deviation = at_least_single(mean), at_least_single(log_deviation)
    return (mean.square() + (2 * log_deviation).exp() - 1 - 2 * log_deviation).mean(1) / 2


class CaptionHead(nn.Module):
    """Maps of an image and a caption's vector to a logit: both joined at each place, a 1×1 convolution, a dense layer.

    Args:
        base: the shape of the maps.
    """

    def __init__(self, base: Sequence[int]) -> None:
        super().__init__()
        channels, *sides = base
        self.caption = nn.Sequential(nn.Linear(VECTOR, channels), nn.LeakyReLU(0.2))
        self.layers = nn.Sequential(
            nn.Conv2d(2 * channels, channels, 1),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(channels * math.prod(sides), 1, bias=False),
        )
        self.apply(dcgan_init)

    def forward(self, maps: Tensor, vectors: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` and captions' vectors ``(B, 64)`` to logits ``(B,)``."""
        told = self.caption(vectors)[:, :, None, None].expand(-1, -1, *maps.shape[2:])
        return self.layers(torch.cat([maps, told], 1))[:, 0]


class CaptionCritic(nn.Module):
    """A critic with two heads over one trunk: of an image and its caption, and of an image alone; either may lack.

    The trunk is :class:`families.adversarial.dcgan.Critic`'s, without normalisation.

    Args:
        shape: the shape ``(C, H, W)`` of the images.
        width: channels at half the resolution.
        conditional: whether it judges images with their captions.
        unconditional: whether it judges images alone.
    """

    def __init__(self, shape: tuple[int, int, int], width: int, *, conditional: bool, unconditional: bool) -> None:
        super().__init__()
        network = Critic(shape, width, unnormalised)
        self.trunk = cast("nn.Sequential", network.layers)[:-1]
        with torch.no_grad():
            base = self.trunk(torch.zeros(1, *shape)).shape[1:]
        self.conditional = CaptionHead(base) if conditional else None
        self.unconditional = nn.Sequential(nn.Flatten(), network.logit, nn.Flatten(0)) if unconditional else None

    def critic_loss(
        self, real: Tensor, fake: Tensor, step: Step, captions: Tensor, vectors: Tensor
    ) -> dict[str, Tensor]:
        """Return the critic's side on real images and on fakes of the same captions, both as it is shown them.

        With a caption: ``E s(-C(x, φ)) + ½ [E s(C(x, φ')) + E s(C(y, φ))]``, φ' of another row's caption that says
        something else; rows whose neighbour's says the same have no part in it. Alone: ``E s(-U(x)) + E s(U(y))``.

        Args:
            real: the real images.
            fake: the fakes, without gradient.
            step: where training stands.
            captions: the tokens of both, ``(B, T)``.
            vectors: φ of them, ``(B, 64)``; neither is read without a head for captions.
        """
        seen, made = self.trunk(real), self.trunk(fake)
        logs: dict[str, Tensor] = {"loss": seen.new_zeros(())}
        if self.conditional is not None:
            game = Game(self.trunk, self.conditional, loss=NON_SATURATING)
            other = (~same_words(captions, captions.roll(1, 0))).nonzero()[:, 0]
            wrong = game.scored(seen[other], vectors.roll(1, 0)[other])
            decoys = [(WRONG, wrong)] if len(other) else []
            logs = game.critic_loss(
                game.scored(seen, vectors), game.scored(made, vectors), step, weight=WRONG, decoys=decoys
            )
        if self.unconditional is not None:
            game = Game(self.trunk, self.unconditional, loss=NON_SATURATING)
            alone = game.critic_loss(game.scored(seen), game.scored(made), step)
            logs = {**alone, **logs, "alone": alone["loss"], "loss": logs["loss"] + alone["loss"]}
        return logs

    def generator_loss(self, fake: Tensor, step: Step, vectors: Tensor) -> Tensor:
        """Return the generator's side, ``E s(-C(y, φ))``, ``E s(-U(y))`` or their sum."""
        made = self.trunk(fake)
        loss = made.new_zeros(())
        for head, given in ((self.conditional, vectors), (self.unconditional, None)):
            if head is not None:
                game = Game(self.trunk, head, loss=NON_SATURATING)
                loss = loss + game.generator_loss(game.scored(made, given), step)["loss"]
        return loss


class CaptionedGAN(ImplicitModel):
    """A model whose captions' vectors are learned in a phase of their own, and stay as they are from then on.

    They need no average: what generators learn with is what samples are made with.

    Args:
        spec: the spec of the data.
        latents: the size of all noise.
        words: φ and ψ; None for a model that is given nothing.
        rules: how all sides learn.
    """

    def __init__(self, spec: DataSpec, latents: int, words: Words | None, rules: Rules) -> None:
        super().__init__(spec, latents, given=() if words is None else (FIELD,))
        self.words = words
        self.rules = rules

    @property
    def text_phases(self) -> Sequence[Phase]:
        """The phase that learns the words, where there are any."""
        if self.words is None:
            return []
        return [Phase(PHASE, TEXT_SHARE, [Turn("matching", [self.words], self.matching_loss, self.rules.optimizer)])]

    def matching_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the loss of matching real images with their captions."""
        return cast("Words", self.words).matching(self.real(batch), captions_of(batch))

    def told(self, given: Batch) -> tuple[Tensor, Tensor]:
        """Return the tokens of captions ``(B, T)`` and their vectors ``(B, 64)``; of no size without captions."""
        if self.words is None:
            empty = torch.zeros(len(given), 0, device=self.device)
            return empty, empty
        captions = captions_of(given)
        with torch.no_grad():
            return captions, self.words(captions)

    def real(self, batch: Batch, times: int = 0) -> Tensor:
        """Return real images on [-1, 1], so many times halved by 2×2 means, in the precision of the weights."""
        return to_unit(reduced(batch.images.float(), times), self.spec.levels).to(next(self.parameters()).dtype)
