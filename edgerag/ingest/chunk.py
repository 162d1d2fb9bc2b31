"""Cuts a parsed document into chunks along its headings, paragraphs and sentences, so that edits stay local."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from edgerag.datatypes import ChunkDraft, ParsedDocument
from edgerag.ingest.chunk_atoms import AtomCutter, TokenRuler, content_rank
from edgerag.ingest.chunk_merge import merge_atoms
from edgerag.ingest.chunk_sections import Section, read_sections
from edgerag.protocols import TokenCounter

PIECE_CHARS = 1_000_000
"""Longest text worked on at once: bounds memory at some hundred bytes a code point."""
PIECE_TAIL_CHARS = PIECE_CHARS // 4
"""Where in a piece its end is looked for."""
_PIECE_ENDS = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"\s+"))


def chunk_document(parsed: ParsedDocument, counter: TokenCounter, *, budget_tokens: int) -> list[ChunkDraft]:
    """All of `iter_chunks` at once."""
    return list(iter_chunks(parsed, counter, budget_tokens=budget_tokens))


def iter_chunks(parsed: ParsedDocument, counter: TokenCounter, *, budget_tokens: int) -> Iterator[ChunkDraft]:
    """Cut a document into chunks of at most `budget_tokens` tokens, the heading line of `embedded_text` included.

    Every character that is not white space is in exactly one chunk. A chunk ends where a paragraph does, or a sentence
    of a paragraph that is too long, or a clause or word of such a sentence. It crosses a heading only to take in
    a section too small to stand alone, and its heading path is then the one that its sections share.

    Where chunks end depends on the text around that place alone (see `merge_atoms`), so that editing one paragraph
    changes one to three chunks, wherever it stands.

    Args:
        budget_tokens: Capped by the counter's `max_tokens`.

    Yields:
        Chunks in order. A text of more than `PIECE_CHARS` is worked on piece by piece, so that whoever iterates can
        stop within a second or two; the whole of 50 MB takes most of a minute.
    """
    if budget_tokens < 1:
        raise ValueError(f"budget_tokens is {budget_tokens}; it must be positive")
    budget = max(1, min(budget_tokens, counter.max_tokens))
    text = parsed.text
    sections = read_sections(parsed, counter, budget)
    page_starts = [page.start_chars for page in parsed.pages]
    ordinal = 0
    for begin, end in _pieces(text):
        for start, stop, heading in _chunk_piece(text, begin, end, sections, counter):
            index = bisect_right(page_starts, start) - 1
            page = parsed.pages[max(index, 0)].number if page_starts else None
            yield ChunkDraft(ordinal, text[start:stop], start, stop, page, heading)
            ordinal += 1


def _chunk_piece(
    text: str, begin: int, end: int, sections: list[Section], counter: TokenCounter
) -> Iterator[tuple[int, int, str | None]]:
    """Chunk text[begin:end]; yields start, end and heading path of each chunk."""
    ruler = TokenRuler(counter.token_starts(text[begin:end]), begin)
    cutter = AtomCutter(text, ruler)
    first = max(0, bisect_right([section.start for section in sections], begin) - 1)
    for number in range(first, len(sections)):
        section = sections[number]
        if section.start >= end:
            break
        cutter.cut_section(section, number, max(begin, section.start), min(end, section.end))
    yield from merge_atoms(text, cutter.atoms, sections)


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """Parts of a very long text, cut at the end of a paragraph, line or word that its own content marks out."""
    begin = 0
    while len(text) - begin > PIECE_CHARS:
        end = _piece_end(text, begin + PIECE_CHARS - PIECE_TAIL_CHARS, begin + PIECE_CHARS)
        yield begin, end
        begin = end
    if begin < len(text):
        yield begin, len(text)


def _piece_end(text: str, low: int, high: int) -> int:
    for pattern in _PIECE_ENDS:
        ends = [match.end() for match in pattern.finditer(text, low, high)]
        if ends:
            return min(ends, key=lambda end: content_rank(text, end))
    return high
