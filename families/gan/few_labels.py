"""What GANs that learn from few labels share: the labelled minibatch, and how often each class is asked for."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Generator, Tensor

from families.gan.model import GAN
from families.layers.coded import row_chunks
from families.layers.evaluation import evaluation
from genbench.interface import Phase, Step
from genbench.spec import Batch, DataSpec, Splits


class FewLabels(GAN):
    """A conditional GAN whose training images carry a label or -1; the labelled ones come in minibatches of their own.

    Fakes are asked for classes as often as the labelled images have them, in training already.
    """

    needs_every_label = False

    @abstractmethod
    def told(self, images: Tensor) -> Tensor:
        """Return the logits of the classes, ``(B, K)``, of images on [-1, 1], by averages if there are any."""

    def classify(self, batch: Batch) -> Tensor:
        """Return the probabilities of the classes, ``(B, K)``."""
        batch = self.checked(batch, ())
        with evaluation(self):
            return torch.cat([self.told(self._real(batch.rows(rows))).softmax(1) for rows in row_chunks(batch)])

    def counted(self, phase: Phase) -> Phase:
        """Return ``phase`` with the classes' frequencies taken from the labelled images as it is entered."""

        def enter(data: Splits, step: Step) -> None:
            labels = data.train.labels
            if labels is not None:
                counts = torch.bincount(labels[labels >= 0], minlength=self.spec.classes).double()
                self.frequencies.copy_(counts / counts.sum())

        return Phase(phase.name, phase.share, phase.turns, enter=enter)

    def asked(self, n: int, generator: Generator) -> Tensor:
        """Draw the classes that ``n`` fakes are asked for, int64 ``(n,)``."""
        weights = self.frequencies.to(generator.device)
        return torch.multinomial(weights, n, replacement=True, generator=generator).to(self.device)

    def fakes_of(self, batch: Batch, step: Step) -> tuple[Batch, Tensor]:
        """Return conditions of as many fakes as there are images, and their noise, drawn in this order."""
        given = Batch(batch.images, self.asked(len(batch), step.generator))
        return given, self.draw_noise(len(batch), step.generator)


def labelled_of(batch: Batch) -> tuple[Batch, Tensor]:
    """Return the labelled minibatch and its labels.

    Raises:
        ValueError: where the batch has none.
    """
    if batch.labelled is None or batch.labelled.labels is None:
        raise ValueError("labelled=None: this recipe learns from a share of images that carry their label")
    return batch.labelled, batch.labelled.labels


def check_labelled(spec: DataSpec, name: str) -> int:
    """Return the number of classes of data of which a share is labelled.

    Raises:
        ValueError: for data without classes, or without such a share.
    """
    if not spec.classes:
        raise ValueError(f"classes=0: {name} learns from labels, and the data have none")
    if spec.labelled is None:
        raise ValueError(
            f"labelled=None: {name} learns from few labels; give the row labelled = 100, or --labelled 100"
        )
    return spec.classes
