"""PixelCNN: masked convolutions in raster order, red before green before blue (1601.06759)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from families.autoregressive.masked import MaskedColumns, MaskedConv2d
from families.autoregressive.model import AutoregressiveModel
from families.autoregressive.sampling import CausalNetwork
from families.layers.options import whole
from families.outputs import Categorical
from genbench.spec import DataSpec


class Residual(nn.Module):
    """``x + 1×1(relu(label + 3×3(relu(1×1(relu(x))))))``: 2h to h, h to h, h to 2h, all under mask B (figure 5)."""

    def __init__(self, width: int, groups: int, classes: int = 0) -> None:
        super().__init__()
        self.down = MaskedConv2d(2 * width, width, 1, "B", groups)
        self.middle = MaskedConv2d(width, width, 3, "B", groups)
        self.up = MaskedConv2d(width, 2 * width, 1, "B", groups)
        self.up.weight.data.mul_(0.1)  # a deep stack begins near the identity
        self.label = nn.Embedding(classes, width) if classes else None
        if self.label is not None:
            nn.init.zeros_(self.label.weight)

    def told(self, labels: Tensor | None) -> Tensor | None:
        """Return what the label adds to the middle features, ``(n, h)``."""
        return None if self.label is None else self.label(labels)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map features ``(B, 2h, H, W)`` to as many."""
        inner = self.middle(F.relu(self.down(F.relu(x))))
        told = self.told(labels)
        if told is not None:
            inner = inner + told[:, :, None, None]
        return x + self.up(F.relu(inner))


class PixelCNN(CausalNetwork):
    """A 7×7 convolution under mask A, then residual blocks, then 1×1 convolutions, all under mask B.

    Args:
        shape: the image's, ``(C, H, W)``.
        width: the width ``h``: the blocks hand on ``2h`` features and work on ``h``.
        depth: the number of residual blocks.
        parameters: numbers a pixel that the output takes, channel by channel.
        classes: number of labels that every block is told, 0 for none.
        first: side of the first kernel.
    """

    def __init__(
        self, shape: tuple[int, int, int], width: int, depth: int, parameters: int, classes: int = 0, first: int = 7
    ) -> None:
        super().__init__()
        self.shape = shape
        channels = shape[0]
        self.first = MaskedConv2d(channels, 2 * width, first, "A", channels)
        self.blocks = nn.ModuleList(Residual(width, channels, classes) for _ in range(depth))
        self.hidden = MaskedConv2d(2 * width, 2 * width, 1, "B", channels)
        self.last = MaskedConv2d(2 * width, parameters, 1, "B", channels)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map images ``(B, C, H, W)`` on [-1, 1] to all pixels' parameters, ``(B, P, H, W)``."""
        x = self.first(x)
        for block in self.blocks:
            x = block(x, labels)
        return self.last(F.relu(self.hidden(F.relu(x))))

    @torch.no_grad()
    def columns(self, n: int, labels: Tensor | None = None) -> PixelCNNColumns:
        """Return the same network, pixel by pixel, for ``n`` images."""
        return PixelCNNColumns(self, n, labels)


class PixelCNNColumns:
    """PixelCNN computed group by group at one pixel: only the group of the channel to be drawn, at every layer."""

    def __init__(self, network: PixelCNN, n: int, labels: Tensor | None) -> None:
        def column(layer: MaskedConv2d, label: Tensor | None = None) -> MaskedColumns:
            return MaskedColumns(layer, n, network.shape[2], label)

        blocks = cast("Iterable[Residual]", network.blocks)
        self.first = column(network.first)
        self.blocks = [[column(b.down), column(b.middle, b.told(labels)), column(b.up)] for b in blocks]
        self.head = [column(network.hidden), column(network.last)]

    def read(self, y: int, x: int, channel: int) -> Tensor:
        """Return the parameters of one channel at a pixel, ``(n, K)``."""

        def through(layers: list[MaskedColumns], values: Tensor) -> Tensor:
            for layer in layers:
                layer.write(y, x, channel, torch.relu(values))
                values = layer.read(y, x, channel)
            return values

        features = self.first.read(y, x, channel)
        for block in self.blocks:
            features = features + through(block, features)
        return through(self.head, features)

    def write(self, y: int, x: int, channel: int, values: Tensor) -> None:
        """Take a channel's values ``(n,)`` on [-1, 1]."""
        self.first.write(y, x, channel, values[:, None])


def pixelcnn(
    spec: DataSpec,
    *,
    width: int = 32,
    depth: int = 5,
    lr: float = 1.2e-2,
    conditional: bool = False,
    sampler: str = "cached",
    temperature: float = 1.0,
    micro_batch: int | None = None,
) -> AutoregressiveModel:
    """Build PixelCNN with a softmax over ``spec.levels`` for each channel (1601.06759).

    Differs from the paper in size (15 layers of 128 features on CIFAR-10 there, and 1,024 features before the softmax),
    in optimiser (Adam for RMSProp), in where it begins (the last layer of every block is scaled by a tenth and the
    network's last layer is zero but for its bias, the logarithms of the levels' frequencies in the training images),
    and in that it can be told the label, by a bias in every block as 1606.05328 has it in every gate.

    Args:
        spec: any shape and levels.
        width: the width ``h``, at least the image's channels.
        depth: residual blocks, 0 or more; each lets a pixel see one row and column further than the first 3.
        lr: the learning rate.
        conditional: whether every block is told the label.
        sampler: the sampler: ``"cached"``, ``"fixed-point"`` or ``"naive"``.
        temperature: divides the logits in sampling; 1 draws from the model.
        micro_batch: images passed at a time in training, whose activations alone are kept; None: the whole batch.

    Raises:
        ValueError: for options out of range, or labels that the data do not have.
    """
    whole(1, width=width)
    whole(1 if conditional else 0, depth=depth)  # without a block there is nothing to tell the label to
    if width < spec.shape[0]:
        raise ValueError(f"width={width}: an image of {spec.shape[0]} channels takes at least as many features")
    output = Categorical(spec.levels)
    classes = spec.classes if conditional else 0
    network = PixelCNN(spec.shape, width, depth, output.parameters(spec.shape[0]), classes)
    return AutoregressiveModel(
        spec,
        network,
        output,
        lr=lr,
        conditional=conditional,
        sampler=sampler,
        temperature=temperature,
        micro_batch=micro_batch,
    )
