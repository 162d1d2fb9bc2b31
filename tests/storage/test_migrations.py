"""Libraries of older versions are brought up to date with everything they hold."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edgerag.datatypes import ScannedFile
from edgerag.errors import LibraryError
from edgerag.storage import migrations
from edgerag.storage.conversations import Conversations
from edgerag.storage.library import Library
from edgerag.storage.migrations import SCHEMA_VERSION
from edgerag.storage.verify import Damage, verify
from tests.storage.answers import answer
from tests.storage.test_library import chunk_ids, found, store


@pytest.fixture
def old_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library with one source, of the first schema."""
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "STEPS", migrations.STEPS[:1])
        patch.setattr(migrations, "SCHEMA_VERSION", 1)
        patch.setattr("edgerag.storage.library.SCHEMA_VERSION", 1)
        library = Library.open(tmp_path / "lib")
        with library.writing() as writer:
            writer.add_source(Path("/docs"))
        library.close()
    return tmp_path / "lib"


def test_library_without_conversations_gets_them(old_library: Path) -> None:
    with Library.open(old_library) as library:
        assert library.rows("PRAGMA user_version") == [(SCHEMA_VERSION,)]
        assert [source.path for source in library.sources()] == ["/docs"]
        conversations = Conversations(library)
        assert len(conversations.search("foundry")) == 0
        conversations.save(answer())
        assert len(conversations.search("foundry")) == 1
        with library.writing() as writer:
            document_id = store(writer, "/docs/a.txt", "alpha")
        assert found(library, "alpha") == chunk_ids(library, document_id)
        assert [event for event in verify(library, threading.Event()) if isinstance(event, Damage)] == []


def test_two_programs_that_find_an_older_library_both_open_it(old_library: Path) -> None:
    opened: list[Library] = []
    threads = [threading.Thread(target=lambda: opened.append(Library.open(old_library))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(opened) == 4
    for library in opened:
        assert library.rows("PRAGMA user_version") == [(SCHEMA_VERSION,)]
        library.close()


def test_step_that_fails_changes_nothing(old_library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, statements = migrations.STEPS[1]
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "STEPS", (migrations.STEPS[0], (name, (*statements[:3], "this is no SQL"))))
        with pytest.raises(LibraryError):
            Library.open(old_library)
    with Library.open(old_library) as library:
        assert Conversations(library).all() == []


@pytest.fixture
def library_without_change_times(tmp_path: Path) -> Path:
    """A library with a document and a failure, as the third schema had them."""
    folder = tmp_path / "lib"
    with Library.open(folder) as library:
        with library.writing() as writer:
            store(writer, "/docs/a.txt", "alpha")
            writer.record_failure(1, ScannedFile(Path("/docs/b.txt"), 5, 6), "is odd", "recipe")
        connection = library.connection()
        for statement in (
            "ALTER TABLE documents DROP COLUMN ctime_ns",
            "ALTER TABLE failures DROP COLUMN ctime_ns",
            "DELETE FROM _sqlite_migrations WHERE name = '0004_change_times'",
            "PRAGMA user_version = 3",
        ):
            connection.execute(statement)
    return folder


def test_library_without_change_times_keeps_all_and_proves_nothing(library_without_change_times: Path) -> None:
    with Library.open(library_without_change_times) as library:
        assert library.rows("PRAGMA user_version") == [(SCHEMA_VERSION,)]
        (document,) = library.documents()
        assert (document.path, document.mtime_ns, document.ctime_ns) == ("/docs/a.txt", 1, None)
        assert library.document_states()["/docs/a.txt"].ctime_ns is None
        assert library.failures()["/docs/b.txt"].ctime_ns is None
        assert found(library, "alpha") == chunk_ids(library, document.id)
        with library.writing() as writer:
            writer.touch_document(document.id, ScannedFile(Path("/docs/a.txt"), 5, 2, 3), 1)
        (document,) = library.documents()
        assert (document.mtime_ns, document.ctime_ns) == (2, 3)
        assert [event for event in verify(library, threading.Event()) if isinstance(event, Damage)] == []


DIES_AT_THE_FIRST_STEP = """
import os, sys
from pathlib import Path
from edgerag.storage import migrations
from edgerag.storage.library import Library

migrations._step = lambda number, statements: lambda database: os._exit(9)
Library.open(Path(sys.argv[1]))
"""


def test_library_whose_making_was_killed_is_made_by_the_next_run(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", DIES_AT_THE_FIRST_STEP, str(tmp_path / "lib")], timeout=60)
    assert killed.returncode == 9
    assert (tmp_path / "lib" / "library.db").stat().st_size > 0

    with Library.open(tmp_path / "lib") as library:
        assert library.rows("PRAGMA user_version") == [(SCHEMA_VERSION,)]
        assert library.rows("PRAGMA page_size") == [(8192,)]
        assert library.counts()["documents"] == 0


STEPS_TABLE = "CREATE TABLE _sqlite_migrations (id INTEGER PRIMARY KEY, migration_set TEXT, name TEXT, applied_at TEXT)"


def left_behind(folder: Path, *statements: str) -> Path:
    """A file with sqlite-utils' table of steps, as a killed run of an older edgerag left it."""
    folder.mkdir()
    with sqlite3.connect(folder / "library.db") as connection:
        connection.execute(STEPS_TABLE)
        connection.execute("CREATE UNIQUE INDEX steps ON _sqlite_migrations (migration_set, name)")
        for statement in statements:
            connection.execute(statement)
    connection.close()
    return folder


def test_library_that_an_older_version_left_half_made_is_opened(tmp_path: Path) -> None:
    with Library.open(left_behind(tmp_path / "lib")) as library:
        assert library.rows("PRAGMA user_version") == [(SCHEMA_VERSION,)]


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE notes (text TEXT)", "PRAGMA application_id = 7"],
    ids=["other table", "other application"],
)
def test_another_program_with_a_table_of_steps_is_refused(tmp_path: Path, statement: str) -> None:
    with pytest.raises(LibraryError, match="not an edgerag library"):
        Library.open(left_behind(tmp_path / "lib", statement))
