"""What the evidence list shows: each citation in its context first, then what else was found. Draws nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgerag.answers import Citation
    from edgerag.datatypes import Document, Passage

CONTEXT_CHARS = 150
"""Shown before and after a quote."""
PASSAGE_CHARS = 240
"""Shown of a passage that is not quoted."""
MOST_NUMBERS = 9


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


def _cited(citation: Citation, passages: Sequence[Passage]) -> EvidenceItem:
    passage = _holding(citation, passages)
    context, quote = citation.quote, (0, len(citation.quote))
    if passage is not None:
        start, end = citation.start_chars - passage.chunk.start_chars, citation.end_chars - passage.chunk.start_chars
        first, last = (
            _to_word(passage.chunk.text, start - CONTEXT_CHARS),
            min(len(passage.chunk.text), end + CONTEXT_CHARS),
        )
        before, after = "… " if first else "", " …" if last < len(passage.chunk.text) else ""
        context = before + passage.chunk.text[first:last] + after
        quote = (len(before) + start - first, len(before) + end - first)
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
    return EvidenceItem(
        number,
        passage.document,
        chunk.page,
        chunk.heading,
        passage.scores.final,
        chunk.text[:PASSAGE_CHARS] + (" …" if len(chunk.text) > PASSAGE_CHARS else ""),
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
