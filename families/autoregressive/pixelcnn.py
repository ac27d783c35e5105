"""PixelCNN: masked convolutions in raster order, red before green before blue (1601.06759)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from families.autoregressive.model import AutoregressiveModel
from families.autoregressive.sampling import CausalNetwork
from families.layers.masked import MaskedColumns, MaskedConv2d
from families.layers.training import positive, whole
from families.outputs import Categorical
from genbench.interface import DataSpec


class Residual(nn.Module):
    """``x + 1×1(relu(3×3(relu(1×1(relu(x))))))``: 2h features to h, h to h, h to 2h, all under mask B (figure 5)."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.down = MaskedConv2d(2 * width, width, 1, "B", groups)
        self.middle = MaskedConv2d(width, width, 3, "B", groups)
        self.up = MaskedConv2d(width, 2 * width, 1, "B", groups)
        self.up.weight.data.mul_(0.1)  # a deep stack begins near the identity

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 2h, H, W)`` to the same."""
        return x + self.up(F.relu(self.middle(F.relu(self.down(F.relu(x))))))


class PixelCNN(CausalNetwork):
    """First a 7×7 convolution under mask A, then residual blocks, then 1×1 convolutions, all under mask B.

    Args:
        shape: of the image, ``(C, H, W)``.
        width: ``h``: the blocks hand on ``2h`` features and work on ``h``.
        depth: residual blocks.
        parameters: numbers a pixel that the output takes, channel by channel.
        first: side of the first kernel.
    """

    def __init__(self, shape: tuple[int, int, int], width: int, depth: int, parameters: int, first: int = 7) -> None:
        super().__init__()
        self.shape = shape
        channels = shape[0]
        self.first = MaskedConv2d(channels, 2 * width, first, "A", channels)
        self.blocks = nn.ModuleList(Residual(width, channels) for _ in range(depth))
        self.hidden = MaskedConv2d(2 * width, 2 * width, 1, "B", channels)
        self.last = MaskedConv2d(2 * width, parameters, 1, "B", channels)
        nn.init.zeros_(self.last.weight)  # begins as the uniform model

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` on [-1, 1] to ``(B, P, H, W)``."""
        x = self.first(x)
        for block in self.blocks:
            x = block(x)
        return self.last(F.relu(self.hidden(F.relu(x))))

    def columns(self, n: int) -> PixelCNNColumns:
        """The same network, pixel by pixel, for ``n`` images."""
        return PixelCNNColumns(self, n)


class PixelCNNColumns:
    """PixelCNN computed group by group at one pixel: only the group of the channel to be drawn, at every layer."""

    def __init__(self, network: PixelCNN, n: int) -> None:
        def columns(*layers: MaskedConv2d) -> list[MaskedColumns]:
            return [MaskedColumns(layer, n, network.shape[2]) for layer in layers]

        blocks = cast("Iterable[Residual]", network.blocks)
        self.first = MaskedColumns(network.first, n, network.shape[2])
        self.blocks = [columns(block.down, block.middle, block.up) for block in blocks]
        self.head = columns(network.hidden, network.last)

    def read(self, y: int, x: int, channel: int) -> Tensor:
        """Parameters of one channel at a pixel, ``(n, K)``."""

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


def pixelcnn(spec: DataSpec, *, width: int = 32, depth: int = 5, lr: float = 3e-3) -> AutoregressiveModel:
    """PixelCNN with a softmax over ``spec.levels`` for each channel (1601.06759).

    Differs from the paper in size (15 layers of 128 features on CIFAR-10 there, and 1,024 features before the softmax),
    in optimiser (Adam for RMSProp), and in where it begins: the last layer of every block is scaled by a tenth and the
    network's last layer is zero, so that training starts from the uniform model.

    Args:
        spec: any shape and levels.
        width: ``h``, at least the image's channels.
        depth: residual blocks, 0 or more; each lets a pixel see one row and column further than the first 3.
        lr: learning rate.

    Raises:
        ValueError: for options out of range.
    """
    positive(lr=lr)
    whole(1, width=width)
    whole(0, depth=depth)
    if width < spec.shape[0]:
        raise ValueError(f"width={width}: an image of {spec.shape[0]} channels takes at least as many features")
    output = Categorical(spec.levels)
    network = PixelCNN(spec.shape, width, depth, output.parameters(spec.shape[0]))
    return AutoregressiveModel(spec, network, output, lr=lr)
