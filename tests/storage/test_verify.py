"""What cannot be read is a damage like any other: `verify` lists it and goes on."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from edgerag.errors import LibraryError
from edgerag.storage.conversations import Conversations
from edgerag.storage.library import Library
from edgerag.storage.verify import Damage, VerifyProgress, checked_counts, verify
from tests.storage.answers import answer
from tests.storage.test_library import store

NEVER = threading.Event()
MALFORMED = "cannot be read: database disk image is malformed"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A library with two documents and a conversation, whose question has another text than its checksum tells."""
    with Library.open(tmp_path / "lib") as library:
        with library.writing() as writer:
            store(writer, "/docs/a.txt", "alpha", "beta")
            store(writer, "/docs/b.txt", "gamma", "delta")
        Conversations(library).save(answer())
        library.connection().execute("UPDATE turns SET question = 'other'")
    return tmp_path / "lib"


def wipe(folder: Path, table: str) -> None:
    """Overwrite the first page of a table."""
    with Library.open(folder) as library:
        ((page,),) = library.rows("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,))
        ((size,),) = library.rows("PRAGMA page_size")
    with (folder / "library.db").open("rb+") as stream:
        stream.seek((page - 1) * size)
        stream.write(b"\xee" * size)


def damages(folder: Path) -> dict[tuple[str, str], Damage]:
    with Library.open(folder) as library:
        return {
            (event.table, event.row): event for event in verify(library, NEVER) if not isinstance(event, VerifyProgress)
        }


@pytest.mark.parametrize(
    ("wiped", "reported"),
    [
        ("documents", ("documents", "1")),
        ("chunks", ("chunks", "1")),
        ("embeddings", ("embeddings", "1")),
        ("token_codes", ("token_codes", "")),
        ("chunk_fts_docsize", ("chunk_fts", "")),
        ("turn_citations", ("turn_citations", "")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_table_that_cannot_be_read_does_not_end_the_check(folder: Path, wiped: str, reported: tuple[str, str]) -> None:
    wipe(folder, wiped)

    found = damages(folder)

    assert found[reported].what == MALFORMED
    assert found["turns", "1"].what == "checksum does not fit"


def test_row_that_cannot_be_read_is_named_and_those_beside_it_are_checked(folder: Path) -> None:
    with Library.open(folder) as library:
        library.connection().execute("UPDATE chunks SET text = CAST(x'ff' AS TEXT) WHERE id = 2")
        library.connection().execute("UPDATE chunks SET text = 'other' WHERE id = 3")

    found = damages(folder)

    assert found["chunks", "2"].what.startswith("cannot be read: Could not decode to UTF-8")
    assert found["chunks", "2"].path == "/docs/a.txt"
    assert found["chunks", "3"].what == "checksum does not fit"
    assert ("chunks", "1") not in found and ("chunks", "4") not in found


def test_locked_library_is_no_damage(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_: object) -> list[object]:
        raise LibraryError("It is locked.")

    with Library.open(folder) as library:
        monkeypatch.setattr(library, "rows", locked)
        with pytest.raises(LibraryError, match="locked"):
            list(verify(library, NEVER))


def test_table_that_cannot_be_counted_has_no_number(folder: Path) -> None:
    wipe(folder, "conversations")
    with Library.open(folder) as library:
        assert checked_counts(library) == {
            "sources": 1,
            "documents": 2,
            "chunks": 4,
            "embeddings": 4,
            "failures": 0,
            "conversations": None,
        }
