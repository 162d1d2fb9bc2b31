"""The smallest pieces a chunk is made of: paragraphs, and parts of those that are longer than a chunk."""

from __future__ import annotations

import re
import unicodedata
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterator
from enum import IntEnum

from edgerag.ingest.chunk_sections import Section
from edgerag.sentences import iter_blocks, iter_unit_sentences, iter_units, trimmed

CHARS_PER_TOKEN = 16
"""Text counts as a token for this many code points at least: WordPiece makes one token of a word of any length above
100 characters, and a chunk of 100 KB of base64 is no chunk."""
RANK_CHARS = 40
"""Text behind a boundary that decides its rank: long enough to tell lines of a log apart, and short enough that editing
a paragraph elsewhere than at its start changes no rank."""
ROUGH_CHARS = 64
"""Longest piece of a word that is cut inside."""
LONGEST_FLAG_RUN = 256
"""How far back flags are counted, in code points (two each): bounds the time on a text of nothing else."""
_CLAUSE_END = re.compile(r"[,;:،؛)\]}](?=\s)|[，、；：]|—+|\s[-–]+(?=\s)")
_WORD = re.compile(r"\S+")
_JOINERS = "\u200c\u200d"
_EXTENDERS = frozenset(chr(code) for code in range(0x1F3FB, 0x1F400)) | frozenset(_JOINERS)


class Boundary(IntEnum):
    """What stands before an atom; the weaker (smaller), the sooner it is merged away."""

    GLUE = 0
    """The heading's own line, which belongs to what follows."""
    ROUGH = 1
    """Inside a word."""
    WORD = 2
    CLAUSE = 3
    SENTENCE = 4
    LINE = 5
    PARAGRAPH = 6
    HEADING = 7


class TokenRuler:
    """Counts the tokens of parts of a text that was tokenised once."""

    def __init__(self, starts: list[int], offset: int) -> None:
        """Take the token starts of a part of the text that begins at `offset`."""
        self._starts = starts
        self._offset = offset

    def index(self, position: int) -> int:
        """Number of tokens that begin before a position."""
        return bisect_left(self._starts, position - self._offset)

    def size(self, start: int, end: int) -> int:
        """Size of a range in tokens."""
        return measured(self.index(end) - self.index(start), end - start)

    def inside(self, start: int, end: int) -> Iterator[int]:
        """Where tokens begin between two positions, both left out."""
        for number in range(self.index(start + 1), self.index(end)):
            yield self._starts[number] + self._offset


def measured(num_tokens: int, num_chars: int) -> int:
    """The size of a text in tokens, not below its size in characters."""
    return max(num_tokens, num_chars // CHARS_PER_TOKEN)


def content_rank(text: str, position: int) -> int:
    """A number below 2**32 that depends on the text behind a position and on nothing else."""
    crc = zlib.crc32(text[position : position + RANK_CHARS].encode("utf-8", "surrogatepass"))
    # CRCs of texts that differ in one character differ in a fixed pattern; multiplying breaks it.
    crc = (crc * 0x9E3779B1) & 0xFFFFFFFF
    return ((crc ^ (crc >> 16)) * 0x85EBCA6B) & 0xFFFFFFFF


class Atoms:
    """A table of atoms in order, as columns: a long line without sentences has hundreds of thousands."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.boundaries: list[Boundary] = []
        self.section_numbers: list[int] = []
        self.token_starts: list[int] = []
        """Tokens of the piece before the atom."""
        self.token_ends: list[int] = []

    def __len__(self) -> int:
        return len(self.starts)

    def size(self, first: int, last: int) -> int:
        """Tokens of the text from one atom to another, both included."""
        num_tokens = self.token_ends[last] - self.token_starts[first]
        return measured(num_tokens, self.ends[last] - self.starts[first])


class AtomCutter:
    """Fills a table of atoms, none larger than a chunk may be."""

    def __init__(self, text: str, ruler: TokenRuler) -> None:
        self.atoms = Atoms()
        self._text = text
        self._ruler = ruler
        self._section_number = 0
        self._heading_tokens = 0
        self._is_glued = False

    def cut_section(self, section: Section, number: int, begin: int, end: int) -> None:
        """Add the atoms of text[begin:end], which is a section or, in a very long document, a part of one."""
        self._section_number = number
        limit = section.limits[-1]
        boundary = Boundary.GLUE if self._is_glued else Boundary.HEADING
        body_start = min(max(section.body_start, begin), end)
        if begin == section.start and section.level:
            for start, stop in trimmed(self._text, begin, body_start):
                if not self._is_glued:
                    self._heading_tokens = 0
                self._heading_tokens += self._ruler.size(start, stop)
                self._cut(start, stop, limit, boundary, 0)
                self._is_glued = True
                boundary = Boundary.GLUE
        for start, stop in iter_blocks(self._text, body_start, end):
            for bare_start, bare_stop in trimmed(self._text, start, stop):
                # What follows a heading leaves it room, so that no chunk consists of a heading.
                room = limit
                if self._is_glued:
                    room = max(limit - self._heading_tokens, (limit + 1) // 2)
                self._cut(bare_start, bare_stop, room, boundary, 0)
                self._is_glued = False
                boundary = Boundary.PARAGRAPH
        self._is_glued = self._is_glued and section.is_bare

    def _cut(self, start: int, end: int, limit: int, boundary: Boundary, level: int) -> None:
        """Add a range as one atom where it fits, else cut it by `_SPLITTERS[level]`, and so on down."""
        first_token, last_token = self._ruler.index(start), self._ruler.index(end)
        if level == len(_SPLITTERS) or measured(last_token - first_token, end - start) <= limit:
            self.atoms.starts.append(start)
            self.atoms.ends.append(end)
            self.atoms.boundaries.append(boundary)
            self.atoms.section_numbers.append(self._section_number)
            self.atoms.token_starts.append(first_token)
            self.atoms.token_ends.append(last_token)
            return
        split, inner = _SPLITTERS[level]
        for part_start, part_end in split(self._text, start, end, self._ruler):
            self._cut(part_start, part_end, limit, boundary, level + 1)
            boundary = inner


def _units(text: str, start: int, end: int, ruler: TokenRuler) -> Iterator[tuple[int, int]]:
    for begin, stop in iter_units(text, start, end):
        yield from trimmed(text, begin, stop)


def _sentences(text: str, start: int, end: int, ruler: TokenRuler) -> Iterator[tuple[int, int]]:
    return iter_unit_sentences(text, start, end)


def _clauses(text: str, start: int, end: int, ruler: TokenRuler) -> Iterator[tuple[int, int]]:
    begin = start
    for match in _CLAUSE_END.finditer(text, start, end):
        yield from trimmed(text, begin, match.end())
        begin = match.end()
    yield from trimmed(text, begin, end)


def _words(text: str, start: int, end: int, ruler: TokenRuler) -> Iterator[tuple[int, int]]:
    for match in _WORD.finditer(text, start, end):
        yield match.span()


def _rough_pieces(text: str, start: int, end: int, ruler: TokenRuler) -> Iterator[tuple[int, int]]:
    """Parts of a word: between tokens, and inside a very long token where its characters say so."""
    begin = start
    for position in (*ruler.inside(start, end), end):
        while position - begin > ROUGH_CHARS:
            marked = (
                cut
                for cut in range(begin + CHARS_PER_TOKEN, begin + ROUGH_CHARS)
                if content_rank(text, cut) % ROUGH_CHARS == 0 and _is_between_characters(text, cut)
            )
            cut = next(marked, begin + ROUGH_CHARS)
            yield begin, cut
            begin = cut
        if position > begin and (position == end or _is_between_characters(text, position)):
            yield begin, position
            begin = position


def _is_between_characters(text: str, position: int) -> bool:
    """Whether a cut leaves what a reader takes for one character whole: accents, emoji, flags, syllables.

    A short form of the rules of Unicode Standard Annex #29, https://www.unicode.org/reports/tr29/
    """
    before, after = text[position - 1], text[position]
    if after.isascii() and before.isascii():
        return True
    if after in _EXTENDERS or before == "\u200d" or unicodedata.category(after).startswith("M"):
        return False
    if unicodedata.combining(before) == 9:  # a virama joins the next consonant
        return False
    if "\u1160" <= after <= "\u11ff" and "\u1100" <= before <= "\u11ff":
        return False
    if _is_flag_half(before) and _is_flag_half(after):
        first = position
        while first > 0 and position - first < LONGEST_FLAG_RUN and _is_flag_half(text[first - 1]):
            first -= 1
        return (position - first) % 2 == 0
    return True


def _is_flag_half(ch: str) -> bool:
    return "\U0001f1e6" <= ch <= "\U0001f1ff"


_Splitter = Callable[[str, int, int, TokenRuler], Iterator[tuple[int, int]]]
_SPLITTERS: tuple[tuple[_Splitter, Boundary], ...] = (
    (_units, Boundary.LINE),
    (_sentences, Boundary.SENTENCE),
    (_clauses, Boundary.CLAUSE),
    (_words, Boundary.WORD),
    (_rough_pieces, Boundary.ROUGH),
)
