"""The texts around a saved turn: what may be stored, what a conversation is called, what a search shows of it."""

from __future__ import annotations

from edgerag.scripts import word_places
from edgerag.storage import lexical

TITLE_CHARS = 80
"""A conversation is called by its first question, cut to this length, until it is renamed."""
SNIPPET_CHARS = 160


def storable(text: str) -> str:
    """A command line may hand over bytes that are no UTF-8, as lone surrogates, which SQLite refuses."""
    return text.encode("utf-8", "replace").decode("utf-8")


def title_of(question: str) -> str:
    """What a conversation is called until it is renamed."""
    line = " ".join(question.split())
    return line if len(line) <= TITLE_CHARS else line[: TITLE_CHARS - 1].rstrip() + "…"


def snippet(text: str, query: str) -> str:
    """The part of a text where a query's words stand, on one line."""
    line = " ".join(text.split())
    lower = line.lower()
    places = [place for term in lexical.query_terms(query) for place in word_places(lower, term)[:1]]
    # A lower-case form may be longer than the text itself (İ): a place that is too far to the right is cut back.
    start = max(0, min(min(places, default=0) - SNIPPET_CHARS // 4, len(line) - SNIPPET_CHARS))
    end = start + SNIPPET_CHARS
    return ("… " if start else "") + line[start:end].strip() + (" …" if end < len(line) else "")
