"""Storage on real SQLite."""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from edgerag.datatypes import ChunkDraft, Encoding, Heading, PageSpan, ParsedDocument, ScannedFile
from edgerag.errors import LibraryError
from edgerag.storage import lexical
from edgerag.storage.checksums import content_key, row_checksum
from edgerag.storage.library import Library
from edgerag.storage.maintenance import backup, compact
from edgerag.storage.sqlite import connect, driver, is_wal_safe
from edgerag.storage.verify import Damage, verify
from edgerag.storage.writer import LibraryWriter, NewDocument

DIM = 4
NEVER = threading.Event()


@pytest.fixture
def library(tmp_path: Path):
    with Library.open(tmp_path / "lib") as opened:
        yield opened


def encode(text: str) -> Encoding:
    seed = int.from_bytes(content_key(text)[:4], "little")
    vector = np.random.default_rng(seed).normal(size=DIM).astype(np.float32)
    return Encoding(vector / np.linalg.norm(vector), b"codes of " + text.encode())


def store(writer: LibraryWriter, path: str, *paragraphs: str, source_id: int | None = None) -> int:
    """Store a document whose chunks are its paragraphs."""
    source_id = source_id if source_id is not None else writer.add_source(Path("/docs"))
    text = "\n\n".join(paragraphs)
    drafts, position = [], 0
    for ordinal, paragraph in enumerate(paragraphs):
        drafts.append(ChunkDraft(ordinal, paragraph, position, position + len(paragraph), 1, "Top"))
        position += len(paragraph) + 2
    parsed = ParsedDocument(text, Path(path).stem, "text", (PageSpan(1, 0, len(text)),), (Heading(1, "Top", 0),))
    new = NewDocument(source_id, ScannedFile(Path(path), len(text), 1), "0" * 64, "recipe", parsed, drafts)
    fingerprint_id = writer.fingerprint_id("f1", "model", DIM)
    encodings = {content_key(draft.embedded_text): encode(draft.embedded_text) for draft in drafts}
    return writer.store_document(new, fingerprint_id=fingerprint_id, encodings=encodings)


def chunk_ids(library: Library, document_id: int) -> list[int]:
    return [
        row[0] for row in library.rows("SELECT id FROM chunks WHERE document_id = ? ORDER BY ordinal", (document_id,))
    ]


def found(library: Library, query: str) -> list[int]:
    num_chunks = library.counts()["chunks"]
    return [hit.chunk_id for hit in lexical.search(library, query, 10, num_chunks=num_chunks).hits]


def test_stored_document_is_read_back_exactly(library: Library) -> None:
    with library.writing() as writer:
        document_id = store(writer, "/docs/a.txt", "First paragraph.", "Zweiter Absatz – 第二段。")

    stored = library.document_text(document_id)

    assert stored.text == "First paragraph.\n\nZweiter Absatz – 第二段。"
    assert stored.pages == (PageSpan(1, 0, len(stored.text)),)
    assert stored.headings == (Heading(1, "Top", 0),)
    chunks, damaged = library.load_chunks(chunk_ids(library, document_id))
    assert damaged == []
    for document, chunk in chunks.values():
        assert document.path == "/docs/a.txt"
        assert stored.text[chunk.start_chars : chunk.end_chars] == chunk.text


def test_replacing_a_document_keeps_the_ids_of_unchanged_chunks(library: Library) -> None:
    with library.writing() as writer:
        document_id = store(writer, "/docs/a.txt", "alpha", "beta", "gamma")
        before = chunk_ids(library, document_id)
        assert store(writer, "/docs/a.txt", "new start", "alpha", "gamma") == document_id

    after = chunk_ids(library, document_id)

    assert after[1] == before[0]
    assert after[2] == before[2]
    assert after[0] not in before
    assert found(library, "beta") == []
    assert found(library, "start") == [after[0]]
    assert found(library, "gamma") == [before[2]]


def test_chunk_ids_are_never_used_again(library: Library) -> None:
    with library.writing() as writer:
        first = store(writer, "/docs/a.txt", "alpha")
        old = chunk_ids(library, first)
        writer.delete_documents([first])
        second = store(writer, "/docs/b.txt", "alpha")

    assert set(chunk_ids(library, second)).isdisjoint(old)


def test_equal_text_has_one_embedding(library: Library) -> None:
    with library.writing() as writer:
        store(writer, "/docs/a.txt", "the same words")
        store(writer, "/docs/b.txt", "the same words")

    assert library.counts()["embeddings"] == 1
    assert library.counts()["chunks"] == 2


def test_failure_half_way_changes_nothing(library: Library) -> None:
    with library.writing() as writer:
        document_id = store(writer, "/docs/a.txt", "alpha")
        draft = ChunkDraft(0, "beta", 0, 4, None, None)
        parsed = ParsedDocument("beta", "a", "text")
        new = NewDocument(1, ScannedFile(Path("/docs/a.txt"), 4, 2), "1" * 64, "recipe", parsed, [draft])
        with pytest.raises(LibraryError, match="without its embedding"):
            writer.store_document(new, fingerprint_id=1, encodings={})

    assert library.document_text(document_id).text == "alpha"
    assert found(library, "alpha") == chunk_ids(library, document_id)


def test_change_counter_grows_with_every_commit_of_chunks(library: Library) -> None:
    before = library.change_counter()
    with library.writing() as writer:
        document_id = store(writer, "/docs/a.txt", "alpha")
        middle = library.change_counter()
        writer.delete_documents([document_id])

    assert before < middle < library.change_counter()


def test_lexical_search_finds_words_stems_and_chinese(library: Library) -> None:
    with library.writing() as writer:
        english = chunk_ids(library, store(writer, "/docs/a.txt", "The wardens were maintaining the generators."))
        chinese = chunk_ids(library, store(writer, "/docs/b.txt", "系统每天重建索引，成本很高。"))

    assert found(library, "maintain generator") == english
    assert found(library, "重建索引的成本") == chinese
    assert found(library, "索引") == chinese


@pytest.mark.parametrize("query", ['"', "a AND", "NEAR(", "x*", "-y", "col:word", "'; DROP TABLE chunks; --", "()"])
def test_raw_questions_never_reach_the_query_language(library: Library, query: str) -> None:
    with library.writing() as writer:
        store(writer, "/docs/a.txt", "alpha")

    assert found(library, query) == []


def test_common_terms_are_dropped_unless_all_are(library: Library) -> None:
    with library.writing() as writer:
        for number in range(300):
            store(writer, f"/docs/{number}.txt", f"common word{number}")

    outcome = lexical.search(library, "common word7", 5, num_chunks=300)
    assert (outcome.terms, outcome.dropped) == (("word7",), ("common",))
    assert lexical.search(library, "common", 5, num_chunks=300).terms == ("common",)


@pytest.mark.skipif(not is_wal_safe(), reason="this SQLite uses the rollback journal, where readers may wait")
def test_search_does_not_wait_for_a_writer(library: Library) -> None:
    with library.writing() as writer:
        store(writer, "/docs/a.txt", "alpha")
        with writer.transaction():
            store(writer, "/docs/b.txt", "alpha beta")
            seen: list[int] = []
            thread = threading.Thread(target=lambda: seen.append(library.counts()["documents"]))
            thread.start()
            thread.join(10)
            assert seen == [1]


def test_library_of_a_newer_version_is_refused_and_unchanged(library: Library, tmp_path: Path) -> None:
    library.connection().execute("PRAGMA user_version = 99")
    library.close()
    with pytest.raises(LibraryError, match="newer edgerag") as caught:
        Library.open(tmp_path / "lib")
    assert "Update edgerag" in caught.value.hint


def test_other_databases_and_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with sqlite3.connect(tmp_path / "other" / "library.db") as other:
        other.execute("CREATE TABLE t (x)")
    other.close()
    with pytest.raises(LibraryError, match="not an edgerag library"):
        Library.open(tmp_path / "other")

    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / "library.db").write_bytes(b"this is no database" * 500)
    with pytest.raises(LibraryError, match="damaged"):
        Library.open(tmp_path / "junk")

    with pytest.raises(LibraryError, match="no library"):
        Library.open(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()


def test_flipped_bit_in_a_chunk_is_found_and_not_served(library: Library) -> None:
    with library.writing() as writer:
        document_id = store(writer, "/docs/a.txt", "alpha", "beta")
    first, second = chunk_ids(library, document_id)
    library.connection().execute("UPDATE chunks SET text = 'alphb' WHERE id = ?", (first,))

    chunks, damaged = library.load_chunks([first, second])
    assert list(chunks) == [second]
    assert damaged == [first]
    damages = [event for event in verify(library, NEVER) if isinstance(event, Damage)]
    assert ("chunks", str(first), "/docs/a.txt") in {(damage.table, damage.row, damage.path) for damage in damages}


@pytest.mark.parametrize(
    ("sql", "table"),
    [
        ("UPDATE embeddings SET embedding = zeroblob(16)", "embeddings"),
        ("UPDATE token_codes SET codes = x'00'", "token_codes"),
        ("UPDATE documents SET title = 'other'", "documents"),
        ("UPDATE chunks SET start_chars = start_chars + 1", "chunks"),
        ("INSERT INTO chunk_fts (chunk_fts) VALUES ('delete-all')", "chunk_fts"),
    ],
    ids=["embedding", "token codes", "document", "offset", "lexical"],
)
def test_verify_sees_damage_in_every_table(library: Library, sql: str, table: str) -> None:
    with library.writing() as writer:
        store(writer, "/docs/a.txt", "alpha")
    assert [event for event in verify(library, NEVER) if isinstance(event, Damage)] == []

    library.connection().execute(sql)

    assert table in {event.table for event in verify(library, NEVER) if isinstance(event, Damage)}


def test_backup_is_a_whole_library_and_overwrites_nothing(library: Library, tmp_path: Path) -> None:
    with library.writing() as writer:
        store(writer, "/docs/a.txt", "alpha")
    (tmp_path / "copy").mkdir()
    target = tmp_path / "copy" / "library.db"

    backup(library, target)

    with Library.open(tmp_path / "copy") as copy:
        assert found(copy, "alpha") == [1]
        assert [event for event in verify(copy, NEVER) if isinstance(event, Damage)] == []
    with pytest.raises(LibraryError, match="exists already"):
        backup(library, target)
    assert sorted(path.name for path in target.parent.iterdir() if "lock" not in path.name)[0] == "library.db"


def test_backup_touches_nothing_beside_its_target(library: Library, tmp_path: Path) -> None:
    (tmp_path / "copy.db.part").write_text("mine")
    (tmp_path / "other.db.part").mkdir()

    backup(library, tmp_path / "copy.db")
    backup(library, tmp_path / "other.db")

    assert (tmp_path / "copy.db.part").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "copy.db",
        "copy.db.part",
        "lib",
        "other.db",
        "other.db.part",
    ]


def test_backup_that_fails_leaves_nothing_behind(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LibraryError, match=r"copy\.db cannot be written: No space left on device"):
        backup(library, tmp_path / "copy.db")
    assert [path.name for path in tmp_path.iterdir()] == ["lib"]


def test_backup_does_not_replace_what_came_into_being_meanwhile(library: Library, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    with pytest.raises(LibraryError, match="exists already"):
        backup(library, target, progress=lambda *_: target.write_text("mine") and None)
    assert target.read_text() == "mine"


def test_compact_drops_embeddings_without_chunks(library: Library) -> None:
    with library.writing() as writer:
        document_id = store(writer, "/docs/a.txt", "alpha")
        store(writer, "/docs/b.txt", "beta")
        writer.delete_documents([document_id])
    assert library.counts()["embeddings"] == 2

    compact(library)

    assert library.counts()["embeddings"] == 1
    assert found(library, "beta") == [2]


def test_rename_keeps_chunks_and_follows_the_title(library: Library) -> None:
    with library.writing() as writer:
        document_id = store(writer, "/docs/a.txt", "alpha")
        before = chunk_ids(library, document_id)
        writer.touch_document(document_id, ScannedFile(Path("/docs/new name.txt"), 5, 9), 1)

    assert chunk_ids(library, document_id) == before
    stored = library.document_text(document_id)
    assert (stored.document.path, stored.document.title, stored.document.mtime_ns) == (
        "/docs/new name.txt",
        "new name",
        9,
    )


@pytest.mark.skipif(
    sys.platform == "win32",
    reason="SQLite's page limit stands in for a full disk on any system, but the test was only tried on POSIX",
)
def test_full_disk_rolls_back_and_says_what_to_do(library: Library) -> None:
    with library.writing() as writer:
        store(writer, "/docs/a.txt", "alpha")
        pages = library.rows("PRAGMA page_count")[0][0]
        library.connection().execute(f"PRAGMA max_page_count = {pages}")
        words = [f"paragraph {number} " + "x" * 5000 for number in range(200)]
        with pytest.raises(LibraryError, match="disk is full") as caught:
            store(writer, "/docs/b.txt", *words)
        assert "Free some space" in caught.value.hint
        library.connection().execute("PRAGMA max_page_count = 1000000")
        assert [event for event in verify(library, NEVER) if isinstance(event, Damage)] == []
        store(writer, "/docs/b.txt", *words)
    assert library.counts()["documents"] == 2


def test_row_checksum_tells_fields_types_and_borders_apart() -> None:
    values = [("ab", "c"), ("a", "bc"), ("abc",), (b"abc",), ("1",), (1,), (None,), ("",)]
    assert len({row_checksum(*fields) for fields in values}) == len(values)


def test_driver_is_the_one_sqlite_utils_uses(tmp_path: Path) -> None:
    from sqlite_utils.utils import sqlite3 as theirs

    assert driver.sqlite_version == theirs.sqlite_version
    connect(tmp_path / "x.db").close()
