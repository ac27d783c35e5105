"""Gated PixelCNN: two stacks that leave no blind spot, and gates for rectifiers (1606.05328)."""

from __future__ import annotations

from families.autoregressive.gated_columns import GatedColumns
from families.autoregressive.gated_network import GatedPixelCNN
from families.autoregressive.model import AutoregressiveModel
from families.layers.options import whole
from families.outputs import output as named_output
from genbench.spec import DataSpec


def gated_pixelcnn(
    spec: DataSpec,
    *,
    width: int = 32,
    depth: int = 4,
    lr: float = 1.2e-2,
    conditional: bool = False,
    sampler: str = "cached",
    temperature: float = 1.0,
    micro_batch: int | None = None,
    output: str = "categorical",
) -> AutoregressiveModel:
    """Build Gated PixelCNN: a vertical and a horizontal stack of masked convolutions under gates (1606.05328).

    Differs from the paper in size (20 layers of 384 features under 5×5 kernels, for ImageNet, there), in optimiser
    (Adam for RMSProp), and in where it begins: the network's last layer is zero but for its bias, the parameters under
    which a pixel of the training images is likeliest by itself.
    The label's bias is the same at every pixel (section 2.3, equation 4).

    Args:
        spec: any shape and levels.
        width: features of either stack, at least the image's channels.
        depth: layers, 1 or more; each lets a pixel see one row and column further than the first 3.
        lr: the learning rate.
        conditional: whether every gate is told the label.
        sampler: the sampler: ``"cached"``, ``"fixed-point"`` or ``"naive"``.
        temperature: divides the logits in sampling; 1 draws from the model.
        micro_batch: images passed at a time in training, whose activations alone are kept; None: the whole batch.
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
    network = GatedPixelCNN(spec.shape, width, depth, pixel.parameters(channels), groups, classes, cache=GatedColumns)
    return AutoregressiveModel(
        spec,
        network,
        pixel,
        lr=lr,
        conditional=conditional,
        sampler=sampler,
        temperature=temperature,
        micro_batch=micro_batch,
    )
