"""The only door through which documents, file names, model output and error texts come into a widget.

A widget that is given a `str` reads it as markup: `[bold]` styles, `[@click=...]` runs an action, and a lone bracket
can raise. So no widget is ever given one that is not the program's own. What comes out of here is `Content`, which is
shown as it stands, without a character that a terminal could obey.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual.content import Content, Span

from edgerag.cli.safe_text import line_joints, safe_line, safe_text

if TYPE_CHECKING:
    from markdown_it.token import Token

# Beyond the command line's list. Lone surrogates: file names that are no UTF-8 hold them, and writing one to a terminal
# raises. The rest is invisible: more bidi marks, zero-width spaces, deprecated format characters, tags (which smuggle
# text past a reader), and annotation marks. ZWJ, ZWNJ and variation selectors stay: emoji and Persian need them.
_UNSAFE = re.compile(
    "[\ud800-\udfff\u00ad\u061c\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e0fff]"
)
_EMOJI_STYLE = re.compile("([^\ufe0f])\ufe0f")
_INLINE_MARKS = {"strong_open": "bold", "em_open": "italic"}


def plain(text: str) -> str:
    """Replace everything that a terminal could obey or a reader not see by U+FFFD; tab and newline stay.

    One code point for one: offsets into the text keep their meaning.
    """
    if text.isascii() and text.isprintable():
        return text
    text = _UNSAFE.sub("\ufffd", safe_text(text))
    return _EMOJI_STYLE.sub(_as_text_style, text) if "\ufe0f" in text else text


def _as_text_style(match: re.Match[str]) -> str:
    """A narrow sign stays narrow: as a picture terminals give it one cell or two, which would shift the row."""
    from rich.cells import cell_len

    sign = match[1]
    return sign + ("\ufe0e" if cell_len(sign) == 1 else "\ufe0f")


def line(text: str) -> str:
    """The same on one line: runs of white space become one space, or nothing between lines of Chinese."""
    return plain(safe_line(text))


def content(text: str, style: str = "") -> Content:
    """Text of any origin for a widget."""
    return Content.styled(plain(text), style)


def content_line(text: str, style: str = "") -> Content:
    """The same on one line."""
    return Content.styled(line(text), style)


def highlighted(text: str, spans: Iterable[tuple[int, int]], style: str) -> Content:
    """Text with some ranges (code point offsets, end exclusive; what lies outside is cut off) in another style."""
    length = len(text)
    marks = [Span(max(0, start), min(end, length), style) for start, end in spans if start < length and end > 0]
    return Content(plain(text), [mark for mark in marks if mark.start < mark.end])


def highlighted_line(text: str, spans: Iterable[tuple[int, int]], style: str) -> Content:
    """The same on one line; offsets are those of the text as it was given."""
    shown: list[str] = []
    places: list[int] = []
    joints = {place for joint in line_joints(text) for place in range(*joint)}
    after_space = True
    for place, character in enumerate(text):
        places.append(len(shown))
        is_space = character.isspace()
        if not (is_space and (after_space or place in joints)):
            shown.append(" " if is_space else character)
        after_space = is_space and place not in joints
    places.append(len(shown))
    length = len(text)
    moved = [(places[max(0, start)], places[min(end, length)]) for start, end in spans if end > 0 and start < length]
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
