"""EfficientNet-Lite0 with its ImageNet weights, which come in a package: the extractor that needs no download.

A network of 4.6 million weights without squeeze-and-excitation (Tan and Le, arXiv:1905.11946; "Lite" by the TensorFlow
authors). Its 1,280 pooled features stand in for Inception's 2,048: figures compare only under the same extractor.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from genbench.features.base import Extractor, TwoLayers, layers, register, to_rgb
from genbench.files import file_digest
from genbench.pretrained import EFFICIENTNET_SIDE, efficientnet_lite0, efficientnet_lite0_network

NAME = "efficientnet-lite0"
SIDE = EFFICIENTNET_SIDE
RESIZE = f"bilinear with antialiasing to {SIDE}×{SIDE}, grey three times over, (x - 127) / 128"


class EfficientNetLite0(TwoLayers):
    """Pooled features ``(N, 1280)`` and ImageNet logits ``(N, 1000)`` of uint8 images of any size.

    Images are resized to 112 px, a quarter of the cost of the 224 px that the network was trained at: small pictures
    hold no more, and reading 28×28 at four times its size ranks noise and blur as it should.

    Raises:
        ValueError: for a weights file that is missing or not this network's. No code in a file is ever run.
    """

    def __init__(
        self, name: str, features_list: list[str], feature_extractor_weights_path: Path | None = None, **_: object
    ) -> None:
        super().__init__(name, features_list)
        self.network = efficientnet_lite0_network(efficientnet_lite0(feature_extractor_weights_path))

    def both(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features and logits of uint8 images ``(N, 1 or 3, H, W)``."""
        values = interpolate(to_rgb(images).float(), size=(SIDE, SIDE), mode="bilinear", antialias=True)
        scaled = ((values - 127) / 128).contiguous(memory_format=torch.channels_last)
        features = self.network.extract_features(scaled).mean(dim=(2, 3))
        return features, self.network._fc(features)


def make(weights: Path | None = None, device: torch.device | str = "cpu") -> Extractor:
    """Return the extractor, with the embedded weights unless a file is given."""
    register(NAME, EfficientNetLite0)
    path = efficientnet_lite0(weights)
    network = EfficientNetLite0(NAME, layers(EfficientNetLite0), path).requires_grad_(False).eval().to(device)
    # Sixteen images at 112 px stay in a core's cache: twice as fast as 64.
    return Extractor(NAME, file_digest(path), RESIZE, network, path, batch_size=16)
