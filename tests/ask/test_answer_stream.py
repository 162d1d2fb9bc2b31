"""Raw text of a generator, cut into sentences and cleaned."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerag.ask.answer_stream import SentenceStream, clean_sentence, clean_text, declines


def cut(text: str, length: int = 3) -> tuple[list[str], str, str]:
    """Sentences, what breaks off, what was shown."""
    stream = SentenceStream()
    sentences: list[str] = []
    shown = ""
    for start in range(0, len(text), length):
        visible, complete = stream.feed(text[start : start + length])
        shown += visible
        sentences += complete
    rest, broken = stream.finish()
    return [*sentences, *rest], broken, shown


@pytest.mark.parametrize("length", [1, 3, 7, 1000])
def test_sentences_are_the_same_however_the_stream_is_cut(length: int) -> None:
    text = "It rose to 3.5 metres, e.g. in May. Then it fell! 潮水很高。它退了？And then it"
    sentences, broken, shown = cut(text, length)
    assert sentences == ["It rose to 3.5 metres, e.g. in May.", "Then it fell!", "潮水很高。", "它退了？"]
    assert broken == "And then it"
    assert shown == text


def test_a_sentence_is_ready_as_soon_as_the_next_begins() -> None:
    stream = SentenceStream()
    assert stream.feed("It rained. ")[1] == []
    assert stream.feed("Then")[1] == ["It rained."]


def test_a_stream_that_goes_round_in_circles_says_so() -> None:
    stream = SentenceStream()
    stream.feed("It rained. It stopped. ")
    assert not stream.is_repeating
    stream.feed("It rained. And")
    assert stream.is_repeating


def test_repeated_sentences_are_kept_once() -> None:
    assert cut("It rained. It rained. it RAINED. It stopped.")[0] == ["It rained.", "It stopped."]


@pytest.mark.parametrize("length", [1, 4, 1000])
def test_thoughts_are_not_shown(length: int) -> None:
    sentences, broken, shown = cut("<think>He wants 7. Or 8?</think>It is 3 < 4. Yes.", length)
    assert sentences == ["It is 3 < 4.", "Yes."]
    assert broken == ""
    assert shown == "It is 3 < 4. Yes."


def test_a_thought_without_an_end_is_no_answer() -> None:
    assert cut("<think>Let me see. It is 7.") == ([], "", "")


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("It rained [1].", "It rained."),
        ("It rained [1, 2][3] and [source 4] stopped.", "It rained and stopped."),
        ("It rained (fact 2).", "It rained."),
        ("下雨了【1】。", "下雨了。"),
        ("1. It rained.", "It rained."),
        ("- **It** `rained`.", "It rained."),
        ("Answer: It rained.", "It rained."),
        ("答案：下雨了。", "下雨了。"),
        ("According to fact 2, it rained.", "It rained."),
        ("It rained\n  all day.", "It rained all day."),
        ("In [the] list [12345] it stays (see 3).", "In [the] list [12345] it stays (see 3)."),
        ("3.5 metres fell.", "3.5 metres fell."),
        ("[2] It rained [3] and hailed ^1, then stopped.[4] ", "It rained and hailed, then stopped."),
        ("It rained.^2", "It rained."),
        ("In 1943 **Tesla** died [^1].", "In 1943 Tesla died."),
        ("灯塔**建于**1847年[2]，高三十米【1】【3】。", "灯塔建于1847年，高三十米。"),
        ("- It rained.", "It rained."),
        ("• 12 boats sank.", "12 boats sank."),
        ("__The harbour__ froze.", "The harbour froze."),
    ],
)
def test_marks_of_the_models_own_are_taken_out(raw: str, clean: str) -> None:
    assert clean_sentence(raw) == clean


@pytest.mark.parametrize(
    "text",
    [
        "It covers an area of 10^6 hectares.",
        "It covers 10 ^6 hectares.",
        "The curve is x^2 + y^2.",
        "- 18 degrees were measured.",
        "– 18 degrees were measured.",
        "See clause [12] of the lease.",
        "It is explained in clause [12].",
        "The first is a[0], the next b[1] of the list.",
        "The method is called __init__ there.",
        "It is 2**3, that is 2 ** 3.",
        "It weighs .5 kg.",
        "依照第[3]条办理。",
    ],
)
def test_what_a_sentence_says_is_not_taken_for_marks(text: str) -> None:
    assert clean_sentence(text) == text


def test_nothing_that_steers_a_terminal_or_hides_text_is_left() -> None:
    raw = "a\x1b[31mred\x1b]0;t\x07 \u202eabc\u202c \u200bx\ufeff \x9b1m \ue000 \ud800 e\u0301 👩\u200d🚒"
    assert clean_text(raw) == "a[31mred]0;t abc x 1m   e\u0301 👩\u200d🚒"


@given(st.text())
def test_cleaned_text_is_printable_apart_from_newlines_joiners_and_spaces(text: str) -> None:
    kept = clean_text(text)
    assert all(char.isprintable() or char in "\n\u200c\u200d" or char.isspace() for char in kept)
    assert "\x1b" not in kept


@given(
    st.lists(
        st.sampled_from(["It rained.", "潮水很高。", " ", "\n\n", "[1]", "<think>", "</think>", "x", "<th"]),
        max_size=12,
    ),
    st.integers(1, 9),
)
def test_no_cut_of_a_stream_loses_or_adds_a_sentence(parts: list[str], length: int) -> None:
    text = "".join(parts)
    assert cut(text, length) == cut(text, 1000)


@pytest.mark.parametrize(
    ("text", "does"),
    [
        ("I don't know.", True),
        ("I cannot answer this from the facts.", True),
        ("The text does not mention a harbour.", True),
        ("There is no information on it.", True),
        ("资料中没有提到灯塔。", True),
        ("我不知道。", True),
        ("It is not known who built the harbour.", False),
        ("The harbour does not freeze.", False),
    ],
)
def test_a_model_that_declines_is_understood(text: str, does: bool) -> None:
    assert declines(text) is does
