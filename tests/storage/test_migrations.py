"""Libraries of older versions are brought up to date with everything they hold."""

from __future__ import annotations

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
