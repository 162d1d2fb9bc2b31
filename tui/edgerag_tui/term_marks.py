"""Where the words of a query stand in a text: for highlighting only, it decides nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from edgerag.ask.terms import CJK_PARTICLES, STOP_WORDS, WORD, stem
from edgerag.scripts import has_cjk

BEGINNING = "*"
"""No word holds one."""
_ASCII_WORD = re.compile("[A-Za-z0-9]+")


def marked_terms(query: str) -> tuple[str, ...]:
    """The words and bigrams of a query that are worth marking; all of them where none is.

    A last word that may be unfinished is there twice: as it is, and with `BEGINNING` behind it.
    """
    # With it comes the database, which the first picture needs not.
    from edgerag.storage.lexical import query_terms, unfinished_word

    terms = query_terms(query)
    telling = [term for term in terms if term not in STOP_WORDS and not CJK_PARTICLES.intersection(term)]
    unfinished = unfinished_word(query)
    return (*(telling or terms), *([unfinished + BEGINNING] if unfinished in telling else []))


def term_spans(text: str, terms: Sequence[str]) -> list[tuple[int, int]]:
    """Ranges of a text that hold one of the terms, whatever its ending; sorted, none overlaps another."""
    stems = {stem(term) for term in terms if not has_cjk(term)}
    beginnings = tuple(term.removesuffix(BEGINNING) for term in terms if term.endswith(BEGINNING))
    spans = []
    if stems:
        spans = [span for word, span in _words(text) if stem(word) in stems or word.startswith(beginnings)]
    for term in terms:
        if has_cjk(term):
            spans += [match.span() for match in re.finditer(re.escape(term), text)]
    return _merged(spans)


def _words(text: str) -> Iterable[tuple[str, tuple[int, int]]]:
    for match in WORD.finditer(text):
        if has_cjk(match.group()):
            # 数据库SQLite: no space parts the scripts.
            for part in _ASCII_WORD.finditer(text, *match.span()):
                yield part.group().lower(), part.span()
        else:
            yield match.group().lower(), match.span()


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
