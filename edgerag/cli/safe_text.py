"""Document text on its way to a terminal: content, never control."""

from __future__ import annotations

import re
from collections.abc import Iterator

# C0 and C1 controls but tab and newline, bidi embeddings, overrides and isolates, and the line and paragraph
# separators: each can move the cursor, hide text or reorder what a person reads (CVE-2021-42574 for the bidi ones).
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_WIDE = "[\u3001-\u30ff\u3400-\u9fff\uf900-\ufaff\uff01-\uffef\U00020000-\U0003ffff]"
_JOINT = re.compile(
    rf"(?<={_WIDE})[ \t\r\u3000]*\n[ \t\u3000]*(?={_WIDE})|(?<=[、。」』】》，！？；：）…”])[^\S\n]*\n\s*(?={_WIDE})"
)


def safe_text(text: str) -> str:
    """Replace everything that a terminal could obey by U+FFFD; tab and newline stay."""
    return _UNSAFE.sub("\ufffd", text)


def safe_line(text: str) -> str:
    """The same, on one line: runs of white space become one space, and those that `line_joints` finds nothing."""
    return safe_text(" ".join(_JOINT.sub("", text).split()))


def line_joints(text: str) -> Iterator[tuple[int, int]]:
    """Where lines are joined without a space, as (start, end) of the white space: between Chinese or Japanese words.

    An empty line ends a heading too, which must not run into what follows, so it counts only behind a sentence's end.
    """
    return (match.span() for match in _JOINT.finditer(text))
