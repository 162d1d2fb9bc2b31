"""Citations are exact or are not made."""

from __future__ import annotations

import dataclasses

import pytest

from edgerag.ask.cite import CitationBook
from edgerag.datatypes import PageSpan
from edgerag.errors import LibraryError
from tests.ask.builders import passage

DOCUMENT = "# Räder 🙂\n\nThe tide turns twice a day. 潮水每天涨落两次。\n"
CHUNK = "The tide turns twice a day. 潮水每天涨落两次。"
START = DOCUMENT.index(CHUNK)


def test_a_quote_is_the_documents_text_at_its_offsets() -> None:
    book = CitationBook(lambda _: DOCUMENT)
    citation = book.cite(passage(CHUNK, start=START), 28, 37)
    assert citation.quote == "潮水每天涨落两次。"
    assert DOCUMENT[citation.start_chars : citation.end_chars] == citation.quote
    assert citation.marker == 1


def test_a_quote_carries_the_page_on_which_it_begins_though_its_chunk_begins_before() -> None:
    pages = [PageSpan(4, 0, START + 28), PageSpan(5, START + 28, len(DOCUMENT))]
    chunk = passage(CHUNK, start=START)
    chunk = dataclasses.replace(chunk, chunk=dataclasses.replace(chunk.chunk, page=4))
    book = CitationBook(lambda _: DOCUMENT, lambda _: pages)
    assert [book.cite(chunk, 0, 27).page, book.cite(chunk, 28, 37).page] == [4, 5]
    assert CitationBook(lambda _: DOCUMENT).cite(chunk, 28, 37).page == 4


def test_the_same_place_has_the_same_marker_even_through_another_passage() -> None:
    book = CitationBook(lambda _: DOCUMENT)
    first = book.cite(passage(CHUNK, start=START), 0, 27)
    second = book.cite(passage(CHUNK, start=START), 28, 37)
    again = book.cite(passage(CHUNK[:27], start=START, rank=2), 0, 27)
    assert (first.marker, second.marker, again.marker) == (1, 2, 1)
    assert [citation.marker for citation in book.citations] == [1, 2]


def test_a_quote_that_stands_elsewhere_in_the_document_is_refused() -> None:
    book = CitationBook(lambda _: DOCUMENT)
    with pytest.raises(LibraryError, match="not where it should be"):
        book.cite(passage(CHUNK, start=START + 1), 0, 27)
    assert book.citations == ()


def test_a_chunk_whose_offsets_do_not_fit_its_text_is_refused() -> None:
    wrong = passage(CHUNK, start=START)
    wrong = dataclasses.replace(wrong, chunk=dataclasses.replace(wrong.chunk, end_chars=START + 5))
    with pytest.raises(LibraryError, match="not where it should be"):
        CitationBook().cite(wrong, 0, 4)


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (3, 3), (5, 2), (0, 1000)])
def test_a_place_outside_the_passage_is_refused(start: int, end: int) -> None:
    with pytest.raises(LibraryError, match="no such place"):
        CitationBook().cite(passage(CHUNK), start, end)


def test_the_documents_text_is_read_once() -> None:
    reads: list[int] = []

    def read(number: int) -> str:
        reads.append(number)
        return DOCUMENT

    book = CitationBook(read)
    book.cite(passage(CHUNK, start=START), 0, 8)
    book.cite(passage(CHUNK, start=START), 9, 14)
    assert reads == [1]
