"""Joins the lines of a printed page to paragraphs: only computes, knows nothing of PDF."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_LAST_WORD = re.compile(r"([^\W\d_]+)$")
_FIRST_WORD = re.compile(r"([^\W\d_]+)")
_BULLET = re.compile(r"(?:[•◦▪‣●○■□–—*·-]|\(?\d{1,3}[.)]|\(?[a-z][.)])(?:\s|$)")
_LEADERS = re.compile(r"(?:\s?\.){4,}\s*|(?:\s?…){2,}\s*")
_SOFT_HYPHENS = ("\u00ad", "\x02", "\ufffe")
"""The last two are what pdfium makes of a hyphen at a line end that it takes for a soft one."""
_HYPHENS = ("-", "\u2010")
_SENTENCE_END = re.compile(r"[.!?:;。！？：；…][\"'”’»)\]」』）]*$")
_CJK = re.compile(r"[\u2e80-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")
_INDENT = 0.8
"""In line heights: a smaller shift of the left edge is no indent."""
_GAP = 0.55
"""In line heights: a larger distance between two lines parts paragraphs (leading is below 0.4 in print)."""
_OTHER_SIZE = 1.15


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a page; the box is in points, y upwards, and all zero where it is unknown."""

    text: str
    left: float = 0.0
    bottom: float = 0.0
    right: float = 0.0
    top: float = 0.0

    @property
    def has_box(self) -> bool:
        return self.top > self.bottom

    @property
    def height(self) -> float:
        return self.top - self.bottom


@dataclass(frozen=True, slots=True)
class Piece:
    """A paragraph, a line of verse or code, or a heading."""

    text: str
    separator: str
    """What parts it from the next piece: one newline or two."""
    heading_level: int = 0
    """0: no heading."""


def known_words(lines: Iterable[str]) -> frozenset[str]:
    """Words as they stand within the lines of a document, to judge hyphens at line ends by."""
    words: set[str] = set()
    for line in lines:
        found = _WORD.findall(line.casefold())
        words.update(found[:-1] if line.endswith((*_HYPHENS, *_SOFT_HYPHENS)) else found)
    return frozenset(words)


def join_lines(lines: Sequence[Line], words: frozenset[str]) -> list[Piece]:
    """Join lines to paragraphs.

    Args:
        lines: In reading order.
        words: From `known_words`.
    """
    pieces: list[Piece] = []
    if not lines:
        return pieces
    margins = [_right_margin(lines, index) for index in range(len(lines))]
    text, first = lines[0].text, 0
    for index in range(1, len(lines)):
        separator = _separator(lines, first, index, margins[index - 1])
        if separator:
            pieces.append(Piece(_finish(text), separator))
            text, first = lines[index].text, index
        else:
            text = join_texts(text, lines[index].text, words)
    pieces.append(Piece(_finish(text), "\n\n"))
    return pieces


def join_texts(before: str, after: str, words: frozenset[str]) -> str:
    """Join two lines of a paragraph: repair hyphenation, no space between ideographs.

    A hyphen goes when the whole word, or neither form, is known; it stays when the document has the compound.
    """
    if before.endswith(_SOFT_HYPHENS):
        return before[:-1] + after
    if before.endswith(_HYPHENS):
        left, right = _LAST_WORD.search(before[:-1]), _FIRST_WORD.match(after)
        if left is None or right is None or not after[0].islower():
            return before + after if left else f"{before} {after}"
        head, tail = left.group().casefold(), right.group().casefold()
        is_compound = f"{head}-{tail}" in words and head + tail not in words
        return before + after if is_compound else before[:-1] + after
    if _CJK.match(before[-1]) and _CJK.match(after[0]):
        return before + after
    return f"{before} {after}"


def continues_across_pages(last: Piece, first: Piece) -> bool:
    """Whether a paragraph runs on over the page break."""
    if last.heading_level or first.heading_level or _SENTENCE_END.search(last.text):
        return False
    return first.text[0].islower()


def _separator(lines: Sequence[Line], first: int, index: int, margin: float) -> str:
    """What parts line `index` from the one before: nothing, when the paragraph begun at `first` goes on."""
    before, after = lines[index - 1], lines[index]
    ends_sentence = bool(_SENTENCE_END.search(before.text))
    is_bullet = bool(_BULLET.match(after.text))
    if not before.has_box or not after.has_box:
        # Without boxes: lines of running text are long, and only a sentence's end or a bullet ends a
        # paragraph.
        if is_bullet or (len(before.text) < 40 and not after.text[0].islower()):
            return "\n"
        return "\n\n" if ends_sentence and len(before.text) < 60 else ""
    height = max(before.height, after.height)
    if height > _OTHER_SIZE * min(before.height, after.height):
        return "\n\n"
    gap = before.bottom - after.top
    if gap < -1.5 * height:  # further up: next column
        return "" if not ends_sentence and after.text[0].islower() else "\n\n"
    if gap < -0.6 * height:  # beside: cells of a table, or a label in the margin
        return "\n"
    if gap > _GAP * height:
        return "\n\n"
    if is_bullet:
        return "\n"
    indent = after.left - before.left
    starts_with_bullet = index - 1 == first and bool(_BULLET.match(before.text))
    if indent > _INDENT * height and not starts_with_bullet:
        return "\n\n" if ends_sentence else "\n"
    if indent < -_INDENT * height and index - 1 != first:
        return "\n"
    first_word = after.text.split(maxsplit=1)[0]
    character_width = (after.right - after.left) / max(len(after.text), 1)
    needed = 2.5 * height if _CJK.match(after.text[0]) else (len(first_word) + 1.5) * character_width
    has_fitted = margin - before.right > needed
    if has_fitted:  # the next word had room and was not put there: the break is meant
        return "\n\n" if ends_sentence else "\n"
    return ""


def _right_margin(lines: Sequence[Line], index: int) -> float:
    """How far right the lines around reach that begin in the same column."""
    line = lines[index]
    around = lines[max(0, index - 12) : index + 13]
    near = 6 * line.height
    return max((other.right for other in around if abs(other.left - line.left) < near), default=line.right)


def _finish(text: str) -> str:
    """Dot leaders of a table of contents become one ellipsis; soft hyphens go."""
    for hyphen in _SOFT_HYPHENS:
        text = text.replace(hyphen, "")
    return _LEADERS.sub(" … ", text).strip() if "." in text or "…" in text else text
