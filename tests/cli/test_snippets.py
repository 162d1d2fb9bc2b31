"""The part of a text that stands below a hit: round the words of the query, cut between words, on one line."""

from __future__ import annotations

import pytest

from edgerag.cli.render import snippet
from edgerag.cli.safe_text import safe_line

STORY = "The mill burned down. Later the harbour of Varn was dredged, and the market moved beside the harbour wall."


@pytest.mark.parametrize(
    ("text", "query", "length", "shown"),
    [
        ("The harbour of Varn.", "harbour", 40, "The harbour of Varn."),
        (STORY, "dredged", 30, "… was dredged, and the market …"),
        (STORY, "nothing", 30, "The mill burned down. Later …"),
        ("天" * 30 + "港口疏浚" + "地" * 30, "疏浚", 20, "… " + "天" * 1 + "港口疏浚" + "地" * 15 + " …"),
        ("The well was drained by hand in May. Then rainwater filled it.", "rain", 30, "… Then rainwater filled it."),
        ("天" * 30 + "请使用Python编写" + "地" * 30, "python", 20, "… " + "请使用Python编写" + "地" * 9 + " …"),
        ("天" * 30 + "截至2024年" + "地" * 30, "2024", 20, "… " + "天" + "截至2024年" + "地" * 12 + " …"),
        ("ก" * 30 + "รถไฟกลางคืน" + "ข" * 30, "กลางคืน", 20, "… ถไฟกลางคืน" + "ข" * 10 + " …"),
        ("one\n\ttwo", "two", 40, "one two"),
    ],
    ids=[
        "short",
        "round the word",
        "no word",
        "no spaces",
        "inside another word",
        "Latin in Chinese",
        "a number in Chinese",
        "Thai",
        "one line",
    ],
)
def test_a_snippet_stands_round_the_words_and_ends_between_words(
    text: str, query: str, length: int, shown: str
) -> None:
    assert snippet(text, query, length=length) == shown


def test_of_two_places_that_are_as_good_the_first_is_shown() -> None:
    for query in ("mill wall", "wall mill"):
        assert snippet(STORY, query, length=30).startswith("The mill")


def test_lines_of_chinese_are_joined_without_a_space() -> None:
    assert safe_line("海平面相平。\n降水量\n很大 rain\nsnow") == "海平面相平。降水量很大 rain snow"
