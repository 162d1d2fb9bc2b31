"""Where the quote of a saved citation stands today: documents move, change and go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgerag.answers import Citation
from edgerag.datatypes import Document
from edgerag.errors import LibraryError
from edgerag.storage.library import DOCUMENT_COLUMNS, Library

PlaceState = Literal["exact", "moved", "changed", "gone"]


@dataclass(frozen=True, slots=True)
class CitedPlace:
    state: PlaceState
    """`exact`: where it was; `moved`: the quote stands elsewhere in the document now; `changed`: the document no longer
    holds it; `gone`: the library has no such document."""
    document: Document | None
    """As it is now; None where it is gone."""
    start_chars: int
    """Of the quote in the parsed text as it is now; for `changed` where it was, within the text."""
    end_chars: int


def locate(library: Library, citation: Citation) -> CitedPlace:
    """Find the place of a citation in the library as it is now: by id, by path, and by content after a rename."""
    document = _document(library, citation.document)
    if document is None:
        return CitedPlace("gone", None, citation.start_chars, citation.end_chars)
    try:
        text = library.document_text(document.id).text
    except LibraryError:
        return CitedPlace("gone", None, citation.start_chars, citation.end_chars)
    start, end, quote = citation.start_chars, citation.end_chars, citation.quote
    if text[start:end] == quote:
        return CitedPlace("exact", document, start, end)
    places = (text.rfind(quote, 0, start + len(quote)), text.find(quote, max(0, start)))
    near = min((place for place in places if place >= 0), key=lambda place: abs(place - start), default=None)
    if near is None:
        return CitedPlace("changed", document, min(start, len(text)), min(end, len(text)))
    return CitedPlace("moved", document, near, near + len(quote))


def _document(library: Library, then: Document) -> Document | None:
    columns = f"SELECT {DOCUMENT_COLUMNS} FROM documents"
    for condition, value in (
        ("id = ?", then.id),  # never used again after deletion
        ("path = ?", then.path),
        ("content_hash = ? ORDER BY id LIMIT 1", then.content_hash),
    ):
        if rows := library.rows(f"{columns} WHERE {condition}", (value,)):
            return Document(*rows[0])
    return None
