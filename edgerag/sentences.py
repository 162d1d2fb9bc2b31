"""Cuts a text of any script into sentences, as spans of the text itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

_CLOSERS = "\"'”’»›)\\]}」』）】》〉〕］｝*_"
_CJK_CLOSERS = "”’」』）】》〉〕］｝"
_END = re.compile(
    f"(?P<spaced>[.!?…‽؟۔]+)[{_CLOSERS}]*"  # an end only when white space follows
    f"|(?P<wide>[。！？｡．｡]+)[！？。…—]*(?P<closed>[{_CJK_CLOSERS}]*)"  # an end whatever follows
    "|[।॥။။።፧។᙮᠃]+"
)
"""`；` parts clauses, not sentences: XQuAD's Chinese answers often need both halves. `chunk` cuts there."""
_BLANK_LINE = re.compile(r"\n\s*(?:\n|\f)|\f|\u2029")
_LINE_BREAK = re.compile("[\n\u2028]")
_UNIT_START = re.compile(
    r"[^\S\n]*(?:[-*+•‣▪◦·●○■□◆–—]\s|#{1,6}\s|>|\||\(?\d{1,3}[.)]\s|\(?[A-Za-z][.)]\s"
    r"|\(?[ivx]{1,5}[.)]\s|[（(]?[一二三四五六七八九十]{1,3}[）)、]|第[\d一二三四五六七八九十百]{1,4}[章节条節条])"
)
"""What begins a list item, heading, quote or table row."""
_LAST_WORD = re.compile(r"[^\s(\[{\"'“‘«/—–]+$")
_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]?")
_NUMBERED = re.compile(r"\d{1,3}(?:\.\d{1,3})*|[ivxIVX]{1,5}|[A-Za-z]")
_OPENERS = "\"'“‘«‹([{¿¡*_ \t\n"


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_NEVER_LAST = _words(
    """
    al. approx bzw ca capt cf cmdr col d.h dr e.g e.g. esp evtl fr gen ggf hon hr i.e i.e. incl lt maj
    messrs mlle mme mr mrs ms mx p.ex prof resp rev sgt sog sr. st u.a usw. v vgl viz vs z.b
    """
)
"""Abbreviations after which the sentence goes on."""
_BEFORE_NUMBER = _words(
    """
    abs app apr art aug bd c ca ch chap col dec ed eq eqs est feb fig figs jan jul jun line mar no nos
    nov nr oct p para pg pp ref refs s sec secs sep sept tab v ver vol
    """
)
"""Abbreviations when a number follows; `No.` alone is a sentence."""
_MAYBE_LAST = _words(
    """
    a.m al assn ave blvd bros co corp dept etc inc jr ltd p.m rd sr univ usw
    """
)
"""Abbreviations that may end a sentence: they do when a capital follows."""
_STARTERS = _words(
    """
    a after all also although an and as at before but by for from furthermore he her here his how
    however i if in it its many moreover most my no not on one or our she since so some that the their
    then there therefore these they this those though thus we what when where which while who why with
    you your
    """
)
"""Words whose capital shows that a sentence begins, even after `U.S.`"""

WRAP_SLACK = 0.6
"""A line is a unit of its own when the next word would have fitted with this share of the width used."""
NARROWEST_WRAP = 50
"""Nobody wraps prose narrower than this, in code points; shorter blocks are lists, verse or addresses."""
WRAP_WINDOW = 6
"""Lines to either side whose longest shows the width; few, so that an edit is not felt far away."""
LONGEST_WORD = 40
"""How far a decision looks to either side, so that the time stays linear in the text's length."""


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Find the sentences of a text.

    A sentence ends at its punctuation (Latin, CJK, Devanagari, Arabic, ...; closing quotes included), at a
    blank line, or at the end of a line that is a unit: a list item, heading, table row, or a line too short to
    have been wrapped. Line breaks of wrapped prose, abbreviations, initials, decimals, section numbers,
    addresses and file names do not end one.

    Returns:
        (start, end) offsets in code points, in order, not overlapping, without surrounding white space;
        together they hold every character that is not white space.
    """
    return list(iter_sentences(text))


def iter_sentences(text: str) -> Iterator[tuple[int, int]]:
    """`split_sentences` one by one, in time linear in the text."""
    for block_begin, block_end in iter_blocks(text, 0, len(text)):
        for begin, end in iter_units(text, block_begin, block_end):
            yield from iter_unit_sentences(text, begin, end)


def iter_blocks(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Paragraphs of text[begin:end], parted by blank lines; white space may surround them."""
    start = begin
    for match in _BLANK_LINE.finditer(text, begin, end):
        if match.start() > start:
            yield start, match.start()
        start = match.end()
    if start < end:
        yield start, end


def iter_units(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """The units of one paragraph that line breaks part: list items, headings, table rows, lines of verse."""
    breaks = [match.start() for match in _LINE_BREAK.finditer(text, begin, end)]
    starts = [begin, *(position + 1 for position in breaks)]
    ends = [*breaks, end]
    lengths = [stop - start for start, stop in zip(starts, ends, strict=True)]
    unit_begin = begin
    for index, position in enumerate(breaks):
        nearby = lengths[max(0, index - WRAP_WINDOW) : index + WRAP_WINDOW + 1]
        if _line_is_unit(text, starts[index], position, ends[index + 1], max(NARROWEST_WRAP, *nearby)):
            yield unit_begin, position
            unit_begin = position + 1
    yield unit_begin, end


def iter_unit_sentences(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """The sentences of one unit, as `iter_sentences` gives them."""
    start = begin
    for match in _END.finditer(text, begin, end):
        if _ends_sentence(text, match, begin, end):
            yield from trimmed(text, start, match.end())
            start = match.end()
    yield from trimmed(text, start, end)


def _line_is_unit(text: str, start: int, stop: int, next_stop: int, width: int) -> bool:
    """Whether the line break at `stop` ends a unit, judged by its two lines and the width around it."""
    if _UNIT_START.match(text, stop + 1, next_stop):
        return True
    head = text[start : start + 2].lstrip()
    if head[:1] in ("|", "#") or "\t" in text[start : min(stop, start + 200)].strip():
        return True
    tail = text[max(start, stop - 4) : stop].rstrip()
    following = text[stop + 1 : min(next_stop, stop + 1 + LONGEST_WORD)].lstrip()
    if following[:1].islower() and tail[-1:] not in ":;{}[]()|":
        return False
    word = following.split(None, 1)[0] if following.strip() else ""
    return (stop - start) + 1 + len(word) <= width * WRAP_SLACK


def _ends_sentence(text: str, match: re.Match[str], begin: int, stop: int) -> bool:
    end = match.end()
    if end >= stop:
        return True
    if match["spaced"] is None:
        return match["wide"] is None or _ends_wide(text, match)
    if not text[end].isspace():
        # The Chinese ellipsis stands inside a sentence as often as at its end: only white space decides.
        return False
    following = text[end : min(stop, end + LONGEST_WORD)].lstrip(_OPENERS)
    is_lower = following[:1].islower()
    mark = match["spaced"]
    if mark != ".":
        # "Really?" he said. - Yahoo! is - and so on ... until
        is_closed = end > match.end("spaced")
        return not (is_lower and (is_closed or mark[0] in "….!"))
    word_match = _LAST_WORD.search(text, max(begin, match.start() - LONGEST_WORD), match.start())
    word = word_match.group() if word_match else ""
    word_start = word_match.start() if word_match else begin
    is_first = word_start - begin <= LONGEST_WORD and not text[begin:word_start].strip(_OPENERS)
    return _ends_at_stop(word, following, is_lower=is_lower, is_first=is_first)


def _ends_at_stop(word: str, following: str, *, is_lower: bool, is_first: bool) -> bool:
    """Whether the full stop after `word`, followed by white space and `following`, ends a sentence."""
    lower = word.lower()
    if is_first and _NUMBERED.fullmatch(word):
        return False  # "3.2.1. Scope": the number of a heading or list item
    if lower in _NEVER_LAST:
        return False
    if following[:1].isdigit() and lower in _BEFORE_NUMBER:
        return False
    if lower in _MAYBE_LAST:
        return not is_lower and not following[:1].isdigit()
    if len(word) == 1 and word.isalpha() and word.isupper():
        return _next_word(following) in _STARTERS and word != "I"  # J. K. Rowling
    if _DOTTED.fullmatch(word) and len(word) > 1:
        return _next_word(following) in _STARTERS and not is_lower  # the U.S. Army
    # A small letter after a short word: an unlisted abbreviation. After a long one: careless writing.
    return not is_lower or len(word) >= 5


def _next_word(following: str) -> str:
    match = re.match(r"[^\W\d_]+", following)
    word = match.group() if match else ""
    return word.lower() if word[:1].isupper() else ""


def _ends_wide(text: str, match: re.Match[str]) -> bool:
    """Whether `。！？` end a sentence here: not in 「本当？」と, ”， or a number written 3．5."""
    following = text[match.end() : match.end() + 1]
    if match["wide"] == "．" and following.isdigit():
        return False
    return not (match["closed"] and following in "とっのはがをにも，、,")


def trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The range without surrounding white space; nothing where nothing is left."""
    piece = text[start:end]
    bare = piece.lstrip()
    if bare:
        begin = start + len(piece) - len(bare)
        yield begin, begin + len(bare.rstrip())
