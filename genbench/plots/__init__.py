"""Pictures: grids of images, likelihood against FID against speed, training curves, sheets of pictures."""

from genbench.plots.drawing import files, inline
from genbench.plots.front import front
from genbench.plots.images import grid
from genbench.plots.sheet import sheet
from genbench.plots.tradeoff import drawable, scatter
from genbench.plots.training import History, curves, history

__all__ = ["History", "curves", "drawable", "files", "front", "grid", "history", "inline", "scatter", "sheet"]
