"""A teacher of codes: another network's view of an image, which its code should tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from torch import Tensor, nn

from families.layers.convolutional import he
from families.layers.distances import l1
from families.layers.perceptual import ROWS, Perceptual
from genbench.interface import Phase, Step
from genbench.spec import Batch, Splits

CHANNELS = {"efficientnet-lite0": 40, "vgg19": 512, "classifier": 64}  # of a network's high layer


class Teacher(nn.Module):
    """``ω |W T(x) - e(x)|``, T(x) the means over all places of a trained network's high layer, W learned beside.

    Codes and ``W T(x)`` have mean 0 and mean square 1, so that neither gives in by becoming small.

    Args:
        perception: the network, of its high layer.
        code: the numbers of a code.
        weight: the weight ω.
    """

    def __init__(self, perception: Perceptual, code: int, weight: float) -> None:
        super().__init__()
        self.perception, self.weight = perception, weight
        self.told = nn.Sequential(
            he(nn.Linear(CHANNELS[perception.name], code)), nn.LayerNorm(code, elementwise_affine=False)
        )

    @property
    def setting(self) -> str:
        """The weight and the network in words."""
        return f"{self.weight:g} taught by {self.perception.setting}"

    def forward(self, images: Tensor, codes: Tensor) -> Tensor:
        """Return the weighted distance of codes ``(B, code)`` from what the network tells of images on [-1, 1]."""
        return self.weight * l1(self.told(self.perception(images).mean((2, 3))), codes)

    def in_front(self, phases: Sequence[Phase], images: Callable[[Batch], Tensor]) -> Sequence[Phase]:
        """Return phases behind what the network needs to learn, if anything; it is brought to scale before the first.

        Args:
            phases: the model's phases.
            images: a function from a batch to the images that it looks at, on [-1, 1].
        """

        def bring_to_scale(data: Splits, step: Step) -> None:
            sources = cast("Tensor", data.train.sources)[:ROWS]
            empty = Batch(data.train.images[:0], sources=sources)
            self.perception.standardise(images(empty.to(next(self.parameters()).device)))

        return self.perception.in_front(phases, images, bring_to_scale)
