"""What drawings share: colours, where they are written, and how they stand within a page."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from matplotlib.figure import Figure

from genbench.folders import written_whole

COLOURS = ("#3b7dd8", "#d8643b", "#2f9e6e", "#b0479f", "#b8912b", "#7a6ff0", "#c2455a", "#4aa3b5")
INK = "#808182"  # stands for the page's own colour of text in an SVG
STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "svg.hashsalt": "genbench",
}


def literal(text: str) -> str:
    """Text in which matplotlib sees no mathematics."""
    return text.replace("$", r"\$")


def save(figure: Figure, target: Path | IO[bytes], fmt: str | None) -> None:
    """Write a figure to a path, whole or not at all, or to an open file; the same figure is the same bytes."""
    metadata = {"Date": None}
    if isinstance(target, str | Path):
        fmt = fmt or Path(target).suffix.lstrip(".") or "png"
        with written_whole(Path(target)) as part:
            figure.savefig(part, format=fmt, dpi=150, metadata=metadata if fmt == "svg" else None)
    else:
        fmt = fmt or "png"
        figure.savefig(target, format=fmt, dpi=150, transparent=True, metadata=metadata if fmt == "svg" else None)


def inline(draw: Callable[..., None], data: Any, name: str) -> str:  # noqa: ANN401 - whatever it draws
    """The SVG of :func:`scatter` or :func:`curves` to stand within a page, in the page's own colour of text.

    ``name`` keeps the identifiers of several drawings on a page apart.
    """
    file = io.BytesIO()
    draw(data, file, fmt="svg")
    text = file.getvalue().decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", text).replace("xlink:href", "href").replace(INK, "currentColor")
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r"url\(#", f"url(#{name}-", text)
    return re.sub(r'href="#', f'href="#{name}-', text)
