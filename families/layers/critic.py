"""What every network that judges images is."""

from __future__ import annotations

from torch import Tensor, nn


class ImageCritic(nn.Module):
    """Images ``(B, C, H, W)`` on [-1, 1] → logit ``(B,)`` and features ``(B, F)``, which the logit is read from.

    Attributes:
        features: F.
        logit: features → ``(B, 1)``, the logit; what judges by something else has none in its place.
    """

    features: int
    logit: nn.Module

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and features."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it judges: write forward()")
