"""The numbers of a text by value, however they are written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

Number = tuple[Decimal, bool]
"""Value, and whether it is a percentage."""


@dataclass(frozen=True, slots=True)
class FoundNumber:
    number: Number
    start: int
    """Offsets in the text as `normalised` leaves it."""
    end: int


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

_ORDINAL_UNITS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth"
).split()
_ORDINALS = {word: value for value, word in enumerate(_ORDINAL_UNITS, 1)} | {
    re.sub("y$", "ieth", word): value for word, value in _TENS.items()
}
_PARTS = {
    "third": 3,
    "quarter": 4,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "seventh": 7,
    "eighth": 8,
    "ninth": 9,
    "tenth": 10,
}

_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2212\ufe63\uff0d", "-"))
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
# Behind another number than the base of a power a small figure is a footnote's.
_POWER = re.compile(r"(?<![\d.,])(10|2)([⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
_FOOTNOTE = re.compile(r"(?<=\d)[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_VULGAR = re.compile(r"(?:(?<!\d)(\d{1,9})\s?)?([¼-¾⅐-⅞])")
_DEGREES = r"\s?(?:°|degrees?\b|度)"
_DIGITS = re.compile(
    # A dash with a space behind it is a sign only before degrees, and there only where no range ends.
    r"(?<![A-Za-z0-9_.,-])(?P<sign>(?<!\d\s)[-–]|(?<!\d\s)(?<![°CFs]\s)[-–]\s(?=[\d.,]+" + _DEGREES + r")"
    r"|(?:minus|negative)\s|零下|[负負])?"
    r"(?P<value>[1-9]\d{0,2}(?:[ '’]\d{3})+(?:[.,]\d+)?|\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3})+,\d+|"
    r"\d{1,3}(?:\.\d{3}){2,}|\d{1,2}(?:,\d{2})+,\d{3}|\d+[.,]\d+|\d+)(?![.,]?\d)"
    r"(?:\s?[×x·*]\s?10\^(?P<power>-?\d{1,2})|e(?P<exponent>[+-]?\d{1,2})(?!\w)|\^(?P<raised>\d{1,2}))?"
    r"(?:\s?(?P<percent>%|percent\b|per cent\b)|\s?(?P<scale>hundred|thousand|million|billion|trillion)\b"
    r"|(?P<letter>k|m|bn)\b|(?P<cjk>[十百千万萬亿億]+))?"
    r"(?=(?P<below>" + _DEGREES + r"\s?(?:[CF]\b|celsius|fahrenheit)?\sbelow\s(?:zero|0))?)",
    re.IGNORECASE,
)
# The same where a number hangs on a word or another number: `COVID-19`, `1914-1918`, `24小时`, `2.4.1`.
_INNER_DIGITS = re.compile(r"\d+")
_NUMBER_WORD = rf"(?:{'|'.join((*_ONES, *_TENS, *_SCALES))})"
_NUMBER_WORDS = re.compile(
    rf"\b(?P<sign>(?:minus|negative)\s+)?(?P<words>{_NUMBER_WORD}(?:[\s-]+(?:and[\s-]+)?{_NUMBER_WORD})*)\b"
    r"(?P<percent>\s+percent\b|\s+per cent\b)?",
    re.IGNORECASE,
)
_CJK_NUMBER = re.compile(
    r"(?P<sign>零下|[负負])?(?P<percent>百分之)?[零〇一二三四五六七八九两兩十百千万萬亿億]+(?!分之)"
)
_ORDINAL = re.compile(rf"\b(?:(?P<tens>{'|'.join(_TENS)})[\s-]+)?(?P<word>{'|'.join(_ORDINALS)})\b(?!-)", re.IGNORECASE)
_FRACTION = re.compile(
    rf"\b(?P<count>{'|'.join(list(_ONES)[1:10])})[\s-]+(?P<part>{'|'.join(_PARTS)})(?P<plural>s?)\b", re.IGNORECASE
)
_SLASHED = re.compile(r"(?<![\d/.,])([1-9]\d?)/([1-9]\d?)(?![\d/])")


def find_numbers(text: str, *, for_claims: bool = False) -> dict[Number, str]:
    """Numbers by value: `1,000` is `1000`, `two million` is `2000000`, `３百` is `300`.

    Args:
        for_claims: Leave out words that often are no number (`one of them`, `一些`).

    Returns:
        Each value with the text that it was read from.
    """
    text = normalised(text)
    found: dict[Number, str] = {}
    for each in read_numbers(text, for_claims=for_claims):
        found.setdefault(each.number, text[each.start : each.end].strip())
    return found


def normalised(text: str) -> str:
    """A text in the form in which its numbers are read."""
    # Before NFKC, which makes `106` of 10⁶ and `21/2` of 2½.
    text = _POWER.sub(lambda match: f"{match[1]}^{match[2].translate(_SUPERSCRIPTS)}", text)
    text = _VULGAR.sub(_decimal_of_vulgar, _FOOTNOTE.sub("", text))
    return unicodedata.normalize("NFKC", text).translate(_DASHES)


def _decimal_of_vulgar(match: re.Match[str]) -> str:
    part = f"{unicodedata.numeric(match[2]):.6f}".rstrip("0")
    return f"{match[1] or 0}{part[1:]}"


def read_numbers(text: str, *, for_claims: bool) -> list[FoundNumber]:
    """All numbers of a normalised text, those in digits first."""
    found = list(_in_digits(text))
    covered = bytearray(len(text))

    def cover(start: int, end: int) -> None:
        covered[start:end] = b"\1" * (end - start)

    def is_free(match: re.Match[str]) -> bool:
        return covered.find(1, match.start(), match.end()) < 0

    def add(match: re.Match[str], value: Decimal | int, *, is_percent: bool = False) -> None:
        found.append(FoundNumber((_plain(Decimal(value)), is_percent), *match.span()))

    for each in found:
        cover(each.start, each.end)
    for match in filter(is_free, _INNER_DIGITS.finditer(text)):
        add(match, Decimal(match[0]))
    if not for_claims:
        # Beside the two numbers themselves: it may be a date as well.
        for match in _SLASHED.finditer(text):
            add(match, _fraction(int(match[1]), int(match[2])))
    for match in filter(is_free, _FRACTION.finditer(text)):
        count = _ONES[match["count"].lower()]
        if (count > 1) == bool(match["plural"]):
            add(match, _fraction(count, _PARTS[match["part"].lower()]))
            cover(*match.span())
    for match in filter(is_free, _ORDINAL.finditer(text)):
        value = _TENS.get((match["tens"] or "").lower(), 0) + _ORDINALS[match["word"].lower()]
        # `first`, `a second` and `a third` often are no number.
        if value > 10:
            add(match, value)
            cover(*match.span())
    for match in filter(is_free, _NUMBER_WORDS.finditer(text)):
        words = match["words"].lower()
        if not (for_claims and words in ("one", "zero", *_SCALES)):
            value = _value_of_words(words)
            add(match, -value if match["sign"] else value, is_percent=bool(match["percent"]))
    for match in filter(is_free, _CJK_NUMBER.finditer(text)):
        digits = match[0].removeprefix(match["sign"] or "").removeprefix("百分之")
        # One numeral alone is more often part of a word than a number.
        if digits and not (for_claims and len(digits) == 1):
            value = value_of_cjk(digits)
            add(match, -value if match["sign"] else value, is_percent=bool(match["percent"]))
    return found


def _in_digits(text: str) -> Iterator[FoundNumber]:
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
        if power := match["power"] or match["exponent"]:
            value = value.scaleb(int(power))
        elif match["raised"] and len(match["value"]) <= 4:
            value **= int(match["raised"])
        if match["sign"] or match["below"]:
            value = -abs(value)
        is_percent = bool(match["percent"]) or text[: match.start()].endswith("百分之")
        yield FoundNumber((_plain(value), is_percent), *match.span())


def _fraction(count: int, part: int) -> Decimal:
    return round(Decimal(count) / part, 6)


def _decimal(digits: str) -> Decimal | None:
    digits = re.sub("[ '’]", "", digits)
    if re.fullmatch(r"\d+(?:\.\d{3})*,\d{1,2}|\d+(?:\.\d{3})*,\d{4,}|\d+(?:\.\d{3})+,\d+", digits):
        digits = digits.replace(".", "").replace(",", ".")  # a decimal comma
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


def value_of_cjk(digits: str) -> int:
    """The value of Chinese numerals: 二〇二一, 三百二十一."""
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
