"""Heads: the score, made of a critic's logit, features and a condition; their weights learn with the critic's."""

from __future__ import annotations

from torch import Tensor, nn

from families.gan.codes import labels_of
from families.layers.options import whole
from genbench.spec import Batch


class Head(nn.Module):
    """A head that hands on the critic's own logit, whatever the condition.

    Attributes:
        setting: what it adds to the logit in words, for :attr:`GAN.setting`; empty for nothing.
    """

    setting = ""

    def forward(self, logit: Tensor, features: Tensor, given: Batch) -> Tensor:
        """Map logits ``(B,)`` and features ``(B, F)`` to scores ``(B,)``."""
        return logit


class JointHead(Head):
    """A head in which image and label meet in a hidden layer, whose output joins the logit (1411.1784, figure 1).

    ``logit + v · LeakyReLU((W features + b) ⊙ E[label])``: a product, since a critic whose joint layer added the two
    was seen to score images alone for their first 50,000.

    Args:
        features: the number F of features.
        classes: number of labels.
        hidden: units of the joint layer.

    Raises:
        ValueError: for less than one hidden unit.
    """

    def __init__(self, features: int, classes: int, hidden: int) -> None:
        super().__init__()
        whole(1, hidden=hidden)
        self.setting = f"joint layer {hidden}"
        self.image, self.label = nn.Linear(features, hidden), nn.Embedding(classes, hidden)
        self.joint = nn.Sequential(nn.LeakyReLU(0.2), nn.Linear(hidden, 1))

    def forward(self, logit: Tensor, features: Tensor, given: Batch) -> Tensor:
        """Map logits ``(B,)``, features ``(B, F)`` and labels to scores ``(B,)``."""
        return logit + self.joint(self.image(features) * self.label(labels_of(given)))[:, 0]


class ProjectionHead(Head):
    """A head ``logit + ⟨V[label], features⟩``: a score of the image alone, and how it fits its label (1802.05637).

    Args:
        features: the number F of features.
        classes: number of labels.
    """

    setting = "projection on the label"

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, features)

    def forward(self, logit: Tensor, features: Tensor, given: Batch) -> Tensor:
        """Map logits ``(B,)``, features ``(B, F)`` and labels to scores ``(B,)``."""
        return logit + (self.embedding(labels_of(given)) * features).sum(1)
