"""A report as tables in the terminal; plain text where nobody looks at one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgerag.cli.safe_text import safe_line
from edgerag_export.report.report import Report
from edgerag_export.report.sections import build_sections
from edgerag_export.report.tables import Table

if TYPE_CHECKING:
    from rich.console import Console

_GAP = 2
_NAME_WIDTH = 26
"""Enough for `static-percentile@x86-vnni`."""


def render_terminal(report: Report, console: Console) -> None:
    """Print a report.

    Args:
        report: To be shown.
        console: Its width is kept to, from 60 columns on. Colours only where it has any.
    """
    from rich.text import Text  # deferred: 60 ms that a build does without

    def line(text: str, style: str = "") -> None:
        # Text objects, never strings: a name from a manifest must not be read as markup.
        console.print(Text(safe_line(text), style=style))

    machine, chosen = report.machine, report.recommendation
    line(f"{report.model} ({report.task})", "bold")
    line(f"{machine.cpu}, {machine.cores} cores, {machine.system} {machine.architecture}")
    if machine.flags:
        line(" ".join(machine.flags))
    line(", ".join(f"{name} {number}" for name, number in machine.packages.items()))
    if report.made_at:
        line(report.made_at)
    console.print()
    line(f"Recommended: {chosen.chosen or 'none'}", "bold")
    line(chosen.reason)
    if chosen.rejected:
        line("Outside the tolerance:")
        for text in chosen.rejected:
            line(f"- {text}")
    for note in report.notes:
        line(f"Note: {note}")
    for section in build_sections(report):
        console.print()
        line(section.title, "bold underline")
        line(section.text, "dim")
        for table in section.tables:
            console.print()
            line(table.caption, "italic")
            _print_table(table, console)


def _print_table(table: Table, console: Console) -> None:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    for places in _parts(table, console.width):
        widths = _widths(table, places, console.width)
        drawn = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
        for place, width in zip(places, widths, strict=True):
            # Widths are ours: rich shares them out in proportion and then crops figures.
            drawn.add_column(
                Text(safe_line(table.headings[place]), style="bold"),
                justify="right" if place else "left",
                overflow="fold",
                width=width,
            )
        for row in table.rows:
            drawn.add_row(*(Text(safe_line(row[place])) for place in places))
        console.print(drawn)


def _parts(table: Table, width: int) -> list[list[int]]:
    """Share the columns out over as many tables as the width asks for, each beginning with the names."""
    parts: list[list[int]] = [[0]]
    used = first = _narrowest(table, 0) + _GAP
    for place in range(1, len(table.headings)):
        own = _narrowest(table, place) + _GAP
        if used + own > width and len(parts[-1]) > 1:
            parts.append([0])
            used = first
        parts[-1].append(place)
        used += own
    return parts


def _narrowest(table: Table, place: int) -> int:
    cells = max((len(row[place]) for row in table.rows), default=1)
    return max(cells, *map(len, table.headings[place].split())) if place else min(cells, _NAME_WIDTH)


def _widths(table: Table, places: list[int], width: int) -> list[int]:
    """Give columns what they need, and from the left their whole heading as long as there is room."""
    widths = [_narrowest(table, place) for place in places]
    room = width - sum(widths) - _GAP * len(widths)
    for column, place in enumerate(places):
        wanted = max(len(table.headings[place]), *(len(row[place]) for row in table.rows), widths[column])
        if wanted - widths[column] <= room:
            room -= wanted - widths[column]
            widths[column] = wanted
    return widths
