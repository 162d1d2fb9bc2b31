"""Sentences end where a reader says they do, in any script, and in linear time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerag.sentences import split_sentences


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It rained. We left! Why? So it goes…", ["It rained.", "We left!", "Why?", "So it goes…"]),
        ("Mr. Smith met Dr. Jones. They spoke.", ["Mr. Smith met Dr. Jones.", "They spoke."]),
        ("Books by J. K. Rowling sell. Yes.", ["Books by J. K. Rowling sell.", "Yes."]),
        ("In the U.S. Army he served. Later.", ["In the U.S. Army he served.", "Later."]),
        ("He left the U.S. The rest stayed.", ["He left the U.S.", "The rest stayed."]),
        (
            "See Fig. 3 and No. 5, e.g. the red one. No. Not that.",
            ["See Fig. 3 and No. 5, e.g. the red one.", "No.", "Not that."],
        ),
        ("Pi is 3.14. Section 3.2.1 says so.", ["Pi is 3.14.", "Section 3.2.1 says so."]),
        ("3.2.1. Scope of it. More.", ["3.2.1. Scope of it.", "More."]),
        ("It was in 1990. The end.", ["It was in 1990.", "The end."]),
        (
            "Open www.example.com/a.b or notes.txt now. Then go.",
            ["Open www.example.com/a.b or notes.txt now.", "Then go."],
        ),
        ("Wait... and see. Well... Yes.", ["Wait... and see.", "Well...", "Yes."]),
        ("“Really?” he said. (It was late.) Next.", ["“Really?” he said.", "(It was late.)", "Next."]),
        ('He said "Go." Then he left.', ['He said "Go."', "Then he left."]),
        ("At 5 p.m. we eat. At 6 p.m. The end.", ["At 5 p.m. we eat.", "At 6 p.m.", "The end."]),
        ("Smith et al. showed this. Cf. approx. three.", ["Smith et al. showed this.", "Cf. approx. three."]),
        ("What?! No!!! Yes.", ["What?!", "No!!!", "Yes."]),
        ("他说：“你好。”然后走了。真的？是的！！", ["他说：“你好。”", "然后走了。", "真的？", "是的！！"]),
        ("第一；第二；第三。好", ["第一；第二；第三。", "好"]),
        ("「本当？」と言った。帰った。", ["「本当？」と言った。", "帰った。"]),
        ("使用GPU加速。It works.速度快。", ["使用GPU加速。", "It works.速度快。"]),
        ("圆周率约为3．14。对吗？", ["圆周率约为3．14。", "对吗？"]),
        ("यह एक वाक्य है। दूसरा वाक्य॥ अंत", ["यह एक वाक्य है।", "दूसरा वाक्य॥", "अंत"]),
        ("هل هذا سؤال؟ نعم. جيد۔ آخر", ["هل هذا سؤال؟", "نعم.", "جيد۔", "آخر"]),
    ],
)
def test_punctuation(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_blank_lines_end_a_sentence_and_wrapped_lines_do_not() -> None:
    text = (
        "This paragraph is wrapped at some seventy columns, as mail and old text\n"
        "files are, and its sentence goes on over the line break. The next\n"
        "sentence as well.\n \nNo full stop here\n\nEnd"
    )
    assert sentences(text) == [
        "This paragraph is wrapped at some seventy columns, as mail and old text\n"
        "files are, and its sentence goes on over the line break.",
        "The next\nsentence as well.",
        "No full stop here",
        "End",
    ]


def test_lines_that_are_units_are_sentences() -> None:
    text = (
        "Shopping\n- milk and bread\n- eggs\n1. First do this\n2) Then do that\nName\tAge\nAnn\t7\n| a | b |\n| c | d |"
    )
    assert sentences(text) == text.split("\n")


def test_list_items_of_full_width_are_sentences() -> None:
    first = "- the first item of the list fills its line up to the very margin here"
    second = "- the second item of it does so as well, and goes on in the line below\n  with its last words"
    assert sentences(f"{first}\n{second}") == [first, second]


def test_a_heading_line_above_a_paragraph_stands_alone() -> None:
    line = "This is a wrapped line of the paragraph below that heading, long enough"
    assert sentences(f"Introduction\n{line}\nto be wrapped.") == ["Introduction", f"{line}\nto be wrapped."]


def test_chinese_list_items_are_sentences() -> None:
    assert sentences("一、准备工作\n二、安装软件\n（三）运行") == ["一、准备工作", "二、安装软件", "（三）运行"]


PIECES = st.sampled_from(
    [
        "a",
        "Mr",
        " ",
        ".",
        "...",
        "?",
        "!",
        "\n",
        "\n\n",
        "\t",
        "。",
        "！",
        "”",
        '"',
        "（",
        ")",
        "é",
        "字",
        "3",
        "- ",
        "|",
        "।",
        "…",
        "\f",
    ]
)


@given(st.lists(PIECES | st.characters(), max_size=60).map("".join))
def test_spans_are_ordered_trimmed_and_hold_everything(text: str) -> None:
    position = 0
    for start, end in split_sentences(text):
        assert position <= start < end
        assert text[start:end] == text[start:end].strip()
        assert not text[position:start].strip()
        position = end
    assert not text[position:].strip()


@given(st.lists(PIECES, max_size=40).map("".join))
def test_a_blank_line_parts_texts_that_do_not_know_of_each_other(text: str) -> None:
    body = text.strip()
    alone = [body[start:end] for start, end in split_sentences(body)]
    assert sentences(f"{body}\n\nAnother one.") == [*alone, "Another one."]


@pytest.mark.parametrize("unit", ["Mr. ", ". ", "a", '."', "\n ", "。", "x ", "(", "- \n", "U.S. ", "1."])
def test_time_grows_with_the_length_and_no_faster(unit: str) -> None:
    # Quadratic behaviour on 400,000 characters would take minutes, and the test run would show it.
    text = unit * (400_000 // len(unit))
    assert len(split_sentences(text)) <= len(text)
