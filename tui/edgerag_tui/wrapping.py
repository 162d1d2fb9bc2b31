"""Lines of Chinese and Japanese break between any two characters, though not before a comma or after a bracket.

Textual wraps with rich's `divide_line`, which knows words by the spaces between them: a Chinese sentence after a name
or a number is one long word, begins a line of its own, and is cut where the line is full, its full stop alone on the
next. It has no hook for other rules; `install` takes the place of the one function, until it has one.
"""

from __future__ import annotations

import re

from rich._wrap import divide_line as divide_at_spaces

from edgerag_tui.layout import breaks

_WIDE = re.compile("[\u2e80-\ua4cf\uf900-\ufaff\uff00-\uffef]")


def divide_line(text: str, width: int, fold: bool = True) -> list[int]:
    """Offsets at which the second, third ... row of a line begin, `width` in cells."""
    if not fold or width < 2 or not _WIDE.search(text):
        return divide_at_spaces(text, width, fold)
    return breaks(text, width)


def install() -> None:
    """Let all widgets wrap so."""
    from textual import content

    if hasattr(content, "divide_line"):  # another version of Textual may wrap by other means; it then wraps as it does
        content.divide_line = divide_line
