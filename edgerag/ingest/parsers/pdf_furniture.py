"""Finds running headers, footers and page numbers, which would cut paragraphs in two: only computes."""

from __future__ import annotations

import re
from collections import Counter

from edgerag.ingest.parsers.pdf_lines import Line

_NUMBER = re.compile(r"(?<![\w.,])\d{1,4}(?![\w,]|\.\d)")
_NUMBER_AT_END = re.compile(r"^\W*(\d{1,4})(?![\w.,])|(?<![\w.,])(\d{1,4})\W*$")
_ROMAN = re.compile(r"[ivxlc]{1,7}")
_MIN_PAGES = 4
_EDGE_LINES = 2
"""At the top and at the bottom of a page; this many lines may be a running header or footer."""
_MIN_SHARE = 0.4
"""Left and right pages often differ, so that each form is on half of the pages at most."""
_MAX_FOOTER_CHARS = 120


def drop_furniture(pages: list[list[Line]]) -> None:
    """Remove, in place, lines at the edges of pages that repeat or that carry the page's number."""
    num_pages = sum(1 for lines in pages if lines)
    if num_pages < _MIN_PAGES:
        return
    needed = max(_MIN_SHARE * num_pages, 3)
    repeated: Counter[str] = Counter()
    offsets: Counter[int] = Counter()
    for index, lines in enumerate(pages):
        edges = _edge_lines(lines)
        repeated.update({line.text for line in edges})
        repeated.update({_without_numbers(line.text) for line in edges})
        offsets.update({number - index for line in edges for number in _numbers(_NUMBER, line.text)})
    offset, num_numbered = offsets.most_common(1)[0] if offsets else (0, 0)
    is_numbered = num_numbered >= needed
    for index, lines in enumerate(pages):
        dropped = set()
        for line in _edge_lines(lines):
            page_number = index + offset
            if repeated[line.text] >= needed or (
                is_numbered
                and (
                    page_number in _numbers(_NUMBER_AT_END, line.text)
                    or (page_number in _numbers(_NUMBER, line.text) and repeated[_without_numbers(line.text)] >= needed)
                    or _ROMAN.fullmatch(line.text)
                )
            ):
                dropped.add(id(line))
        if dropped:
            pages[index] = [line for line in lines if id(line) not in dropped]


def _numbers(pattern: re.Pattern[str], text: str) -> set[int]:
    """Whole numbers in a short line; a page's number is among them."""
    if len(text) > _MAX_FOOTER_CHARS:
        return set()
    return (
        {int(next(filter(None, match.groups()), match.group())) for match in pattern.finditer(text)} if text else set()
    )


def _without_numbers(text: str) -> str:
    return _NUMBER.sub("#", text)


def _edge_lines(lines: list[Line]) -> list[Line]:
    """The outermost lines on the paper; without boxes, the first and the last in the stream."""
    if lines and all(line.has_box for line in lines):
        lines = sorted(lines, key=lambda line: -line.top)
    return [*lines[:_EDGE_LINES], *lines[max(len(lines) - _EDGE_LINES, _EDGE_LINES) :]]
