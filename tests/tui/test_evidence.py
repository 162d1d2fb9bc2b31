"""The evidence list: a heading is said once, quotes keep their places."""

from __future__ import annotations

import pytest

from edgerag.answers import Citation
from edgerag.datatypes import Chunk, Document, Passage, Scores
from edgerag_tui.evidence import evidence_items, readable_text


def passage(text: str, heading: str | None, format: str = "markdown") -> Passage:
    chunk = Chunk(1, 1, 0, text, 100, 100 + len(text), None, heading)
    return Passage(1, Document(1, "/n/hut.md", "Hut", format, "0" * 64, 1, 1), chunk, Scores(1, 1, 1, 1, 1))


def cited(found: Passage, quote: str) -> Citation:
    start = found.chunk.start_chars + found.chunk.text.index(quote)
    return Citation(1, found.document, None, start, start + len(quote), quote, found.chunk.heading)


@pytest.mark.parametrize(
    ("text", "heading", "format", "shown"),
    [
        ("## In winter\n\nThe hut is closed.", "Hut > In winter", "markdown", "The hut is closed."),
        ("# Hut\n\n## In *winter*\n\nIt is closed.", "Hut > In winter", "markdown", "It is closed."),
        ("Hut\n===\n\nIt is closed.", "Hut", "markdown", "It is closed."),
        ("In winter\n\nIt is closed.", "Hut > In winter", "docx", "It is closed."),
        ("Open.\n\n## In winter\n\nClosed.", "Hut", "markdown", "Open.\n\n§ In winter\n\nClosed."),
        ("## In winter\n\nClosed.", "Hut", "markdown", "§ In winter\n\nClosed."),
        ("开放。\n\n## 冬季\n关闭。", "山屋", "markdown", "开放。\n\n§ 冬季\n\n关闭。"),
        ("# a comment\nx = 1", None, "text", "# a comment\nx = 1"),
        ("# Hut", "Hut", "markdown", "§ Hut"),
        ("In winter it is closed.", "In winter", "markdown", "In winter it is closed."),
    ],
)
def test_a_heading_is_not_repeated_in_the_text(text: str, heading: str | None, format: str, shown: str) -> None:
    found = passage(text, heading, format)
    assert evidence_items([found], [])[0].context == shown
    assert readable_text(found.chunk, found.document) == shown


def test_the_quote_is_found_behind_headings_that_were_left_out() -> None:
    found = passage("## In winter\n\nIt snows. The hut is closed.\n\n## Prices\n\nTen crowns.", "Hut > In winter")
    (item,) = evidence_items([found], [cited(found, "The hut is closed.")])
    assert item.context == "It snows. The hut is closed.\n\n§ Prices\n\nTen crowns."
    assert item.quote is not None
    assert item.context[slice(*item.quote)] == "The hut is closed."
    assert (item.start_chars, item.end_chars) == (124, 142)


def test_a_heading_that_is_quoted_stays() -> None:
    found = passage("# Hut\n\nIt is closed.", "Hut")
    (item,) = evidence_items([found], [cited(found, "Hut")])
    assert item.quote is not None
    assert item.context[slice(*item.quote)] == "Hut"


def test_what_is_cut_off_is_told() -> None:
    found = passage("# Hut\n\n" + "word " * 80 + "The hut is closed. " + "word " * 80, "Hut")
    (item,) = evidence_items([found], [cited(found, "The hut is closed.")])
    assert item.context.startswith("… word word")
    assert item.context.endswith("word …")


def test_a_table_is_read_row_by_row() -> None:
    table = "| | members | others |\n|---|---:|---:|\n| dormitory | 32 | 45 |\n| room | 60 | 85 |\n"
    found = passage(f"## Prices\n\n{table}\nBreakfast is extra.", "Prices")
    read = "members · others / dormitory · 32 · 45 / room · 60 · 85\n\nBreakfast is extra."
    assert readable_text(found.chunk, found.document) == read
    (item,) = evidence_items([found], [cited(found, "Breakfast is extra.")])
    assert item.context == read
    rows = "".join(f"| room number {number} | {number + 30} euros | {number + 60} euros |\n" for number in range(20))
    found = passage(f"{rows}\nBreakfast is extra. Tea is not.\n\n{rows}", None)
    (item,) = evidence_items([found], [cited(found, "Breakfast is extra.")])
    before, after = item.context.split("\n\nBreakfast is extra. Tea is not.\n\n")
    assert before.startswith("… ")
    assert before.endswith("48 euros · 78 euros / room number 19 · 49 euros · 79 euros")
    assert after.startswith("room number 0 · 30 euros · 60 euros / room number 1 ·")
    assert "|" not in item.context


@pytest.mark.parametrize(
    ("quote", "shown"),
    [
        (
            "| Night train | It leaves daily. It is slow. | 22:40 |",
            "train · runs · at / ◀{}▶ / Day train · Daily. · 8:10",
        ),
        ("22:40", "train · runs · at / Night train · It leaves daily. It is slow. · ◀{}▶ / Day train · Daily. · 8:10"),
        ("Night train", "train · runs · at / ◀{}▶ · It leaves daily. It is slow. · 22:40 / Day train · Daily. · 8:10"),
        ("It is slow.", "train · runs · at / Night train · It leaves daily. ◀{}▶ · 22:40 / Day train · Daily. · 8:10"),
        ("It leaves daily.", "train · runs · at / Night train · ◀{}▶ It is slow. · 22:40 / Day train · Daily. · 8:10"),
        (
            "| Day train | Daily. | 8:10 |",
            "train · runs · at / Night train · It leaves daily. It is slow. · 22:40 / ◀{}▶\n\nEnd.",
        ),
        (
            "| train | runs | at |",
            "◀{}▶ / Night train · It leaves daily. It is slow. · 22:40 / Day train · Daily. · 8:10",
        ),
    ],
    ids=["a row", "a cell", "the first cell", "a sentence", "the sentence before", "the last row", "the head"],
)
def test_a_quote_in_a_table_is_parted_from_the_cells_beside_it(quote: str, shown: str) -> None:
    table = (
        "| train | runs | at |\n|---|---|---|\n"
        "| Night train | It leaves daily. It is slow. | 22:40 |\n| Day train | Daily. | 8:10 |\n"
    )
    found = passage(f"{table}\nEnd.", None)
    (item,) = evidence_items([found], [cited(found, quote)])
    assert item.quote is not None
    start, end = item.quote
    told = f"{item.context[:start]}◀{item.context[start:end]}▶{item.context[end:]}"
    assert told.removesuffix("\n\nEnd.") == shown.format(quote).removesuffix("\n\nEnd.")


def test_an_escaped_bar_stays_in_its_cell() -> None:
    found = passage("| a \\| x | b |\n| c | d |", None)
    assert readable_text(found.chunk, found.document) == "a \\| x · b / c · d"


def test_bars_that_are_no_table_stay() -> None:
    found = passage("Choose `a | b`.\n\n|x| is the absolute value of x.", None)
    assert readable_text(found.chunk, found.document) == found.chunk.text
