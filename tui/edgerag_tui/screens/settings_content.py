"""Settings as rows of a table and as details; only text, no widget."""

from __future__ import annotations

from typing import Any

from textual.content import Content

from edgerag_tui import safe
from edgerag_tui.columns import facts, fit
from edgerag_tui.settings_work import SettingRow
from edgerag_tui.strings import tr

NAME_WIDTH, ORIGIN_WIDTH = 20, 14
ORIGIN_FROM = 60
"""Cells of a row from which who gave the value has a column."""
GROUPS = {
    "interface": ("theme", "language"),
    "models": ("embedder", "reranker", "generator", "threads"),
    "ask": (
        "min_evidence",
        "support_floor",
        "context_tokens",
        "evidence_tokens",
        "max_tokens",
        "temperature",
        "top_p",
        "top_k",
        "repeat_penalty",
        "stop",
        "generate_timeout_s",
    ),
    "conversations": ("rewrite_questions", "save_conversations"),
    "search": ("candidates", "vector_weight", "rerank_top", "rerank_weight", "exact_scan_limit", "hnsw_ef"),
    "ingest": (
        "chunk_tokens",
        "max_file_mib",
        "parse_timeout_s",
        "parse_memory_mib",
        "max_text_chars",
        "parse_workers",
    ),
    "pull": ("package_index",),
    "places": ("library_folder", "models_folder", "config_folder"),
}
"""In the order of the list; what is in none of them comes last."""


def grouped(rows: list[SettingRow]) -> list[tuple[str, SettingRow]]:
    """The rows in the order of their groups, each with its group."""
    by_name = {row.name: row for row in rows}
    found = [(group, by_name.pop(name)) for group, names in GROUPS.items() for name in names if name in by_name]
    return [*found, *(("other", row) for row in by_name.values())]


def shown(value: Any) -> str:
    """A value as one reads it."""
    if isinstance(value, bool):
        return tr("settings.on" if value else "settings.off")
    if isinstance(value, tuple):
        return " | ".join(value) or tr("settings.empty")
    if isinstance(value, str):
        return value or tr("settings.empty")
    return f"{value:g}" if isinstance(value, float) else str(value)


def typed(value: Any) -> str:
    """A value as one types it."""
    return "|".join(value) if isinstance(value, tuple) else f"{value:g}" if isinstance(value, float) else str(value)


def fits(row: SettingRow, words: list[str]) -> bool:
    """Whether a filter finds it, by name or meaning."""
    text = f"{row.name} {about(row)}".casefold()
    return all(word in text for word in words)


def about(row: SettingRow) -> str:
    """What it is for, with its unit."""
    return tr(f"settings.about.{row.name}")


def origin(row: SettingRow) -> str:
    """Who gave the value, in words."""
    if row.origin == "file":
        return row.file
    return tr(f"settings.origin_{row.origin}")


def _line(mark: str, name: Content | str, value: Content | str, origin: Content | str, width: int) -> Content:
    """A line of the table; who gave the value is left out where there is no room, as the mark tells the main thing."""
    has_origin = width >= ORIGIN_FROM
    value_width = width - NAME_WIDTH - 4 - (ORIGIN_WIDTH + 2 if has_origin else 0)
    parts = [Content(mark), fit(name, NAME_WIDTH), Content("  "), fit(value, value_width)]
    return Content("").join([*parts, Content("  "), fit(origin, ORIGIN_WIDTH)] if has_origin else parts)


def row_content(row: SettingRow, width: int) -> Content:
    """A line of the table, `width` cells wide."""
    is_own = row.origin != "default"
    later = f"  {tr('settings.later')}" if row.until_restart is not None else ""
    value = Content.assemble(
        safe.content_line(shown(row.value), "bold" if is_own else ""), Content.styled(later, "$text-warning")
    )
    given = Content.styled(origin(row), "$accent" if is_own else "$muted")
    return _line("• " if is_own else "  ", row.name, value, given, width)


def head_content(width: int) -> Content:
    """The names of the columns."""
    return _line("  ", tr("settings.column_name"), tr("settings.column_value"), tr("settings.column_origin"), width)


def allowed(row: SettingRow) -> str:
    """Which values it may have, in words."""
    if not row.can_change:
        return ""
    if isinstance(row.default, bool):
        return tr("settings.kind_switch")
    if isinstance(row.default, tuple):
        return tr("settings.kind_list")
    if isinstance(row.default, str):
        return tr("settings.one_of", names=", ".join(row.choices)) if row.choices else tr("settings.kind_text")
    kind = tr("settings.kind_number" if isinstance(row.default, float) else "settings.kind_whole")
    if row.low is None:
        return kind
    if row.high is None:
        return tr("settings.at_least", kind=kind, low=_number(row.low))
    return tr("settings.between", kind=kind, low=_number(row.low), high=_number(row.high))


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def details_content(row: SettingRow, width: int) -> Content:
    """What it means, what it may be, who gave it, and how to change it; `width` cells wide."""
    lines = [Content(about(row))]
    if row.until_restart is not None:
        text = tr("settings.until_restart", value=shown(row.until_restart))
        lines.append(safe.content_line(f"! {text}", "$text-warning"))
    entries = [(tr("settings.fact_allowed"), allowed(row))]
    if row.can_change:
        entries.append((tr("settings.fact_default"), shown(row.default)))
    where = {
        "default": tr("settings.from_default"),
        "file": tr("settings.from_file", file=row.file),
        "environment": tr("settings.from_environment", variable=row.variable or row.file),
        "command": tr("settings.from_command"),
        "session": tr("settings.from_session"),
    }
    entries.append((tr("settings.fact_origin"), where[row.origin]))
    if not row.can_change:
        entries.append((tr("settings.fact_change"), tr("settings.change_place", variable=row.file)))
    return Content("\n").join([*lines, *facts(entries, width)])
