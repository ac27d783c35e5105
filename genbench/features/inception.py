"""Inception-v3 as the papers use it: torch-fidelity's port of the TensorFlow weights of 2015, when they are at hand.

Its weights (91 MB) are in no package: they are looked for, never downloaded.
"""

from __future__ import annotations

import io
from pathlib import Path

import torch
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from genbench.features.base import Extractor, layers, register, to_rgb
from genbench.files import file_digest
from genbench.pretrained import inception_v3, reading

NAME = "inception-v3"
RESIZE = "bilinear as TensorFlow 1 did to 299×299 without antialiasing, grey three times over, (x - 128) / 128"


class InceptionV3(FeatureExtractorInceptionV3):
    """torch-fidelity's network, taking grey images too, from a file that cannot run code.

    Raises:
        ValueError: without a weights file, or for one that is not this network's.
    """

    def __init__(
        self, name: str, features_list: list[str], feature_extractor_weights_path: Path | None = None, **options: object
    ) -> None:
        path = inception_v3(feature_extractor_weights_path)
        # torch-fidelity unpickles whatever the file holds. It gets a copy of the tensors alone, saved here.
        copy = io.BytesIO()
        with reading(NAME, path):
            torch.save(torch.load(path, map_location="cpu", weights_only=True), copy)
            copy.seek(0)
            super().__init__(name, features_list, feature_extractor_weights_path=copy, **options)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the requested layers of uint8 images ``(N, 1 or 3, H, W)``."""
        return super().forward(to_rgb(x))


def make(weights: Path | None = None, device: torch.device | str = "cpu") -> Extractor:
    """Return the extractor, from the weights that :func:`genbench.pretrained.inception_v3` finds."""
    path = inception_v3(weights)
    register(NAME, InceptionV3)
    network = InceptionV3(NAME, layers(InceptionV3), path).to(device)
    return Extractor(NAME, file_digest(path), RESIZE, network, path)
