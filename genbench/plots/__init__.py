"""Pictures: grids of images, likelihood against FID against speed, training curves."""

from genbench.plots.drawing import inline
from genbench.plots.images import grid
from genbench.plots.tradeoff import drawable, scatter
from genbench.plots.training import History, curves, history

__all__ = ["History", "curves", "drawable", "grid", "history", "inline", "scatter"]
