"""Tables and sections of a report, and how figures are written in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgerag_export.report.report import VariantReport


@dataclass(frozen=True, slots=True)
class Table:
    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """The first cell names the row; all others are figures."""


@dataclass(frozen=True, slots=True)
class Section:
    key: str
    """The charts of the same key stand beside it."""
    title: str
    text: str
    """What the figures mean, for someone who sees them for the first time."""
    tables: tuple[Table, ...]


Column = tuple[str, Callable[[VariantReport], str]]
"""A heading, and what stands below it for a variant."""


def variant_table(caption: str, variants: Sequence[VariantReport], columns: Sequence[Column]) -> Table:
    """A row for each variant."""
    rows = tuple((variant.name, *(show(variant) for _, show in columns)) for variant in variants)
    return Table(caption, ("variant", *(heading for heading, _ in columns)), rows)


def number(value: float | None, digits: int) -> str:
    """A figure; a dash where it was not measured or is not a number."""
    return "-" if value is None or value != value else f"{value:,.{digits}f}"


def rate(value: float | None) -> str:
    """A time or a speed, in about three digits."""
    size = abs(value or 0.0)
    return number(value, 0 if size >= 99.95 else 1 if size >= 9.995 else 2)


def percent(value: float | None, digits: int = 2) -> str:
    """A share, without a minus in front of nothing."""
    if value is None or value != value:
        return "-"
    text = f"{value:.{digits}%}".replace("%", " %")
    return text.removeprefix("-") if not text.strip("-0. %") else text
