"""How fast it is, and how long the texts are: the sections on time and on lengths."""

from __future__ import annotations

from collections.abc import Callable

from edgerag_export.measure.lengths import LengthFigures
from edgerag_export.measure.speed import SpeedFigures
from edgerag_export.report.report import Report, VariantReport
from edgerag_export.report.tables import Column, Section, Table, number, percent, rate, variant_table


def timed(report: Report) -> list[tuple[VariantReport, SpeedFigures]]:
    """The variants whose speed was measured."""
    return [(variant, variant.speed) for variant in report.variants if variant.speed is not None]


def latency(report: Report) -> Section | None:
    """Median and 95th percentile of one text, by length."""
    found = timed(report)
    lengths = sorted({point.num_tokens for _, speed in found for point in speed.latencies})
    if not lengths:
        return None

    def at(length: int, name: str) -> Callable[[VariantReport], str]:
        def show(variant: VariantReport) -> str:
            points = variant.speed.latencies if variant.speed else ()
            return next((rate(getattr(point, name)) for point in points if point.num_tokens == length), "-")

        return show

    variants = [variant for variant, _ in found]
    runs = min(point.num_runs for _, speed in found for point in speed.latencies)
    subject = "A question and a passage" if report.task == "cross-encoder" else "One text"
    return Section(
        "latency",
        "Latency",
        f"{subject} alone, tokenising included, on one thread; at least {runs} runs each, all variants in turn. "
        "Special tokens count.",
        tuple(
            variant_table(
                f"{name}, ms, by length in tokens", variants, [(str(length), at(length, field)) for length in lengths]
            )
            for name, field in (("Median", "p50_ms"), ("95th percentile", "p95_ms"))
        ),
    )


def throughput(report: Report) -> Section | None:
    """Texts a second by how many are handed over at once, for equal and for mixed lengths."""
    found = timed(report)
    points = [point for _, speed in found for point in speed.throughputs]
    if not points:
        return None

    def at(size: int, length: int) -> Callable[[VariantReport], str]:
        def show(variant: VariantReport) -> str:
            own = variant.speed.throughputs if variant.speed else ()
            wanted = (size, length)
            return next((rate(each.texts_per_s) for each in own if (each.batch_size, each.num_tokens) == wanted), "-")

        return show

    plural = "Pairs" if report.task == "cross-encoder" else "Texts"

    def table(length: int) -> Table:
        sizes = sorted({point.batch_size for point in points if point.num_tokens == length})
        what = f"of {length} tokens" if length else "of mixed length"
        return variant_table(
            f"{plural} a second, {what}, by how many at once",
            [variant for variant, _ in found],
            [(str(size), at(size, length)) for size in sizes],
        )

    lengths = sorted({point.num_tokens for point in points}, reverse=True)
    longest = max(lengths)
    return Section(
        "throughput",
        "Throughput",
        f"{plural} handed over at once. edgerag runs each of them unpadded by itself, on as many threads as there are "
        f"cores ({report.machine.cores} here): mixed lengths (16 to {longest} tokens) waste nothing, and a batch gains "
        "by its threads alone. Medians.",
        tuple(table(length) for length in lengths),
    )


def arithmetic(report: Report) -> Section | None:
    """Operations a second as a share of the machine's int8 peak."""
    found = timed(report)
    if report.peak is None or not found:
        return None

    def figure(name: str, show: Callable[[float | None], str]) -> Callable[[VariantReport], str]:
        return lambda variant: show(getattr(variant.speed, name, None))

    full = max((point.num_tokens for _, speed in found for point in speed.throughputs), default=0)
    columns: list[Column] = [
        ("GOP a text", figure("gops_per_text", lambda value: number(value, 3))),
        ("of bytes", figure("integer_share", lambda value: percent(value, 0))),
        ("GOP/s", figure("gops_per_s", rate)),
        ("of int8 peak", figure("share_of_int8_peak", lambda value: percent(value, 0))),
    ]
    return Section(
        "arithmetic",
        "Share of the machine's peak",
        f"One big product on each core reached {rate(report.peak.int8_gops)} billion operations a second (GOP/s) with "
        f"bytes and {rate(report.peak.float32_gops)} with float32, measured in the same rounds. The first column is "
        f"what a text of {full} tokens needs, attention included; “of bytes” is the share that the graph itself names "
        "as products of bytes. The best run counts.",
        (variant_table("Arithmetic", [variant for variant, _ in found], columns),),
    )


def lengths(report: Report) -> Section | None:
    """Histogram, truncation loss and padding waste of the given texts."""
    found = report.lengths
    if found is None:
        return None
    cuts = [
        (
            f"{cut.max_tokens:,}{' (this model)' if cut.max_tokens == found.max_tokens else ''}",
            percent(cut.texts_cut, 1),
            percent(cut.tokens_lost, 1),
        )
        for cut in found.truncations
    ]
    wastes = [
        (f"{waste.batch_size} at once", percent(waste.arbitrary, 1), percent(waste.by_length, 1))
        for waste in found.padding
    ]
    wastes.append(("one by one (edgerag)", percent(0.0, 1), percent(0.0, 1)))
    return Section(
        "lengths",
        "Lengths of the texts",
        f"{found.texts}: {found.num_texts:,} texts, {found.num_tokens:,} tokens. Median {found.median:,}, 95th "
        f"percentile {found.p95:,}, longest {found.longest:,} tokens; the model reads {found.max_tokens:,}. "
        f"{found.special_tokens} special tokens are added to each text and counted in its length. What is longer than "
        "the longest input is cut off there; padding makes the texts of a batch as long as its longest.",
        (
            _bars(found),
            Table("What cutting texts loses", ("longest input", "texts cut", "tokens lost"), tuple(cuts)),
            Table("Padding among the computed tokens", ("batch", "as they come", "sorted by length"), tuple(wastes)),
        ),
    )


def _bars(found: LengthFigures) -> Table:
    rows = [
        (
            f"{bar.from_tokens:,} and more"
            if bar.to_tokens is None
            else f"{bar.from_tokens:,} to {bar.to_tokens - 1:,}",
            f"{bar.num_texts:,}",
            percent(bar.num_texts / found.num_texts, 1),
        )
        for bar in found.bars
    ]
    return Table("Texts by length", ("tokens", "texts", "share"), tuple(rows))
