"""What charts are made of: bars and lines by variant, and axes with round numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgerag_export.measure.speed import SpeedFigures
from edgerag_export.report.chart_style import INK, new_figure, plain_axes, shown_name, style_of, to_svg
from edgerag_export.report.report import Report, VariantReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True)
class Chart:
    section: str
    """Key of the section it belongs to (`tables.Section`)."""
    name: str
    """Unique in a report; a file name without its ending."""
    title: str
    description: str
    """What is to be seen, for those who cannot."""
    svg: str
    note: str = ""
    """How to read it."""


def bar_chart(
    section: str,
    name: str,
    title: str,
    unit: str,
    rows: Sequence[tuple[int, VariantReport, float]],
    show: Callable[[float], str],
) -> Chart:
    """Horizontal bars with their values, one a variant, the first on top."""
    figure = new_figure(0.75 + 0.3 * len(rows))
    (axes,) = plain_axes(figure)
    for row, (place, _, value) in enumerate(rows):
        style = style_of(place)
        axes.barh(row, value, color=style.colour, hatch=style.hatch, edgecolor=INK, linewidth=0.8, height=0.68)
        axes.annotate(show(value), (value, row), (4, 0), textcoords="offset points", va="center")
    axes.set_yticks(range(len(rows)), [shown_name(variant.name) for _, variant, _ in rows])
    axes.invert_yaxis()
    axes.margins(x=0.16)
    axes.set_xlim(left=0)
    axes.set_xlabel(unit)
    axes.grid(True, axis="x")
    values = "; ".join(f"{variant.name} {show(value)}" for _, variant, value in rows)
    return Chart(section, name, title, f"{title}, {unit}: {values}.", to_svg(figure))


def variant_lines(
    report: Report,
    axes: Axes,
    points: Callable[[SpeedFigures], Sequence[tuple[float, float]]],
) -> tuple[list[Any], list[str]]:
    """Draw a line for each timed variant that has points, and return the handles and names for a legend."""
    handles, names = [], []
    for place, variant in enumerate(report.variants):
        xy = points(variant.speed) if variant.speed is not None else ()
        if not xy:
            continue
        style = style_of(place)
        handles += axes.plot(
            [x for x, _ in xy], [y for _, y in xy], color=style.colour, marker=style.marker, linestyle=style.line,
            markersize=5, linewidth=1.6,
        )  # fmt: skip
        names.append(shown_name(variant.name))
    return handles, names


def log_axis(axis: Any, set_scale: Callable[[str], Any], values: Sequence[float]) -> None:
    """A logarithmic axis with plain numbers at round places."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    set_scale("log")
    low, high = min(values) / 1.15, max(values) * 1.15
    for steps in ((1, 2, 5), (1, 2, 3, 5, 7), (1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9)):
        ticks = [step * 10.0**power for power in range(-6, 7) for step in steps if low <= step * 10.0**power <= high]
        if len(ticks) >= 3:
            break
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axis.set_minor_locator(NullLocator())


def doubling_axis(axes: Axes, places: Sequence[int]) -> None:
    """A horizontal axis on which each doubling is a step, with a number at each place."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(list(places)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
