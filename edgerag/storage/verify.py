"""`verify`: every row against its checksum, every index against the rows."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgerag.datatypes import embedded_text
from edgerag.errors import LibraryError
from edgerag.file_hash import hash_file
from edgerag.protocols import StopFlag
from edgerag.storage.checksums import (
    chunk_checksum,
    content_key,
    document_checksum,
    row_checksum,
)
from edgerag.storage.library import COUNTED_TABLES, INDEX_FOLDER, Library
from edgerag.storage.turns import CHECKED_TURN_COLUMNS, CITATION_COLUMNS

UNIT_TOLERANCE = 1e-3
"""How far a stored embedding's length may be from 1."""
BATCH_ROWS = 500
_DAMAGE_CODES = frozenset(("library.damaged", "library.sqlite"))
"""What SQLite says of a file that does not hold what it should; locked, say, is no damage."""


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that does not fit."""

    table: str
    row: str
    what: str
    path: str | None
    """The document it belongs to, where that can be told."""


@dataclass(frozen=True, slots=True)
class VerifyProgress:
    table: str
    done: int
    total: int


def verify(library: Library, stop: StopFlag) -> Iterator[Damage | VerifyProgress]:
    """Check the database's structure and every row; yields each damage found, and progress.

    What cannot be read is a damage like any other, and what stands beside it is checked all the same: who has to
    restore something needs the whole list.

    Raises:
        LibraryError: The library is locked or was taken away meanwhile.
    """
    checks = {
        "database": _structure,
        "references": _references,
        "documents": _documents,
        "chunks": _chunks,
        "embeddings": _embeddings,
        "token_codes": _token_codes,
        "chunk_fts": _chunk_words,
        "turn_fts": _turn_words,
        "turns": _turns,
        "turn_citations": _citations,
        "index": _snapshots,
    }
    for table, check in checks.items():
        if stop.is_set():
            return
        try:
            yield from check(library, stop)
        except LibraryError as error:
            yield Damage(table, "", _unreadable(error), None)


def is_damage(error: LibraryError) -> bool:
    """Whether it tells of a damaged file, not of one that is locked, say."""
    return error.code in _DAMAGE_CODES


def checked_counts(library: Library) -> dict[str, int | None]:
    """`Library.counts`; None for a table that is too damaged to be counted."""
    counts: dict[str, int | None] = {}
    for table in COUNTED_TABLES:
        try:
            counts[table] = library.count(table)
        except LibraryError as error:
            _unreadable(error)
            counts[table] = None
    return counts


def _unreadable(error: LibraryError) -> str:
    """An error in reading as a damage says it.

    Raises:
        LibraryError: This one, which is no damage.
    """
    if not is_damage(error):
        raise error
    return f"cannot be read: {error.fields.get('problem', error)}"


def _structure(library: Library, stop: StopFlag) -> Iterator[Damage | VerifyProgress]:
    for (message,) in library.rows("PRAGMA integrity_check(20)"):
        if message != "ok":
            yield Damage("database", "", str(message), None)


def _references(library: Library, stop: StopFlag) -> Iterator[Damage | VerifyProgress]:
    for table, rowid, parent, _key in library.rows("PRAGMA foreign_key_check"):
        yield Damage(str(table), str(rowid), f"refers to a missing row of {parent}", None)


def _batches(
    library: Library, table: str, keys_sql: str, rows_sql: str, stop: StopFlag, *, path_sql: str = ""
) -> Iterator[tuple[int, int, list[Any], list[Damage]]]:
    """All rows of a table, in batches.

    Args:
        keys_sql: Selects the keys, in any order: from an index, where there is one, which may be whole when the table
            is not.
        rows_sql: Selects the rows whose key is between two values.
        path_sql: Selects the document's path by key.

    Returns:
        Keys done, keys in all, rows that could be read, and those that could not.
    """
    keys = sorted(row[0] for row in library.rows(keys_sql))
    for start in range(0, len(keys), BATCH_ROWS):
        if stop.is_set():
            return
        batch = keys[start : start + BATCH_ROWS]
        damages: list[Damage] = []
        try:
            rows = library.rows(rows_sql, (batch[0], batch[-1]))
        except LibraryError as error:
            _unreadable(error)
            rows = []
            for key in batch:
                try:
                    rows += library.rows(rows_sql, (key, key))
                except LibraryError as row_error:
                    damages.append(Damage(table, str(key), _unreadable(row_error), _path(library, path_sql, key)))
        yield start + len(batch), len(keys), rows, damages


def _path(library: Library, sql: str, key: int) -> str | None:
    try:
        rows = library.rows(sql, (key,)) if sql else []
    except LibraryError:
        return None
    return rows[0][0] if rows else None


def _documents(library: Library, stop: StopFlag) -> Iterator[Damage | VerifyProgress]:
    sql = (
        "SELECT id, path, title, content_hash, pages, headings, warnings, text_zlib, checksum FROM documents "
        "WHERE id = ?"
    )
    ids = sorted(row[0] for row in library.rows("SELECT id FROM documents"))
    for done, document_id in enumerate(ids, start=1):
        if stop.is_set():
            return
        try:
            rows = library.rows(sql, (document_id,))
        except LibraryError as error:
            path = _path(library, "SELECT path FROM documents WHERE id = ?", document_id)
            yield Damage("documents", str(document_id), _unreadable(error), path)
            continue
        for row in rows:
            if document_checksum(*row[1:8]) != row[8]:
                yield Damage("documents", str(document_id), "checksum does not fit", row[1])
                continue
            text = zlib.decompress(row[7]).decode("utf-8")
            for chunk_id, piece, start_chars, end_chars in _pieces(library, document_id):
                if text[start_chars:end_chars] != piece:
                    yield Damage("chunks", str(chunk_id), "is not what stands in its document", row[1])
        yield VerifyProgress("documents", done, len(ids))


def _pieces(library: Library, document_id: int) -> list[Any]:
    sql = "SELECT id, text, start_chars, end_chars FROM chunks WHERE document_id = ?"
    try:
        return library.rows(sql, (document_id,))
    except LibraryError as error:
        _unreadable(error)
        return []  # the check of the chunks names those that cannot be read


def _chunks(library: Library, stop: StopFlag) -> Iterator[Damage | VerifyProgress]:
    batches = _batches(
        library,
        "chunks",
        "SELECT id FROM chunks",
        "SELECT c.id, c.text, c.start_chars, c.end_chars, c.page, c.heading, c.content_hash, c.checksum, d.path, "
        "c.embedding_id FROM chunks AS c LEFT JOIN documents AS d ON d.id = c.document_id WHERE c.id BETWEEN ? AND ?",
        stop,
        path_sql="SELECT d.path FROM chunks AS c JOIN documents AS d ON d.id = c.document_id WHERE c.id = ?",
    )
    for done, total, rows, damages in batches:
        yield from damages
        for chunk_id, text, start_chars, end_chars, page, heading, key, checksum, path, embedding_id in rows:
            if chunk_checksum(text, start_chars, end_chars, page, heading, key) != checksum:
                yield Damage("chunks", str(chunk_id), "checksum does not fit", path)
            elif content_key(embedded_text(text, heading)) != key:
                yield Damage("chunks", str(chunk_id), "content hash does not fit", path)
            if embedding_id is None:
                yield Damage("chunks", str(chunk_id), "has no embedding", path)
        yield VerifyProgress("chunks", done, total)


def _embeddings(library: Library, stop: StopFlag) -> Iterator[Damage | VerifyProgress]:
    path_sql = (
        "SELECT d.path FROM chunks AS c JOIN documents AS d ON d.id = c.document_id WHERE c.embedding_id = {id} LIMIT 1"
    )
    batches = _batches(
        library,
        "embeddings",
        "SELECT id FROM embeddings",
        f"SELECT e.id, e.content_hash, e.embedding, e.checksum, f.dim, ({path_sql.format(id='e.id')}) "
        "FROM embeddings AS e JOIN fingerprints AS f ON f.id = e.fingerprint_id WHERE e.id BETWEEN ? AND ?",
        stop,
        path_sql=path_sql.format(id="?"),
    )
    for done, total, rows, damages in batches:
        yield from damages
        for embedding_id, key, embedding, checksum, dim, path in rows:
            if row_checksum(key, embedding) != checksum:
                yield Damage("embeddings", str(embedding_id), "checksum does not fit", path)
            elif len(embedding) != dim * 4:
                yield Damage("embeddings", str(embedding_id), f"has {len(embedding)} bytes instead of {dim * 4}", path)
            elif abs(float(np.linalg.norm(np.frombuffer(embedding, "<f4"))) - 1.0) > UNIT_TOLERANCE:
                yield Damage("embeddings", str(embedding_id), "is not of length 1", path)
        yield VerifyProgress("embeddings", done, total)


def _token_codes(library: Library, stop: StopFlag) -> Iterator[Damage | VerifyProgress]:
    keys_sql = "SELECT embedding_id FROM token_codes"
    rows_sql = "SELECT embedding_id, codes, checksum FROM token_codes WHERE embedding_id BETWEEN ? AND ?"
    for _, _, rows, damages in _batches(library, "token_codes", keys_sql, rows_sql, stop):
        yield from damages
        for embedding_id, codes, checksum in rows:
            if row_checksum(codes) != checksum:
                yield Damage("token_codes", str(embedding_id), "checksum does not fit", None)


def _chunk_words(library: Library, stop: StopFlag) -> Iterator[Damage | VerifyProgress]:
    yield from _words(library, "chunk_fts", "chunks")


def _turn_words(library: Library, stop: StopFlag) -> Iterator[Damage | VerifyProgress]:
    yield from _words(library, "turn_fts", "turns")


def _words(library: Library, index: str, table: str) -> Iterator[Damage | VerifyProgress]:
    num_indexed = int(library.rows(f"SELECT count(*) FROM {index}_docsize")[0][0])
    num_rows = int(library.rows(f"SELECT count(*) FROM {table}")[0][0])
    if num_indexed != num_rows:
        yield Damage(index, "", f"holds {num_indexed} rows for {num_rows} {table}", None)


def _turns(library: Library, stop: StopFlag) -> Iterator[Damage | VerifyProgress]:
    rows_sql = f"SELECT id, checksum, {CHECKED_TURN_COLUMNS} FROM turns WHERE id BETWEEN ? AND ?"
    for _, _, rows, damages in _batches(library, "turns", "SELECT id FROM turns", rows_sql, stop):
        yield from damages
        for turn_id, checksum, *fields in rows:
            if row_checksum(*fields) != checksum:
                yield Damage("turns", str(turn_id), "checksum does not fit", None)


def _citations(library: Library, stop: StopFlag) -> Iterator[Damage | VerifyProgress]:
    # The document that a quote was copied from may be gone: that is no damage.
    keys_sql = "SELECT DISTINCT turn_id FROM turn_citations"
    rows_sql = f"SELECT turn_id, checksum, {CITATION_COLUMNS} FROM turn_citations WHERE turn_id BETWEEN ? AND ?"
    for _, _, rows, damages in _batches(library, "turn_citations", keys_sql, rows_sql, stop):
        yield from damages
        for turn_id, checksum, *fields in rows:
            if row_checksum(*fields) != checksum:
                yield Damage("turn_citations", f"{turn_id}/{fields[0]}", "checksum does not fit", fields[2])


def _snapshots(library: Library, stop: StopFlag) -> Iterator[Damage | VerifyProgress]:
    for file_name, sha256 in library.rows("SELECT file_name, sha256 FROM index_snapshots"):
        path = library.folder / INDEX_FOLDER / file_name
        # A missing file is no damage: the index is a cache, and searches do without it.
        try:
            is_sound = not path.is_file() or hash_file(path) == sha256
        except OSError:  # of a failing disk, or made by another user
            is_sound = False
        if not is_sound:
            yield Damage("index", file_name, "hash does not fit; `edgerag rebuild` makes it anew", None)
