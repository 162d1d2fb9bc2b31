"""The vector index finds the nearest chunks, whatever happens to its files and to the library beside it."""

from __future__ import annotations

import builtins
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgerag.storage import snapshot as snapshot_module
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


# --- damage ---------------------------------------------------------------------------------------


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def flip_header_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[10] ^= 1
    path.write_bytes(content)


def flip_body_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [truncate, flip_header_bit, flip_body_bit, empty])
def test_a_damaged_snapshot_is_never_loaded(tmp_path: Path, damage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of(300)
    built(tmp_path, source)
    damage(only_file(tmp_path))

    class NoIndex:
        def __init__(self, **options: Any) -> None:
            raise AssertionError("hnswlib was given a damaged file")

    index = open_index(tmp_path, source)
    with monkeypatch.context() as patched:
        patched.setattr("hnswlib.Index", NoIndex)
        outcome = index.search(source.rows[9], 10)
    assert outcome.method == "exact"
    assert [hit.chunk_id for hit in outcome.hits] == source.nearest(source.rows[9], 10)
    assert "damaged" in outcome.degraded[0]
    assert index.needs_snapshot()
    assert index.build_snapshot(stop=NEVER).is_built
    assert index.search(source.rows[9], 10).method == "hnsw"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"dim": 64}, "another embedding model"),
        ({"fingerprint": "other"}, "another embedding model"),
        ({"num_vectors": 299}, "does not hold what was recorded"),
        ({"max_chunk_id": 299}, "does not hold what was recorded"),
        ({"sha256": "0" * 64}, "damaged"),
        ({"file_name": "gone.hnsw"}, "missing"),
        ({"file_name": "../index/x.hnsw"}, "not a file name"),
    ],
    ids=["dim", "fingerprint", "count", "label", "hash", "file", "outside"],
)
def test_a_snapshot_that_is_not_the_recorded_one_is_not_used(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    source = source_of(300)
    built(tmp_path, source)
    assert source.record is not None
    source.record = replace(source.record, **change)
    outcome = open_index(tmp_path, source).search(source.rows[9], 10)
    assert outcome.method == "exact"
    assert [hit.chunk_id for hit in outcome.hits] == source.nearest(source.rows[9], 10)
    assert reason in outcome.degraded[0]


def test_a_deleted_folder_costs_time_only(tmp_path: Path) -> None:
    source = source_of(300)
    folder = tmp_path / "index"
    built(folder, source)
    only_file(folder).unlink()
    folder.rmdir()
    index = open_index(folder, source)
    outcome = index.search(source.rows[9], 10)
    assert [hit.chunk_id for hit in outcome.hits] == source.nearest(source.rows[9], 10)
    assert "missing" in outcome.degraded[0]
    assert index.build_snapshot(stop=NEVER).is_built
    assert index.search(source.rows[9], 10).degraded == ()


def test_discarded_snapshots_are_built_anew(tmp_path: Path) -> None:
    source = source_of(300)
    index = built(tmp_path, source)
    index.discard_snapshots()
    assert list(tmp_path.iterdir()) == []
    assert index.needs_snapshot()


def test_without_hnswlib_everything_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of(300)
    built(tmp_path, source)
    original = builtins.__import__

    def refuse(name: str, *rest: Any, **options: Any) -> Any:
        if name == "hnswlib":
            raise ImportError("no hnswlib here")
        return original(name, *rest, **options)

    monkeypatch.delitem(sys.modules, "hnswlib", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    index = open_index(tmp_path, source)
    outcome = index.search(source.rows[9], 10)
    assert [hit.chunk_id for hit in outcome.hits] == source.nearest(source.rows[9], 10)
    assert "no hnswlib here" in outcome.degraded[0]
    build = index.build_snapshot(stop=NEVER)
    assert not build.is_built and "no hnswlib here" in build.reason


def test_a_graph_that_has_come_apart_gives_way_to_the_scan(tmp_path: Path) -> None:
    source = source_of(300)
    index = built(tmp_path, source)
    state = index._keeper.current()
    assert state.snapshot is not None

    class Broken:
        def knn_query(self, *data: Any, **options: Any) -> Any:
            raise RuntimeError("Cannot return the results in a contiguous 2D array")

    index._keeper._state = replace(state, snapshot=replace(state.snapshot, index=Broken()))
    outcome = index.search(source.rows[9], 10)
    assert outcome.method == "exact"
    assert [hit.chunk_id for hit in outcome.hits] == source.nearest(source.rows[9], 10)
    assert "too few" in outcome.degraded[0]


# --- writing --------------------------------------------------------------------------------------


def test_a_stopped_build_leaves_nothing(tmp_path: Path) -> None:
    source = source_of(300)
    stop = threading.Event()
    stop.set()
    outcome = open_index(tmp_path, source).build_snapshot(stop=stop)
    assert (outcome.is_built, outcome.reason) == (False, "interrupted")
    assert source.record is None
    assert list(tmp_path.iterdir()) == []


def test_a_file_cut_short_by_a_full_disk_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of(300)
    index = built(tmp_path, source)
    old = only_file(tmp_path)
    source.add(301, unit_vectors(100, seed=1))
    import hnswlib

    class Short(hnswlib.Index):  # type: ignore[misc]
        def save_index(self, path: str) -> None:
            super().save_index(path)
            truncate(Path(path))

    monkeypatch.setattr("hnswlib.Index", Short)
    outcome = index.build_snapshot(stop=NEVER)
    assert not outcome.is_built and "disk full" in outcome.reason
    assert only_file(tmp_path) == old
    query = source.rows[301]
    assert ids_of(index, query) == source.nearest(query, 10)


def test_a_snapshot_that_could_not_be_recorded_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of(300)
    index = built(tmp_path, source)
    old = only_file(tmp_path)
    source.add(301, unit_vectors(100, seed=1))

    def fail(record: SnapshotRecord) -> None:
        raise OSError("disk I/O error")

    monkeypatch.setattr(source, "record_snapshot", fail)
    with pytest.raises(OSError, match="disk I/O"):
        index.build_snapshot(stop=NEVER)
    assert only_file(tmp_path) == old


def test_what_a_killed_build_left_behind_is_cleared_away(tmp_path: Path) -> None:
    source = source_of(300)
    prefix = snapshot_module.prefix("fp")
    (tmp_path / f"{prefix}0123.hnsw.tmp").write_bytes(b"half a file")
    (tmp_path / f"{prefix}0456.hnsw").write_bytes(b"never recorded")
    (tmp_path / "vectors-otherotherot-0.hnsw").write_bytes(b"another model's")
    index = open_index(tmp_path, source)
    assert index.search(source.rows[1], 1).method == "exact"
    assert index.build_snapshot(stop=NEVER).is_built
    assert source.record is not None
    assert {path.name for path in tmp_path.iterdir()} == {source.record.file_name, "vectors-otherotherot-0.hnsw"}


def test_searches_beside_changes_and_rebuilds_are_right(tmp_path: Path) -> None:
    source = source_of(1000)
    index = built(tmp_path, source)
    fixed = {number: source.rows[number] for number in range(1, 200)}
    errors: list[str] = []
    done = threading.Event()

    def search() -> None:
        rng = np.random.default_rng(threading.get_ident() % 2**32)
        try:
            while not done.is_set():
                chunk_id = int(rng.integers(1, 200))
                outcome = index.search(fixed[chunk_id], 10)
                ids = [hit.chunk_id for hit in outcome.hits]
                if ids[0] != chunk_id or len(set(ids)) != 10:
                    errors.append(f"{chunk_id}: {ids} by {outcome.method}")
        except Exception as error:  # noqa: BLE001 - shown by the test
            errors.append(repr(error))

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(6):
        source.add(2000 + turn * 200, unit_vectors(200, seed=20 + turn))
        source.delete(list(range(200 + turn * 100, 300 + turn * 100)))
        assert index.build_snapshot(stop=NEVER).is_built
    done.set()
    for thread in threads:
        thread.join()
    assert errors == []
