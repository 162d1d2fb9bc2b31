"""What a library says of runs that did not come to their end, of its documents and of where their chunks lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgerag.storage.conversations import Conversations
from edgerag.storage.library import Library
from tests.storage.answers import answer
from tests.storage.test_library import store


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "lib") as opened:
        yield opened


def test_a_run_that_did_not_end_is_told_until_it_is_forgotten(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgerag.storage.writer.time.time", lambda: 1_700_000_000.5)
    assert library.unfinished_since() is None
    with library.writing() as writer:
        assert writer.note_unfinished()
    assert library.unfinished_since() == 1_700_000_000.0
    library.forget_unfinished()
    library.forget_unfinished()
    assert library.unfinished_since() is None


def test_the_first_of_several_unfinished_runs_counts(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    with library.writing() as writer:
        monkeypatch.setattr("edgerag.storage.writer.time.time", lambda: 100.0)
        assert writer.note_unfinished()
        monkeypatch.setattr("edgerag.storage.writer.time.time", lambda: 200.0)
        assert not writer.note_unfinished()
    assert library.unfinished_since() == 100.0


def test_a_run_that_is_under_way_is_not_unfinished(library: Library) -> None:
    with library.writing() as writer:
        writer.note_unfinished()
        assert library.unfinished_since() is None
    assert library.unfinished_since() is not None


def test_documents_come_by_path_and_chunks_in_order_with_their_places(library: Library) -> None:
    with library.writing() as writer:
        second = store(writer, "/b.md", "One two.", "Three.")
        store(writer, "/a.md", "Four.")
    assert [document.path for document in library.documents()] == ["/a.md", "/b.md"]
    text = library.document_text(second).text
    assert [text[start:end] for start, end in library.chunk_spans(second)] == ["One two.", "Three."]
    assert library.chunk_spans(999) == []


def test_questions_come_each_once_and_the_latest_last(library: Library) -> None:
    conversations = Conversations(library)
    for question in ("first", "second", "first", "third"):
        conversations.save(answer(question))
    assert conversations.questions(10) == ["second", "first", "third"]
    assert conversations.questions(2) == ["first", "third"]
