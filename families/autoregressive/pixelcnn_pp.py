"""PixelCNN++: two streams of shifted convolutions at several scales, and a logistic mixture (1701.05517)."""

from __future__ import annotations

from families.autoregressive.model import AutoregressiveModel
from families.autoregressive.pixelcnn_pp_columns import PixelCNNPPColumns
from families.autoregressive.pixelcnn_pp_network import PixelCNNPP
from families.layers.options import share, whole
from families.outputs import LogisticMixture
from genbench.spec import DataSpec


def pixelcnn_pp(
    spec: DataSpec,
    *,
    width: int = 16,
    depth: int = 2,
    components: int = 5,
    dropout: float = 0.1,
    lr: float = 3e-3,
    conditional: bool = False,
    sampler: str = "cached",
    temperature: float = 1.0,
    micro_batch: int | None = None,
) -> AutoregressiveModel:
    """Build PixelCNN++: two streams at three scales, and a mixture of logistics for each pixel (1701.05517).

    Sides halve twice, 28 → 14 → 7, once where a quarter of the shorter one is less than 4, and not where half of it is;
    half of an odd side is rounded up, 13 → 7. A pixel hears of far rows through the coarser scales, and of its own row,
    and of rows that a coarse one does not hold yet, through the layers at its own scale alone: each depth reaches 4
    columns further.

    Differs from the paper in size (five layers a block there, of 160 features and with ten components in the published
    code), in dropout (a half there, where training is long enough to overfit), in the learning rate's schedule, whose
    end stands in for the average of weights that the published code evaluates, and in where it begins: the mixture
    that is likeliest for a pixel of the training images by itself, every block near the identity, and initial weights
    that keep the variance, in place of weights normalised by a first batch, which the published code has. Likelihoods
    need no density for improbable bins: see :func:`families.outputs.logistic.log_bin`.

    Args:
        spec: any shape and levels.
        width: features of each stream.
        depth: layers on the way down, and again on the way up, at each scale.
        components: logistics in the mixture.
        dropout: share of features left out in training.
        lr: the learning rate.
        conditional: whether every block is told the label.
        sampler: the sampler: ``"cached"``, ``"fixed-point"`` or ``"naive"``.
        temperature: divides the mixture's logits in sampling and multiplies its scales; 1 draws from the model.
        micro_batch: images passed at a time in training, whose activations alone are kept; None: the whole batch.

    Raises:
        ValueError: for options out of range, or labels that the data do not have.
    """
    whole(1, width=width, depth=depth, components=components)
    share(dropout=dropout)
    output = LogisticMixture(spec.levels, components)
    classes = spec.classes if conditional else 0
    parameters = output.parameters(spec.shape[0])
    network = PixelCNNPP(spec.shape, width, depth, parameters, classes, dropout, cache=PixelCNNPPColumns)
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
