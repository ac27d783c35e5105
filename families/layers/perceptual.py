"""Distances between images as a trained network sees them (1603.08155), on a scale of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from families.layers.distances import l2
from families.layers.options import one_of
from genbench import pretrained
from genbench.interface import Phase, Step, Turn
from genbench.spec import Batch, DataSpec, Splits

CLASSIFIER = "classifier"
PLACES: Mapping[str, Mapping[str, int]] = {
    "efficientnet-lite0": {"low": 0, "middle": 2, "high": 4},
    "vgg19": {"low": 14, "middle": 25, "high": 35}
    | {"relu1_1": 1, "relu2_1": 6, "relu3_1": 11, "relu4_1": 20, "relu5_1": 29},
    CLASSIFIER: {"low": 0, "middle": 1, "high": 2},
}
FILTERS = (16, 32, 64)  # of the classifier
LEAST_SIDE = 64  # that a package's network is shown, and twice the image's own
SHARE = 0.05  # of the budget, for the classifier to learn
ROWS = 256  # of training images, by which features are brought to scale
LR = 1e-3
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's colours on [0, 1]


def chosen(name: str, spec: DataSpec) -> str:
    """Return the network's name; for ``"auto"`` a classifier where data have labels, else ``"efficientnet-lite0"``."""
    return name if name != "auto" else CLASSIFIER if spec.classes > 1 else "efficientnet-lite0"


class Classifier(nn.Module):
    """Three 3×3 convolutions of 16, 32 and 64 filters with ReLU, 2×2 maxima between; a linear head on the last's means.

    Args:
        channels: the channels of an image.
        classes: the number of classes.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        into = (channels, *FILTERS[:-1])
        self.stages = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in zip(into, FILTERS, strict=True))
        self.head = nn.Linear(FILTERS[-1], classes)

    def forward(self, images: Tensor, stage: int | None = None) -> Tensor:
        """Return the logits ``(B, K)`` of images on [-1, 1], or the maps of a stage in front of their ReLU."""
        x = images
        for i, layer in enumerate(self.stages):
            x = layer(x if i == 0 else F.max_pool2d(x.relu(), 2, ceil_mode=True))
            if i == stage:
                return x
        return self.head(x.relu().mean(dim=(2, 3)))


class Perceptual(nn.Module):
    """Features of one layer of a trained network, over their root mean square on training images.

    Layers of EfficientNet-Lite0 are its blocks 0, 2 and 4: it is narrow, and of its later blocks, at the sides of
    VGG-19's layers, a small image has fewer numbers than pixels, so that a grid which they do not see costs nothing.

    A package's network is held outside the model, so that no checkpoint holds it and a trained model loads where it is
    missing; ``classifier`` is the model's own, learns in a phase of its own, and is saved. Only the images get a
    gradient, and arithmetic is in float32.

    Args:
        name: the network: ``"efficientnet-lite0"``, ``"vgg19"`` or ``"classifier"``.
        layer: ``"low"``, ``"middle"`` or ``"high"``; of VGG-19 ``"relu1_1"`` to ``"relu5_1"`` too.
        shape: the shape ``(C, H, W)`` of the images.
        classes: the number of classes that a classifier learns.
        field: the field that names them; the labels, if it is empty.
        calibrated: whether distances are made as large as pixels' squared errors, by :meth:`calibrate`.

    Attributes:
        scale: the root mean square of the features, 1 until :meth:`standardise`.
        factor: the factor of distances, 1 unless :meth:`calibrate` has set it.

    Raises:
        ValueError: for an unknown network or layer, a classifier without classes, or images that are neither grey nor
            colour under a network of photographs.
    """

    scale: Tensor
    factor: Tensor

    def __init__(
        self,
        name: str,
        layer: str,
        shape: tuple[int, int, int],
        classes: int = 0,
        *,
        field: str = "",
        calibrated: bool = False,
    ) -> None:
        super().__init__()
        one_of(PLACES, perceptual=name)
        one_of(PLACES[name], layer=layer)
        if name == CLASSIFIER and classes < 2:
            labels = f"labels in a field {field!r}" if field else "labels"
            raise ValueError(f"perceptual={name!r}: it learns from {labels}, and these data have none; give another")
        if name != CLASSIFIER and shape[0] not in (1, 3):
            raise ValueError(f"perceptual={name!r}: it sees grey or colour images, and these have {shape[0]} channels")
        self.name, self.layer, self.field, self.calibrated = name, layer, field, calibrated
        self.place = PLACES[name][layer]
        self.classifier = Classifier(shape[0], classes) if name == CLASSIFIER else None
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("factor", torch.ones(()))

    @property
    def setting(self) -> str:
        """The network, its layer and the beginning of its weights' hash, for a column of the table."""
        if self.classifier is not None:
            return f"{self.name} {self.layer}"
        return f"{self.name} {self.layer} {pretrained.weights(self.name)[1][:8]}"

    def forward(self, images: Tensor) -> Tensor:
        """Map images ``(B, C, H, W)`` on [-1, 1] to maps of the layer, over ``scale``."""
        with torch.autocast(images.device.type, enabled=False):
            return self._maps(images.float()).to(images.dtype) / self.scale.to(images.dtype)

    def _maps(self, images: Tensor) -> Tensor:
        if self.classifier is None:
            return _package(self.name, self.place, images.device)(_fed(self.name, images))
        held = {name: value.detach().float() for name, value in self.classifier.named_parameters()}
        return functional_call(self.classifier, held, (images, self.place))

    @torch.no_grad()
    def standardise(self, images: Tensor) -> None:
        """Set ``scale`` by images on [-1, 1]."""
        self.scale.fill_(1.0)
        self.scale.copy_(self(images).square().mean().sqrt().clamp(min=1e-6))

    @torch.no_grad()
    def calibrate(self, copy: Tensor, images: Tensor) -> None:
        """Set ``factor`` so that the squared distance of these images from their copies is that of their pixels.

        Args:
            copy: what a translator that does nothing would give, such as sources enlarged; on [-1, 1].
            images: the images.
        """
        self.factor.copy_(l2(copy, images) / l2(self(copy), self(images)).clamp(min=1e-12))

    def compared(self, distance: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
        """Return the distance of two batches' features, times ``factor``, as a function of the batches."""
        return partial(self._compared, distance)

    def _compared(self, distance: Callable[[Tensor, Tensor], Tensor], one: Tensor, other: Tensor) -> Tensor:
        return self.factor.to(one.dtype) * distance(self(one), self(other))

    def require(self) -> None:
        """Refuse, before any training, to go without a package's weights.

        Raises:
            ValueError: saying where they were looked for.
        """
        if self.classifier is None:
            pretrained.weights(self.name)

    def phases(self, images: Callable[[Batch], Tensor]) -> Sequence[Phase]:
        """Return the phase in which a classifier learns, a twentieth of the budget; of a package's network none.

        Where only some images have labels, it learns from the minibatch of those that comes beside.

        Args:
            images: a function from a batch to its images on [-1, 1].
        """
        if self.classifier is None:
            return []
        network = self.classifier

        def loss(batch: Batch, step: Step) -> dict[str, Tensor]:
            if batch.labelled is not None and not self.field:
                batch = batch.labelled
            told = batch.fields[self.field] if self.field else batch.labels
            if told is None:
                raise ValueError("labels=None: perceptual='classifier' learns from the label of every image")
            logits = network(images(batch))
            known = (told >= 0).sum().clamp(min=1)  # a batch may have none
            lost = F.cross_entropy(logits.float(), told, ignore_index=-1, reduction="sum")
            return {"loss": lost / known, "accuracy": (logits.argmax(1) == told).double().sum() / known}

        return [Phase("features", SHARE, [Turn("classifier", [network], loss, partial(torch.optim.Adam, lr=LR))])]

    def in_front(
        self, phases: Sequence[Phase], images: Callable[[Batch], Tensor], enter: Callable[[Splits, Step], None]
    ) -> Sequence[Phase]:
        """Return a model's phases behind the one that the features need, if any, their shares of what that leaves.

        Args:
            phases: the model's phases.
            images: a function from a batch to the images on [-1, 1] that a classifier learns from.
            enter: what brings the features to scale, in front of the model's first phase.

        Raises:
            ValueError: where a package's weights are missing, saying where they were looked for.
        """
        self.require()
        first = list(self.phases(images))
        left = 1 - sum(phase.share for phase in first)
        scaled = [replace(phase, share=left * phase.share) for phase in phases]
        return [*first, replace(scaled[0], enter=enter), *scaled[1:]]


class Levels(nn.Module):
    """Several layers of a package's network beside each other, each on its own scale and of its own weight.

    Args:
        name: the network.
        weights: the weight of each layer by its name.
        shape: the shape ``(C, H, W)`` of the images.

    Raises:
        ValueError: for what :class:`Perceptual` refuses.
    """

    def __init__(self, name: str, weights: Mapping[str, float], shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.name, self.weights = name, weights
        self.parts = nn.ModuleList(Perceptual(name, layer, shape) for layer in weights)

    def _each(self) -> Sequence[Perceptual]:
        return cast("Sequence[Perceptual]", self.parts)

    @property
    def setting(self) -> str:
        """The network, its layers and the beginning of its weights' hash, for a column of the table."""
        return f"{self.name} {' '.join(self.weights)} {pretrained.weights(self.name)[1][:8]}"

    def standardise(self, images: Tensor) -> None:
        """Set each layer's scale by images on [-1, 1]."""
        for part in self._each():
            part.standardise(images)

    def compared(self, distance: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
        """Return the weighted sum of the layers' distances, as a function of two batches of images."""
        parts = [
            (weight, part.compared(distance)) for weight, part in zip(self.weights.values(), self._each(), strict=True)
        ]
        return lambda one, other: torch.stack([weight * apart(one, other) for weight, apart in parts]).sum()

    def in_front(
        self, phases: Sequence[Phase], images: Callable[[Batch], Tensor], enter: Callable[[Splits, Step], None]
    ) -> Sequence[Phase]:
        """Return a model's phases, the first of them behind what brings the layers to scale."""
        return self._each()[0].in_front(phases, images, enter)


@cache
def _package(name: str, place: int, device: torch.device) -> Callable[[Tensor], Tensor]:
    """Return the layers of a package's network up to a place, on a device."""
    return pretrained.layers(name, place).to(device)


def _fed(name: str, images: Tensor) -> Tensor:
    """Return images as a network of photographs takes them: of three channels, enlarged, on its scale."""
    height, width = images.shape[2:]
    times = max(2.0, LEAST_SIDE / min(height, width))
    size = (round(times * height), round(times * width))
    large = F.interpolate(images.expand(-1, 3, -1, -1), size=size, mode="bilinear", align_corners=False)
    if name == "vgg19":
        mean, deviation = (images.new_tensor(one).view(1, 3, 1, 1) for one in (MEAN, DEVIATION))
        return ((large + 1) / 2 - mean) / deviation
    return (127.5 * large + 0.5) / 128
