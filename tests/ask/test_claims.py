"""Numbers, names and quoted terms as they are looked up."""

from __future__ import annotations

from decimal import Decimal

import pytest

from edgerag.ask.claims import claims_of, name_words
from edgerag.ask.numbers import find_numbers
from edgerag.ask.polarity import contradicts, denied_terms


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1,000 and 1000", {1000}),
        ("1.234.567", {1234567}),
        ("12\u202f500 people", {12500}),
        ("3.50 or 3,5", {Decimal("3.5")}),
        ("12 000 euros", {12000}),
        ("12'000 or 12’500,50", {12000, Decimal("12500.5")}),
        ("in 2019 300 people", {2019, 300}),
        ("1.200,50 euros", {Decimal("1200.5")}),
        ("10⁶, 10^6 or 3 × 10^6", {10**6, 3 * 10**6}),
        ("1.5e3", {1500}),
        ("in 1943² he", {1943}),
        ("2½ or ½", {Decimal("2.5"), Decimal("0.5")}),
        ("falls to – 18 degrees", {-18}),
        ("- 18 °C", {-18}),
        ("it was \u201118, minus 20 or minus five", {-18, -20, -5}),
        ("18 degrees below zero", {-18, 0}),
        ("零下18度，负二十度", {-18, -20}),
        ("from 5 – 18 degrees", {5, 18}),
        ("- 12 beds", {12}),
        ("Two-thirds, one quarter", {Decimal("0.666667"), Decimal("0.25")}),
        ("2/3", {2, 3, Decimal("0.666667")}),
        ("the nineteenth and the twenty-first", {19, 21}),
        ("the first and the third", set()),
        ("2.4 million", {2400000}),
        ("two hundred and fifty thousand", {250000}),
        ("twenty-one", {21}),
        ("the 19th century, in the 1990s", {19, 1990}),
        ("1914-1918", {1914, 1918}),
        ("COVID-19", {19}),
        ("it was -5 degrees", {-5}),
        ("version 2.4.1", {2, 4, 1}),
        ("三百二十一", {321}),
        ("一九四九年", {1949}),
        ("两万五千", {25000}),
        ("１８４７年", {1847}),
        ("3万", {30000}),
        ("no number at all", set()),
    ],
)
def test_numbers_are_read_by_value(text: str, values: set[int]) -> None:
    assert {value for value, _ in find_numbers(text)} == values


def test_the_number_that_a_slash_may_make_is_no_claim() -> None:
    assert {value for value, _ in find_numbers("2/3", for_claims=True)} == {2, 3}


@pytest.mark.parametrize(
    "text", ["45 %", "45%", "45 percent", "45 per cent", "forty-five percent", "百分之四十五", "百分之45"]
)
def test_a_percentage_is_another_number(text: str) -> None:
    assert (Decimal(45), True) in find_numbers(text)
    assert (Decimal(45), False) not in find_numbers(text)


def test_number_words_that_often_are_none_are_no_claims() -> None:
    assert claims_of("One of them is a hundred miles off.").numbers == {}
    assert claims_of("一些人").numbers == {}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("The Denver Broncos won.", {("denver", "broncos")}),
        ("However, it was NATO.", {("nato",)}),
        ("In Tesla's time", {("tesla",)}),
        ("He bought an iPhone.", {("iphone",)}),
        ("它由Linux支持", {("linux",)}),
        ("it was a dog", set()),
        ("Yes, he did.", set()),
    ],
)
def test_names_are_runs_of_capitalised_words(text: str, names: set[tuple[str, ...]]) -> None:
    assert set(claims_of(text).names) == names


def test_quoted_terms_of_every_script() -> None:
    text = "the \"big ship\", “Große Fahrt”, ‘so called’, 「灯塔」 and 《红楼梦》 and it's Tom's"
    assert claims_of(text).quoted == ("big ship", "grosse fahrt", "so called", "灯塔", "红楼梦")


def test_words_of_names_are_found_whole_and_in_parts() -> None:
    assert {"saint-denis", "saint", "denis", "u.s", "tesla"} <= name_words("Saint-Denis, the U.S. and Tesla's")


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("It is not supported.", {"support"}),
        ("It doesn't support deletes, it supports adds.", {"support", "delet"}),
        ("It not only supports deletes but also adds.", set()),
        ("No longer than ten metres", set()),
        ("No more than ten beds, no later than ten", set()),
        ("Employees can no longer carry over days.", {"carry", "over", "day"}),
        ("There are no more beds.", {"bed"}),
        ("The fee is no longer, the boat no more.", set()),
        ("Non-members pay.", {"member"}),
        ("It isnt open, and they can‘t come.", {"open", "com"}),
        ("She can´t swim, he won`t dive", {"swim", "div"}),
        ("他从不吃肉", {"吃肉"}),
        ("不仅支持中文", set()),
        ("禁止吸烟", {"吸烟"}),
        ("嚴禁攜帶", {"攜帶"}),
        ("请勿拍照", {"拍照"}),
        ("不允许拍照打扰", {"允许", "许拍", "拍照", "照打", "打扰"}),
        ("plain words", set()),
    ],
)
def test_what_a_negation_reaches(text: str, denied: set[str]) -> None:
    assert denied_terms(text) == denied


def test_a_contradiction_names_the_word() -> None:
    assert contradicts("The tower was completed.", "The tower was not completed.") == "complet"
    assert contradicts("The tower was not completed.", "The tower was never completed.") == ""
    assert contradicts("The tower is tall.", "The tower was not completed.") == ""
    assert contradicts("Non-members pay.", "Members pay.") == "member"


def test_a_denied_word_and_a_sentence_that_denies_it_may_reach_differently() -> None:
    assert contradicts("It is non-refundable for members.", "It is not refundable for members.") == ""
    assert contradicts("It is not refundable for members.", "It is non-refundable for members.") == ""
    assert contradicts("Non-members pay 37 euros.", "Members do not pay 37 euros.") == "37"
