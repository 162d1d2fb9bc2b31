"""Where the rows of a text begin when it is shown at a width: fast enough for a book, exact for any script."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from rich.cells import split_graphemes

from edgerag.protocols import StopFlag

TAB_CELLS = 4
# Only characters whose width can be told without a table: one cell below U+2E80, two from there on.
_SIMPLE = re.compile(
    "[ -~\u00a1-\u00ac\u00ae-\u02ff\u2e80-\u2e99\u3001-\u3029\u3041-\u3096\u30a0-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7a3\uff01-\uff5e]*"
)
_FIRST_WIDE = "\u2e80"
_NO_ROW_BEGINS_WITH = frozenset("，。、；：？！）】」』》〉”’…—·,.;:?!)]}%")
_NO_ROW_ENDS_WITH = frozenset("（【「『《〈“‘([{")
_CHECK_STOP_EVERY = 2000


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a text at one width."""

    width: int
    """In cells."""
    starts: array[int]
    """Offset of each row's first code point; the row ends where the next begins (its newline or space included)."""
    length: int
    """Of the text, in code points."""

    def __len__(self) -> int:
        return len(self.starts)

    def span(self, row: int) -> tuple[int, int]:
        """Offsets of a row, end exclusive."""
        return self.starts[row], self.starts[row + 1] if row + 1 < len(self.starts) else self.length

    def row_of(self, offset: int) -> int:
        """The row that an offset is in."""
        return max(0, bisect_right(self.starts, offset) - 1)


def lay_out(text: str, width: int, stop: StopFlag | None = None) -> Rows | None:
    """Break a text into rows, between words where there are words, anywhere in Chinese and Japanese.

    Args:
        text: As `safe.plain` gives it: what is drawn in its place must have the width that is measured here.
        width: In cells; at least 2 (a wide character must fit).

    Returns:
        None where `stop` was set meanwhile.
    """
    width = max(2, width)
    starts = array("q")
    position = 0
    for number, line in enumerate(_lines(text)):
        if stop is not None and number % _CHECK_STOP_EVERY == 0 and stop.is_set():
            return None
        starts.append(position)
        if len(line) > width or not line.isascii() or "\t" in line:
            starts.extend(position + start for start in breaks(line, width))
        position += len(line) + 1
    return Rows(width, starts, len(text))


def _lines(text: str) -> Iterator[str]:
    # Not `splitlines`: parsed text separates lines by "\n" only, and form feeds in it are part of a line.
    start = 0
    while (end := text.find("\n", start)) >= 0:
        yield text[start:end]
        start = end + 1
    yield text[start:]


def breaks(line: str, width: int) -> list[int]:
    """Offsets in a line at which its second, third ... row begin.

    Args:
        width: In cells, at least 2.
    """
    if line.isascii() and "\t" not in line:
        return _break_ascii(line, width)
    if _SIMPLE.fullmatch(line):
        cells = [2 if character >= _FIRST_WIDE else 1 for character in line]
        return _break(line, list(range(len(line) + 1)), cells, width)
    # An arrow in place of a tab, which would count as part of the character before it.
    spans, _ = split_graphemes(line.replace("\t", "→"))
    cells = [TAB_CELLS if line[start] == "\t" else size for start, _, size in spans]
    return _break(line, [*(start for start, _, _ in spans), len(line)], cells, width)


def _break_ascii(line: str, width: int) -> list[int]:
    breaks: list[int] = []
    start = 0
    while len(line) - start > width:
        space = line.rfind(" ", start, start + width + 1)
        start = space + 1 if space > start else start + width
        if start < len(line):
            breaks.append(start)
    return breaks


def _break(line: str, starts: list[int], cells: list[int], width: int) -> list[int]:
    """As `_break_ascii` over graphemes: `starts` are their offsets and the end, `cells` their widths."""
    breaks: list[int] = []
    first, used, number = 0, 0, 0
    while number < len(cells):
        if used + cells[number] > width and number > first:
            cut = _cut(line, starts, first, number)
            if cut >= len(cells):
                break
            breaks.append(starts[cut])
            first, number, used = cut, cut, 0
            continue
        used += cells[number]
        number += 1
    return breaks


def _cut(line: str, starts: list[int], first: int, number: int) -> int:
    """The grapheme at which the next row begins, given that `number` no longer fits."""
    if line[starts[number]] == " ":
        return number + 1
    for cut in range(number, first, -1):
        before, character = line[starts[cut - 1]], line[starts[cut]]
        if before == " ":
            return cut
        is_between_words = character >= _FIRST_WIDE or before >= _FIRST_WIDE
        if is_between_words and character not in _NO_ROW_BEGINS_WITH and before not in _NO_ROW_ENDS_WITH:
            return cut
    return number
