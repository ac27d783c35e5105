"""Likelihood against FID against speed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation

from genbench.plots.drawing import COLOURS, INK, STYLE, Target, literal, save
from genbench.plots.pareto import pareto_front

NAMED = 14  # points that have their names beside them; more have numbers
APART = 0.3  # decades between the slowest and the fastest row from which on their areas are explained
RING = 5.0  # points that a ring is wider than its marker
MARKERS = {"exact": "s", "bound": "o", "estimate": "^"}
SAID = {"exact": "= exact", "bound": "≤ bound", "estimate": "~ estimate"}


def drawable(row: Mapping[str, Any]) -> bool:
    """Return whether a row has what :func:`draw_scatter` draws: a likelihood, and an FID that a logarithm takes."""
    bits = row["nll_bpd"]
    fid = row["fid"]
    return (
        row["status"] == "done" and bits is not None and fid is not None and math.isfinite(bits) and 0 < fid < math.inf
    )


def draw_scatter(rows: Sequence[Mapping[str, Any]], target: Target, *, fmt: str | None = None) -> None:
    """Draw likelihood against FID: marker by kind of likelihood, colour by family, area by sampling speed.

    Where all rows are of one family and few, each has a colour of its own; where there are many, points are numbered in
    the order of the rows and named beside the drawing. Speeds that hardly differ are not explained.

    Hollow markers are conditional, starred names unconverged, names with † are not ranked; rings are round the rows of
    :func:`~genbench.plots.pareto.pareto_front`; a dashed line is the FID of real test images. Rows without both figures
    are left out. The lower left corner is where one wants to be.

    Args:
        rows: the rows, as :func:`genbench.tables.rows.rows` makes them, of one data set and one extractor.
        target: a path, several, or an open binary file.
        fmt: the format, ``png``, ``svg`` or ``pdf``; by default the path's ending, or ``png``.

    Raises:
        ValueError: where no row has both figures, or rows are of several data sets or extractors: they do not compare.
    """
    shown = [row for row in rows if drawable(row)]
    for key in ("dataset", "extractor"):
        if len(several := {row[key] for row in shown}) > 1:
            raise ValueError(f"rows have several of {key}: {', '.join(sorted(map(str, several)))}; give one at a time")
    if not shown:
        raise ValueError("rows: none has both a likelihood and an FID")
    with rc_context(STYLE):
        figure = Figure(figsize=(7.2, 4.4 + 0.13 * max(0, len(shown) - NAMED)), layout="constrained")
        axes = figure.subplots()
        axes.set_xscale("log")
        axes.set(xlabel=f"FID ({shown[0]['extractor']}), logarithmic: lower is better", ylabel="bits/dim, test")
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
        axes.xaxis.set_minor_formatter(lambda x, _: f"{x:,.0f}" if str(x)[0] in "25" else "")
        axes.tick_params(axis="x", which="both", pad=4, length=3)
        families = list(dict.fromkeys(row["family"] for row in shown))
        colours = {family: COLOURS[i % len(COLOURS)] for i, family in enumerate(families)}
        many = len(shown) > NAMED
        alone = len(families) == 1 and len(shown) <= len(COLOURS)
        ringed = pareto_front(shown)
        for index, row in enumerate(shown):
            colour = COLOURS[index] if alone else colours[row["family"]]
            if index in ringed:
                size = (math.sqrt(_area(row["images_per_second"], many)) + RING) ** 2
                axes.scatter(row["fid"], row["nll_bpd"], s=size, facecolors="none", edgecolors=INK, linewidths=0.9)
            axes.scatter(
                row["fid"],
                row["nll_bpd"],
                s=_area(row["images_per_second"], many),
                marker=MARKERS[row["nll_kind"]],
                edgecolors=colour,
                facecolors="none" if row["given"] else colour,
                linewidths=1.4,
                alpha=0.85,
            )
        real = [row for row in rows if row["recipe"] == "real (test)" and row["extractor"] == shown[0]["extractor"]]
        if real and real[0]["fid"]:
            axes.axvline(real[0]["fid"], color=INK, linewidth=0.8, linestyle=(0, (4, 4)))
            axes.annotate(
                "real (test)", (real[0]["fid"], 1), xycoords=("data", "axes fraction"), xytext=(3, -9),
                textcoords="offset points", fontsize=8,
            )  # fmt: skip
        axes.margins(0.16, 0.16)
        names = [_name(row) for row in shown]
        _legend(figure, {} if alone else colours, shown, bool(ringed), names if many else [])
        figure.draw_without_rendering()
        _label(figure, axes, shown, [str(place) for place in range(1, len(names) + 1)] if many else names)
        save(figure, target, fmt)


def _name(row: Mapping[str, Any]) -> str:
    """Return a row's label with its marks."""
    doubted = " †" if row.get("checked") is False else ""
    return row["label"] + doubted + ("*" if row["nll_converged"] is False else "")


def _area(speed: float | None, many: bool) -> float:
    """Return an area in points², growing with the logarithm of images a second; where there are ``many``, a third."""
    area = 28.0 if not speed else 28 + 34 * min(5.0, max(0.0, math.log10(speed)))
    return area / 3 if many else area


def _legend(
    figure: Figure,
    colours: Mapping[str, str],
    rows: Sequence[Mapping[str, Any]],
    ringed: bool,
    names: Sequence[str],
) -> None:
    """Explain marks beside the drawing; ``colours`` by family, and the ``names`` of points that have numbers."""

    def entry(label: str, marker: str, colour: str, size: float, fill: bool = True) -> Line2D:
        face = colour if fill else "none"
        return Line2D(
            [], [], linestyle="", marker=marker, color=colour, markerfacecolor=face, markersize=size, label=label
        )

    entries = [entry(family, "o", colour, 6) for family, colour in colours.items()]
    kinds = {row["nll_kind"] for row in rows}
    entries += [entry(said, MARKERS[kind], INK, 6) for kind, said in SAID.items() if kind in kinds]
    if any(row["given"] for row in rows):
        entries.append(entry("conditional", "o", INK, 6, fill=False))
    if ringed:
        entries.append(entry("Pareto front", "o", INK, 11, fill=False))
    if any(row["nll_converged"] is False for row in rows):
        entries.append(entry("* unconverged", "", INK, 6))
    if any(row.get("checked") is False for row in rows):
        entries.append(entry("† not ranked", "", INK, 6))
    speeds = [row["images_per_second"] for row in rows if row["images_per_second"]]
    if speeds and math.log10(max(speeds) / min(speeds)) > APART:
        entries += [
            entry(f"{speed:,} images/s", "o", INK, math.sqrt(_area(speed, bool(names)))) for speed in _round(speeds)
        ]
    style: Any = {"frameon": False, "fontsize": 8, "handletextpad": 0.6}
    if not names:
        figure.legend(handles=entries, loc="outside right center", labelspacing=0.9, **style)
        return
    figure.legend(handles=entries, loc="outside lower center", ncols=4, columnspacing=1.2, **style)
    numbers = [entry(f"{place}  {literal(name)}", "", INK, 0) for place, name in enumerate(names, start=1)]
    style |= {"handlelength": 0, "handletextpad": 0, "labelspacing": 0.35}
    figure.legend(handles=numbers, loc="outside right upper", **style)


def _round(speeds: Sequence[float]) -> list[int]:
    """Return the powers of ten round the speeds, from below the slowest to above the fastest, three at most."""
    low, high = math.floor(math.log10(min(speeds))), math.ceil(math.log10(max(speeds)))
    return [10**power for power in sorted({max(low, 0), max(round((low + high) / 2), 0), max(high, 0)})]


def _label(figure: Figure, axes: Axes, rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    """Name every point where its name covers no other point or name; a thin line leads to names that had to move."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    points = axes.transData.transform([(row["fid"], row["nll_bpd"]) for row in rows])
    per_point = figure.dpi / 72
    radii = [(math.sqrt(_area(row["images_per_second"], len(rows) > NAMED)) + RING) / 2 * per_point for row in rows]
    taken = [(x - r, y - r, x + r, y + r) for (x, y), r in zip(points, radii, strict=True)]
    inside = axes.get_window_extent()
    for row, radius, text in zip(rows, radii, names, strict=True):
        note = axes.annotate(
            literal(text), (row["fid"], row["nll_bpd"]), (0, 0), textcoords="offset points", fontsize=8, va="center"
        )
        best: tuple[float, tuple[float, float, str]] | None = None
        for dx, dy, align in _places(radius / per_point):
            box = _box(note, dx, dy, align, renderer)
            cost = sum(_overlap(box, other) for other in taken) + 90 * _outside(box, inside) + 0.01 * math.hypot(dx, dy)
            if best is None or cost < best[0]:
                best = (cost, (dx, dy, align))
        if best is not None:
            dx, dy, align = best[1]
            taken.append(_box(note, dx, dy, align, renderer))
            if math.hypot(dx, dy) > radius / per_point + 16:
                axes.annotate(
                    "", (row["fid"], row["nll_bpd"]), (dx, dy), textcoords="offset points",
                    arrowprops={"arrowstyle": "-", "color": INK, "linewidth": 0.5, "shrinkA": 2},
                )  # fmt: skip


def _places(radius: float) -> list[tuple[float, float, str]]:
    """Return the offsets in points to try, nearest first: right, left, above, below, then further out."""
    places = []
    for ring in range(7):
        reach = radius + 4 + 9 * ring
        for angle in (0, 180, 90, 270, 45, 315, 135, 225, 20, 340, 160, 200):
            dx, dy = reach * math.cos(math.radians(angle)), reach * math.sin(math.radians(angle))
            places.append((dx, dy * 1.1, "left" if dx > 1 else "right" if dx < -1 else "center"))
    return places


def _box(note: Annotation, dx: float, dy: float, align: str, renderer: Any) -> tuple[float, float, float, float]:  # noqa: ANN401
    note.set(position=(dx, dy), ha=align)
    extent = note.get_window_extent(renderer)
    return extent.x0 - 1, extent.y0, extent.x1 + 1, extent.y1


def _overlap(a: Sequence[float], b: Sequence[float]) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def _outside(box: Sequence[float], inside: Any) -> float:  # noqa: ANN401 - matplotlib's Bbox
    return max(0.0, box[2] - inside.x1, inside.x0 - box[0]) + max(0.0, box[3] - inside.y1, inside.y0 - box[1])
