"""Which sentences of a passage are its headings: they say what is told below them, and answer nothing themselves."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgerag.datatypes import HEADING_SEPARATOR, Passage

SENTENCE_END = re.compile(r"[.!?…。！？｡:：;；][\"'”’»」』）)\]]*$")

HASH_FORMATS = frozenset(("markdown", "ipynb", "text"))
"""Where `# ` makes a heading. In code it begins a comment, and a comment may well be the answer."""
_HASHES = re.compile(r" {0,3}#{1,6}\s")
_UNDERLINE = re.compile(r" {0,3}(?:={2,}|-{2,})[ \t]*$")
_FENCE = re.compile(r"^ {0,3}(?:```|~~~)", re.MULTILINE)


def find_headings(passage: Passage, spans: Sequence[tuple[int, int]]) -> list[bool]:
    """Tell for each sentence of one passage whether it is a heading, or a part of one.

    Args:
        spans: All sentences of the passage's text, in order.

    Returns:
        All False where the passage is nothing but headings: in an agenda they are what is said.
    """
    text = passage.chunk.text
    names = {_folded(passage.document.title)}
    names |= {_folded(name) for name in (passage.chunk.heading or "").split(HEADING_SEPARATOR)}
    found = [_is_heading(text, start, passage.document.format in HASH_FORMATS, names) for start, _ in spans]
    return found if not all(found) else [False] * len(found)


def _is_heading(text: str, start: int, has_hashes: bool, names: set[str]) -> bool:
    # The line and not the sentence: `## 3.2. Scope` is cut behind its number.
    begin, stop = text.rfind("\n", 0, start) + 1, text.find("\n", start)
    line = text[begin : stop if stop >= 0 else len(text)]
    if has_hashes and _HASHES.match(line):
        # A comment in a fenced block of commands looks the same.
        return sum(1 for _ in _FENCE.finditer(text, 0, begin)) % 2 == 0
    if SENTENCE_END.search(line.rstrip()):
        # The title of a page may be its first sentence.
        return False
    following = text[stop + 1 :].split("\n", 1)[0] if stop >= 0 else ""
    return _folded(line) in names or (has_hashes and bool(_UNDERLINE.match(following)))


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()
