"""What gives a number its meaning: the unit or currency beside it, `per day`, and its place in a date or a time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edgerag.ask.numbers import Number, normalised, read_numbers, value_of_cjk

# Canonical name: how it is written. A word of two meanings (`pound`) stands under both. A symbol that is also another
# word or unit (`s`, `in`, `C`) is left out: an unknown unit is compared with nothing. So is 日, a day of the month.
_SPELLINGS = {
    "µg": "µg μg mcg ug microgram micrograms 微克",
    "mg": "mg milligram milligrams 毫克",
    "g": "g gram grams gramme grammes 克",
    "kg": "kg kgs kilo kilos kilogram kilograms kilogramme kilogrammes 公斤 千克",
    "tonne": "t tonne tonnes ton tons 吨 噸",
    "lb": "lb lbs pound pounds 磅",
    "oz": "oz ounce ounces 盎司",
    "mm": "mm millimetre millimetres millimeter millimeters 毫米",
    "cm": "cm centimetre centimetres centimeter centimeters 厘米",
    "m": "m metre metres meter meters 米",
    "km": "km kilometre kilometres kilometer kilometers 公里 千米",
    "mile": "mi mile miles 英里",
    "ft": "ft foot feet 英尺",
    "inch": "inch inches 英寸",
    "yard": "yd yard yards",
    "ha": "ha hectare hectares 公顷 公頃",
    "acre": "acre acres 英亩",
    "ml": "ml millilitre millilitres milliliter milliliters 毫升",
    "l": "l litre litres liter liters 升",
    "gallon": "gallon gallons 加仑",
    "cup": "cup cups",
    "tablespoon": "tbsp tablespoon tablespoons",
    "teaspoon": "tsp teaspoon teaspoons",
    "second": "sec secs second seconds 秒 秒钟",
    "minute": "min mins minute minutes 分钟 分鐘",
    "hour": "h hr hrs hour hours 小时 小時 个小时 個小時",
    "day": "day days 天",
    "week": "week weeks 周 星期 个星期",
    "month": "month months 个月 個月",
    "year": "year years yr yrs 年",
    "decade": "decade decades",
    "m/s": "m/s",
    "km/h": "km/h kmh kph",
    "mph": "mph",
    "knot": "knot knots kn",
    "°C": "°c celsius 摄氏度 攝氏度",
    "°F": "°f fahrenheit 华氏度 華氏度",
    "B": "byte bytes",
    "kB": "kb kilobyte kilobytes",
    "MB": "mb megabyte megabytes",
    "GB": "gb gigabyte gigabytes",
    "TB": "tb terabyte terabytes",
    "V": "volt volts",
    "W": "watt watts",
    "kW": "kw kilowatt kilowatts",
    "kWh": "kwh",
    "euro": "€ eur euro euros 欧元 歐元",
    "dollar": "$ us$ usd dollar dollars 美元 美金",
    "GBP": "£ gbp pound pounds 英镑 英鎊",
    "yen": "¥ jpy yen 日元 日圆",
    "yuan": "¥ cny rmb yuan 元 人民币 块 塊",
    "HKD": "hkd 港元 港币",
    "CHF": "chf franc francs 法郎 瑞士法郎",
    "cent": "cent cents",
    "am": "am a.m. a.m",
    "pm": "pm p.m. p.m",
}
_UNITS: dict[str, frozenset[str]] = {}
for _name, _written in _SPELLINGS.items():
    for _spelling in _written.split():
        _UNITS[_spelling] = _UNITS.get(_spelling, frozenset()) | {_name}

_BEFORE = re.compile(r"(?:us\$|[$€£¥]|\b(?:eur|usd|gbp|chf|cny|rmb|jpy|hkd))\s?$", re.IGNORECASE)
_PERIOD = "second|minute|hour|day|night|week|month|quarter|year|annum|person|head|guest"
_PERIODS = {"daily": "day", "weekly": "week", "monthly": "month", "yearly": "year", "annually": "year", "annum": "year"}
_LATIN, _CJK = (
    "|".join(re.escape(each) for each in sorted(_UNITS, key=len, reverse=True) if each.isascii() is is_ascii)
    for is_ascii in (True, False)
)
_AFTER = re.compile(
    r"[\s-]?(?:degrees?\s)?(?:us\s|u\.s\.\s|american\s)?(?P<area>(?:square|sq\.?|平方)\s?)?(?P<volume>(?:cubic|cu\.?|立方)\s?)?"
    rf"(?P<unit>(?:{_LATIN}|[µμ]g|°[cf])(?P<power>\^?[23])?(?![A-Za-z0-9])|(?:{_CJK})(?!年|岁|歲|级|級|拉))",
    re.IGNORECASE,
)
_RATE = re.compile(
    rf"\s?(?:(?:per|an?|each|every)\s|/\s?)(?P<period>{_PERIOD})s?\b|\s(?P<adverb>daily|weekly|monthly|yearly|annually)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Measure:
    """What stands beside one number."""

    units: frozenset[str]
    """Canonical names, more than one where it may mean several; empty: none that is known."""
    period: str = ""
    """Of `5 mg per day`."""
    written: str = ""
    """The unit as it stands there."""


def find_measures(text: str) -> dict[Number, list[Measure]]:
    """What stands beside each number, at each of its places."""
    text = normalised(text)
    found: dict[Number, list[Measure]] = {}
    for each in read_numbers(text, for_claims=False):
        found.setdefault(each.number, []).append(_measure_at(text, each.start, each.end))
    return found


def _measure_at(text: str, start: int, end: int) -> Measure:
    units: frozenset[str] = frozenset()
    unit = ""
    if after := _AFTER.match(text, end):
        written = after["unit"].casefold().removesuffix(after["power"] or "")
        units = _UNITS.get(written.replace("μ", "µ"), frozenset()) or _UNITS.get(written, frozenset())
        power = (after["power"] or "")[-1:] or ("2" if after["area"] else "3" if after["volume"] else "")
        units = frozenset(unit + power for unit in units)
        end, unit = after.end(), after[0]
    elif before := _BEFORE.search(text, max(0, start - 6), start):
        unit = before[0]
        units = _UNITS[unit.strip().casefold()]
    rate = _RATE.match(text, end)
    period = (rate["period"] or rate["adverb"]).casefold() if rate else ""
    return Measure(units, _PERIODS.get(period, period), unit)


def differ(stated: Sequence[Measure], written: Sequence[Measure]) -> bool:
    """Whether a number stands with a unit, or for a period, with which it nowhere stands in the source.

    A place in the source that names none may mean any: the `5` of `5 to 10 mg`.
    """
    for measure in stated:
        alike = [
            other for other in written if not (measure.units and other.units and measure.units.isdisjoint(other.units))
        ]
        if written and not alike:
            return True
        if measure.period and alike and all(other.period not in ("", measure.period) for other in alike):
            return True
    return False


# --- dates and times ------------------------------------------------------------------------------

Moment = tuple[str, tuple[int, ...]]
"""Kind, and numbers whose order means something."""

_MONTHS = {
    name: number
    for number, names in enumerate(
        "january jan,february feb,march mar,april apr,may,june jun,july jul,august aug,september sept sep,october oct,"
        "november nov,december dec".split(","),
        1,
    )
    for name in names.split()
}
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})\b\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_CJK_DIGITS = r"[\d零〇一二三四五六七八九十]"
_MOMENTS = (
    ("date", re.compile(r"(?<![\d.-])(?P<year>\d{4})([-/.])(?P<month>\d{1,2})\2(?P<day>\d{1,2})(?![\d.-]\d|\d)")),
    ("date", re.compile(rf"(?<!\d){_DAY}\s(?:of\s)?{_MONTH},?\s(?P<year>\d{{4}})(?!\d)", re.IGNORECASE)),
    ("date", re.compile(rf"\b{_MONTH}\s{_DAY},?\s(?P<year>\d{{4}})(?!\d)", re.IGNORECASE)),
    (
        "date",
        re.compile(
            rf"(?P<year>{_CJK_DIGITS}{{4}})\s?年\s?(?P<month>{_CJK_DIGITS}{{1,2}})\s?月\s?(?P<day>{_CJK_DIGITS}{{1,3}})\s?[日号號]"
        ),
    ),
    (
        "day of the year",
        re.compile(rf"(?P<month>{_CJK_DIGITS}{{1,2}})\s?月\s?(?P<day>{_CJK_DIGITS}{{1,3}})\s?[日号號]"),
    ),
    # Which of the two is the month depends on the country.
    ("figures", re.compile(r"(?<![\d/.-])(\d{1,2})[/.-](\d{1,2})[/.-](\d{4}|\d\d)(?![/.-]?\d)")),
    ("time", re.compile(r"(?<![\d:.])(\d{1,2}):(\d\d)(?::(\d\d))?(?![:\d])")),
    ("version", re.compile(r"(?<![\d.,])(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?(?![.,]?\d)")),
)


def find_moments(text: str) -> dict[Moment, str]:
    """Dates, times and versions, each with the text that it was read from."""
    text = normalised(text)
    found: dict[Moment, str] = {}
    for kind, pattern in _MOMENTS:
        for match in pattern.finditer(text):
            parts = [match[name] for name in ("year", "month", "day") if name in pattern.groupindex] or match.groups()
            found.setdefault((kind, tuple(_number(part) for part in parts if part)), match[0])
    return found


def _number(written: str) -> int:
    if month := _MONTHS.get(written.casefold()):
        return month
    return int(written) if written.isdigit() else value_of_cjk(written)


def misplaced(stated: dict[Moment, str], written: dict[Moment, str]) -> str:
    """The first that the source gives otherwise, as it is stated, or nothing.

    What the source does not give in this form is left to its numbers.
    """
    kinds = {kind for kind, _ in written}
    return next((text for moment, text in stated.items() if moment[0] in kinds and moment not in written), "")
