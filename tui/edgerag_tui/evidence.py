"""What the evidence list shows: each citation in its context first, then what else was found. Draws nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgerag.datatypes import HEADING_SEPARATOR

if TYPE_CHECKING:
    from edgerag.answers import Citation
    from edgerag.datatypes import Chunk, Document, Passage

CONTEXT_CHARS = 150
"""Shown before and after a quote."""
PASSAGE_CHARS = 240
"""Shown of a passage that is not quoted."""
MOST_NUMBERS = 9
SECTION_SIGN = "§ "
"""In place of Markdown's number signs, which say nothing where the lines of a passage are run together."""
BETWEEN_CELLS, BETWEEN_ROWS = " · ", " / "
"""In place of a table's bars and lines."""
_HEADING_OR_ROW = re.compile(
    r"^[ ]{0,3}#{1,6}[ \t]+(?P<heading>.*)(?P<gap>\n(?!\n))?|^[ \t]*(?P<row>\|.*\|[ \t]*)(?:\n|\Z)", re.MULTILINE
)
_RULE_CELL = re.compile(r":?-+:?")
_BAR = re.compile(r"(?<!\\)\|")
_MARKUP = re.compile(r"[#*_`]")
_UNDERLINE = re.compile(r"[=-]{2,}")


@dataclass(frozen=True, slots=True)
class EvidenceItem:
    """One entry of the list."""

    number: int | None
    """Marker in the answer, and the key that opens it; None: no key does."""
    document: Document
    page: int | None
    heading: str | None
    score: float | None
    context: str
    """A piece of the document's text."""
    quote: tuple[int, int] | None
    """Where in `context` the quote stands; None where nothing is quoted."""
    start_chars: int
    """In the document: what to show when it is opened."""
    end_chars: int
    citation: Citation | None


def evidence_items(
    passages: Sequence[Passage], citations: Sequence[Citation], *, abstained: bool = False
) -> list[EvidenceItem]:
    """Build the list.

    Args:
        passages: Best first; empty for an answer of an earlier day, whose passages are not kept.
        citations: In the order of their markers.
        abstained: Nothing is cited; the nearest passages get the numbers.
    """
    items = [_cited(citation, passages) for citation in citations]
    quoted = {id(passage) for citation in citations if (passage := _holding(citation, passages))}
    for passage in passages:
        if id(passage) not in quoted:
            number = passage.rank if abstained and passage.rank <= MOST_NUMBERS else None
            items.append(_found(passage, number))
    return items


def readable_text(chunk: Chunk, document: Document) -> str:
    """All of a chunk as it is read beside its heading, which it does not repeat."""
    return _readable(chunk.text, _body_start(chunk), len(chunk.text), document)


def _cited(citation: Citation, passages: Sequence[Passage]) -> EvidenceItem:
    passage = _holding(citation, passages)
    context, quote = citation.quote, (0, len(citation.quote))
    if passage is not None:
        text = passage.chunk.text
        start, end = citation.start_chars - passage.chunk.start_chars, citation.end_chars - passage.chunk.start_chars
        body = min(_body_start(passage.chunk), start)
        first = max(body, _to_word(text, start - CONTEXT_CHARS))
        last = min(len(text), end + CONTEXT_CHARS)
        before = ("… " if first > body else "") + _readable(text, first, start, passage.document)
        after = _readable(text, end, last, passage.document) + (" …" if last < len(text) else "")
        context = before + text[start:end] + after
        quote = (len(before), len(before) + end - start)
    heading = citation.heading or (passage.chunk.heading if passage is not None else None)
    score = passage.scores.final if passage is not None else None
    return EvidenceItem(
        citation.marker,
        citation.document,
        citation.page,
        heading,
        score,
        context,
        quote,
        citation.start_chars,
        citation.end_chars,
        citation,
    )


def _found(passage: Passage, number: int | None) -> EvidenceItem:
    chunk = passage.chunk
    body = _body_start(chunk)
    last = min(len(chunk.text), body + PASSAGE_CHARS)
    return EvidenceItem(
        number,
        passage.document,
        chunk.page,
        chunk.heading,
        passage.scores.final,
        _readable(chunk.text, body, last, passage.document) + (" …" if last < len(chunk.text) else ""),
        None,
        chunk.start_chars,
        chunk.end_chars,
        None,
    )


def _holding(citation: Citation, passages: Sequence[Passage]) -> Passage | None:
    """The passage that a quote was taken from."""
    for passage in passages:
        chunk = passage.chunk
        if (
            passage.document.id == citation.document.id
            and chunk.start_chars <= citation.start_chars
            and citation.end_chars <= chunk.end_chars
        ):
            return passage
    return None


def _to_word(text: str, start: int) -> int:
    """The beginning of the next word; 0 for a place before the text."""
    if start <= 0:
        return 0
    space = text.find(" ", start, start + 20)
    return space + 1 if space >= 0 else start


def _body_start(chunk: Chunk) -> int:
    """Where a chunk's text begins behind the lines that only repeat its heading; 0 where there is nothing else."""
    names = {_bare(name) for name in (chunk.heading or "").split(HEADING_SEPARATOR)}
    start, body = 0, 0
    while start < len(chunk.text):
        end = chunk.text.find("\n", start)
        end = len(chunk.text) if end < 0 else end
        line = chunk.text[start:end].strip()
        is_underline = body > 0 and _UNDERLINE.fullmatch(line) is not None
        if line and not is_underline and _bare(line) not in names:
            return start if body else 0
        start = end + 1
        body = start if line else body
    return 0


def _bare(line: str) -> str:
    """A heading without its markup, for comparing."""
    return " ".join(_MARKUP.sub("", line).split()).casefold()


def _readable(text: str, start: int, end: int, document: Document) -> str:
    """A piece of a passage, in which headings further down are told from what they stand above, and tables are read."""
    if document.format != "markdown":
        return text[start:end]
    shown, place = [], start
    for found in _HEADING_OR_ROW.finditer(text):
        # A row may reach beyond the piece: what is in it are cells all the same.
        if found.end() <= start or found.start() >= end or (found["row"] is None and found.start() < start):
            continue
        shown.append(text[place : found.start()])
        if found["row"] is not None:
            following = _HEADING_OR_ROW.match(text, found.end())
            is_last = following is None or following["row"] is None
            shown.append(_read_row(found, max(start, found.start()), min(end, found.end()), is_last=is_last))
        else:
            # Always an empty line below: lines of Chinese are run together without a space.
            shown += [SECTION_SIGN, text[found.start("heading") : min(end, found.end("heading"))]]
            shown.append("\n\n" if found["gap"] and found.end() <= end else "")
        place = min(end, found.end())
    return "".join([*shown, text[place:end]])


def _read_row(found: re.Match[str], start: int, end: int, *, is_last: bool) -> str:
    """The cells that hold something of a table's row, or of the part of it from `start` to `end`; nothing of a rule.

    A quote may begin or end within the row: what parts it from the cells beside it is said here.
    """
    part = found.string[start:end]
    bare = part.strip()
    cells = [cell for cell in map(str.strip, _BAR.split(bare)) if cell]
    bar = BETWEEN_CELLS if cells else ""
    before = ""
    if start > found.start():
        before = bar if bare.startswith("|") else part[: len(part) - len(part.lstrip(" \t"))]
    elif all(_RULE_CELL.fullmatch(cell) for cell in cells):
        return ""
    if end < found.end():
        after = bar if bare.endswith("|") else part[len(part.rstrip(" \t")) :]
    else:
        after = part[len(part.rstrip()) :] if is_last else BETWEEN_ROWS
    return before + BETWEEN_CELLS.join(cells) + after
