"""What a feature extractor is: uint8 images in, float32 features and logits out.

Every network is a torch-fidelity ``FeatureExtractorBase``, registered under its name, so that
``torch_fidelity.calculate_metrics(feature_extractor=name)`` and genbench give the same figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch_fidelity import register_feature_extractor
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

from genbench.spec import to_bytes

ABREAST = 4  # batches in memory at once


@dataclass(frozen=True)
class Features:
    """The features and logits that an extractor computed of ``N`` images.

    Args:
        features: the features, float32 ``(N, D)`` on the CPU, for FID, KID, precision and recall.
        logits: the logits, float32 ``(N, K)`` on the CPU, for the inception score.
    """

    features: Tensor
    logits: Tensor

    def __len__(self) -> int:
        return len(self.features)


@dataclass(frozen=True)
class Extractor:
    """A network that computes features, with what a stamp says of it.

    Args:
        name: the name that columns and torch-fidelity's registry have for it.
        hash: the SHA-256 of the weights.
        resize: what happens to an image before the first layer, in words.
        network: the network; it gives the layers of features and logits, in this order.
        weights: the file that holds the weights, None where they are in memory alone.
        batch_size: the number of images a forward pass; figures agree between sizes to float32's rounding.
    """

    name: str
    hash: str
    resize: str
    network: FeatureExtractorBase
    weights: Path | None = None
    batch_size: int = 64

    def features(self, images: Tensor, levels: int) -> Features:
        """Return the features of uint8 ``images`` ``(N, C, H, W)`` with integer levels ``0 … levels-1``.

        Raises:
            ValueError: for images that are not uint8, none at all, or beyond their levels.
        """
        images = to_bytes(images, levels)
        # TensorFloat-32 would round features computed on a GPU to three digits, beside cached ones that are not.
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False, deterministic=True):
            parts = self._abreast(images.split(self.batch_size))
        return Features(*(torch.cat(layer) for layer in zip(*parts, strict=True)))

    def predict(self, images: Tensor, levels: int) -> Tensor:
        """Return the probability of each class, float32 ``(N, K)``: the softmax of the logits."""
        return self.features(images, levels).logits.softmax(dim=1)

    def _abreast(self, batches: Sequence[Tensor]) -> list[tuple[Tensor, ...]]:
        """Return the layers of each batch, on a processor several batches at once, which share torch's threads.

        Layers of small images are too short to be shared out among threads (``benchmarks/comparing.py``).
        """
        threads = torch.get_num_threads()
        abreast = min(threads, len(batches), ABREAST)
        if self._device().type != "cpu" or abreast == 1:
            return [self._forward(batch) for batch in batches]
        try:
            shares = iter([threads // abreast + (i < threads % abreast) for i in range(abreast)])
            with ThreadPoolExecutor(abreast, initializer=lambda: torch.set_num_threads(next(shares))) as pool:
                return list(pool.map(self._forward, batches))
        finally:
            torch.set_num_threads(threads)  # which threads that begin from here on take too

    def _device(self) -> torch.device:
        return next(self.network.parameters()).device

    def _forward(self, batch: Tensor) -> tuple[Tensor, ...]:
        with torch.inference_mode():
            return tuple(layer.float().cpu() for layer in self.network(batch.to(self._device())))


def to_rgb(images: Tensor) -> Tensor:
    """Return grey images three times over; colour ones as they are.

    Raises:
        ValueError: for another number of channels.
    """
    if images.shape[1] not in (1, 3):
        raise ValueError(f"images have {images.shape[1]} channels: this extractor takes grey (1) or colour (3)")
    return images.expand(-1, 3, -1, -1)


def layers(network: type[FeatureExtractorBase]) -> list[str]:
    """Return the layers that FID and the inception score read, in this order."""
    return [network.get_default_feature_layer_for_metric(metric) for metric in ("fid", "isc")]


def register(name: str, network: type[FeatureExtractorBase]) -> None:
    """Make ``network`` known to torch-fidelity under ``name``, once."""
    if name not in FEATURE_EXTRACTORS_REGISTRY:
        register_feature_extractor(name, network)


class TwoLayers(FeatureExtractorBase):
    """A network that provides ``"features"`` and ``"logits"``; :meth:`both` computes them."""

    def both(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features ``(N, D)`` and logits ``(N, K)`` of uint8 images ``(N, C, H, W)``."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it sees: write both()")

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the requested layers, in the order requested."""
        values = dict(zip(self.get_provided_features_list(), self.both(images), strict=True))
        return tuple(values[name] for name in self.features_list)

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        """Return the names of the layers that there are."""
        return "features", "logits"

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        """Return the layer that a measure reads: logits for the inception score, features for all others."""
        return "logits" if metric == "isc" else "features"

    @staticmethod
    def can_be_compiled() -> bool:
        """Return False: compiling takes longer than a benchmark's few thousand images."""
        return False
