"""Gated PixelCNN: two stacks that leave no blind spot, and gates for rectifiers (1606.05328)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from families.autoregressive.gated_columns import GatedColumns
from families.autoregressive.masked import MaskedConv2d
from families.autoregressive.model import AutoregressiveModel
from families.autoregressive.sampling import CausalNetwork
from families.layers.options import whole
from families.outputs import output as named_output
from genbench.spec import DataSpec


def gate(x: Tensor) -> Tensor:
    """``tanh(a) · σ(b)`` of the two halves of the features."""
    a, b = x.chunk(2, 1)
    return torch.tanh(a) * torch.sigmoid(b)


class GatedLayer(nn.Module):
    """One layer of both stacks (figure 2).

        r  = V * v + label                        of rows above
        v' = gate(r)
        h' = h + O·gate(A * h + D·r + label)      of the same row, masked, and of r

    The vertical stack sees nothing but rows above, of which every channel is known: it needs no masks, and neither does
    the way ``D`` from it. The horizontal one keeps the channels' groups, in each half of its gates.

    Args:
        inputs: features of what both stacks are given.
        width: features that each hands on.
        kernel: odd side.
        groups: of channels that are drawn one after the other.
        classes: of labels, 0 for none.
        first: of the stacks: mask A, a vertical kernel that ends a row above, and no residual.
    """

    def __init__(self, inputs: int, width: int, kernel: int, groups: int, classes: int, first: bool = False) -> None:
        super().__init__()
        reach = kernel // 2
        self.first, self.padding = first, (reach, reach, reach, -1 if first else 0)
        self.vertical = nn.Conv2d(inputs, 2 * width, (reach if first else reach + 1, kernel))
        self.down = nn.Conv2d(2 * width, 2 * width, 1)
        self.across = MaskedConv2d(inputs, 2 * width, kernel, "A" if first else "B", groups, above=0, parts=2)
        self.out = MaskedConv2d(width, width, 1, "B", groups, bias=False)
        self.label = nn.Embedding(classes, 4 * width) if classes else None
        self._initialise()

    def _initialise(self) -> None:
        """Gates begin half open, and the vertical stack, which has no residual, hands on the variance it is given.

        For (a, b) of unit variance and b about 1, E[tanh(a)²]·E[σ(b)²] = 0.21: a gate divides a deviation by 2.2.
        """
        for conv, gain in ((self.vertical, 1.0 if self.first else 2.2), (self.down, 1.0)):
            nn.init.normal_(conv.weight, std=gain / conv.weight[0].numel() ** 0.5)
            nn.init.zeros_(cast("Tensor", conv.bias))
        for bias in (self.vertical.bias, self.across.bias):
            cast("Tensor", bias).data.chunk(2)[1].fill_(1)
        if self.label is not None:
            nn.init.zeros_(self.label.weight)

    def forward(self, v: Tensor, h: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """Features of the vertical and the horizontal stack, ``(B, width, H, W)`` each, to the next."""
        rows, here = self.vertical(F.pad(v, self.padding)), self.across(h)
        if self.label is not None:
            above, beside = self.label(labels)[:, :, None, None].chunk(2, 1)
            rows, here = rows + above, here + beside
        step = self.out(gate(here + self.down(rows)))
        return gate(rows), step if self.first else h + step


class GatedPixelCNN(CausalNetwork):
    """First a layer of 7 columns under mask A, then layers of 3 under mask B, then 1×1 convolutions under mask B.

    Args:
        shape: of the image, ``(C, H, W)``.
        width: features of either stack.
        depth: layers, the first included.
        parameters: numbers a pixel that the output takes, group by group.
        groups: of channels that are drawn one after the other: all for most outputs, 1 for a joint one.
        classes: of labels, 0 for none.
        first: side of the first kernel.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        width: int,
        depth: int,
        parameters: int,
        groups: int,
        classes: int = 0,
        first: int = 7,
    ) -> None:
        super().__init__()
        self.shape, self.width, self.groups = shape, width, groups
        self.layers = nn.ModuleList([GatedLayer(shape[0], width, first, groups, classes, first=True)])
        self.layers.extend(GatedLayer(width, width, 3, groups, classes) for _ in range(depth - 1))
        self.hidden = MaskedConv2d(width, width, 1, "B", groups)
        self.last = MaskedConv2d(width, parameters, 1, "B", groups)
        nn.init.zeros_(self.last.weight)  # begins as the uniform model

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """``(B, C, H, W)`` on [-1, 1] to ``(B, P, H, W)``."""
        v = h = x
        for layer in self.layers:
            v, h = layer(v, h, labels)
        return self.last(F.relu(self.hidden(F.relu(h))))

    @torch.no_grad()
    def columns(self, n: int, labels: Tensor | None = None) -> GatedColumns:
        """The same network, row by row and pixel by pixel, for ``n`` images."""
        return GatedColumns(self, n, labels)


def gated_pixelcnn(
    spec: DataSpec,
    *,
    width: int = 32,
    depth: int = 4,
    lr: float = 1.2e-2,
    conditional: bool = False,
    sampler: str = "cached",
    temperature: float = 1.0,
    output: str = "categorical",
) -> AutoregressiveModel:
    """Gated PixelCNN (1606.05328).

    Differs from the paper in size (20 layers of 384 features under 5×5 kernels, for ImageNet, there), in optimiser
    (Adam for RMSProp), and in where it begins: the network's last layer is zero, so that training starts from the
    uniform model.
    The label's bias is the same at every pixel (section 2.3, equation 4).

    Args:
        spec: any shape and levels.
        width: features of either stack, at least the image's channels.
        depth: layers, 1 or more; each lets a pixel see one row and column further than the first 3.
        lr: learning rate.
        conditional: whether every gate is told the label.
        sampler: ``"cached"``, ``"fixed-point"`` or ``"naive"``.
        temperature: of sampling.
        output: ``"categorical"``, or another of :data:`families.outputs.OUTPUTS`.

    Raises:
        ValueError: for options out of range, or labels that the data do not have.
    """
    whole(1, width=width, depth=depth)
    pixel = named_output(output, spec.levels)
    channels = spec.shape[0]
    groups = 1 if pixel.joint else channels
    if width < groups:
        raise ValueError(f"width={width}: an image of {channels} channels takes at least as many features")
    classes = spec.classes if conditional else 0
    network = GatedPixelCNN(spec.shape, width, depth, pixel.parameters(channels), groups, classes)
    return AutoregressiveModel(
        spec, network, pixel, lr=lr, conditional=conditional, sampler=sampler, temperature=temperature
    )
