"""The only door through which documents, file names, model output and error texts come into a widget.

A widget that is given a `str` reads it as markup: `[bold]` styles, `[@click=...]` runs an action, and a lone bracket
can raise. So no widget is ever given one that is not the program's own. What comes out of here is `Content` (or rich
`Text`, for trees and tables), which is shown as it stands, without a character that a terminal could obey.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual.content import Content, Span

from edgerag.cli.safe_text import safe_text

if TYPE_CHECKING:
    from markdown_it.token import Token
    from rich.text import Text

# Beyond the command line's list. Lone surrogates: file names that are no UTF-8 hold them, and writing one to a terminal
# raises. The rest is invisible: more bidi marks, zero-width spaces, deprecated format characters, tags (which smuggle
# text past a reader), and annotation marks. ZWJ, ZWNJ and variation selectors stay: emoji and Persian need them.
_UNSAFE = re.compile(
    "[\ud800-\udfff\u00ad\u061c\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e0fff]"
)
_INLINE_MARKS = {"strong_open": "bold", "em_open": "italic"}


def plain(text: str) -> str:
    """Replace everything that a terminal could obey or a reader not see by U+FFFD; tab and newline stay.

    One code point for one: offsets into the text keep their meaning.
    """
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub("\ufffd", safe_text(text))


def line(text: str) -> str:
    """The same on one line: runs of white space become one space."""
    return plain(" ".join(text.split()))


def content(text: str, style: str = "") -> Content:
    """Text of any origin for a widget."""
    return Content.styled(plain(text), style)


def content_line(text: str, style: str = "") -> Content:
    """The same on one line."""
    return Content.styled(line(text), style)


def rich_line(text: str, style: str = "") -> Text:
    """One line for a widget that takes rich's `Text`: cells of a `DataTable`, labels of a `Tree`."""
    from rich.text import Text  # loaded already by textual, but not by whoever imports this module for its texts

    return Text(line(text), style=style, end="")


def highlighted(text: str, spans: Iterable[tuple[int, int]], style: str) -> Content:
    """Text with some ranges (code point offsets, end exclusive; what lies outside is cut off) in another style."""
    length = len(text)
    marks = [Span(max(0, start), min(end, length), style) for start, end in spans if start < length and end > 0]
    return Content(plain(text), [mark for mark in marks if mark.start < mark.end])


def highlighted_line(text: str, spans: Iterable[tuple[int, int]], style: str) -> Content:
    """The same on one line; offsets are those of the text as it was given."""
    shown: list[str] = []
    places: list[int] = []
    after_space = True
    for character in text:
        is_space = character.isspace()
        if not (is_space and after_space):
            shown.append(" " if is_space else character)
        places.append(max(0, len(shown) - 1))
        after_space = is_space
    places.append(len(shown))
    ends = len(text)
    moved = [
        (places[max(0, start)], places[min(end, ends) - 1] + 1) for start, end in spans if end > 0 and start < ends
    ]
    return highlighted("".join(shown).rstrip(), moved, style)


def markdown(text: str) -> Content:
    """One sentence of a generator's: emphasis and code are shown as such, and nothing else means anything.

    No link, image, HTML, heading or list can come of it. Textual's own Markdown widget is not used: it makes links that
    a click follows, and it renders a paragraph anew for each piece that is appended.
    """
    from markdown_it import MarkdownIt  # 20 ms; only where an answer is shown

    parser = MarkdownIt("zero").enable(["emphasis", "backticks"])
    shown = ""
    spans: list[Span] = []
    opened: list[tuple[str, int]] = []
    for token in _inline(parser.parseInline(line(text))):
        if token.type == "code_inline":
            spans.append(Span(len(shown), len(shown) + len(token.content), "bold"))
        elif token.nesting == 1:
            opened.append((_INLINE_MARKS.get(token.type, ""), len(shown)))
        elif token.nesting == -1 and opened:
            style, start = opened.pop()
            if style and start < len(shown):
                spans.append(Span(start, len(shown), style))
        shown += token.content
    return Content(plain(shown), spans)


def _inline(tokens: Iterable[Token]) -> Iterable[Token]:
    for token in tokens:
        yield from token.children or ()
