"""A library of vectors in memory, and the index over it, for the tests of the vector index."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerag.storage.vector_index import SnapshotRecord, VectorIndex

DIM = 32
NEVER = threading.Event()


def unit_vectors(num: int, *, seed: int = 0, dim: int = DIM) -> NDArray[np.float32]:
    """Clusters in a space of fewer dimensions, as embeddings of texts are; uniform vectors would be no test."""
    rng = np.random.default_rng(seed)
    basis = np.random.default_rng(99).standard_normal((12, dim))
    centres = np.random.default_rng(7).standard_normal((40, 12))
    points = centres[rng.integers(0, 40, num)] + 0.6 * rng.standard_normal((num, 12))
    vectors = points @ basis + 0.3 * rng.standard_normal((num, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


class MemorySource:
    """A `VectorSource` over a dictionary; safe to read beside a change."""

    def __init__(self, vectors: Mapping[int, NDArray[np.float32]] | None = None) -> None:
        self.rows: dict[int, NDArray[np.float32]] = dict(vectors or {})
        self.counter = 1
        self.record: SnapshotRecord | None = None
        self.reads: list[int] = []
        self.lock = threading.Lock()

    def add(self, first_id: int, vectors: NDArray[np.float32]) -> None:
        with self.lock:
            self.rows.update({first_id + number: vector for number, vector in enumerate(vectors)})
            self.counter += 1

    def delete(self, ids: list[int]) -> None:
        with self.lock:
            for chunk_id in ids:
                del self.rows[chunk_id]
            self.counter += 1

    def change_counter(self) -> int:
        return self.counter

    def count_vectors(self) -> int:
        return len(self.rows)

    def read_vectors(self, after_id: int = 0) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        self.reads.append(after_id)
        with self.lock:
            ids = sorted(chunk_id for chunk_id in self.rows if chunk_id > after_id)
            rows = [self.rows[chunk_id] for chunk_id in ids]
        return np.array(ids, dtype=np.int64), np.array(rows, dtype=np.float32).reshape(-1, DIM)

    def read_some(self, chunk_ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        with self.lock:
            ids = [chunk_id for chunk_id in chunk_ids.tolist() if chunk_id in self.rows]
            rows = [self.rows[chunk_id] for chunk_id in ids]
        return np.array(ids, dtype=np.int64), np.array(rows, dtype=np.float32).reshape(-1, DIM)

    def live_ids(self) -> NDArray[np.int64]:
        with self.lock:
            return np.array(sorted(self.rows), dtype=np.int64)

    def snapshot_record(self) -> SnapshotRecord | None:
        return self.record

    def record_snapshot(self, record: SnapshotRecord) -> None:
        self.record = record

    def nearest(self, query: NDArray[np.float32], top_k: int) -> list[int]:
        """By definition, without any of the code under test."""
        scored = [(-round(float(vector @ query), 5), chunk_id) for chunk_id, vector in self.rows.items()]
        return [chunk_id for _, chunk_id in sorted(scored)[:top_k]]


def source_of(num: int) -> MemorySource:
    return MemorySource({number + 1: vector for number, vector in enumerate(unit_vectors(num))})


def open_index(folder: Path, source: MemorySource, *, limit: int = 100, **changes: Any) -> VectorIndex:
    options: dict[str, Any] = {"dim": DIM, "fingerprint": "fp", "exact_scan_limit": limit, "ef": 64} | changes
    return VectorIndex(folder, source, **options)


def built(folder: Path, source: MemorySource, **changes: Any) -> VectorIndex:
    index = open_index(folder, source, **changes)
    assert index.build_snapshot(stop=NEVER).is_built
    return index


def ids_of(index: VectorIndex, query: NDArray[np.float32], top_k: int = 10) -> list[int]:
    return [hit.chunk_id for hit in index.search(query, top_k).hits]


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path
