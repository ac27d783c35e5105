"""What is measured of samples, whoever drew them: a model or an anchor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from genbench import measure, picture
from genbench.clock import Clock
from genbench.configuration import Cell
from genbench.exhibits import NEIGHBOURS

if TYPE_CHECKING:
    from genbench.data import Dataset


def measured(
    samples: Tensor, asked: Tensor | None, cell: Cell, dataset: Dataset, part: Path, clock: Clock, *, keep: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parts of a record that rest on samples alone, and what the stamp says of extractor and judge.

    Args:
        samples: uint8 ``(N, C, H, W)``.
        asked: their labels, if they were asked for any.
        cell: whose samples they are.
        dataset: that they are compared with.
        part: the cell's folder, in which their neighbours are drawn.
        clock: that counts the seconds.
        keep: their features for the next run, which draws the same samples.
    """
    spec = dataset.spec
    found: dict[str, Any] = {"extractor": cell.extractor}
    with clock("quality"):
        eyes = measure.extractor(cell.extractor, dataset, cell.device)
        seen = measure.real(eyes, samples, spec) if keep else eyes.features(samples, spec.levels)
        found["quality"] = measure.quality(eyes, dataset, seen, cell.seed)
        found["parzen"] = measure.parzen(dataset, samples)
    predicted, about = None, {"name": eyes.name, "hash": eyes.hash, "resize": eyes.resize}
    if spec.classes > 1:
        with clock("agreement"):
            same = eyes.name == "classifier"  # each image goes through each network once
            judge = eyes if same else measure.extractor("classifier", dataset, cell.device)
            probabilities = seen.logits.softmax(1) if same else judge.predict(samples, spec.levels)
            predicted, about["judge"] = probabilities.argmax(1), judge.hash
            found["agreement"] = measure.agreement(judge, dataset, probabilities, asked)
    with clock("collapse"):
        found["collapse"], nearest = measure.collapse(eyes, dataset, seen, predicted)
    with clock("write"):
        picture.neighbours(part / NEIGHBOURS.file, samples, dataset.train.images[nearest], spec.levels)
    return found, about
