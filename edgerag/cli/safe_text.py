"""Document text on its way to a terminal: content, never control."""

from __future__ import annotations

import re

# C0 and C1 controls but tab and newline, bidi embeddings, overrides and isolates, and the line and paragraph
# separators: each can move the cursor, hide text or reorder what a person reads (CVE-2021-42574 for the bidi ones).
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def safe_text(text: str) -> str:
    """Replace everything that a terminal could obey by U+FFFD; tab and newline stay."""
    return _UNSAFE.sub("\ufffd", text)


def safe_line(text: str) -> str:
    """The same, on one line: runs of white space become one space."""
    return safe_text(" ".join(text.split()))
