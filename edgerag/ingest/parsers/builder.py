"""Builds a parsed document block by block, so that every offset is exact by construction."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

from edgerag.datatypes import Heading, PageSpan, ParsedDocument
from edgerag.ingest.parsers.refusals import too_long

_FORBIDDEN = re.compile("[\x00\ud800-\udfff]")
_NEWLINES = re.compile(r"\r\n?")

MAX_HEADING_CHARS = 300
"""A longer `heading` is a paragraph that someone styled as one; it would swamp the chunks below it."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a parser is given: a whole file, read once, and how much text it may become."""

    data: bytes
    name: str
    """The file's name without folders."""
    max_text_chars: int

    @property
    def stem(self) -> str:
        """The name without its ending; the title of documents that have none."""
        return one_line(clean_text(PurePath(self.name).stem)) or "untitled"


def clean_text(text: str) -> str:
    """Newlines become `\\n`; NUL and lone surrogates go. What `ParsedDocument.text` promises."""
    if "\r" in text:
        text = _NEWLINES.sub("\n", text)
    return _FORBIDDEN.sub("", text)


def one_line(text: str) -> str:
    """Collapse all white space, newlines too, to single spaces."""
    return " ".join(text.split())


class TextBuilder:
    """Collects blocks; blocks are parted by one empty line, lines within a block by a newline."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._parts: list[str] = []
        self._length_chars = 0
        self._separator = ""
        self._pages: list[PageSpan] = []
        self._page_number: int | None = None
        self._page_start_chars = 0
        self.headings: list[Heading] = []
        self.warnings: list[str] = []

    @property
    def is_empty(self) -> bool:
        return self._length_chars == 0

    def _append(self, text: str) -> int:
        """Add text after the pending separator and return where it begins."""
        separator = self._separator if self._length_chars else ""
        start_chars = self._length_chars + len(separator)
        self._length_chars = start_chars + len(text)
        if self._length_chars > self._source.max_text_chars:
            raise too_long(self._source.max_text_chars)
        self._parts += (separator, text)
        if self._page_number is not None and self._page_start_chars < 0:
            self._page_start_chars = start_chars
        return start_chars

    def block(self, text: str) -> int:
        """Add a paragraph, a list, a table ...: an empty line before and after.

        Returns:
            Where it begins (or would, if there were anything to add).
        """
        text = clean_text(text).strip("\n").rstrip()
        self._separator = "\n\n"
        return self._append(text) if text else self._length_chars

    def line(self, text: str, *, end: str = "\n") -> None:
        """Add one line; `end` parts it from the next one, unless that is a block."""
        text = clean_text(text).strip("\n").rstrip()
        if text:
            self._append(text)
            self._separator = end

    def gap(self) -> None:
        """The next line begins a new block."""
        self._separator = "\n\n"

    def continue_line(self) -> None:
        """The next text goes on where the last one ended."""
        if self._separator:
            self._separator = " "

    def heading(self, level: int, text: str) -> None:
        """Add a heading as a block of one line; an overlong one becomes a paragraph."""
        text = one_line(clean_text(text))
        if not text:
            return
        if len(text) > MAX_HEADING_CHARS:
            self.block(text)
            return
        self._separator = "\n\n"
        start_chars = self._append(text)
        self.headings.append(Heading(level=max(level, 1), text=text, start_chars=start_chars))
        self._separator = "\n\n"

    def start_page(self, number: int) -> None:
        """What follows is on this page; pages without text get no span."""
        self.end_page()
        self._page_number = number
        self._page_start_chars = -1

    def end_page(self) -> None:
        """Close the page that is open, if any."""
        if self._page_number is not None and self._page_start_chars >= 0:
            self._pages.append(PageSpan(self._page_number, self._page_start_chars, self._length_chars))
        self._page_number = None

    def warn(self, text: str) -> None:
        """Tell the user what was skipped or guessed; once each."""
        if text not in self.warnings:
            self.warnings.append(text)

    def build(self, format_name: str, title: str = "") -> ParsedDocument:
        """Put the document together; without a title the file's name serves."""
        self.end_page()
        return ParsedDocument(
            text="".join(self._parts),
            title=one_line(clean_text(title)) or self._source.stem,
            format=format_name,
            pages=tuple(self._pages),
            headings=tuple(self.headings),
            warnings=tuple(self.warnings),
        )


def whole_text(
    source: Source,
    text: str,
    format_name: str,
    *,
    title: str = "",
    headings: Iterable[Heading] = (),
    warnings: Iterable[str] = (),
) -> ParsedDocument:
    """A document whose text is the file's own, for formats that people read as source."""
    if len(text) > source.max_text_chars:
        raise too_long(source.max_text_chars)
    return ParsedDocument(
        text=text,
        title=one_line(clean_text(title)) or source.stem,
        format=format_name,
        headings=tuple(headings),
        warnings=tuple(warnings),
    )
