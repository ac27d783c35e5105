"""Triple-GAN: a generator and a classifier, both of which a critic of images beside labels tells from the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from families.adversarial.losses import NON_SATURATING, logistic_fake, logistic_real
from families.gan.builder import ADAM, GANBuilder, gan_recipe
from families.gan.codes import ClassCode
from families.gan.few_labels import FewLabels, check_labelled, labelled_of
from families.gan.model import GAN
from families.gan.projection import class_generator, projection_critic
from families.layers.convolutional import ImageEncoder, faint, he
from families.layers.ema import Average
from families.layers.evaluation import evaluation
from families.layers.options import positive, positive_or_zero, share, whole
from families.outputs.base import at_least_single
from genbench.interface import Phase, Step, Turn
from genbench.seed import normal
from genbench.spec import Batch

HALF = 0.5  # α, the classifier's part of what is fake; and α_q
CLASSIFIER_SHARE = 0.1  # of the budget, before the game
LATER = 0.3  # of the game, from which on fakes teach the classifier
PSEUDO_WEIGHT = 0.1  # α_P
ENTROPY, BALANCE = 0.3, 1e-3


class Classifier(nn.Module):
    """A convolutional classifier with dropout before its last layer.

    Args:
        shape: the shape ``(C, H, W)``.
        width: features at the image's scale.
        hidden: units before the last layer.
        classes: the number of classes.
    """

    def __init__(self, shape: tuple[int, int, int], width: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            ImageEncoder(shape, width, 1, hidden, last=he),
            nn.SiLU(),
            nn.Dropout(0.5),
            faint(nn.Linear(hidden, classes)),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map images ``(B, C, H, W)`` on [-1, 1] to logits ``(B, K)``."""
        return self.layers(images)


def entropy(logits: Tensor) -> Tensor:
    """Return the mean entropy of each row's classes, in nats."""
    return -(logits.softmax(1) * logits.log_softmax(1)).sum(1).mean()


def balance(logits: Tensor) -> Tensor:
    """Return the cross-entropy of even classes and the mean of the rows' probabilities: least where all are used."""
    return -logits.softmax(1).mean(0).clamp(min=torch.finfo(logits.dtype).tiny).log().mean()


class TripleGAN(FewLabels):
    """Three players: generator p(x given c), classifier q(c given x), and a critic of pairs (x, c).

    Args:
        parts: what :class:`GAN` takes, in its order.
        classifier: q, images on [-1, 1] → logits.
        noise: the deviation of what is added to all that the critic sees.
        pseudo: the share of the critic's reals that are images of the batch with the classifier's class.
        classifier_lr: the classifier's learning rate.
        average: decay of the moving averages of generator and classifier; 0 for none.
        options: what else :class:`GAN` takes.
    """

    def __init__(
        self,
        *parts: Any,  # noqa: ANN401 - handed on
        classifier: nn.Module,
        noise: float,
        pseudo: float,
        classifier_lr: float,
        average: float = 0.0,
        **options: Any,  # noqa: ANN401 - handed on
    ) -> None:
        super().__init__(*parts, average=average, **options)
        self.classifier = classifier
        self.noise = noise
        self.pseudo = pseudo
        self.classifier_lr = classifier_lr
        self.classifier_average = Average({"classifier": classifier}, average) if average else None

    def phases(self) -> Sequence[Phase]:
        """Return the classifier's phase on labels alone, then the game of three."""
        (phase,) = super().phases()
        critic, generator = phase.turns
        play = partial(Turn, "classifier", [self.classifier], after=self._after_classifier)
        optimizer = partial(ADAM, lr=self.classifier_lr)
        alone, third = play(self.supervised_loss, optimizer), play(self.classifier_loss, optimizer)
        first = self.counted(Phase("classifier", CLASSIFIER_SHARE, [alone]))
        return [first, Phase("game", 1 - CLASSIFIER_SHARE, [critic, generator, third])]

    @property
    def setting(self) -> str:
        """What the recipe prescribes beside its loss, for a column of the table."""
        own = [
            f"classifier's rate {self.classifier_lr:g}",
            f"noise {self.noise:g} before the critic",
            f"{self.pseudo:g} of reals with guessed labels",
        ]
        return "; ".join([super().setting, *own])

    def critic_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return ``E s(-C(x, c)) + ½ E s(C(G(z, c), c)) + ½ E Σ_c q(c given x) s(C(x, c))``, s the softplus."""
        given, u = self.fakes_of(batch, step)
        labelled, labels = labelled_of(batch)
        images = self._real(batch)
        with torch.no_grad():
            fakes = self.generate(u, given)
        with evaluation(self.classifier):  # what it says, without dropout
            chances = self._learned(images).softmax(1)
        real = self._every(self._real(labelled), step).gather(1, labels[:, None])
        fake = self._every(fakes, step).gather(1, self._labels(given)[:, None])
        scores = self._every(images, step)
        of_real = logistic_real(real)
        if self.pseudo:
            guessed = scores.gather(1, chances.argmax(1, keepdim=True))
            of_real = (1 - self.pseudo) * of_real + self.pseudo * logistic_real(guessed)
        of_classified = (chances * F.softplus(scores)).sum(1).mean()
        loss = of_real + HALF * logistic_fake(fake) + HALF * of_classified
        return {"loss": loss, "real": real.mean(), "fake": fake.mean(), "classified": (chances * scores).sum(1).mean()}

    def generator_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return ``½ E s(-C(G(z, c), c))``."""
        given, u = self.fakes_of(batch, step)
        fake = self._every(self.generate(u, given), step).gather(1, self._labels(given)[:, None])
        return {"loss": HALF * logistic_real(fake), "fake": fake.mean()}

    def supervised_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the cross-entropy of labelled images, and a little of how unevenly all images fall into classes."""
        labelled, labels = labelled_of(batch)
        told = self._learned(self._real(labelled))
        even = ENTROPY * balance(self._learned(self._real(batch)))
        right = (told.argmax(1) == labels).double().mean()
        return {"loss": F.cross_entropy(told, labels) + even, "balance": even, "accuracy": right}

    def classifier_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the supervised loss, the critic's word on all classes, that of fakes later on, entropy and balance."""
        labelled, labels = labelled_of(batch)
        images = self._real(batch)
        told, logits = self._learned(self._real(labelled)), self._learned(images)
        with torch.no_grad():
            scores = self._every(images, step)
        parts = {
            "supervised": F.cross_entropy(told, labels),
            "game": HALF * (logits.softmax(1) * F.softplus(-scores)).sum(1).mean(),
            "entropy": ENTROPY * entropy(logits),
            "balance": BALANCE * balance(logits),
        }
        if step.fraction >= LATER:
            given, u = self.fakes_of(batch, step)
            with torch.no_grad():
                fakes = self.generate(u, given)
            parts["fakes"] = PSEUDO_WEIGHT * F.cross_entropy(self._learned(fakes), self._labels(given))
        accuracy = (told.argmax(1) == labels).double().mean()
        return {"loss": torch.stack(list(parts.values())).sum(), **parts, "accuracy": accuracy}

    def told(self, images: Tensor) -> Tensor:
        """Return the logits of the classes, by the classifier's average if there is one."""
        average = self.classifier_average
        return (self.classifier if average is None else average.copies["classifier"])(images)

    def _every(self, images: Tensor, step: Step) -> Tensor:
        """Return the critic's scores of noisy images under each class, ``(B, K)``, from one pass of its features."""
        shown = self._shown(images, step)
        if self.noise:
            shown = shown + self.noise * normal(tuple(shown.shape), step.generator, shown.device).to(shown)
        logit, features = self.critic(shown)
        head: Any = self.head
        return at_least_single(logit[:, None] + features @ head.embedding.weight.T)

    def _learned(self, images: Tensor) -> Tensor:
        return at_least_single(self.classifier(images))

    def _labels(self, given: Batch) -> Tensor:
        if given.labels is None:
            raise ValueError("labels=None: fakes are asked for a class each")
        return given.labels

    def _after_classifier(self, logs: Mapping[str, Tensor], step: Step) -> None:
        if self.classifier_average is not None:
            self.classifier_average.update({"classifier": self.classifier})


@gan_recipe(lr=1e-3)
def triple_gan(
    builder: GANBuilder, *, hidden: int = 128, noise: float = 0.3, pseudo: float = 0.99, classifier_lr: float = 1e-3
) -> GAN:
    """Triple-GAN (1703.02291): generator and classifier against a critic that sees images with labels.

    Critic: ``E s(-C(x, c)) + ½ E s(C(G(z, c), c)) + ½ E Σ_c q(c given x) s(C(x, c))``; generator:
    ``½ E s(-C(G(z, c), c))``; classifier: cross-entropy on labels, ``½ E Σ_c q(c given x) s(-C(x, c))``, and from 0.3
    of the game on 0.1 times the cross-entropy of fakes and the class that they were made for. Only with labels does the
    game's balance, a mixture that is the data, become each of the two.

    Departures: the pair of ``projection-cgan``, whose critic scores all classes from one pass, so that the sum over
    classes is exact where the authors weigh the likeliest; a convolutional classifier with a small entropy and balance
    term, as the authors' code, and at a rate of its own. The critic would know a hundred images by heart: as in that
    code, nearly all of its reals are images of the batch with guessed labels, which moves the target towards the
    classifier, and which at half of its reals the classifier's half of what is fake would undo; rates stay as they are.

    Args:
        builder: what all recipes share.
        hidden: units before the classifier's last layer.
        noise: the deviation of the noise on all that the critic sees.
        pseudo: the share of reals with guessed labels; 0 for none.
        classifier_lr: the classifier's learning rate.

    Raises:
        ValueError: for data without classes or without a labelled share, or an option out of range.
    """
    whole(1, hidden=hidden)
    positive(classifier_lr=classifier_lr)
    positive_or_zero(noise=noise)
    share(pseudo=pseudo)
    classes = check_labelled(builder.spec, "triple-gan")
    code = ClassCode(builder.latents)
    critic, head = projection_critic(builder)
    classifier = Classifier(builder.spec.shape, max(builder.width // 2, 1), hidden, classes)
    return builder.build(
        NON_SATURATING,
        generator=class_generator(builder, code),
        critic=critic,
        code=code,
        head=head,
        optimizer=ADAM,
        kind=partial(
            TripleGAN,
            classifier=classifier,
            noise=noise,
            pseudo=pseudo,
            classifier_lr=classifier_lr,
        ),
    )
