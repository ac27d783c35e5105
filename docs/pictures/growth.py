"""Draw how PGGAN grows: ``growth.py [SECONDS]`` trains it as ``gans-long`` does, for 240 seconds if not told.

A row shows images of the same noise at the end of a phase of growth, or in the middle of a fade.
"""

import sys
from pathlib import Path

import torch
from torch import Tensor

import genbench
from families.layers.scaling import to_uint8
from genbench import data
from genbench.interface import frozen
from genbench.plots.grid import draw_grid
from genbench.runs import suite
from genbench.seed import generator
from genbench.training.config import Progress

PICTURE = Path(__file__).parent / "gan-pggan.png"
COLUMNS, BATCH, EVERY = 8, 64, 10  # rounds between two looks, of which the last of a phase is drawn


def main(seconds: float) -> None:
    """Train, look now and then, and draw what was seen last of each phase."""
    dataset = data.load("mnist5k")
    (options,) = (row.options for row in suite.read("gans-long").row if row.recipe == "pggan")
    model = genbench.build("pggan", dataset.spec, seed=0, **options)
    u, given = model.draw_noise(COLUMNS, generator(0)), dataset.test.rows(slice(COLUMNS))
    seen: dict[str, Tensor] = {}

    def heard(progress: Progress) -> None:
        fading = progress.phase.startswith("fade")
        if (progress.step % EVERY and progress.phase in seen) or (fading and float(model.alpha) > 0.5):
            return
        with frozen(model), torch.no_grad():
            seen[progress.phase] = to_uint8(model.decode(u, given), dataset.spec.levels)

    budget = genbench.Budget(seconds=seconds)
    model.fit(dataset.splits, genbench.FitConfig(budget, BATCH), callbacks=[heard])
    draw_grid(torch.cat([*seen.values()]), PICTURE, columns=COLUMNS)
    print(f"{PICTURE}: {', '.join(seen)}")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 240.0)
