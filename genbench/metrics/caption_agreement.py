"""Whether samples are what their captions say: attributes measured again, by the thresholds that made the captions."""

from __future__ import annotations

from torch import Tensor

from genbench.data.vocabulary import Vocabulary
from genbench.records.parts import CaptionAgreement
from genbench.stats import mean, standard_error


def caption_agreement(captions: Tensor, images: Tensor, levels: int, vocabulary: Vocabulary) -> CaptionAgreement:
    """Return the share of each sample's adjectives that come out as its caption asks.

    A third is chance where attributes are apart and equally often each of their words; real images have 1 under their
    own captions, by construction. The noun is not measured: a classifier says which class a sample is of.

    Args:
        captions: the tokens that each sample was asked for, int64 ``(N, T)``, in any order.
        images: the samples, uint8 ``(N, C, H, W)``.
        levels: their number of levels.
        vocabulary: the words, and the thresholds between them.

    Raises:
        ValueError: for no samples, or another number of captions.
    """
    if len(images) == 0 or len(captions) != len(images):
        raise ValueError(f"captions: {len(captions)} for {len(images)} samples: give one each, at least 1")
    found = vocabulary.adjectives(images, levels)
    right = (captions.cpu()[:, :, None] == found[:, None, :]).any(1).double()
    shares = right.mean(1).tolist()
    return CaptionAgreement(
        agreement=mean(shares),
        standard_error=standard_error(shares),
        attributes=dict(zip(vocabulary.thresholds, right.mean(0).tolist(), strict=True)),
        images=len(images),
    )
