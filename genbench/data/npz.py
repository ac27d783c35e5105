"""Arrays in an .npz file: ``images`` uint8 N×H×W or N×H×W×C, and ``labels`` if there are any."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch

from genbench.data.dataset import Raw


def load(path: Path) -> Raw:
    """Read the arrays; no object in the file is unpickled.

    Raises:
        ValueError: for a file that is missing, damaged, or whose arrays are not that.
    """
    try:
        if not zipfile.is_zipfile(path):
            path.stat()
            raise ValueError("no zip archive")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ("images", "labels") if name in file}
    except FileNotFoundError as error:
        raise ValueError(f"{path}: there is no such file") from error
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{path}: not an .npz file, or damaged ({error})") from error
    except ValueError as error:
        raise ValueError(f"{path}: not an .npz file of plain arrays ({str(error).splitlines()[0]})") from error
    if "images" not in arrays:
        raise ValueError(f"{path}: no array 'images'; save one with numpy.savez({path.name!r}, images=…)")
    images = arrays["images"]
    if images.dtype != np.uint8:
        raise ValueError(f"{path}: images are {images.dtype}; give uint8 levels from 0 to 255")
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] not in (1, 3)):
        raise ValueError(f"{path}: images have shape {images.shape}; give N×H×W, or N×H×W×C with 1 or 3 channels")
    if images.size == 0:
        raise ValueError(f"{path}: images have shape {images.shape}, so there are none")
    tensor = torch.from_numpy(images)
    tensor = tensor[:, None] if tensor.dim() == 3 else tensor.permute(0, 3, 1, 2).contiguous()
    if "labels" not in arrays:
        return Raw(tensor)
    labels = arrays["labels"]
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"{path}: labels are {labels.dtype} {labels.shape}; give one integer for each of {len(images)}"
        )
    present = np.unique(labels)
    if present[0] < 0 or present[-1] >= len(images) or len(present) != present[-1] + 1:
        raise ValueError(
            f"{path}: labels run from {present[0]} to {present[-1]} in {len(present)} classes; number from 0"
        )
    return Raw(tensor, torch.from_numpy(labels.astype(np.int64)), classes=len(present))
