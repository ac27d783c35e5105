"""Translation between two domains by way of a code that they share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import cast

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from families.adversarial.game import Game, combined
from families.adversarial.losses import NON_SATURATING, Loss, weighted_generator
from families.layers.convolutional import doubling, halving, he
from families.layers.distances import l1, l2
from families.layers.evaluation import evaluation
from families.layers.options import positive, positive_or_zero, whole
from families.layers.perceptual import Perceptual
from families.layers.reversal import reversed_gradient
from families.layers.scaling import halved, to_levels, to_uint8
from families.translation.checks import unpaired
from families.translation.critics import GlobalCritic
from families.translation.model import MakeOptimizer, Translation, generator_side
from families.translation.teacher import Teacher
from genbench.interface import GenerativeModel, Phase, Step, Turn
from genbench.spec import Batch, DataSpec

SOURCE, IMAGE = 0, 1  # the domains
SOURCE_LABEL = "source_label"  # the field of the sources' classes
Shape = tuple[int, int, int]


class TwinAutoencoder(nn.Module):
    """Two autoencoders that share what is next to their code: e₁, e₂, d₁, d₂; a translation is ``d₂(e₁(x))``.

    An encoder has two 4×4 convolutions of stride 2 of its own, then one and two linear layers that both share; a
    decoder shares a linear layer and a transposed convolution, then has two of its own. ReLU between, tanh in the end.
    Sides halve three times, rounded up. A code has mean 0 and mean square 1, so that none becomes smaller than another.
    Both autoencoders begin alike, where both domains have one shape: an image's code is then at first the same in both.

    Args:
        shapes: the shapes ``(C, H, W)`` of both domains, of one height and width.
        width: channels behind the first convolution, doubled with every further one.
        code: the numbers of a code.

    Attributes:
        classifier: tells a code's domain, by a logit that is high for sources: two hidden layers as wide as a code.

    Raises:
        ValueError: for a width below 1, or a code below 2.
    """

    def __init__(self, shapes: tuple[Shape, Shape], width: int, code: int) -> None:
        super().__init__()
        whole(1, width=width)
        whole(2, code=code)
        sides = [halved(shapes[0][1:], times) for times in range(4)]
        deep = (4 * width, *sides[3])
        self.down = nn.ModuleList(
            _rectified(he(halving(shape[0], width, sides[0])), he(halving(width, 2 * width, sides[1])))
            for shape in shapes
        )
        self.encoded = nn.Sequential(
            _rectified(he(halving(2 * width, 4 * width, sides[2]))),
            nn.Flatten(),
            _rectified(he(nn.Linear(math.prod(deep), code))),
            nn.Linear(code, code),
            nn.LayerNorm(code, elementwise_affine=False),
        )
        self.decoded = nn.Sequential(
            _rectified(he(nn.Linear(code, math.prod(deep)))),
            nn.Unflatten(1, deep),
            _rectified(he(doubling(4 * width, 2 * width, sides[2]))),
        )
        self.up = nn.ModuleList(
            nn.Sequential(
                _rectified(he(doubling(2 * width, width, sides[1]))), doubling(width, shape[0], sides[0]), nn.Tanh()
            )
            for shape in shapes
        )
        hidden = _rectified(he(nn.Linear(code, code)), he(nn.Linear(code, code)))
        self.classifier = nn.Sequential(*hidden, nn.Linear(code, 1))
        if shapes[SOURCE] == shapes[IMAGE]:
            for own in (self.down, self.up):
                own[IMAGE].load_state_dict(own[SOURCE].state_dict())

    def encode(self, images: Tensor, domain: int) -> Tensor:
        """Map images ``(B, C, H, W)`` of a domain to codes ``(B, code)``."""
        return self.encoded(self.down[domain](images))

    def decode(self, codes: Tensor, domain: int) -> Tensor:
        """Map codes to images of a domain on [-1, 1]."""
        return self.up[domain](self.decoded(codes))

    def forward(self, source: Tensor, u: Tensor | None = None) -> Tensor:
        """Map sources to images."""
        return self.decode(self.encode(source, SOURCE), IMAGE)


def _rectified(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())))


class XGAN(Translation):
    """Two autoencoders with one space of codes, a game in each domain, and a meaning that translation keeps.

    The translator minimises, in both directions, its side of the game, ``r ‖x - d₁(e₁(x))‖²`` and
    ``s |e₁(x) - e₂(d₂(e₁(x)))|``, and ``w`` times the cross-entropy of a code's domain, whose gradient is reversed in
    front of the encoders: the classifier learns to tell domains apart, the encoders that it cannot. The source's code
    is held fixed where a translation's is compared with it: codes that come to meet each other all become one.

    Args:
        spec: the spec of the data.
        generator: both autoencoders and the classifier of their codes.
        critic: the critic of images.
        back_critic: the critic of sources.
        loss: both sides of both games.
        reconstruct: the weight r.
        domain: the weight w.
        semantic: the weight s.
        optimizer: a function that makes the optimiser of both turns.
        teacher: what a source's code is taught by, beside all this; None for nothing.

    Raises:
        ValueError: for a negative weight.
    """

    def __init__(
        self,
        spec: DataSpec,
        generator: TwinAutoencoder,
        critic: nn.Module,
        back_critic: nn.Module,
        *,
        loss: Loss,
        reconstruct: float,
        domain: float,
        semantic: float,
        optimizer: MakeOptimizer,
        teacher: Teacher | None = None,
    ) -> None:
        super().__init__(spec, generator)
        positive_or_zero(reconstruct=reconstruct, domain=domain, semantic=semantic)
        self.critic, self.back_critic = critic, back_critic
        self.loss = loss
        self.back, self.domain, self.semantic = reconstruct, domain, semantic
        self.optimizer = optimizer
        self.teacher = teacher
        self.perceptual = None if teacher is None else teacher.perception.name

    @property
    def setting(self) -> str:
        """What holds codes and images together, in words for a column of the table."""
        said = [f"{self.back:g} reconstruction", f"{self.domain:g} domain", f"{self.semantic:g} semantic"]
        taught = "" if self.teacher is None else self.teacher.setting
        return ", ".join(filter(None, [*said, self.loss.setting, taught]))

    @property
    def twins(self) -> TwinAutoencoder:
        """The generator, as what it is: both autoencoders and the classifier of their codes."""
        return cast("TwinAutoencoder", self.generator)

    @property
    def games(self) -> Mapping[str, Game]:
        """The game over images and that over sources, by what stands before the names of its logs."""
        play = partial(Game, self.generator, loss=self.loss)
        return {"": play(self.critic), "back_": play(self.back_critic)}

    def phases(self) -> Sequence[Phase]:
        """Return the one phase: a step of the translator, the classifier with it, and one of both critics."""
        critics = [self.critic, self.back_critic]
        learns = [self.generator] if self.teacher is None else [self.generator, self.teacher.told]
        translator = Turn("translator", learns, self.translator_loss, self.optimizer)
        game = Phase("adversarial", 1.0, [translator, Turn("critics", critics, self.critic_loss, self.optimizer)])
        return [game] if self.teacher is None else self.teacher.in_front([game], self.source)

    def _directions(self, batch: Batch) -> Sequence[tuple[str, Game, Tensor, int, Tensor, int]]:
        """Return for each direction its name and game, what is translated, its domain, the targets and theirs."""
        source, target = self.source(batch), self.target(batch)
        there, back = self.games.items()
        return [(*there, source, SOURCE, target, IMAGE), (*back, target, IMAGE, source, SOURCE)]

    def translator_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the translator's sides of both games, and what holds codes and images together."""
        logs, codes = {}, []
        for name, game, images, own, target, other in self._directions(batch):
            code = self.twins.encode(images, own)
            fake = self.twins.decode(code, other)
            side = generator_side(game, fake, target, step, source=images)
            added = {
                "reconstruct": self.back * l2(self.twins.decode(code, own), images),
                "semantic": self.semantic * l1(self.twins.encode(fake, other), code.detach()),
            }
            logs[name] = {**side, **added, "loss": sum(added.values(), side["loss"])}
            codes.append(code)
        told = self.domain * self.domain_loss(*codes)
        both = combined(logs)
        logged = {**both, "domain": told, "loss": both["loss"] + told}
        if self.teacher is None:
            return logged
        taught = self.teacher(self.source(batch), codes[SOURCE])
        return {**logged, "taught": taught, "loss": logged["loss"] + taught}

    def domain_loss(self, source: Tensor, image: Tensor) -> Tensor:
        """Return the cross-entropy of the codes' domains; encoders get its gradient reversed, the classifier as it is.

        Args:
            source: codes of sources ``(B, code)``.
            image: codes of images.
        """
        logits = self.twins.classifier(reversed_gradient(torch.cat([source, image])))[:, 0]
        truth = torch.cat([torch.ones(len(source)), torch.zeros(len(image))]).to(logits)
        return F.binary_cross_entropy_with_logits(logits, truth)

    def critic_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return both critics' sides of their games, on translations without gradient."""
        logs = {}
        for name, game, images, own, target, other in self._directions(batch):
            with torch.no_grad():
                fakes = self.twins.decode(self.twins.encode(images, own), other)
            logs[name] = game.critic_loss(game.scored(target), game.scored(fakes), step, source=images, target=target)
        return combined(logs)

    def reconstruct(self, batch: Batch, *, generator: Generator | None = None) -> Tensor:
        """Return d₂(e₂(y)) of every image, uint8 ``(B, C, H, W)``; nothing of it is random."""
        batch = self.checked(batch, ())
        with evaluation(self):
            images = self.twins.decode(self.twins.encode(self.target(batch), IMAGE), IMAGE)
        return to_uint8(to_levels(images, self.spec.levels), self.spec.levels)


def xgan(
    spec: DataSpec,
    *,
    width: int = 16,
    code: int = 128,
    reconstruct: float = 10.0,
    domain: float = 1.0,
    semantic: float = 1.0,
    game: float = 1.0,
    perceptual: str = "",
    teach: float = 1.0,
    lr: float = 1e-4,
) -> GenerativeModel:
    """XGAN (1711.05139): two autoencoders with one space of codes, two critics, and codes that translation keeps.

    The translator minimises, both ways, ``10 ‖x - d₁(e₁(x))‖² + |e₁(x) - e₂(d₂(e₁(x)))| + E softplus(-C(ŷ))``, and the
    cross-entropy of a classifier of codes by domain behind a reversed gradient, ``ŷ = d₂(e₁(x))``; critics minimise
    ``E softplus(-C(y)) + E softplus(C(ŷ))``. A pixel is never compared across domains: what a source and its
    translation have in common is their code.

    Adam(1e-4, (0.5, 0.999)). Departures: 16 channels and codes of 128 numbers for the paper's 32 and 1,024, with three
    halvings for images of its 64 px; weights, which the paper does not tell, of 1, and of 10 for reconstructions, which
    are means over pixels here and lose to the games at 1; the teacher of sources' codes, |T(x) - e₁(x)|, which the
    paper has for faces, by option, T a network's high layer behind a linear map; critics of whole images without
    normalisation. Codes are normalised, and the semantic term has no gradient towards the source's own code: else codes
    fade until all images have one. Both autoencoders begin alike, where both domains have one shape: begun apart, they
    use the same codes, each for other images.

    Args:
        spec: the spec of the data, two unpaired domains of one height and width.
        width: channels behind the first convolution of each network.
        code: the numbers of a code.
        reconstruct: the weight of both reconstructions.
        domain: the weight of the classifier of domains.
        semantic: the weight of what a translation's code is away from its source's.
        game: the weight of both games in the translator's loss.
        perceptual: the network that teaches sources' codes: ``"efficientnet-lite0"``, ``"vgg19"``, ``"classifier"``,
            which learns the sources' own labels; ``""`` for none.
        teach: its weight.
        lr: the learning rate.

    Raises:
        ValueError: for a spec of pairs, without a source or with one of other sides; for an option out of range.
    """
    source = unpaired(spec, "xgan")
    positive(lr=lr)
    positive_or_zero(game=game, teach=teach)
    teacher = None
    if perceptual:
        labels = spec.fields.get(SOURCE_LABEL)
        classes = 0 if labels is None else labels.levels
        teacher = Teacher(Perceptual(perceptual, "high", source, classes, field=SOURCE_LABEL), code, teach)
    return XGAN(
        spec,
        TwinAutoencoder((source, spec.shape), width, code),
        GlobalCritic(*spec.shape, width),
        GlobalCritic(*source, width),
        loss=weighted_generator(NON_SATURATING, game),
        reconstruct=reconstruct,
        domain=domain,
        semantic=semantic,
        optimizer=partial(torch.optim.Adam, lr=lr, betas=(0.5, 0.999)),
        teacher=teacher,
    )
