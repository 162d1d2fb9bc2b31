"""Passages for tests of the ask pipeline, written out in one line each."""

from __future__ import annotations

from edgerag.datatypes import Chunk, Document, Passage, Scores, SearchResult


def passage(
    text: str, *, rank: int = 1, document_id: int = 1, start: int = 0, heading: str | None = None, title: str = "Notes"
) -> Passage:
    document = Document(document_id, f"/notes/{document_id}.md", title, "markdown", "0" * 64, 1000, 1)
    chunk = Chunk(document_id * 100 + rank, document_id, rank - 1, text, start, start + len(text), None, heading)
    final = 1.0 / rank
    return Passage(rank, document, chunk, Scores(final, final, final, final, final))


def found(question: str, *texts: str) -> SearchResult:
    passages = tuple(
        passage(text, rank=number, document_id=number, start=10) for number, text in enumerate(texts, start=1)
    )
    return SearchResult(question, passages, (), {"lexical": 1.0, "total": 2.0})
