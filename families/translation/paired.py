"""Translation by a critic that sees pairs of source and image."""

from __future__ import annotations

from torch import Tensor

from families.translation.one_way import OneWay
from genbench.spec import Batch


class Paired(OneWay):
    """A translator whose critic sees each image beside its source: ``(image, source)`` → logits, or a :class:`Scored`.

    It needs training of pairs. A model that learns from pairs by terms, and whose critic sees images alone, is a
    :class:`OneWay`: the target that terms see is the source's own there too.
    """

    def condition(self, batch: Batch) -> Tensor | None:
        """Return what the critic is told beside an image: its source."""
        return self.source(batch)
