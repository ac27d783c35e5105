"""Images whose edges are blurred, which a critic of drawings must call fakes (CartoonGAN, CVPR 2018, section 3.2)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from families.layers.distances import grey

SIGMA = 0.8  # of a 3×3 Gaussian, in pixels; the paper's pictures of 256 px have 5×5 and about 1.1
STEEP = 0.25  # share of the steepest gradient there is, above which a pixel is on an edge
SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))
STEEPEST = 8.0  # what a step from -1 to 1 gives along an axis


def smoothed_edges(images: Tensor) -> Tensor:
    """Return the images with a Gaussian blur on their edges and beside them, and as they are elsewhere.

    Edges are where the norm of the grey image's Sobel gradient is over a quarter of its range, and their eight
    neighbours: 3×3, ``σ = 0.8`` px. Frames are repeated.

    Args:
        images: the images, ``(B, 1 or 3, H, W)`` on [-1, 1].
    """
    across = torch.tensor(SOBEL).to(images)
    kernels = torch.stack([across, across.T])[:, None]
    gradient = F.conv2d(_framed(grey(images)), kernels)
    edges = (gradient.norm(dim=1, keepdim=True) > STEEP * STEEPEST).to(images.dtype)
    near = F.max_pool2d(edges, 3, stride=1, padding=1)
    bell = torch.exp(-torch.arange(-1, 2, device=images.device).to(images.dtype).square() / (2 * SIGMA**2))
    bell = bell / bell.sum()
    kernel = torch.outer(bell, bell).expand(images.shape[1], 1, 3, 3)
    blurred = F.conv2d(_framed(images), kernel, groups=images.shape[1])
    return torch.where(near > 0, blurred, images)


def _framed(images: Tensor) -> Tensor:
    return F.pad(images, (1, 1, 1, 1), mode="replicate")
