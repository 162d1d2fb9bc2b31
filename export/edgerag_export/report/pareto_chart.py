"""The choice in one picture: quality against speed, and against size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgerag_export.report.axes import SIZE, Axis, quality_axis
from edgerag_export.report.chart_parts import Chart, log_axis
from edgerag_export.report.chart_style import INK, legend_below, new_figure, plain_axes, shown_name, style_of, to_svg
from edgerag_export.report.recommend import pareto_front
from edgerag_export.report.report import Report, VariantReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def pareto(report: Report, cost: Axis, section: str, name: str) -> Chart | None:
    """Quality against speed or size: a point for each variant, a line along the best."""
    from matplotlib.lines import Line2D

    quality = quality_axis(report.task, report.variants)
    points = [
        (place, variant, cost.value(variant), quality.value(variant)) for place, variant in enumerate(report.variants)
    ]
    known = [(place, variant, x, y) for place, variant, x, y in points if x is not None and y is not None and y == y]
    if not known:
        return None
    figure = new_figure(3.4 + 0.16 * len(known))
    (axes,) = plain_axes(figure)
    handles = []
    _front_line(axes, [variant for _, variant, _, _ in known if variant.passes], quality, cost)
    for place, variant, x, y in known:
        style = style_of(place)
        look: dict[str, Any] = {
            "marker": style.marker, "markersize": 8, "linestyle": "", "markeredgecolor": style.colour,
            "markeredgewidth": 1.6, "markerfacecolor": style.colour if variant.passes else "none",
        }  # fmt: skip
        axes.plot([x], [y], zorder=3, **look)
        if variant.name == report.recommendation.chosen:
            axes.plot([x], [y], marker="o", markersize=16, markerfacecolor="none", markeredgecolor=INK, zorder=4)
        handles.append(Line2D([], [], **look))
    axes.set_xlabel(f"{cost.label}{' (MB)' if cost is SIZE else ''} {_arrow(cost, '→', '←')}")
    axes.set_ylabel(f"{quality.label} {_arrow(quality, '→', '←')}")
    axes.margins(0.12)
    if cost is SIZE and max(x for *_, x, _ in known) > 3 * min(x for *_, x, _ in known):
        log_axis(axes.xaxis, axes.set_xscale, [x for *_, x, _ in known])
    axes.grid(True)
    legend_below(figure, handles, [_verdict_name(variant, report) for _, variant, _, _ in known])
    best = max(known, key=lambda point: quality.rank(point[1]))[1]
    return Chart(
        section,
        f"{section}-{name}",
        f"{_capital(quality.label)} against {cost.label}",
        f"One point a variant; recommended: {report.recommendation.chosen or 'none'}. "
        f"Best {quality.label}: {best.name} with {quality.show(best)}.",
        to_svg(figure),
        "Filled: within the tolerance. Circled: recommended. Dashed: the front, where there is more than one on it.",
    )


def _front_line(axes: Axes, variants: Sequence[VariantReport], quality: Axis, cost: Axis) -> None:
    front = sorted(pareto_front(variants, (quality, cost)), key=cost.rank)
    if len(front) > 1:
        xs, ys = [cost.value(variant) or 0 for variant in front], [quality.value(variant) or 0 for variant in front]
        # A step, because between two variants there is nothing to choose.
        axes.step(xs, ys, where="pre", color=INK, alpha=0.45, linewidth=1, linestyle=(0, (4, 3)), zorder=2)


def _verdict_name(variant: VariantReport, report: Report) -> str:
    name = shown_name(variant.name)
    if variant.name == report.recommendation.chosen:
        return f"{name} (recommended)"
    return name if variant.passes else f"{name} (outside)"


def _arrow(axis: Axis, better_high: str, better_low: str) -> str:
    return f"(better {better_high})" if axis.larger_is_better else f"({better_low} better)"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
