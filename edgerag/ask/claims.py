"""What a sentence asserts that can be looked up: its numbers, its names, its quoted terms."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from edgerag.ask.terms import STOP_WORDS, stem
from edgerag.scripts import segment_scripts

Number = tuple[Decimal, bool]
"""Value, and whether it is a percentage."""


@dataclass(frozen=True, slots=True)
class Claims:
    numbers: dict[Number, str]
    """With the text of each."""
    names: tuple[tuple[str, ...], ...]
    """Runs of capitalised words, each word case-folded without its possessive."""
    quoted: tuple[str, ...]
    """What stands in quotation marks, case-folded, spaces unified."""


def claims_of(text: str) -> Claims:
    """Find all that must occur in the passage that supports a sentence."""
    return Claims(find_numbers(text, for_claims=True), _names(text), _quoted(text))


# --- numbers --------------------------------------------------------------------------------------

_ONES = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen".split()
    )
}
_TENS = {
    word: 10 * value for value, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_SCALE_LETTERS = {"k": 1000, "m": 10**6, "bn": 10**9}
_CJK_SCALES = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
_CJK_DIGITS = {character: value for value, character in enumerate("零一二三四五六七八九")} | {
    "〇": 0,
    "两": 2,
    "兩": 2,
}

_SPACED_THOUSANDS = re.compile(r"(?<=\d)[\u00a0\u2009\u202f](?=\d{3}(?!\d))")
_DIGITS = re.compile(
    r"(?<![A-Za-z0-9_.,-])(?P<sign>[-−])?(?P<value>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3}){2,}|"
    r"\d+[.,]\d+|\d+)(?![.,]?\d)"
    r"(?:\s?(?P<percent>%|％|percent\b|per cent\b)|\s?(?P<scale>hundred|thousand|million|billion|trillion)\b"
    r"|(?P<letter>k|m|bn)\b|(?P<cjk>[十百千万萬亿億]+))?",
    re.IGNORECASE,
)
# The same where a number hangs on a word or another number: `COVID-19`, `1914-1918`, `24小时`, `2.4.1`.
_INNER_DIGITS = re.compile(r"\d+")
_NUMBER_WORD = rf"(?:{'|'.join((*_ONES, *_TENS, *_SCALES))})"
_NUMBER_WORDS = re.compile(
    rf"\b{_NUMBER_WORD}(?:[\s-]+(?:and[\s-]+)?{_NUMBER_WORD})*\b(?P<percent>\s+percent\b|\s+per cent\b)?",
    re.IGNORECASE,
)
_CJK_NUMBER = re.compile(r"(?P<percent>百分之)?[零〇一二三四五六七八九两兩十百千万萬亿億]+(?!分之)")


def find_numbers(text: str, *, for_claims: bool = False) -> dict[Number, str]:
    """Numbers by value: `1,000` is `1000`, `two million` is `2000000`, `３百` is `300`.

    Args:
        for_claims: Leave out words that often are no number (`one of them`, `一些`).

    Returns:
        Each value with the text that it was read from.
    """
    # Before NFKC, which makes plain spaces of the narrow ones.
    text = unicodedata.normalize("NFKC", _SPACED_THOUSANDS.sub("", text))
    found: dict[Number, str] = {}
    covered: list[tuple[int, int]] = []
    for match in _DIGITS.finditer(text):
        value = _decimal(match["value"])
        if value is None:
            continue
        if match["scale"]:
            value *= _SCALES[match["scale"].lower()]
        elif match["letter"]:
            value *= _SCALE_LETTERS[match["letter"].lower()]
        for character in match["cjk"] or "":
            value *= _CJK_SCALES[character]
        if match["sign"]:
            value = -value
        found.setdefault(
            (_plain(value), bool(match["percent"]) or text[: match.start()].endswith("百分之")),
            match[0].strip(),
        )
        covered.append(match.span())

    def overlaps(match: re.Match[str]) -> bool:
        return any(start < match.end() and match.start() < end for start, end in covered)

    for match in _INNER_DIGITS.finditer(text):
        if not overlaps(match):
            found.setdefault((_plain(Decimal(match[0])), False), match[0])
    for match in _NUMBER_WORDS.finditer(text):
        words = match[0].lower()
        if overlaps(match):
            continue
        if for_claims and words in ("one", "zero", *_SCALES):
            continue
        found.setdefault((Decimal(_value_of_words(words)), bool(match["percent"])), match[0].strip())
    for match in _CJK_NUMBER.finditer(text):
        digits = match[0].removeprefix("百分之")
        if overlaps(match):
            continue
        # One numeral alone is more often part of a word than a number.
        if not digits or (for_claims and len(digits) == 1):
            continue
        found.setdefault((Decimal(_value_of_cjk(digits)), bool(match["percent"])), match[0])
    return found


def _decimal(digits: str) -> Decimal | None:
    if re.fullmatch(r"\d+,\d{1,2}|\d+,\d{4,}", digits):
        digits = digits.replace(",", ".")  # a decimal comma
    elif digits.count(".") > 1:
        digits = digits.replace(".", "")
    try:
        return Decimal(digits.replace(",", ""))
    except InvalidOperation:
        return None


def _plain(value: Decimal) -> Decimal:
    return value.normalize() if value else Decimal(0)


def _value_of_words(words: str) -> int:
    total = group = 0
    for word in re.findall("[a-z]+", words):
        if word in _SCALES and _SCALES[word] > 100:
            total, group = total + max(group, 1) * _SCALES[word], 0
        elif word == "hundred":
            group = max(group, 1) * 100
        else:
            group += _ONES.get(word, 0) + _TENS.get(word, 0)
    return total + group


def _value_of_cjk(digits: str) -> int:
    if not any(character in _CJK_SCALES for character in digits):
        return int("".join(str(_CJK_DIGITS[character]) for character in digits))  # 一九四九
    total = section = digit = 0
    for character in digits:
        if character in _CJK_DIGITS:
            digit = _CJK_DIGITS[character]
            continue
        scale = _CJK_SCALES[character]
        if scale >= 10**4:
            total, section = (total + section + digit) * scale, 0
        else:
            section += (digit or 1) * scale
        digit = 0
    return total + section + digit


# --- names and quoted terms -----------------------------------------------------------------------

_WORD = re.compile(r"[^\W_]+(?:['’.&-][^\W_]+)*")
_NO_NAMES = STOP_WORDS | frozenset(
    """yes no answer question according based additionally furthermore moreover finally first second third last overall
    instead similarly specifically generally usually often sometimes today currently recently later earlier once
    several various another together despite unlike like given including among around since through throughout against
    next still even yet again perhaps people important i""".split()
)
_QUOTED = re.compile(
    r"[\"“„«「『《]([^\"“”„«»「」『』《》]{2,80})[\"”“»」』》]|(?<!\w)['‘]([^'‘’]{2,80})['’](?!\w)|`([^`]{2,80})`"
)


def _names(text: str) -> tuple[tuple[str, ...], ...]:
    runs = (run for run, is_cjk_run in segment_scripts(text) if not is_cjk_run)
    return tuple(dict.fromkeys(name for run in runs for name in _names_of_run(run)))


def _names_of_run(text: str) -> list[tuple[str, ...]]:
    names: list[tuple[str, ...]] = []
    current: list[str] = []
    end = 0
    for match in _WORD.finditer(text):
        word = match[0]
        gap = text[end : match.start()]
        if current and gap not in (" ", "-", "/"):
            names.append(tuple(current))
            current = []
        if any(character.isupper() for character in word) and bare(word) not in _NO_NAMES:
            current.append(bare(word))
        elif current:
            names.append(tuple(current))
            current = []
        end = match.end()
    if current:
        names.append(tuple(current))
    return names


def bare(word: str) -> str:
    """A word as names are compared: case-folded, without `'s`."""
    return re.sub(r"['’]s?$", "", word.casefold())


def name_words(text: str) -> frozenset[str]:
    """Every word of a text as names are compared, whole and in its hyphenated parts, and stemmed."""
    words: set[str] = set()
    normal = unicodedata.normalize("NFKC", text)
    spaced = "".join(" " if is_cjk_run else run for run, is_cjk_run in segment_scripts(normal))
    for match in _WORD.finditer(spaced):
        whole = bare(match[0])
        parts = [whole, *re.split(r"['’.&-]", whole), whole.replace(".", "")]
        words.update(parts, map(stem, parts))
    return frozenset(words)


def _quoted(text: str) -> tuple[str, ...]:
    found = (next(group for group in match.groups() if group) for match in _QUOTED.finditer(text))
    return tuple(dict.fromkeys(unified(term).strip(" .,;:!?，。；：！？") for term in found))


def unified(text: str) -> str:
    """A text as quoted terms are compared."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().replace("’", "'").split())
