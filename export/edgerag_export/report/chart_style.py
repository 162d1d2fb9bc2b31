"""How charts look: for colour-blind people too, never colour alone, on dark and light pages, the same every time."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgerag_export.report.page_text import page_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette (https://jfly.uni-koeln.de/color/), without the black and the yellow that a dark and a light
# page swallow, in an order in which neighbours differ in lightness too.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#8C8C8C")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "<", ">", "h")
HATCHES = ("", "///", "...", "\\\\\\", "xxx", "---", "ooo", "|||", "+++", "***", "//")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))

INK = "#010203"
"""Stands for the colour of the page's text: `page_svg` puts `currentColor` in its place."""
WIDTH_IN = 5.2
"""374 points: on a telephone shown at about its size, on a desk 1.5 times larger."""
_NAME_CHARS = 34

_SETTINGS: dict[str, Any] = {
    "svg.hashsalt": "edgerag",
    "svg.fonttype": "none",  # text stays text: it can be searched and read aloud
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "text.parse_math": False,  # a dollar in a name is a dollar
    "axes.formatter.useoffset": False,
    "axes.formatter.use_mathtext": False,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "hatch.color": INK,
    "hatch.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": INK,
    "grid.alpha": 0.18,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
}


@dataclass(frozen=True, slots=True)
class Style:
    """Of a variant, the same in all charts of a report."""

    colour: str
    marker: str
    hatch: str
    line: Any


def style_of(place: int) -> Style:
    """The style of the variant at this place; the combination repeats after 385."""
    return Style(
        COLOURS[place % len(COLOURS)],
        MARKERS[place % len(MARKERS)],
        HATCHES[place % len(HATCHES)],
        LINES[place % len(LINES)],
    )


def shown_name(name: str) -> str:
    """A name as charts show it: one line, at most `_NAME_CHARS` long, nothing that XML forbids."""
    clean = page_text(name)
    return clean if len(clean) <= _NAME_CHARS else f"{clean[: _NAME_CHARS - 1]}…"


@contextmanager
def drawing() -> Iterator[None]:
    """Settings under which a figure is made and saved, whatever the user's own are."""
    import matplotlib  # deferred: half a second that only a written report needs

    # A name in a script that the font lacks is still text, and the page's own font shows it.
    font_log = logging.getLogger("matplotlib.font_manager")
    level = font_log.level
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        font_log.setLevel(logging.ERROR)
        try:
            yield
        finally:
            font_log.setLevel(level)


def new_figure(height_in: float) -> Figure:
    """A figure of the one width all charts have, without pyplot's global state."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    figure.patch.set_alpha(0)
    return figure


def plain_axes(figure: Figure, rows: int = 1) -> list[Axes]:
    """Axes below one another, transparent so that the page shows through."""
    axes = list(figure.subplots(rows, 1, squeeze=False)[:, 0])
    for one in axes:
        one.patch.set_alpha(0)
    return axes


def legend_below(figure: Figure, handles: Sequence[Any], names: Sequence[str]) -> None:
    """Put a legend below the axes, in as many columns as the names leave room for."""
    longest = max(map(len, names), default=1)
    columns = max(1, min(3, len(names), int(74 / (longest + 8))))
    # Names are set afterwards: matplotlib leaves out labels that begin with an underscore.
    places = [str(place) for place in range(len(names))]
    legend = figure.legend(handles, places, loc="outside lower center", ncols=columns, handlelength=2.6)
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(name)


def to_svg(figure: Figure) -> str:
    """The figure as SVG text: the same bytes for the same figure."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()
