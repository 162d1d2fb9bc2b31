"""The vector index finds the nearest chunks, whatever happens to the library beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.storage.vector_cases import (
    DIM,
    NEVER,
    MemorySource,
    built,
    ids_of,
    only_file,
    open_index,
    source_of,
    unit_vectors,
)

# --- exact ----------------------------------------------------------------------------------------


def test_few_vectors_are_compared_one_by_one(tmp_path: Path) -> None:
    source = source_of(90)
    outcome = open_index(tmp_path / "index", source).search(source.rows[7], 3)
    assert outcome.method == "exact"
    assert outcome.degraded == ()
    assert [hit.rank for hit in outcome.hits] == [1, 2, 3]
    assert outcome.hits[0].chunk_id == 7
    assert outcome.hits[0].score == pytest.approx(1.0, abs=1e-5)
    assert [hit.chunk_id for hit in outcome.hits] == source.nearest(source.rows[7], 3)
    assert not (tmp_path / "index").exists()


def test_equal_scores_come_in_order_of_id(tmp_path: Path) -> None:
    vector = unit_vectors(1)[0]
    source = MemorySource(dict.fromkeys((9, 4, 30, 2, 17), vector))
    index = open_index(tmp_path, source)
    assert ids_of(index, vector, 3) == [2, 4, 9]
    source.add(1, vector[None, :])
    assert ids_of(index, vector, 3) == [1, 2, 4]


def test_an_empty_library_has_no_hits(tmp_path: Path) -> None:
    assert open_index(tmp_path, MemorySource()).search(unit_vectors(1)[0], 5).hits == []


def test_more_hits_than_chunks_are_not_invented(tmp_path: Path) -> None:
    assert len(ids_of(open_index(tmp_path, source_of(4)), unit_vectors(1)[0], 10)) == 4


def test_changes_are_seen_by_the_next_search_and_read_once(tmp_path: Path) -> None:
    source = source_of(50)
    index = open_index(tmp_path, source)
    query = unit_vectors(1, seed=5)[0]
    assert ids_of(index, query) == source.nearest(query, 10)
    source.add(51, np.stack([query, unit_vectors(1, seed=6)[0]]))
    assert ids_of(index, query)[0] == 51
    source.delete([51, *source.nearest(query, 5)[1:]])
    assert ids_of(index, query) == source.nearest(query, 10)
    source.delete(source.nearest(query, 30))
    assert ids_of(index, query) == source.nearest(query, 10)
    assert source.reads == [0, 50]


def test_an_embedding_that_arrives_late_for_an_old_chunk_is_found(tmp_path: Path) -> None:
    source = source_of(50)
    late = source.rows.pop(10)
    index = open_index(tmp_path, source)
    assert 10 not in ids_of(index, late)
    source.add(10, late[None, :])
    assert ids_of(index, late)[0] == 10


def test_a_damaged_embedding_is_left_out_and_named(tmp_path: Path) -> None:
    source = source_of(20)
    source.rows[3] = np.full(DIM, np.nan, dtype=np.float32)
    outcome = open_index(tmp_path, source).search(unit_vectors(1)[0], 20)
    assert len(outcome.hits) == 19
    assert outcome.degraded == ("vector: 1 damaged embeddings were left out; run `edgerag verify`",)


def test_a_chunk_committed_while_the_library_is_read_is_found_by_the_next_search(tmp_path: Path) -> None:
    late = unit_vectors(1, seed=5)

    class Busy(MemorySource):
        def read_vectors(self, after_id: int = 0) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
            rows = super().read_vectors(after_id)
            if len(self.reads) == 1:
                self.add(21, late)
            return rows

    source = Busy(source_of(20).rows)
    source.rows[3] = np.full(DIM, np.nan, dtype=np.float32)
    index = open_index(tmp_path, source)
    assert 21 not in ids_of(index, late[0])
    assert ids_of(index, late[0])[0] == 21


def test_a_query_of_another_width_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shape"):
        open_index(tmp_path, source_of(5)).search(np.zeros(DIM + 1, np.float32), 5)


# --- snapshot -------------------------------------------------------------------------------------


def test_many_vectors_are_searched_in_a_snapshot_with_high_recall(tmp_path: Path) -> None:
    source = source_of(3000)
    index = built(tmp_path, source)
    queries = unit_vectors(50, seed=3)
    found = 0
    for query in queries:
        outcome = index.search(query, 10)
        assert outcome.method == "hnsw"
        assert outcome.degraded == ()
        found += len({hit.chunk_id for hit in outcome.hits} & set(source.nearest(query, 10)))
    assert found / 500 >= 0.95
    hit = index.search(source.rows[8], 1).hits[0]
    assert (hit.chunk_id, hit.rank) == (8, 1)
    assert hit.score == pytest.approx(1.0, abs=1e-5)


def test_without_a_snapshot_everything_is_compared_and_said_so(tmp_path: Path) -> None:
    source = source_of(200)
    index = open_index(tmp_path, source)
    assert index.needs_snapshot()
    outcome = index.search(source.rows[7], 10)
    assert outcome.method == "exact"
    assert [hit.chunk_id for hit in outcome.hits] == source.nearest(source.rows[7], 10)
    assert outcome.degraded == ("vector: every vector was compared: there is no snapshot yet; run `edgerag rebuild`",)
    assert not open_index(tmp_path, source, limit=200).needs_snapshot()


def test_a_second_program_uses_the_snapshot(tmp_path: Path) -> None:
    source = source_of(300)
    built(tmp_path, source)
    source.reads.clear()
    assert open_index(tmp_path, source).search(source.rows[1], 5).method == "hnsw"
    assert source.reads == []


def test_newer_chunks_are_scanned_beside_the_snapshot(tmp_path: Path) -> None:
    source = source_of(300)
    index = built(tmp_path, source)
    query = unit_vectors(1, seed=8)[0]
    source.add(301, query[None, :])
    outcome = index.search(query, 10)
    assert outcome.method == "hnsw+tail"
    assert outcome.hits[0].chunk_id == 301
    assert [hit.chunk_id for hit in outcome.hits] == source.nearest(query, 10)
    assert source.reads[-1] == 300
    assert not index.needs_snapshot()
    source.add(302, unit_vectors(40, seed=9))
    assert index.needs_snapshot()


def test_deleted_chunks_are_never_found_and_cured_by_a_rebuild(tmp_path: Path) -> None:
    source = source_of(400)
    index = built(tmp_path, source)
    query = source.rows[5]
    source.delete(source.nearest(query, 60))
    assert ids_of(index, query) == source.nearest(query, 10)
    assert not index.needs_snapshot()
    source.delete(source.nearest(query, 200))
    outcome = index.search(query, 10)
    assert [hit.chunk_id for hit in outcome.hits] == source.nearest(query, 10)
    assert index.needs_snapshot()
    assert index.build_snapshot(stop=NEVER).is_built
    assert source.record is not None and source.record.num_vectors == 140
    assert index.search(query, 10).method == "hnsw"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_snapshot_whose_labels_are_nearly_all_dead_gives_way_to_the_scan(tmp_path: Path) -> None:
    source = source_of(600)
    index = built(tmp_path, source)
    source.delete(list(range(1, 591)))
    source.add(601, unit_vectors(200, seed=4))
    query = unit_vectors(1, seed=5)[0]
    outcome = index.search(query, 50)
    assert [hit.chunk_id for hit in outcome.hits] == source.nearest(query, 50)


def test_an_extended_snapshot_holds_each_label_once(tmp_path: Path) -> None:
    source = source_of(300)
    index = built(tmp_path, source)
    first = only_file(tmp_path).name
    source.add(301, unit_vectors(60, seed=2))
    source.delete([1, 2, 3])
    progress: list[tuple[int, int]] = []
    outcome = index.build_snapshot(stop=NEVER, progress=lambda done, total: progress.append((done, total)))
    assert outcome.is_built
    assert progress == [(60, 60)]  # the 300 of before were not added again
    assert source.record is not None and source.record.num_vectors == 360
    assert only_file(tmp_path).name != first
    ids = ids_of(index, source.rows[301], 357)
    assert len(ids) == len(set(ids)) == 357
    assert {1, 2, 3}.isdisjoint(ids)
