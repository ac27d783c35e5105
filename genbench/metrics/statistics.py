"""The Gaussian of a reference's features in an ``.npz``, as ours, pytorch-fid's and clean-fid's hold it.

=============  ================================================================================================
``mu``         the mean of the features, ``(D,)``
``sigma``      their covariance, ``(D, D)``
``count``      the number of images; in ours alone, as are the others
``extractor``  the name of the extractor; ``hash`` is that of its weights
=============  ================================================================================================
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from genbench import array_file
from genbench.features.base import Extractor
from genbench.files import written_whole
from genbench.metrics.frechet import Moments

INCEPTION = "inception-v3"
INCEPTION_FEATURES = 2048


def write(path: Path, moments: Moments, extractor: Extractor) -> None:
    """Write the Gaussian of features of ``extractor``."""
    arrays = {"mu": moments.mean.numpy(), "sigma": moments.covariance.numpy(), "count": np.array(moments.count)}
    arrays |= {"extractor": np.array(extractor.name), "hash": np.array(extractor.hash)}
    with written_whole(path) as part, part.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def holds(path: Path) -> bool:
    """Return whether ``path`` is an ``.npz`` of such statistics."""
    try:
        _, names = array_file.npz(path, lambda name: False)
    except ValueError:
        return False
    return {"mu", "sigma"} <= set(names)


def read(path: Path, extractor: Extractor) -> Moments:
    """Return the Gaussian of a file, if its features are those of ``extractor``.

    Files that do not name their extractor are taken for Inception-v3's where they have its 2,048 features: pytorch-fid
    and clean-fid write no others, from the same weights, each behind a resizing of its own.

    Raises:
        ValueError: for a damaged file, other shapes, or features of another extractor.
    """
    arrays, _ = array_file.npz(path, lambda name: name in ("mu", "sigma", "count", "extractor", "hash"))
    if lacking := {"mu", "sigma"} - set(arrays):
        raise ValueError(f"{path}: no statistics: {' and '.join(sorted(lacking))} missing")
    mean, covariance = (torch.from_numpy(arrays[name].astype(np.float64)) for name in ("mu", "sigma"))
    if mean.dim() != 1 or covariance.shape != (len(mean), len(mean)):
        raise ValueError(f"{path}: mu {tuple(mean.shape)} and sigma {tuple(covariance.shape)}; give (D,) and (D, D)")
    if not bool(mean.isfinite().all() and covariance.isfinite().all()):
        raise ValueError(f"{path}: some of mu and sigma are not finite; make them again")
    made_with = str(arrays["extractor"]) if "extractor" in arrays else None
    if made_with is None and len(mean) == INCEPTION_FEATURES:
        made_with = INCEPTION
    if made_with != extractor.name:
        known = f"of {made_with}" if made_with else f"of an unknown extractor of {len(mean)} features"
        hint = f"; say --extractor {made_with}" if made_with else ""
        raise ValueError(f"{path}: statistics {known}, and {extractor.name} is asked for{hint}")
    if "hash" in arrays and str(arrays["hash"]) != extractor.hash:
        raise ValueError(f"{path}: statistics of other weights of {extractor.name}; make them again")
    return Moments(int(arrays["count"]) if "count" in arrays else None, mean, covariance)
