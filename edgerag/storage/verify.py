"""`verify`: every row against its checksum, every index against the rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edgerag.datatypes import embedded_text
from edgerag.file_hash import hash_file
from edgerag.protocols import StopFlag
from edgerag.storage.checksums import (
    chunk_checksum,
    content_key,
    document_checksum,
    row_checksum,
)
from edgerag.storage.library import INDEX_FOLDER, Library
from edgerag.storage.turns import CHECKED_TURN_COLUMNS, CITATION_COLUMNS

UNIT_TOLERANCE = 1e-3
"""How far a stored embedding's length may be from 1."""


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
    """Check the database's structure and every row; yields each damage found, and progress."""
    for (message,) in library.rows("PRAGMA integrity_check(20)"):
        if message != "ok":
            yield Damage("database", "", str(message), None)
    for table, rowid, parent, _key in library.rows("PRAGMA foreign_key_check"):
        yield Damage(str(table), str(rowid), f"refers to a missing row of {parent}", None)
    for check in (_documents, _chunks, _embeddings, _token_codes, _lexical, _conversations, _snapshots):
        if stop.is_set():
            return
        yield from check(library, stop)


def _documents(library: Library, stop: StopFlag) -> Iterator[Damage | VerifyProgress]:
    sql = (
        "SELECT id, path, title, content_hash, pages, headings, warnings, text_zlib, checksum FROM documents "
        "WHERE id = ?"
    )
    ids = [row[0] for row in library.rows("SELECT id FROM documents ORDER BY id")]
    for done, document_id in enumerate(ids, start=1):
        if stop.is_set():
            return
        for row in library.rows(sql, (document_id,)):
            if document_checksum(*row[1:8]) != row[8]:
                yield Damage("documents", str(document_id), "checksum does not fit", row[1])
                continue
            text = library.document_text(document_id).text
            pieces = library.rows(
                "SELECT id, text, start_chars, end_chars FROM chunks WHERE document_id = ?", (document_id,)
            )
            for chunk_id, piece, start_chars, end_chars in pieces:
                if text[start_chars:end_chars] != piece:
                    yield Damage("chunks", str(chunk_id), "is not what stands in its document", row[1])
        yield VerifyProgress("documents", done, len(ids))


def _chunks(library: Library, stop: StopFlag) -> Iterator[Damage | VerifyProgress]:
    total = library.counts()["chunks"]
    cursor = library.connection().execute(
        "SELECT c.id, c.text, c.start_chars, c.end_chars, c.page, c.heading, c.content_hash, c.checksum, d.path, "
        "c.embedding_id FROM chunks AS c LEFT JOIN documents AS d ON d.id = c.document_id"
    )
    for done, row in enumerate(cursor, start=1):
        chunk_id, text, start_chars, end_chars, page, heading, key, checksum, path, embedding_id = row
        if chunk_checksum(text, start_chars, end_chars, page, heading, key) != checksum:
            yield Damage("chunks", str(chunk_id), "checksum does not fit", path)
        elif content_key(embedded_text(text, heading)) != key:
            yield Damage("chunks", str(chunk_id), "content hash does not fit", path)
        if embedding_id is None:
            yield Damage("chunks", str(chunk_id), "has no embedding", path)
        if done % 1000 == 0:
            yield VerifyProgress("chunks", done, total)
            if stop.is_set():
                return


def _embeddings(library: Library, stop: StopFlag) -> Iterator[Damage | VerifyProgress]:
    total = library.counts()["embeddings"]
    cursor = library.connection().execute(
        "SELECT e.id, e.content_hash, e.embedding, e.checksum, f.dim, (SELECT d.path FROM chunks AS c "
        "JOIN documents AS d ON d.id = c.document_id WHERE c.embedding_id = e.id LIMIT 1) "
        "FROM embeddings AS e JOIN fingerprints AS f ON f.id = e.fingerprint_id"
    )
    for done, (embedding_id, key, embedding, checksum, dim, path) in enumerate(cursor, start=1):
        if row_checksum(key, embedding) != checksum:
            yield Damage("embeddings", str(embedding_id), "checksum does not fit", path)
        elif len(embedding) != dim * 4:
            yield Damage("embeddings", str(embedding_id), f"has {len(embedding)} bytes instead of {dim * 4}", path)
        elif abs(float(np.linalg.norm(np.frombuffer(embedding, "<f4"))) - 1.0) > UNIT_TOLERANCE:
            yield Damage("embeddings", str(embedding_id), "is not of length 1", path)
        if done % 1000 == 0:
            yield VerifyProgress("embeddings", done, total)
            if stop.is_set():
                return


def _token_codes(library: Library, stop: StopFlag) -> Iterator[Damage | VerifyProgress]:
    cursor = library.connection().execute("SELECT embedding_id, codes, checksum FROM token_codes")
    for embedding_id, codes, checksum in cursor:
        if row_checksum(codes) != checksum:
            yield Damage("token_codes", str(embedding_id), "checksum does not fit", None)
        if stop.is_set():
            return


def _lexical(library: Library, stop: StopFlag) -> Iterator[Damage | VerifyProgress]:
    for index, table in (("chunk_fts", "chunks"), ("turn_fts", "turns")):
        num_indexed = int(library.rows(f"SELECT count(*) FROM {index}_docsize")[0][0])
        num_rows = int(library.rows(f"SELECT count(*) FROM {table}")[0][0])
        if num_indexed != num_rows:
            yield Damage(index, "", f"holds {num_indexed} rows for {num_rows} {table}", None)


def _conversations(library: Library, stop: StopFlag) -> Iterator[Damage | VerifyProgress]:
    for turn_id, checksum, *fields in library.rows(f"SELECT id, checksum, {CHECKED_TURN_COLUMNS} FROM turns"):
        if row_checksum(*fields) != checksum:
            yield Damage("turns", str(turn_id), "checksum does not fit", None)
        if stop.is_set():
            return
    # The document that a quote was copied from may be gone: that is no damage.
    for turn_id, checksum, *fields in library.rows(f"SELECT turn_id, checksum, {CITATION_COLUMNS} FROM turn_citations"):
        if row_checksum(*fields) != checksum:
            yield Damage("turn_citations", f"{turn_id}/{fields[0]}", "checksum does not fit", fields[2])
        if stop.is_set():
            return


def _snapshots(library: Library, stop: StopFlag) -> Iterator[Damage | VerifyProgress]:
    for file_name, sha256 in library.rows("SELECT file_name, sha256 FROM index_snapshots"):
        path = library.folder / INDEX_FOLDER / file_name
        # A missing file is no damage: the index is a cache, and searches do without it.
        if path.is_file() and hash_file(path) != sha256:
            yield Damage("index", file_name, "hash does not fit; `edgerag rebuild` makes it anew", None)
