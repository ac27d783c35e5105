"""Area under the receiver operating characteristic: how well scores part strange images from normal ones."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genbench.records.parts import Anomaly


def auroc(normal: Tensor, anomalous: Tensor) -> Anomaly:
    """Return the mean of ``[s_a > s_n] + ½ [s_a = s_n]`` over pairs, anomalous and normal, with DeLong's error.

    With ``p_a`` the mean over normal images for one anomalous image and ``p_n`` the mean over anomalous images for one
    normal image, the variance is ``s²(p_a) / N_a + s²(p_n) / N_n`` (DeLong, DeLong and Clarke-Pearson, Biometrics 44,
    1988).

    Args:
        normal: the scores of images like those of training, ``(N,)``; the larger, the stranger.
        anomalous: the scores of held-out images, ``(M,)``.

    Raises:
        ValueError: for no scores of either, scores that are not one an image, or one that is not a finite number.
    """
    for name, scores in (("normal", normal), ("anomalous", anomalous)):
        if scores.dim() != 1 or len(scores) == 0:
            raise ValueError(f"{name} scores have shape {tuple(scores.shape)}: give one for each image, at least 1")
        if not bool(torch.isfinite(scores).all()):
            raise ValueError(f"{name} scores: {int((~torch.isfinite(scores)).sum())} are not finite numbers")
    usual = normal.detach().double().cpu()
    strange = anomalous.detach().double().cpu()
    of_strange = _below(strange, usual)
    of_usual = 1 - _below(usual, strange)
    return Anomaly(
        auroc=float(of_strange.mean()),
        auroc_standard_error=_delong(of_strange, of_usual),
        normal=len(usual),
        anomalous=len(strange),
    )


def _below(scores: Tensor, others: Tensor) -> Tensor:
    """Return for each score the share of ``others`` below it, with half of those that equal it."""
    ordered = others.sort().values
    fewer = torch.searchsorted(ordered, scores, right=False)
    up_to = torch.searchsorted(ordered, scores, right=True)
    return (fewer + up_to).double() / (2 * len(others))


def _delong(of_strange: Tensor, of_usual: Tensor) -> float | None:
    if min(len(of_strange), len(of_usual)) < 2:
        return None
    return math.sqrt(float(of_strange.var()) / len(of_strange) + float(of_usual.var()) / len(of_usual))
