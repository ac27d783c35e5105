"""scikit-learn's handwritten digits: 1,797 images of 8×8 with 17 levels, inside the package."""

from __future__ import annotations

import torch

from genbench.data.raw import Raw


def load() -> Raw:
    """Return all 1,797 images with their labels, not yet split."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = torch.from_numpy(digits.images).to(torch.uint8)[:, None]
    return Raw(images, torch.from_numpy(digits.target).long(), levels=17, classes=10)
