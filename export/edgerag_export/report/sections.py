"""A report cut into sections with tables: what the terminal prints and the page shows beside its charts."""

from __future__ import annotations

from edgerag_export.report import quality_sections, speed_sections
from edgerag_export.report.report import Report, VariantReport
from edgerag_export.report.tables import Column, Section, number, rate, variant_table


def build_sections(report: Report) -> tuple[Section, ...]:
    """All that was measured, in the order in which it is read."""
    makers = (
        _overview,
        quality_sections.embedding_quality,
        quality_sections.rerank_quality,
        quality_sections.generator_quality,
        speed_sections.latency,
        speed_sections.throughput,
        speed_sections.arithmetic,
        speed_sections.lengths,
    )
    return tuple(section for maker in makers if (section := maker(report)) is not None)


def _overview(report: Report) -> Section:
    front = set(report.recommendation.front)
    columns: list[Column] = [
        ("size MB", lambda variant: number(variant.size_mb, 1)),
        ("load ms", lambda variant: rate(_load_ms(variant))),
        ("tolerance", _verdict),
        ("front", lambda variant: "yes" if variant.name in front else "no"),
    ]
    return Section(
        "overview",
        "Overview",
        "A variant is on the front when it is within the tolerance and no other such variant is at least as good in "
        "quality, speed and size and better in one of them. Loading is reading the files, checking their hashes and "
        "opening the model.",
        (variant_table("Size, loading and tolerance", report.variants, columns),),
    )


def _verdict(variant: VariantReport) -> str:
    return "original" if variant.is_reference else "within" if variant.passes else "outside"


def _load_ms(variant: VariantReport) -> float | None:
    if variant.speed is not None:
        return variant.speed.load_ms
    return variant.generator.load_ms if variant.generator else None
