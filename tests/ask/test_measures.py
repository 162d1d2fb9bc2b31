"""Units, periods, dates and times beside numbers."""

from __future__ import annotations

from decimal import Decimal

import pytest

from edgerag.ask.measures import differ, find_measures, find_moments


@pytest.mark.parametrize(
    ("text", "units", "period"),
    [
        ("5 mg per day", {"mg"}, "day"),
        ("5mg/day", {"mg"}, "day"),
        ("a 5-hour trip", {"hour"}, ""),
        ("US$5 a month", {"dollar"}, "month"),
        ("5 US dollars monthly", {"dollar"}, "month"),
        ("5 pounds", {"GBP", "lb"}, ""),
        ("5 sq km", {"km2"}, ""),
        ("5 m³", {"m3"}, ""),
        ("5平方公里", {"km2"}, ""),
        ("5μg", {"µg"}, ""),
        ("5 degrees Celsius", {"°C"}, ""),
        ("5 ℃", {"°C"}, ""),
        ("5个小时", {"hour"}, ""),
        ("5周年", set(), ""),
        ("5 members", set(), ""),
        ("5 maps", set(), ""),
        ("at 5, min", set(), ""),
    ],
)
def test_what_stands_beside_a_number_is_read(text: str, units: set[str], period: str) -> None:
    measures = find_measures(text)[(Decimal(5), False)]
    assert [(set(measure.units), measure.period) for measure in measures] == [(units, period)]


@pytest.mark.parametrize(
    ("stated", "written", "do"),
    [
        ("5 g", "5 mg", True),
        ("5 g", "5 grams", False),
        ("5 pounds", "£5", False),
        ("5 euros", "£5", True),
        ("5 mg a week", "5 mg a day", True),
        ("5 mg a week", "5 mg", False),
        ("5 mg", "5 mg a day", False),
        ("5 mg", "5 to 10 mg", False),
        ("5", "5 mg", False),
        ("5 g", "5 mg of 5 g", False),
    ],
)
def test_units_differ_only_where_both_are_known(stated: str, written: str, do: bool) -> None:
    (measures,) = find_measures(stated).values()
    assert differ(measures, next(iter(find_measures(written).values()))) is do


def test_dates_and_times_are_the_same_however_they_are_written() -> None:
    dates = ["2021-04-03", "2021/4/3", "3 April 2021", "3rd of Apr. 2021", "April 3rd, 2021", "2021年4月3日"]
    assert [("date", (2021, 4, 3)) in find_moments(date) for date in dates] == [True] * len(dates)
    assert find_moments("二〇二一年十二月三日").keys() == {("date", (2021, 12, 3)), ("day of the year", (12, 3))}
    assert find_moments("at 07:30, 03/04/2021").keys() == {("time", (7, 30)), ("figures", (3, 4, 2021))}
    assert find_moments("in May 2021, 3.5 or 1914-1918") == {}
