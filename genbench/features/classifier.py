"""A small convolutional network trained on the data set's own labels: features that know the classes at hand.

ImageNet's features were never shown a digit. These were, by nobody but the training split, so they depend on it:
the hash of the weights belongs to every figure, and figures under two classifiers do not compare.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from genbench.features.base import Extractor, TwoLayers, layers, register
from genbench.features.store import read, write
from genbench.files import cache_dir, digest
from genbench.seed import fork_rng, generator
from genbench.spec import Batch, DataSpec, to_bytes

NAME = "classifier"
RESIZE = "none; x / 127.5 - 1"
VERSION = 1
# Seconds for small sets, a minute or so for large ones.
EPOCHS = 6
LEAST_STEPS = 300
MOST_STEPS = 3000


@dataclass(frozen=True)
class Training:
    """All that a classifier's weights depend on, besides machine and threads.

    Args:
        shape: the shape of an image, ``(C, H, W)``.
        classes: the number of classes that the labels name.
        data: the digest of the training images and labels.
        steps: the number of Adam's steps on batches of 64, the rate rising to 0.003 and falling to nothing.
        seed: the seed of initialisation, order and shifts.
        version: the version of this file's network and training.
    """

    shape: tuple[int, int, int]
    classes: int
    data: str
    steps: int
    seed: int = 0
    version: int = VERSION

    def identity(self) -> dict[str, Any]:
        """Return the facts in the form in which JSON gives them back."""
        return {**asdict(self), "shape": list(self.shape)}


class Network(nn.Module):
    """A network of 3×3 convolutions, 16, 32, 64, 64 … filters, halving to a side below 8; 64 features; logits."""

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        channels, height, width = shape
        filters = 16
        stages = _convolution(channels, filters)
        while min(height, width) >= 8:
            stages += [nn.MaxPool2d(2), *_convolution(filters, min(2 * filters, 64))]
            height = height // 2
            width = width // 2
            filters = min(2 * filters, 64)
        flat = filters * height * width
        self.body = nn.Sequential(*stages, nn.Flatten(), nn.Linear(flat, 64, bias=False), nn.BatchNorm1d(64), nn.ReLU())
        self.head = nn.Linear(64, classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features ``(B, 64)`` and logits ``(B, K)`` of bytes ``(B, C, H, W)``."""
        features = self.body(images.float() / 127.5 - 1)
        return features, self.head(features)


class Classifier(TwoLayers):
    """The trained network as torch-fidelity takes it: from its file, or from memory where no file could be written.

    Raises:
        ValueError: for a file that is missing, damaged or not a classifier's.
    """

    def __init__(
        self,
        name: str,
        features_list: list[str],
        feature_extractor_weights_path: Path | None = None,
        network: Network | None = None,
        **_: object,
    ) -> None:
        super().__init__(name, features_list)
        self.network = _load(feature_extractor_weights_path) if network is None else network

    def both(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features and logits of uint8 images in the data set's own shape."""
        return self.network(images)


def make(
    data: Batch | None = None,
    spec: DataSpec | None = None,
    weights: Path | None = None,
    device: torch.device | str = "cpu",
    *,
    keep: bool = True,
) -> Extractor:
    """Return a training split's classifier: read from the cache where it was trained before, else trained and kept.

    Args:
        data: the training split; rows with label -1 are left out.
        spec: the split's shape, levels and classes.
        weights: the file of a classifier trained before, instead of both.
        device: the device to train and run on.
        keep: whether it is looked for in the cache and kept there; not that of images which nobody sees again.

    Raises:
        ValueError: without data or weights, for data without labels, or for a file that is not a classifier's.
    """
    register(NAME, Classifier)
    if weights is not None:
        return _extractor(_load(weights), Path(weights), device)
    if data is None or spec is None:
        raise ValueError(f"extractor={NAME!r} learns from labels: pass classifier_data and spec, or weights=PATH")
    if spec.classes < 2 or data.labels is None or not bool((data.labels >= 0).any()):
        raise ValueError(f"extractor={NAME!r}: the data set has no labels; 'efficientnet-lite0' needs none")
    known = data.labels >= 0
    images = to_bytes(data.images[known], spec.levels)
    labels = data.labels[known]
    steps = min(max(EPOCHS * len(images) // 64, LEAST_STEPS), MOST_STEPS)
    training = Training(spec.shape, spec.classes, digest({"images": images, "labels": labels}), steps)
    if not keep:
        return _extractor(train(training, images, labels, device), None, device)
    file = f"{training.data[:16]}-{training.classes}-{training.steps}-v{VERSION}.safetensors"
    path = cache_dir() / "classifiers" / file
    stored = read(path)
    if stored is not None and stored[1] == training.identity():
        return _extractor(_load(path), path, device)
    network = train(training, images, labels, device)
    kept = write(path, network.state_dict(), training.identity())
    return _extractor(network, path if kept else None, device)


def train(training: Training, images: Tensor, labels: Tensor, device: torch.device | str = "cpu") -> Network:
    """Train a classifier of bytes ``(N, C, H, W)``, the same each time on one machine and thread count."""
    with fork_rng(training.seed):
        network = Network(training.shape, training.classes).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=training.steps)
    noise = generator(training.seed, "classifier")
    order = torch.empty(0, dtype=torch.int64)
    size = min(64, len(images))
    # The copy keeps the training's own randomness on the CPU, wherever the network is.
    images = images.to(device)
    labels = labels.to(device)
    with torch.enable_grad():
        for _ in range(training.steps):
            if len(order) < size:
                order = torch.randperm(len(images), generator=noise)
            rows = order[:size].to(device)
            order = order[size:]
            _, logits = network(_shifted(images[rows], noise))
            optimizer.zero_grad()
            cross_entropy(logits, labels[rows]).backward()
            optimizer.step()
            schedule.step()
    return network.eval().requires_grad_(False)


def accuracy(extractor: Extractor, data: Batch, levels: int) -> float:
    """Return the share of labelled images whose likeliest class is their label."""
    if data.labels is None or not bool((data.labels >= 0).any()):
        raise ValueError("data have no labels: accuracy compares predictions with them")
    known = data.labels >= 0
    predicted = extractor.predict(data.images[known], levels).argmax(dim=1)
    return float((predicted == data.labels[known].cpu()).double().mean())


def _shifted(images: Tensor, noise: torch.Generator) -> Tensor:
    """Return a batch moved by up to a fourteenth of its side each way (two pixels of 28), edges repeated."""
    height, width = images.shape[2:]
    reach = min(height, width) // 14
    if reach == 0:
        return images
    down, right = torch.randint(0, 2 * reach + 1, (2,), generator=noise).tolist()
    framed = pad(images.float(), (reach, reach, reach, reach), mode="replicate")
    return framed[:, :, down : down + height, right : right + width]


def _convolution(before: int, after: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]


def _extractor(network: Network, path: Path | None, device: torch.device | str) -> Extractor:
    hashed = digest(network.state_dict())
    whole = Classifier(NAME, layers(Classifier), network=network).requires_grad_(False).eval().to(device)
    return Extractor(NAME, hashed, RESIZE, whole, path)


def _load(path: Path | None) -> Network:
    stored = None if path is None else read(Path(path))
    if stored is None or stored[1].get("version") != VERSION:
        raise ValueError(f"weights {path}: not a classifier of this version of genbench")
    tensors, identity = stored
    with torch.device("meta"):
        network = Network(tuple(identity["shape"]), identity["classes"])
    network.load_state_dict(tensors, assign=True)
    return network.eval().requires_grad_(False)
