"""Charts of time and of lengths: latency, throughput, and how long the texts are."""

from __future__ import annotations

from edgerag_export.measure.speed import SpeedFigures
from edgerag_export.report.chart_parts import Chart, doubling_axis, log_axis, variant_lines
from edgerag_export.report.chart_style import COLOURS, INK, legend_below, new_figure, plain_axes, to_svg
from edgerag_export.report.report import Report
from edgerag_export.report.speed_sections import timed


def latency(report: Report) -> Chart | None:
    """Median time of one text over its length, both logarithmic."""
    found = [point for _, speed in timed(report) for point in speed.latencies]
    if not found:
        return None
    figure = new_figure(3.1 + 0.16 * len(timed(report)))
    (axes,) = plain_axes(figure)
    handles, names = variant_lines(
        report, axes, lambda speed: [(point.num_tokens, point.p50_ms) for point in speed.latencies]
    )
    doubling_axis(axes, sorted({point.num_tokens for point in found}))
    log_axis(axes.yaxis, axes.set_yscale, [point.p50_ms for point in found])
    axes.set_xlabel("tokens")
    axes.set_ylabel("milliseconds (← better)")
    axes.grid(True)
    legend_below(figure, handles, names)
    values = "; ".join(
        f"{variant.name} {speed.latencies[0].p50_ms:.1f} to {speed.latencies[-1].p50_ms:.1f} ms"
        for variant, speed in timed(report)
        if speed.latencies
    )
    return Chart(
        "latency", "latency-median", "Median latency by length", f"A line for each variant. {values}.", to_svg(figure)
    )


def latency_gain(report: Report) -> Chart | None:
    """How many times faster than the original one text is, over its length."""
    base = report.reference.speed if report.reference else None
    others = [(variant, speed) for variant, speed in timed(report) if speed is not base]
    if base is None or not base.latencies or not others:
        return None
    exact = {point.num_tokens: point.p50_ms for point in base.latencies}

    def gains(speed: SpeedFigures) -> list[tuple[float, float]]:
        if speed is base:
            return []
        return [(point.num_tokens, exact[point.num_tokens] / point.p50_ms) for point in speed.latencies]

    figure = new_figure(3.1 + 0.16 * len(others))
    (axes,) = plain_axes(figure)
    handles, names = variant_lines(report, axes, gains)
    doubling_axis(axes, sorted(exact))
    axes.axhline(1, color=INK, linewidth=0.8)
    axes.set_xlabel("tokens")
    axes.set_ylabel("times as fast (better →)")
    axes.grid(True)
    legend_below(figure, handles, names)
    values = "; ".join(
        f"{variant.name} {min(gain for _, gain in gains(speed)):.1f} to {max(gain for _, gain in gains(speed)):.1f} x"
        for variant, speed in others
    )
    return Chart(
        "latency",
        "latency-gain",
        f"Median latency against {report.reference.name}" if report.reference else "",
        f"A line for each variant; at 1 it is as fast as the original. {values}.",
        to_svg(figure),
    )


def throughputs(report: Report) -> list[Chart]:
    """Texts a second over how many are handed over at once: for equal lengths, and for mixed ones."""
    found = {point.num_tokens for _, speed in timed(report) for point in speed.throughputs}
    return [_throughput(report, length) for length in sorted(found, reverse=True)]


def _throughput(report: Report, length: int) -> Chart:
    figure = new_figure(3.1 + 0.16 * len(timed(report)))
    (axes,) = plain_axes(figure)
    handles, names = variant_lines(
        report,
        axes,
        lambda speed: [
            (point.batch_size, point.texts_per_s) for point in speed.throughputs if point.num_tokens == length
        ],
    )
    sizes = {
        point.batch_size for _, speed in timed(report) for point in speed.throughputs if point.num_tokens == length
    }
    doubling_axis(axes, sorted(sizes))
    axes.set_ylim(bottom=0)
    what = "pairs" if report.task == "cross-encoder" else "texts"
    axes.set_xlabel(f"{what} handed over at once")
    axes.set_ylabel(f"{what} per second (better →)")
    axes.grid(True)
    legend_below(figure, handles, names)
    kind = f"of {length} tokens" if length else "of mixed length"
    best = "; ".join(
        f"{variant.name} {max(rates):.1f}"
        for variant, speed in timed(report)
        if (rates := [point.texts_per_s for point in speed.throughputs if point.num_tokens == length])
    )
    return Chart(
        "throughput",
        f"throughput-{length or 'mixed'}",
        f"Throughput, {what} {kind}",
        f"A line for each variant. Best {what} per second: {best}.",
        to_svg(figure),
    )


def histogram(report: Report) -> Chart | None:
    """How many texts there are of each length; below, what a longest input would cut off."""
    found = report.lengths
    if found is None:
        return None
    figure = new_figure(4.2)
    above, below = plain_axes(figure, 2)
    labels = [
        f"{bar.from_tokens}+" if bar.to_tokens is None else f"{bar.from_tokens}–{bar.to_tokens - 1}"
        for bar in found.bars
    ]
    above.bar(range(len(labels)), [bar.num_texts for bar in found.bars], color=COLOURS[0], edgecolor=INK, linewidth=0.8)
    above.set_xticks(range(len(labels)), labels, rotation=40, ha="right", rotation_mode="anchor", fontsize=8)
    above.set_xlabel("tokens in a text")
    above.set_ylabel("texts")
    above.grid(True, axis="y")
    cuts = found.truncations
    places = range(len(cuts))
    for shift, colour, hatch, values in (
        (-0.2, COLOURS[1], "", [100 * cut.texts_cut for cut in cuts]),
        (0.2, COLOURS[2], "///", [100 * cut.tokens_lost for cut in cuts]),
    ):
        bars = below.bar([place + shift for place in places], values, 0.38, color=colour, hatch=hatch, edgecolor=INK,
                         linewidth=0.8)  # fmt: skip
        below.bar_label(
            bars, [f"{value:.0f}" if value >= 10 else f"{value:.1f}" for value in values], padding=2, fontsize=8
        )
    model = [
        f"{cut.max_tokens}\n(model)" if cut.max_tokens == found.max_tokens else str(cut.max_tokens) for cut in cuts
    ]
    below.set_xticks(places, model)
    below.set_xlabel("longest input in tokens")
    below.set_ylabel("percent (← better)")
    below.margins(y=0.18)
    below.grid(True, axis="y")
    legend_below(
        figure, [container[0] for container in below.containers if len(container)], ["texts cut", "tokens lost"]
    )
    own = next(cut for cut in cuts if cut.max_tokens == found.max_tokens)
    return Chart(
        "lengths",
        "lengths-histogram",
        "Texts by length, and what cutting them loses",
        f"Median {found.median}, longest {found.longest} tokens. Cut at this model's {found.max_tokens} tokens, "
        f"{own.texts_cut:.1%} of the texts lose their end, {own.tokens_lost:.1%} of all tokens.",
        to_svg(figure),
    )
