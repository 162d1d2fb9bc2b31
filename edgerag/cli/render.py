"""Passages and citations as a person reads them in a terminal."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from edgerag.cli.safe_text import safe_line
from edgerag.scripts import word_places

if TYPE_CHECKING:
    from edgerag.answers import Citation
    from edgerag.datatypes import Document, Passage

SNIPPET_CHARS = 280
_WORD = re.compile(r"\w+")


def place(document: Document, page: int | None, heading: str | None) -> str:
    """`handbook.pdf · p. 3 · Rescue > Night calls`"""
    parts = [shown_path(document.path)]
    if page is not None:
        parts.append(f"p. {page}")
    if heading:
        parts.append(safe_line(heading))
    return " · ".join(parts)


def shown_path(path: str) -> str:
    """Relative to the working folder where that is shorter."""
    try:
        relative = os.path.relpath(path)
    except ValueError:  # another drive on Windows
        relative = path
    return safe_line(relative if len(relative) < len(path) and not relative.startswith("..") else path)


def snippet(text: str, query: str, *, length: int = SNIPPET_CHARS) -> str:
    """The part of a text where most words of the query stand, on one line."""
    line = safe_line(text)
    if len(line) <= length:
        return line
    words = {word.lower() for word in _WORD.findall(query) if len(word) > 2 or not word.isascii()}
    lower = line.lower()
    places = sorted(place for word in words for place in word_places(lower, word))
    best = max(places, key=lambda start: sum(start <= other < start + length for other in places), default=0)
    start = max(0, min(best - length // 6, len(line) - length))
    if start > 0:
        start = line.find(" ", start, start + 20) + 1 or start
    end = start + length
    if end < len(line):
        space = line.rfind(" ", max(start, end - 20), end + 1)
        end = space if space > start else end
    return ("… " if start else "") + line[start:end].strip() + (" …" if end < len(line) else "")


def print_passages(passages: Sequence[Passage], query: str, *, color: bool, whole: bool = False) -> None:
    for passage in passages:
        head = f"{passage.rank:>2}  {place(passage.document, passage.chunk.page, passage.chunk.heading)}"
        score = f"{passage.scores.final:.3f}"
        click.echo(f"{click.style(head, bold=True) if color else head}  ({score})")
        text = safe_line(passage.chunk.text) if whole else snippet(passage.chunk.text, query)
        click.echo(click.wrap_text(text, width=_width(), initial_indent="    ", subsequent_indent="    "))


def print_citations(citations: Sequence[Citation], *, color: bool) -> None:
    for citation in citations:
        head = f"[{citation.marker}] {place(citation.document, citation.page, None)}"
        click.echo(click.style(head, bold=True) if color else head)
        quote = f"“{safe_line(citation.quote)}”"
        click.echo(click.wrap_text(quote, width=_width(), initial_indent="    ", subsequent_indent="    "))


def format_size(size_bytes: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if size_bytes < 1000 or unit == "GB":
            return f"{size_bytes:.0f} {unit}" if unit == "B" or size_bytes >= 100 else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    raise AssertionError("unreachable")


def _width() -> int:
    import shutil

    return max(40, min(shutil.get_terminal_size((100, 24)).columns, 110))
