"""What the Search screen is made of: the order round the cursor, marked words, filters."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.cells import cell_len

from edgerag.datatypes import Chunk, Document, DocumentFilter, Passage, Scores
from edgerag_tui.screens.search_request import SearchFilter, SearchRequest
from edgerag_tui.screens.search_rows import ResultRow, arrange
from edgerag_tui.term_marks import marked_terms, term_spans
from edgerag_tui.widgets.result_list import row_content


def passage(number: int) -> Passage:
    document = Document(number, f"/notes/{number}.md", str(number), "text", "0" * 64, 10, 1)
    return Passage(1, document, Chunk(number, number, 0, "text", 0, 4, None, None), Scores(1, 1, 1, 1, 1))


@pytest.mark.parametrize(
    ("text", "num_lines", "expected"),
    [
        ("The mud of every harbour and of every river", 1, ["… mud of every …"]),
        ("The mud of every harbour and of every river", 2, ["The mud of every", "harbour and of …"]),
        ("The mud.", 2, ["The mud.", ""]),
        ("每座港口和每条河流里的淤泥都要清走", 1, ["每座港口和每条河流 …"]),
    ],
    ids=["one line", "two lines", "short", "chinese"],
)
def test_a_row_says_that_its_text_goes_on(text: str, num_lines: int, expected: list[str]) -> None:
    found = passage(1)
    row = ResultRow(replace(found, chunk=replace(found.chunk, text=text)), 1)
    lines = row_content(row, "mud", (), 24, num_lines).plain.split("\n")
    assert [line.removeprefix("    ") for line in lines[1:]] == expected
    assert all(cell_len(line) <= 24 for line in lines)


def arranged(before: list[int], after: list[int], cursor: int | None) -> list[tuple[int, int | None]]:
    rows = arrange([ResultRow(passage(number), 1) for number in before], [passage(each) for each in after], cursor)
    return [(row.passage.chunk.id, row.rank) for row in rows]


@pytest.mark.parametrize(
    ("before", "after", "cursor", "expected"),
    [
        ([1, 2, 3], [3, 2, 1], None, [(3, 1), (2, 2), (1, 3)]),
        ([1, 2, 3], [3, 2, 1], 0, [(1, 3), (3, 1), (2, 2)]),
        ([1, 2, 3], [3, 1, 2], 1, [(3, 1), (2, 3), (1, 2)]),
        ([1, 2], [3, 4], 1, [(3, 1), (2, None), (4, 2)]),
        ([1, 2, 3], [3], 2, [(3, 1)]),
        ([], [1], 0, [(1, 1)]),
    ],
    ids=["no cursor", "first row held", "middle row held", "held though lost", "shorter list", "nothing before"],
)
def test_new_ranking_is_arranged_round_the_cursor(
    before: list[int], after: list[int], cursor: int | None, expected: list[tuple[int, int | None]]
) -> None:
    assert arranged(before, after, cursor) == expected


@pytest.mark.parametrize(
    ("text", "query", "expected"),
    [
        ("The harbours were dredged.", "dredging of the harbour", ["harbours", "dredged"]),
        ("中文数据库SQLite很好", "SQLite 数据库", ["数据库SQLite"]),
        ("İstanbul is far", "far", ["far"]),
        ("It is the one", "is it the", ["It", "is", "the"]),
        ("The Harbour, harbours", "grey har", ["Harbour", "harbours"]),
        ("The harbour, then others", "harbour the", ["harbour"]),
        ("有数据，无字", "数", ["数"]),
    ],
    ids=[
        "endings",
        "chinese beside latin",
        "letters that grow in lower case",
        "only function words",
        "unfinished word",
        "unfinished function word",
        "lone character",
    ],
)
def test_words_are_marked_whatever_their_ending(text: str, query: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in term_spans(text, marked_terms(query))] == expected


def test_a_filter_is_told_to_the_engine() -> None:
    assert SearchFilter(num_documents=7).within is None
    assert SearchFilter(source="/notes").within == DocumentFilter(paths=("/notes",))
    assert SearchFilter(format="pdf").within == DocumentFilter(formats=("pdf",))


def test_stages_follow_the_mode() -> None:
    assert SearchRequest("x").stages == ("lexical", "vector", "rerank")
    assert SearchRequest("x", mode="vector", rerank=False).stages == ("vector",)
    assert SearchRequest("x").next_mode().next_mode().next_mode() == SearchRequest("x")
