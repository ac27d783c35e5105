"""Inception-v3 as the papers use it: torch-fidelity's port of the TensorFlow weights of 2015, when they are at hand.

Its weights (91 MB) are in no package. They are looked for, never downloaded: a benchmark that fetches files while it
measures fails on a train and in a container.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import torch
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from genbench.features.base import Extractor, layers, register, to_rgb
from genbench.features.store import weights_of
from genbench.files import cache_dir, file_digest

NAME = "inception-v3"
FILE = "weights-inception-2015-12-05-6726825d.pth"
VARIABLE = "GENBENCH_INCEPTION"
RESIZE = "bilinear as TensorFlow 1 did to 299×299 without antialiasing, grey three times over, (x - 128) / 128"


class InceptionV3(FeatureExtractorInceptionV3):
    """torch-fidelity's network, taking grey images too, from a file that cannot run code.

    Raises:
        ValueError: without a weights file, or for one that is not this network's.
    """

    def __init__(
        self, name: str, features_list: list[str], feature_extractor_weights_path: Path | None = None, **options: object
    ) -> None:
        path = find_weights(feature_extractor_weights_path)
        # torch-fidelity unpickles whatever the file holds. It gets a copy of the tensors alone, saved here.
        copy = io.BytesIO()
        with weights_of(NAME, path):
            torch.save(torch.load(path, map_location="cpu", weights_only=True), copy)
            copy.seek(0)
            super().__init__(name, features_list, feature_extractor_weights_path=copy, **options)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """The requested layers of uint8 images ``(N, 1 or 3, H, W)``."""
        return super().forward(to_rgb(x))


def find_weights(weights: Path | None = None) -> Path:
    """The weights file: the one given, else ``$GENBENCH_INCEPTION``, else where torch-fidelity or genbench keep it.

    Raises:
        ValueError: where there is none, saying what to pass and where was looked.
    """
    named = weights or os.environ.get(VARIABLE)
    if named:
        if not Path(named).is_file():
            raise ValueError(f"weights {named}: no such file; {NAME} wants {FILE} of torch-fidelity's release v0.2.0")
        return Path(named)
    places = [Path(torch.hub.get_dir()) / "checkpoints" / FILE, cache_dir() / FILE]
    for place in places:
        if place.is_file():
            return place
    raise ValueError(
        f"extractor={NAME!r} has no weights: pass weights=PATH or set {VARIABLE} to {FILE} (torch-fidelity's release "
        f"v0.2.0), or put it at {' or '.join(map(str, places))}; 'efficientnet-lite0' needs no file"
    )


def make(weights: Path | None = None, device: torch.device | str = "cpu") -> Extractor:
    """The extractor, from the weights that :func:`find_weights` finds."""
    path = find_weights(weights)
    register(NAME, InceptionV3)
    network = InceptionV3(NAME, layers(InceptionV3), path).to(device)
    return Extractor(NAME, file_digest(path), RESIZE, network, path)
