"""Charts of a generator's ladder: agreement with the original, and tokens a second."""

from __future__ import annotations

from edgerag_export.report.chart_parts import Chart, bar_chart
from edgerag_export.report.report import Report


def bars(report: Report) -> list[Chart]:
    """Agreement, decode and prefill speed, a bar for each rung."""
    rungs = [
        (place, variant, variant.generator)
        for place, variant in enumerate(report.variants)
        if variant.generator is not None
    ]
    if not rungs:
        return []
    return [
        bar_chart(
            "generator",
            "generator-agreement",
            "Likeliest next token is the original's",
            "share of places, percent",
            [(place, variant, 100 * figures.greedy_agreement) for place, variant, figures in rungs],
            lambda value: f"{value:.1f}",
        ),
        *(
            bar_chart(
                "generator", f"generator-{kind}", title, "tokens per second",
                [(place, variant, getattr(figures, f"{kind}_tokens_per_s")) for place, variant, figures in rungs],
                lambda value: f"{value:,.0f}",
            )
            for kind, title in (("decode", "Writing an answer (decode)"), ("prefill", "Reading a prompt (prefill)"))
        ),
    ]  # fmt: skip
