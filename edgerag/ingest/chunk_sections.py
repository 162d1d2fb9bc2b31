"""The sections of a document: which text each heading rules, and how many tokens its chunks may have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgerag.datatypes import HEADING_SEPARATOR, ParsedDocument
from edgerag.protocols import TokenCounter

LONGEST_HEADING_LINE = 400
"""In code points; of a longer line only the heading's own text counts as its line."""


@dataclass(frozen=True, slots=True)
class Section:
    """The text from one heading to the next of any level."""

    start: int
    end: int
    level: int
    """Of its heading; 0 for the text above the first one."""
    path: tuple[str, ...]
    """Headings, outermost first; empty above the first one."""
    body_start: int
    """Behind the heading's own line."""
    limits: tuple[int, ...]
    """Tokens left of the budget beside the heading line of `embedded_text`, by length of the heading path."""
    is_bare: bool
    """Nothing but the heading line, with a deeper section below: it belongs to that one."""


def read_sections(parsed: ParsedDocument, counter: TokenCounter, budget: int) -> list[Section]:
    """The sections of a document, in order, covering its whole text."""
    text = parsed.text
    headings = [heading for heading in parsed.headings if 0 <= heading.start_chars < len(text)]
    headings.sort(key=lambda heading: heading.start_chars)
    starts = [heading.start_chars for heading in headings]
    sections: list[Section] = []
    if not starts or starts[0] > 0:
        sections.append(Section(0, starts[0] if starts else len(text), 0, (), 0, (budget,), False))
    path: list[tuple[int, str, int]] = []
    fitted: dict[str, tuple[str, int]] = {}
    for index, heading in enumerate(headings):
        start = heading.start_chars
        end = starts[index + 1] if index + 1 < len(starts) else len(text)
        while path and path[-1][0] >= heading.level:
            path.pop()
        # The separator inside a heading would make two of it when the path is read again.
        title = " ".join(heading.text.split()).replace(HEADING_SEPARATOR, " › ")
        if title not in fitted:
            fitted[title] = _fit_title(title, counter, budget)
        title, limit = fitted[title]
        if title:
            path.append((heading.level, title, limit))
        body_start = min(end, _line_end(text, start, len(heading.text)))
        is_deeper_below = index + 1 < len(headings) and headings[index + 1].level > heading.level
        is_bare = is_deeper_below and not text[body_start:end].strip()
        titles = tuple(part[1] for part in path)
        limits = (budget, *(part[2] for part in path))
        sections.append(Section(start, end, heading.level, titles, body_start, limits, is_bare))
    return sections


def shared_length(paths: Sequence[tuple[str, ...]]) -> int:
    """How many outer headings some heading paths share."""
    length = min(map(len, paths))
    while any(path[:length] != paths[0][:length] for path in paths):
        length -= 1
    return length


def _fit_title(title: str, counter: TokenCounter, budget: int) -> tuple[str, int]:
    """The title, shortened to half the budget, and what is left beside it."""
    starts = counter.token_starts(title)
    if len(starts) > budget // 2:
        title = title[: starts[budget // 2]].rstrip()
        starts = starts[: budget // 2]
    return title, max(1, budget - len(starts))


def _line_end(text: str, start: int, heading_chars: int) -> int:
    end = text.find("\n", start, start + LONGEST_HEADING_LINE)
    if end == -1:
        rest = len(text) - start
        return len(text) if rest <= LONGEST_HEADING_LINE else start + heading_chars
    return end
