"""Arrays of images and labels as others have them, and how they are turned and ordered where they lie in memory."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

CHANNELS = (1, 3)
PASSES = 16  # in which rows are ordered: so small a share of them is in memory twice


def as_images(images: np.ndarray, name: str) -> Tensor:
    """Return images as uint8 ``(N, C, H, W)``, in the memory of the array, which is turned there.

    Args:
        images: the images, uint8 N×H×W, N×H×W×C, or N×C×H×W where the last axis has not 1 or 3.
        name: the array's name, for the message.

    Raises:
        ValueError: for another type or other axes, or for no images.
    """
    last = check_images(images.shape, images.dtype, name)
    tensor = torch.from_numpy(images)
    return tensor[:, None] if tensor.dim() == 3 else _channels_first(tensor) if last else tensor


def check_images(shape: tuple[int, ...], dtype: np.dtype, name: str) -> bool:
    """Return whether the channels of an array of images come last; one of other axes or another type is refused.

    Raises:
        ValueError: where :func:`as_images` raises it.
    """
    if dtype != np.uint8:
        raise ValueError(f"{name} are {dtype}; give uint8 levels from 0 to 255")
    last = len(shape) == 4 and shape[3] in CHANNELS
    if len(shape) not in (3, 4) or not (len(shape) == 3 or last or shape[1] in CHANNELS):
        axes = "N×H×W, N×H×W×C or N×C×H×W with 1 or 3 channels"
        raise ValueError(f"{name} have shape {shape}; give {axes}")
    if 0 in shape:
        raise ValueError(f"{name} have shape {shape}, so there are none")
    return last


def as_labels(labels: np.ndarray, count: int) -> Tensor:
    """Return labels as int64 ``(N,)``: each class from 0 to the last occurs.

    Raises:
        ValueError: for other numbers, or not one for each of ``count`` images.
    """
    labels = flat(labels)
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise ValueError(f"labels are {labels.dtype} {labels.shape}; give one integer for each of {count}")
    present = np.unique(labels)
    if present[0] < 0 or present[-1] >= count or len(present) != present[-1] + 1:
        raise ValueError(f"labels run from {present[0]} to {present[-1]} in {len(present)} classes; number from 0")
    return torch.from_numpy(labels.astype(np.int64))


def flat(labels: np.ndarray) -> np.ndarray:
    """Return labels ``(N, 1)`` as ``(N,)``, others as they are."""
    return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels


def brought_forward(values: Tensor, rows: Tensor) -> Tensor:
    """Return ``values[rows]`` in the memory of ``values``, whose order is lost: a share of it is copied at a time."""
    if torch.equal(rows, torch.arange(len(rows))):  # in order already; what is mapped nobody may write to
        return values[: len(rows)]
    values = values.contiguous()
    columns = values.view(len(values), -1)
    wide = max(1, -(-columns.shape[1] // PASSES))
    room = columns.new_empty(len(rows) * wide)  # once: what is freed and taken again may lie elsewhere each time
    for part in columns.split(wide, dim=1):
        taken = room[: len(rows) * part.shape[1]].view(len(rows), -1)
        part[: len(rows)] = torch.index_select(part, 0, rows, out=taken)
    return values[: len(rows)]


def _channels_first(images: Tensor) -> Tensor:
    """Return N×H×W×C as N×C×H×W, each image in its own place."""
    turned = images.permute(0, 3, 1, 2)
    if turned.is_contiguous():
        return turned
    images = images.contiguous()
    count, height, width, channels = images.shape
    turned = images.view(count, channels, height, width)
    for before, after in zip(images, turned, strict=True):
        after.copy_(before.permute(2, 0, 1).clone(memory_format=torch.contiguous_format))
    return turned
