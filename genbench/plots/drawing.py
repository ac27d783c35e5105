"""What drawings share: colours, where they are written, and how they stand within a page."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from genbench.files import written_whole

# Each at least 3:1 against white paper and against the page's dark one.
COLOURS = ("#2f74d0", "#cf5a2e", "#23895d", "#b551a5", "#9a7820", "#776ae8", "#c94c61", "#2d8798")
INK = "#1c1e21"  # in an SVG within a page, it stands for the page's own colour of text
FORMATS = ("pdf", "svg", "png")
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
    """Return a text in which matplotlib sees no mathematics."""
    return text.replace("$", r"\$")


Target = Path | IO[bytes] | Sequence[Path]


def save(figure: Figure, target: Target, fmt: str | None) -> None:
    """Write a figure to a path, whole or not at all, to several, or to an open file; the same figure is the same bytes.

    To several, what takes the time, laying it out, is done once.
    """
    if isinstance(target, Sequence) and not isinstance(target, str):
        for path in target:
            save(figure, path, fmt)
            figure.set_layout_engine("none")
        return
    to_path = isinstance(target, str | Path)
    fmt = fmt or (Path(target).suffix.lstrip(".") if isinstance(target, str | Path) else "") or "png"
    dated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    options: Any = {"format": fmt, "dpi": 200, "transparent": not to_path, "metadata": dated.get(fmt)}
    if isinstance(target, str | Path):
        with written_whole(Path(target)) as part:
            figure.savefig(part, **options)
    else:
        figure.savefig(target, **options)


def files(draw: Callable[..., None], data: Any, stem: Path) -> list[Path]:  # noqa: ANN401 - whatever it draws
    """Draw into ``stem``.pdf, .svg and .png, letters embedded as such in PDF, and return the paths."""
    paths = [stem.with_name(f"{stem.name}.{fmt}") for fmt in FORMATS]
    with rc_context({"pdf.fonttype": 42}):
        draw(data, paths)
    return paths


def inline(draw: Callable[..., None], data: Any, name: str) -> str:  # noqa: ANN401 - whatever it draws
    """Return the SVG of a drawing to stand within a page, in the page's own colour of text; its letters stay letters.

    ``name`` keeps the identifiers of several drawings on a page apart.
    """
    file = io.BytesIO()
    with rc_context({"svg.fonttype": "none"}):
        draw(data, file, fmt="svg")
    text = file.getvalue().decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", text).replace("xlink:href", "href").replace(INK, "currentColor")
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r"url\(#", f"url(#{name}-", text)
    text = re.sub(r'="[^"]*"', lambda place: re.sub(r"(\.\d\d)\d+", r"\1", place[0]), text)  # hundredths of a point
    return re.sub(r'href="#', f'href="#{name}-', text)
