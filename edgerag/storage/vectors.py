"""The library's embeddings, as the vector index reads them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from edgerag.storage.checksums import row_checksum
from edgerag.storage.document_scope import CHUNKS_OF, ids_json
from edgerag.storage.sqlite import transaction
from edgerag.storage.vector_index import SnapshotRecord

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgerag.storage.library import Library

SNAPSHOT_COLUMNS = "file_name, sha256, num_vectors, max_chunk_id, dim, fingerprint, m, ef_construction"
READ_BATCH = 4_000
"""Rows held as separate Python objects at a time; 6 MB at 384 dimensions."""


class LibraryVectors:
    """The `VectorSource` of one library and one embedder: embeddings of other fingerprints are never seen."""

    def __init__(self, library: Library, *, fingerprint: str, dim: int) -> None:
        self._library = library
        self._fingerprint = fingerprint
        self._dim = dim

    def change_counter(self) -> int:
        return self._library.change_counter()

    def count_vectors(self) -> int:
        known = self._library.rows("SELECT fingerprint FROM fingerprints")
        if known == [(self._fingerprint,)]:
            # Counted in the index alone: the join below takes ten times as long.
            return int(self._library.rows("SELECT count(embedding_id) FROM chunks")[0][0])
        return int(self._library.rows(f"SELECT count(*) {_FROM}", (self._fingerprint,))[0][0])

    def live_ids(self) -> NDArray[np.int64]:
        """Ids of all chunks with an embedding of this fingerprint, ascending."""
        rows = self._library.rows(f"SELECT c.id {_FROM} ORDER BY c.id", (self._fingerprint,))
        return np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))

    def chunks_of(self, document_ids: Sequence[int]) -> NDArray[np.int64]:
        """Ids of all chunks of some documents, ascending."""
        rows = self._library.rows(f"{CHUNKS_OF} ORDER BY id", (ids_json(document_ids),))
        return np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))

    def read_some(self, chunk_ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Read the embeddings of some chunks (ascending ids); as `read_vectors`."""
        width = self._dim * 4
        ids, blobs = [], []
        # CROSS JOIN keeps this order: from the chunks asked for to their embeddings.
        sql = (
            "SELECT c.id, e.embedding FROM json_each(?) AS wanted CROSS JOIN chunks AS c ON c.id = wanted.value "
            "CROSS JOIN embeddings AS e ON e.id = c.embedding_id "
            "WHERE e.fingerprint_id = (SELECT id FROM fingerprints WHERE fingerprint = ?)"
        )
        for start in range(0, len(chunk_ids), READ_BATCH):
            some = chunk_ids[start : start + READ_BATCH].tolist()
            rows = [row for row in self._library.rows(sql, (ids_json(some), self._fingerprint)) if len(row[1]) == width]
            ids += [row[0] for row in rows]
            blobs.append(b"".join(row[1] for row in rows))
        vectors = np.frombuffer(b"".join(blobs), "<f4").reshape(-1, self._dim)
        return np.array(ids, dtype=np.int64), vectors.astype(np.float32, copy=False)

    def read_vectors(self, after_id: int = 0) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Read the embeddings of all chunks with a larger id.

        A row of another length than `dim` is damaged and left out: `verify` names it.

        Returns:
            Ids ascending, shape (n,); embeddings, shape (n, dim).
        """
        width = self._dim * 4
        capacity = self.count_vectors()
        ids, vectors = np.empty(capacity, dtype=np.int64), np.empty((capacity, self._dim), dtype=np.float32)
        filled = 0
        sql = f"SELECT c.id, e.embedding {_FROM} AND c.id > ?"
        with self._library.reading() as connection:
            cursor = connection.execute(sql, (self._fingerprint, after_id))
            while rows := cursor.fetchmany(READ_BATCH):
                # What was committed since the count waits for the next refresh.
                batch = [row for row in rows if len(row[1]) == width][: capacity - filled]
                end = filled + len(batch)
                ids[filled:end] = [row[0] for row in batch]
                vectors[filled:end] = np.frombuffer(b"".join(row[1] for row in batch), "<f4").reshape(-1, self._dim)
                filled = end
        ids, vectors = ids[:filled], vectors[:filled]
        if np.all(ids[1:] > ids[:-1]):
            return ids, vectors  # rows come in the order of `embeddings`, mostly that of the chunks; no copy then
        order = np.argsort(ids)
        return ids[order], vectors[order]

    def snapshot_record(self) -> SnapshotRecord | None:
        """The newest snapshot of this fingerprint."""
        sql = (
            f"SELECT {SNAPSHOT_COLUMNS} FROM index_snapshots WHERE fingerprint = ? "
            "ORDER BY built_at DESC, file_name DESC LIMIT 1"
        )
        rows = self._library.rows(sql, (self._fingerprint,))
        return SnapshotRecord(*rows[0]) if rows else None

    def record_snapshot(self, record: SnapshotRecord) -> None:
        """Make a snapshot the current one. Needs the writer lock."""
        with transaction(self._library.connection(), self._library.path):
            connection = self._library.connection()
            connection.execute("DELETE FROM index_snapshots WHERE fingerprint = ?", (record.fingerprint,))
            connection.execute(
                f"INSERT INTO index_snapshots ({SNAPSHOT_COLUMNS}, built_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    record.file_name,
                    record.sha256,
                    record.num_vectors,
                    record.max_chunk_id,
                    record.dim,
                    record.fingerprint,
                    record.m,
                    record.ef_construction,
                    datetime.now(UTC).isoformat(),
                ),
            )

    def token_codes(self, chunk_ids: list[int]) -> dict[int, bytes]:
        """Packed token embeddings by chunk id; chunks without them, or with damaged ones, are missing."""
        marks = ",".join("?" * len(chunk_ids))
        # CROSS JOIN keeps this order: left to itself, SQLite began with all embeddings of the fingerprint, at 180 ms
        # instead of 1 ms with 15,000 chunks.
        sql = (
            "SELECT c.id, t.codes, t.checksum FROM chunks AS c CROSS JOIN embeddings AS e ON e.id = c.embedding_id "
            "CROSS JOIN token_codes AS t ON t.embedding_id = e.id "
            f"WHERE c.id IN ({marks}) AND e.fingerprint_id = (SELECT id FROM fingerprints WHERE fingerprint = ?)"
        )
        rows = self._library.rows(sql, (*chunk_ids, self._fingerprint))
        return {row[0]: row[1] for row in rows if row_checksum(row[1]) == row[2]}


# The join runs over `embeddings` in rowid order with `chunks_embedding` as a covering index: no chunk text is read.
_FROM = (
    "FROM embeddings AS e CROSS JOIN chunks AS c ON c.embedding_id = e.id "
    "WHERE e.fingerprint_id = (SELECT id FROM fingerprints WHERE fingerprint = ?)"
)
