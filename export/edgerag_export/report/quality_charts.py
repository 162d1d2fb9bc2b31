"""Charts of what was lost: how far embeddings moved, and what that cost on judged questions."""

from __future__ import annotations

import math

from edgerag_export.report.chart_parts import Chart
from edgerag_export.report.chart_style import INK, new_figure, plain_axes, shown_name, style_of, to_svg
from edgerag_export.report.report import Report

_CLOSEST = 1e-6
"""Float32 gives its own vectors back to about seven digits; closer says nothing."""


def cosines(report: Report) -> Chart | None:
    """From the worst to the best text's cosine, on a scale that parts 0.99 from 0.999."""
    rows = [
        (place, variant, variant.embedding)
        for place, variant in enumerate(report.variants)
        if variant.embedding is not None and not variant.is_reference
    ]
    if not rows:
        return None
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    figure = new_figure(1.05 + 0.34 * len(rows))
    (axes,) = plain_axes(figure)
    for row, (place, _, figures) in enumerate(rows):
        style = style_of(place)
        deciles = [max(_CLOSEST, 1 - value) for value in figures.cosine_deciles] or [1 - figures.cosine_min]
        axes.plot([deciles[0], deciles[-1]], [row, row], color=style.colour, linewidth=1.2, zorder=2)
        if len(deciles) == 11:
            axes.plot([deciles[1], deciles[9]], [row, row], color=style.colour, linewidth=7, alpha=0.45, zorder=2,
                      solid_capstyle="butt")  # fmt: skip
        axes.plot([max(_CLOSEST, 1 - figures.cosine_mean)], [row], marker=style.marker, color=style.colour,
                  markeredgecolor=INK, markersize=8, zorder=3)  # fmt: skip
        axes.plot([deciles[0]], [row], marker="|", color=style.colour, markersize=9, markeredgewidth=1.6)
    worst = max(1 - figures.cosine_min for _, _, figures in rows)
    best = min(max(_CLOSEST, 1 - max(figures.cosine_deciles, default=1)) for _, _, figures in rows)
    axes.set_xscale("log")
    axes.set_xlim(min(1.9, worst * 1.6), best / 1.6)  # turned round: to the right is better
    ticks = [1.0, 0.5, 0.2, 0.1, *(step * 10.0**-power for power in range(2, 7) for step in (3, 1))]
    kept = [tick for tick in ticks if best / 1.6 <= tick <= worst * 1.6]
    if len(kept) > 7:
        kept = [tick for tick in kept if round(math.log10(tick), 6) % 1 == 0]
    axes.xaxis.set_major_locator(FixedLocator(kept))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{1 - value:.7g}"))
    axes.set_yticks(range(len(rows)), [shown_name(variant.name) for _, variant, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel("cosine to float32 (better →)")
    axes.grid(True, axis="x")
    values = "; ".join(
        f"{variant.name} {figures.cosine_mean:.4f}, {figures.cosine_min:.4f}" for _, variant, figures in rows
    )
    return Chart(
        "quality",
        "quality-cosines",
        "Cosine of each text's embedding to float32",
        f"Mean and worst: {values}.",
        to_svg(figure),
        "The sign is the mean; the thin line reaches from the worst text to the best, the thick one holds 80 %.",
    )


def losses(report: Report) -> Chart | None:
    """The loss on judged questions with the range that other questions would give."""
    rows = []
    for place, variant in enumerate(report.variants):
        loss = low = high = None
        if variant.embedding is not None:
            own = variant.embedding
            loss, low, high = own.ndcg_loss, own.ndcg_loss_low, own.ndcg_loss_high
        elif variant.rerank is not None:
            judged = variant.rerank
            loss, low, high = judged.map_loss, judged.map_loss_low, judged.map_loss_high
        if loss is not None and not variant.is_reference:
            rows.append((place, variant, loss, loss if low is None else low, loss if high is None else high))
    if not rows:
        return None
    kind, bound_name = ("NDCG@10", "ndcg_loss") if report.task == "embedding" else ("MAP", "map_loss")
    figure = new_figure(1.05 + 0.34 * len(rows))
    (axes,) = plain_axes(figure)
    for row, (place, _, loss, low, high) in enumerate(rows):
        style = style_of(place)
        axes.plot([100 * low, 100 * high], [row, row], color=style.colour, linewidth=1.6, zorder=2)
        axes.plot([100 * low, 100 * high], [row, row], linestyle="", marker="|", color=style.colour, markersize=9,
                  markeredgewidth=1.6)  # fmt: skip
        axes.plot(
            [100 * loss], [row], marker=style.marker, color=style.colour, markeredgecolor=INK, markersize=8, zorder=3
        )
    axes.axvline(0, color=INK, linewidth=0.8)
    bound = report.tolerance.get(bound_name)
    if bound is not None:
        axes.axvline(100 * bound, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate("tolerance", (100 * bound, -0.5), (3, 1), textcoords="offset points", fontsize=8)
    axes.set_yticks(range(len(rows)), [shown_name(variant.name) for _, variant, *_ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel(f"loss of {kind} in percent (← better)")
    axes.grid(True, axis="x")
    values = "; ".join(f"{variant.name} {loss:.2%} ({low:.1%} to {high:.1%})" for _, variant, loss, low, high in rows)
    return Chart(
        "quality",
        "quality-losses",
        f"Loss of {kind} against float32",
        f"Loss and 95 % interval: {values}.",
        to_svg(figure),
        "The sign is the loss on these questions, the line the 95 % interval for others of the same kind.",
    )
