"""Vector search within some chunks: exact up to the limit, however large the library is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgerag.storage.vector_index import VectorIndex
from tests.storage.vector_cases import MemorySource, built, open_index, source_of, unit_vectors

QUERIES = unit_vectors(20, seed=5)


def nearest_within(
    source: MemorySource, query: NDArray[np.float32], top_k: int, within: NDArray[np.int64]
) -> list[int]:
    alone = MemorySource({number: source.rows[number] for number in within.tolist() if number in source.rows})
    return alone.nearest(query, top_k)


def ids_within(
    index: VectorIndex, query: NDArray[np.float32], top_k: int, within: NDArray[np.int64]
) -> tuple[list[int], str]:
    outcome = index.search(query, top_k, within)
    assert [hit.rank for hit in outcome.hits] == list(range(1, len(outcome.hits) + 1))
    return [hit.chunk_id for hit in outcome.hits], outcome.method


@pytest.mark.parametrize("step", [1, 3, 50, 10_000], ids=["all", "a third", "2 %", "none"])
def test_scan_within_some_chunks_equals_brute_force_over_them(tmp_path: Path, step: int) -> None:
    source = source_of(600)
    source.delete([3, 4, 5])
    index = open_index(tmp_path, source, limit=1000)
    within = np.arange(step, 601, step, dtype=np.int64)
    for query in QUERIES:
        found, method = ids_within(index, query, 10, within)
        assert (found, method) == (nearest_within(source, query, 10, within), "exact")


@pytest.mark.parametrize("share", [0.002, 0.01, 0.1], ids=["0.2 %", "1 %", "10 %"])
def test_few_chunks_of_a_library_with_a_snapshot_are_compared_one_by_one(tmp_path: Path, share: float) -> None:
    source = source_of(3000)
    index = built(tmp_path, source, limit=400)
    # Also newer ones than the snapshot, and deleted ones.
    source.add(3001, unit_vectors(50, seed=8))
    source.delete([7, 3003])
    within = np.sort(np.random.default_rng(1).choice(np.arange(1, 3051), int(3000 * share), replace=False))
    within = np.union1d(within, [7, 3001, 3003])
    for query in QUERIES:
        found, method = ids_within(index, query, 10, within)
        assert (found, method) == (nearest_within(source, query, 10, within), "exact")


def test_many_chunks_of_a_library_with_a_snapshot_are_found_with_high_recall(tmp_path: Path) -> None:
    source = source_of(3000)
    index = built(tmp_path, source, limit=400)
    source.add(3001, unit_vectors(20, seed=8))
    within = np.arange(2, 3021, 2, dtype=np.int64)
    num_found = 0
    for query in QUERIES:
        found, method = ids_within(index, query, 10, within)
        assert method == "hnsw+tail" and len(found) == 10
        assert all(number % 2 == 0 for number in found)
        num_found += len(set(found) & set(nearest_within(source, query, 10, within)))
    assert num_found >= 0.97 * 200


def test_a_choice_far_from_the_query_is_still_found(tmp_path: Path) -> None:
    source = source_of(3000)
    index = built(tmp_path, source, limit=400)
    query = QUERIES[0]
    within = np.sort(np.array(source.nearest(query, 3000)[-1000:], dtype=np.int64))
    outcome = index.search(query, 10, within)
    assert [hit.chunk_id for hit in outcome.hits] == nearest_within(source, query, 10, within)
    assert outcome.degraded == ("vector: the snapshot yielded too few live chunks; every vector was compared",)


def test_the_same_choice_is_read_once_until_the_library_changes(tmp_path: Path) -> None:
    source = source_of(3000)
    index = built(tmp_path, source, limit=400)
    reads: list[int] = []
    real = source.read_some

    def counted(chunk_ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        reads.append(len(chunk_ids))
        return real(chunk_ids)

    source.read_some = counted  # type: ignore[method-assign]
    within = np.arange(1, 101, dtype=np.int64)
    for query in QUERIES:
        index.search(query, 10, within)
    assert reads == [100]
    index.search(QUERIES[0], 10, within[:50])
    source.delete([1])
    found, _ = ids_within(index, QUERIES[0], 100, within)
    assert reads == [100, 50, 99]
    assert 1 not in found and len(found) == 99
