"""What every network that judges images is."""

from __future__ import annotations

from torch import Tensor, nn


class ImageCritic(nn.Module):
    """Images ``(B, C, H, W)`` on [-1, 1] → logit ``(B,)`` and features ``(B, F)``, which the logit is read from.

    Attributes:
        setting: which kind of network, in words for a column of the table; nothing where it is the shared pair's.
        features: F.
        layers: images → features.
        logit: features → ``(B, 1)``, the logit; what judges by something else has none in its place.
    """

    setting: str = ""
    features: int
    layers: nn.Module
    logit: nn.Module

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and features."""
        features = self.layers(images)
        return self.logit(features)[:, 0], features
