"""``edges:``: line drawings of images, to translate from."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from genbench.data.sources import without_source
from genbench.spec import DataSpec

THRESHOLD = 0.5  # of the range of levels; a step over the whole range has a Sobel gradient of 4 times it


def edges_spec(spec: DataSpec, _: int) -> DataSpec:
    """Return the spec with one channel of edges as source."""
    return replace(without_source(spec), source=(1, *spec.shape[1:]))


def edge_map(images: Tensor, levels: int) -> Tensor:
    """Return edges as 0 or 255 for each pixel, uint8 ``(N, 1, H, W)``, from images, uint8 ``(N, C, H, W)``.

    A pixel is an edge where the Sobel gradient of its steepest channel is over the threshold and no smaller than at the
    two neighbours along the gradient (Canny's thinning; directions in four sectors): lines are one pixel wide.
    """
    x = F.pad(images.float(), (1, 1, 1, 1), mode="replicate")  # whole numbers below 2²⁴: float32 is exact
    across, down = x[..., 2:] - x[..., :-2], x[..., 2:, :] - x[..., :-2, :]
    gx = across[..., :-2, :] + 2 * across[..., 1:-1, :] + across[..., 2:, :]
    gy = down[..., :-2] + 2 * down[..., 1:-1] + down[..., 2:]
    steep, channel = (gx * gx + gy * gy).max(1, keepdim=True)
    gx, gy = gx.gather(1, channel), gy.gather(1, channel)
    height, width = steep.shape[-2:]
    framed = F.pad(steep, (1, 1, 1, 1))

    def ridge(dy: int, dx: int) -> Tensor:
        """Say where a pixel is above one neighbour and not below the other: of a plateau one pixel is kept."""
        before = framed[..., 1 - dy : 1 - dy + height, 1 - dx : 1 - dx + width]
        after = framed[..., 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        return (steep > before) & (steep >= after)

    # tan 22.5° is about 2/5.
    level = 5 * gy.abs() < 2 * gx.abs()
    upright = 5 * gx.abs() < 2 * gy.abs()
    diagonal = torch.where((gx > 0) == (gy > 0), ridge(1, 1), ridge(1, -1))
    thin = torch.where(level, ridge(0, 1), torch.where(upright, ridge(1, 0), diagonal))
    strong = steep > (THRESHOLD * (levels - 1)) ** 2
    return (strong & thin).to(torch.uint8) * 255
