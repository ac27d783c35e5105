"""Training curves: the logs of each cell's history against images seen."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from genbench.plots.drawing import COLOURS, INK, STYLE, Target, literal, save
from genbench.records.history import read_lines

GRADIENT_NORM = "gradient_norm"  # what each turn logs beside its losses
VALIDATION = "validation/"  # how figures of validation images begin, which have units of their own
DASHES = ("--", ":")  # theirs
HistoryColumns = Mapping[str, NDArray[np.float64]]


def read_history(path: Path) -> HistoryColumns:
    """Read ``history.csv`` as columns: step, images, seconds, and the logs ``turn/name``; blanks are NaN.

    A file without a line has no columns.

    Raises:
        ValueError: for a file that is no history.
    """
    lines = read_lines(path)
    names = [name for name in (lines[0] if lines else {}) if name != "phase"]
    return {name: np.array([float(line[name] or "nan") for line in lines]) for name in names}


def draw_curves(histories: Mapping[str, HistoryColumns], target: Target, *, fmt: str | None = None) -> None:
    """Draw training curves, a small panel a cell: each log against images seen, raw and as a running mean.

    The range of a panel holds 98 % of its values, so that the first steps do not flatten all the others.

    Args:
        histories: the histories by label, each as :func:`read_history` gives it.
        target: a path, several, or an open binary file.
        fmt: the format, ``png``, ``svg`` or ``pdf``; by default the path's ending, or ``png``.

    Raises:
        ValueError: for no histories.
    """
    if not histories:
        raise ValueError("histories: there are none to draw")
    across = min(3, len(histories))
    down = math.ceil(len(histories) / across)
    named = ([*_chosen(columns), *filter(_of_validation, columns)] for columns in histories.values())
    legend = max(math.ceil(len(names) / _columns(names)) for names in named)  # lines of it
    with rc_context(STYLE | {"font.size": 8}):
        figure = Figure(figsize=(3.2 * across, (2 + 0.14 * legend) * down), layout="constrained")
        panels = figure.subplots(down, across, squeeze=False).ravel()
        for panel, (label, columns) in zip(panels, histories.items(), strict=False):
            _curve(panel, label, columns)
        for panel in panels[len(histories) :]:
            panel.set_axis_off()
        figure.draw_without_rendering()  # once more: legends below panels are known only when these have been laid out
        save(figure, target, fmt)


def _chosen(columns: HistoryColumns) -> HistoryColumns:
    """Return the logs that are drawn: losses first, as many as there are colours; norms of gradients have no scale."""
    logs = {name: values for name, values in columns.items() if "/" in name and np.isfinite(values).any()}
    logs = {name: values for name, values in logs.items() if not name.endswith(f"/{GRADIENT_NORM}")}
    logs = {name: values for name, values in logs.items() if not _of_validation(name)}
    return dict(sorted(logs.items(), key=lambda item: not item[0].endswith("/loss"))[: len(COLOURS)])


def _columns(names: Iterable[str]) -> int:
    """Return the columns of a legend: one where figures of validation images say their range, which is long."""
    return 1 if any(map(_of_validation, names)) else 2


def _of_validation(name: str) -> bool:
    return name.startswith(VALIDATION)


def _watched(panel: Axes, images: NDArray[np.float64], name: str, values: NDArray[np.float64], dashes: str) -> None:
    """Draw a figure of validation images from the panel's foot to its head; between what is in the legend."""
    here = np.isfinite(values)
    x, y = images[here], values[here]
    if len(y):
        low, high = float(y.min()), float(y.max())
        share = 0.06 + 0.88 * (y - low) / ((high - low) or 1.0)
        style: Any = {"color": INK, "linestyle": dashes, "linewidth": 0.8, "marker": ".", "markersize": 3}
        panel.plot(x, share, transform=panel.get_xaxis_transform(), **style)
        name = f"{name}, {low:,.4g} to {high:,.4g}"
    panel.plot([], [], color=INK, linestyle=dashes, linewidth=1, label=literal(name))


def _curve(panel: Axes, label: str, columns: HistoryColumns) -> None:
    images = columns["images"]
    chosen = _chosen(columns)
    for colour, (name, values) in zip(COLOURS, chosen.items(), strict=False):
        here = np.isfinite(values)
        x, y = images[here], values[here]
        window = max(1, len(y) // 25)
        panel.plot(x, y, color=colour, linewidth=0.6, alpha=0.3 if window > 1 else 1)
        if window > 1:
            smooth = np.convolve(y, np.ones(window) / window, mode="valid")
            panel.plot(x[window - 1 :], smooth, color=colour, linewidth=1.2)
        panel.plot([], [], color=colour, linewidth=1.6, label=literal(name))
    for name, dashes in zip(filter(_of_validation, columns), DASHES, strict=False):
        _watched(panel, images, name, columns[name], dashes)
    panel.set_title(literal(label), loc="left", fontsize=9)
    panel.xaxis.set_major_formatter(lambda x, _: f"{x / 1000:g}k" if x >= 1000 else f"{x:g}")
    panel.set_xlabel("images seen")
    if chosen:
        every = np.concatenate([values[np.isfinite(values)] for values in chosen.values()])
        low, high = np.percentile(every, [1, 99])
        pad = 0.08 * (high - low) or 0.5
        panel.set_ylim(low - pad, high + pad)
        panel.legend(
            frameon=False, fontsize=6.5, loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=_columns(columns),
            handlelength=1.2, labelspacing=0.3, columnspacing=1.2,
        )  # fmt: skip
