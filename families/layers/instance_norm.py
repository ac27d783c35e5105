"""Normalisation of each image by itself (1607.08022)."""

from __future__ import annotations

from torch import nn


def instance(channels: int) -> nn.InstanceNorm2d:
    """Make a normalisation by each image's own mean and deviation a channel, in training and evaluation alike, affine.

    Nothing of it depends on the other images of a batch. A map of a single place has no deviation and is refused.
    """
    return nn.InstanceNorm2d(channels, affine=True)
