"""What counts as supported: the brake on everything a generator says."""

from __future__ import annotations

import pytest

from edgerag.ask.check import Evidence, Verdict
from edgerag.ask.extract import rank_sentences
from tests.ask.builders import passage
from tests.fakes import FakeEmbedder

TESLA = (
    "Nikola Tesla was an inventor. He was born in 1856 in Smiljan. Tesla died in New York in January 1943. "
    "He never married. His induction motor was licensed by George Westinghouse for 60,000 dollars in 1888. "
    "The Wardenclyffe tower was not completed. About 45 percent of his patents were filed in the United States."
)
LIGHTHOUSE = (
    "瓦恩灯塔建于1847年，由工程师李明设计。灯塔高三十二米，不支持自动照明。2019年有百分之四十五的游客来自上海。"
)


def check(answer: str, question: str = "What is known?", text: str = TESLA, *, floor: float = 0.5) -> Verdict:
    embedder = FakeEmbedder()
    sentences = rank_sentences(question, [passage(text)], embedder=embedder, reranker=None)
    vector = embedder.encode_query(answer).embedding
    similarities = [float(vector @ sentence.embedding) for sentence in sentences]
    return Evidence(question, sentences).check(answer, similarities, support_floor=floor)


@pytest.mark.parametrize(
    ("question", "answer", "source"),
    [
        pytest.param(
            "Where did Tesla die?", "Tesla died in New York.", "Tesla died in New York in January 1943.", id="words"
        ),
        pytest.param(
            "When did Tesla die?", "He died in January 1943.", "Tesla died in New York in January 1943.", id="pronoun"
        ),
        pytest.param(
            "When was Nikola Tesla born?",
            "Nikola Tesla was born in 1856.",
            "He was born in 1856 in Smiljan.",
            id="the question's name stands elsewhere in the passage",
        ),
        pytest.param(
            "How much was paid for the licence?",
            "George Westinghouse licensed the induction motor for 60000 dollars.",
            "His induction motor was licensed by George Westinghouse for 60,000 dollars in 1888.",
            id="1,000 is 1000",
        ),
        pytest.param("When was Tesla born?", "1856.", "He was born in 1856 in Smiljan.", id="a bare number"),
        pytest.param(
            "Was the tower completed?",
            "The Wardenclyffe tower wasn't completed.",
            "The Wardenclyffe tower was not completed.",
            id="negation kept",
        ),
        pytest.param(
            "Where were they filed?",
            "45% of his patents were filed in the United States.",
            "About 45 percent of his patents were filed in the United States.",
            id="percent sign",
        ),
    ],
)
def test_what_stands_in_a_sentence_is_supported_by_it(question: str, answer: str, source: str) -> None:
    verdict = check(answer, question)
    assert [sentence.text for sentence in verdict.supports] == [source]
    assert verdict.reason == ""


@pytest.mark.parametrize(
    ("question", "answer", "reason"),
    [
        pytest.param(
            "When did Tesla die?", "Tesla died in New York in January 1944.", "number 1944 does not occur", id="number"
        ),
        pytest.param("When was Tesla born?", "Tesla was born in 1943.", "", id="a number of another event"),
        pytest.param(
            "Where did Tesla die?", "Tesla died in Chicago in January 1943.", "name chicago does not occur", id="name"
        ),
        pytest.param(
            "Who licensed it?",
            "Thomas Edison licensed his induction motor.",
            "name thomas edison",
            id="name at the start",
        ),
        pytest.param("Was the tower completed?", "The Wardenclyffe tower was completed.", "denied", id="negation lost"),
        pytest.param("Where did he die?", "Tesla never died in New York.", "denied", id="negation invented"),
        pytest.param("What is it?", 'His motor was called "the dragon" in 1888.', "dragon", id="quoted term"),
        pytest.param(
            "How many?", "About 45 of his patents were filed in the United States.", "number 45", id="no percentage"
        ),
        pytest.param(
            "What did he invent?", "His radio telescope was licensed by George Westinghouse.", "", id="another thing"
        ),
        pytest.param("Who?", "The weather will be fine tomorrow.", "", id="unrelated"),
        pytest.param("Where in New York did Tesla die?", "In New York.", "only repeats the question", id="repetition"),
        pytest.param("When was Tesla born?", "1943.", "speaks of something else", id="a bare number of another event"),
        pytest.param(
            "How was it licensed?",
            "His induction motor was licensed by George Westinghouse for 60,000 dollars in 1888, "
            "which angered investors.",
            "does not say `which angered investors.`",
            id="an invented clause on a faithful sentence",
        ),
        pytest.param("Who?", "NATO was an inventor.", "name nato", id="acronym"),
        pytest.param("Who?", "...", "nothing that can be checked", id="no words"),
        pytest.param(
            "When was Tesla born in Ohio?",
            "Tesla was born in Ohio in 1856.",
            "name ohio does not occur",
            id="a name that only the question holds",
        ),
        pytest.param(
            "How did it cost 70,000 dollars?",
            "His motor was licensed for 70,000 dollars.",
            "number 70,000 does not occur",
            id="a number that only the question holds",
        ),
    ],
)
def test_what_does_not_stand_there_is_unsupported(question: str, answer: str, reason: str) -> None:
    verdict = check(answer, question)
    assert verdict.supports == ()
    assert verdict.reason != ""
    assert reason in verdict.reason


RULES = (
    "Employees can no longer carry over vacation days into the next year. The deposit for the hut is non-refundable "
    "for members. Non-members pay 37 euros per night. The boat is no longer than ten metres. "
    "员工严禁在办公楼内吸烟。请勿在屋内吸烟。"
)


@pytest.mark.parametrize(
    ("answer", "is_supported"),
    [
        pytest.param("Employees can carry over vacation days into the next year.", False, id="no longer lost"),
        pytest.param("Employees can no longer carry over vacation days.", True, id="no longer kept"),
        pytest.param("Employees cannot carry over vacation days into the next year.", True, id="no longer as cannot"),
        pytest.param("Employees can´t carry over vacation days into the next year.", True, id="another apostrophe"),
        pytest.param("The boat is not longer than ten metres.", True, id="a limit"),
        pytest.param("The deposit for the hut is refundable for members.", False, id="non- lost"),
        pytest.param("The deposit for the hut is non-refundable for members.", True, id="non- kept"),
        pytest.param("The deposit for the hut is not refundable for members.", True, id="non- as not"),
        pytest.param("Members pay 37 euros per night.", False, id="non- of a group lost"),
        pytest.param("Non-members pay 37 euros.", True, id="non- of a group kept"),
        pytest.param("员工可以在办公楼内吸烟。", False, id="严禁 lost"),
        pytest.param("员工严禁在办公楼内吸烟。", True, id="严禁 kept"),
        pytest.param("请在屋内吸烟。", False, id="勿 lost"),
        pytest.param("请勿在屋内吸烟。", True, id="勿 kept"),
    ],
)
def test_what_is_denied_there_is_not_asserted(answer: str, is_supported: bool) -> None:
    question = "May employees carry over vacation days? 可以吸烟吗？"
    verdict = check(answer, question, RULES, floor=0.4)
    assert bool(verdict.supports) is is_supported, verdict.reason


FIGURES = (
    "The rent of the hut is 12 000 euros per year. The deposit for the hall is 1.200,50 euros. The forest covers an "
    "area of 10⁶ hectares. The recipe needs 2½ cups of flour. The cell lasts 1.5e3 hours under load. The cellar falls "
    "to – 18 degrees at night. Two-thirds of the members voted for the plan. It was built in the eighteenth century. "
    "夜间温度为零下18度。"
)


@pytest.mark.parametrize(
    ("answer", "is_supported"),
    [
        pytest.param("The rent of the hut is 12 euros per year.", False, id="a part of a number with spaces"),
        pytest.param("The rent of the hut is 12,000 euros per year.", True, id="a number with spaces"),
        pytest.param("The deposit for the hall is 200 euros.", False, id="a part of a number with points"),
        pytest.param("The deposit for the hall is 1200.50 euros.", True, id="a number with points"),
        pytest.param("The forest covers an area of 106 hectares.", False, id="a power without its form"),
        pytest.param("The forest covers an area of 10 hectares.", False, id="the base of a power"),
        pytest.param("The forest covers an area of 10^6 hectares.", True, id="a power with a caret"),
        pytest.param("The forest covers an area of one million hectares.", True, id="a power in words"),
        pytest.param("The recipe needs 21 cups of flour.", False, id="a fraction without its form"),
        pytest.param("The recipe needs 2.5 cups of flour.", True, id="a fraction"),
        pytest.param("The cell lasts 1.5 hours under load.", False, id="an exponent lost"),
        pytest.param("The cell lasts 1500 hours under load.", True, id="an exponent"),
        pytest.param("The cellar falls to 18 degrees at night.", False, id="a sign lost"),
        pytest.param("The cellar falls to minus 18 degrees at night.", True, id="a sign in words"),
        pytest.param("Two of the members voted for the plan.", False, id="the count of a fraction"),
        pytest.param("Two-thirds of the members voted for the plan.", True, id="a fraction in words"),
        pytest.param("It was built in the nineteenth century.", False, id="another ordinal"),
        pytest.param("It was built in the eighteenth century.", True, id="an ordinal"),
        pytest.param("夜间温度为18度。", False, id="零下 lost"),
        pytest.param("夜间温度为零下18度。", True, id="零下 kept"),
    ],
)
def test_a_number_is_looked_up_by_its_value(answer: str, is_supported: bool) -> None:
    verdict = check(answer, "How is it? 多冷？", FIGURES, floor=0.4)
    assert bool(verdict.supports) is is_supported, verdict.reason


MEASURES = (
    "The recommended dose of the drug is 5 mg per day. The coil costs €300. The bridge is 300 m (984 ft) long. The "
    "loan runs between 5 and 10 years. The hall measures 40 m². The lease ends on 3 April 2021. The contract ends on "
    "2021-03-04. The permit was given on 04/03/2021. The ferry leaves at 07:30. The shop opens at 8 a.m. on Sundays. "
    "The driver is version 2.4.1. 年租金一共是300美元。推荐的每日剂量为5毫克。大桥全长约为三百公里。"
    "合同于2021年3月4日到期。"
)


@pytest.mark.parametrize(
    ("answer", "is_supported"),
    [
        pytest.param("The recommended dose of the drug is 5 g per day.", False, id="another unit"),
        pytest.param("The recommended dose of the drug is 5 mg per week.", False, id="another period"),
        pytest.param("The recommended dose of the drug is 5 milligrams daily.", True, id="unit and period in words"),
        pytest.param("The recommended dose of the drug is 5 mg.", True, id="no period"),
        pytest.param("The coil costs $300.", False, id="another currency"),
        pytest.param("The coil costs 300 dollars.", False, id="another currency in words"),
        pytest.param("The coil costs 300 euros.", True, id="the currency in words"),
        pytest.param("The bridge is 300 ft long.", False, id="the unit of another number"),
        pytest.param("The bridge is 300 metres long.", True, id="the unit in words"),
        pytest.param("The loan runs between 5 years and 10 years.", True, id="a unit that the source names once"),
        pytest.param("The hall measures 40 m.", False, id="no area"),
        pytest.param("The hall measures 40 square metres.", True, id="an area in words"),
        pytest.param("The lease ends on 21 April 2003.", False, id="another day of the same figures"),
        pytest.param("The lease ends on April 3, 2021.", True, id="a date in another order of words"),
        pytest.param("The lease ends in April 2021.", True, id="a part of a date"),
        pytest.param("The contract ends on 2021-04-03.", False, id="day and month in exchange"),
        pytest.param("The contract ends on 2021-03-04.", True, id="an ISO date"),
        pytest.param("The permit was given on 03/04/2021.", False, id="figures in exchange"),
        pytest.param("The permit was given on 4/3/2021.", True, id="figures without zeros"),
        pytest.param("The ferry leaves at 30:07.", False, id="hour and minute in exchange"),
        pytest.param("The ferry leaves at 7:30.", True, id="a time"),
        pytest.param("The shop opens at 8 pm on Sundays.", False, id="another half of the day"),
        pytest.param("The shop opens at 8 am on Sundays.", True, id="half of the day"),
        pytest.param("The driver is version 4.1.2.", False, id="a version in another order"),
        pytest.param("The driver is version 2.4.1.", True, id="a version"),
        pytest.param("年租金一共是300元。", False, id="元 for 美元"),
        pytest.param("年租金一共是300美元。", True, id="美元"),
        pytest.param("推荐的每日剂量为5克。", False, id="克 for 毫克"),
        pytest.param("推荐的每日剂量为5毫克。", True, id="毫克"),
        pytest.param("大桥全长约为三百米。", False, id="米 for 公里"),
        pytest.param("大桥全长约为300公里。", True, id="公里"),
        pytest.param("合同于2021年4月3日到期。", False, id="月 and 日 in exchange"),
        pytest.param("合同于3月4日到期。", True, id="a day without its year"),
    ],
)
def test_a_number_keeps_its_unit_and_its_place(answer: str, is_supported: bool) -> None:
    verdict = check(answer, "How much, how long and when? 多少？", MEASURES, floor=0.4)
    assert bool(verdict.supports) is is_supported, verdict.reason


def test_two_statements_may_rest_on_two_sentences() -> None:
    verdict = check("Tesla was born in Smiljan in 1856 and died in New York in 1943.", "Who was Tesla?")
    assert {sentence.text for sentence in verdict.supports} == {
        "He was born in 1856 in Smiljan.",
        "Tesla died in New York in January 1943.",
    }


def test_two_sentences_never_support_one_mixed_statement() -> None:
    assert check("Tesla was born in 1943 and died in 1856.", "Who was Tesla?").supports == ()


def test_a_pronoun_does_not_tie_one_sentences_deed_to_another_sentences_people() -> None:
    text = "The dukes fled to Varn in 1912. The bandits burned the old harbour in 1913."
    assert check("The dukes fled to Varn in 1912 and they burned the old harbour in 1913.", text=text).supports == ()


def test_the_floor_is_the_callers() -> None:
    answer = "Tesla died in New York."
    assert check(answer, "Where?", floor=0.3).supports
    assert check(answer, "Where?", floor=1.0).supports == ()


def test_checking_against_nothing_supports_nothing() -> None:
    assert Evidence("Who?", []).check("Tesla died.", [], support_floor=0.0).supports == ()


@pytest.mark.parametrize(
    ("answer", "is_supported"),
    [
        pytest.param("灯塔建于1847年。", True, id="words"),
        pytest.param("灯塔建于1848年。", False, id="number"),
        pytest.param("灯塔由工程师李明设计。", True, id="name"),
        pytest.param("灯塔由工程师王强设计。", False, id="another name"),
        pytest.param("2019年有百分之四十五的游客来自北京。", False, id="another place in a faithful sentence"),
        pytest.param("瓦恩灯塔建于1847年由工程师王强设计。", False, id="another name in a faithful sentence"),
        pytest.param("灯塔高32米。", True, id="Chinese numerals"),
        pytest.param("灯塔高33米。", False, id="another number"),
        pytest.param("灯塔支持自动照明。", False, id="negation lost"),
        pytest.param("灯塔不支持自动照明。", True, id="negation kept"),
        pytest.param("2019年45%的游客来自上海。", True, id="percent"),
        pytest.param("2019年45%的游客来自北京。", False, id="place"),
    ],
)
@pytest.mark.parametrize("with_cosine", [True, False], ids=["cosine", "terms alone"])
def test_chinese_is_checked_as_strictly(answer: str, is_supported: bool, with_cosine: bool) -> None:
    embedder = FakeEmbedder()
    sentences = rank_sentences("灯塔是怎样的？", [passage(LIGHTHOUSE)], embedder=embedder, reranker=None)
    vector = embedder.encode_query(answer).embedding
    similarities = [float(vector @ sentence.embedding) for sentence in sentences] if with_cosine else None
    verdict = Evidence("灯塔是怎样的？", sentences).check(answer, similarities, support_floor=0.5)
    assert bool(verdict.supports) is is_supported, verdict.reason
