"""All charts of a report, as SVG; each shows every variant that has the figure."""

from __future__ import annotations

from edgerag_export.report import generator_charts, pareto_chart, quality_charts, speed_charts
from edgerag_export.report.axes import SIZE, speed_axis
from edgerag_export.report.chart_parts import Chart, bar_chart
from edgerag_export.report.chart_style import drawing
from edgerag_export.report.report import Report


def draw_charts(report: Report) -> tuple[Chart, ...]:
    """Draw all charts for which there are figures; the same report gives the same bytes."""
    with drawing():
        charts = [
            pareto_chart.pareto(report, speed_axis(report.task), "overview", "speed"),
            pareto_chart.pareto(report, SIZE, "overview", "size"),
            sizes(report),
            quality_charts.cosines(report),
            quality_charts.losses(report),
            *generator_charts.bars(report),
            speed_charts.latency(report),
            speed_charts.latency_gain(report),
            *speed_charts.throughputs(report),
            speed_charts.histogram(report),
        ]
    return tuple(chart for chart in charts if chart is not None)


def sizes(report: Report) -> Chart:
    """A bar for each variant's weights."""
    return bar_chart(
        "overview",
        "overview-sizes",
        "Size of the weights",
        "millions of bytes",
        [(place, variant, variant.size_mb) for place, variant in enumerate(report.variants)],
        lambda value: f"{value:,.1f}",
    )
