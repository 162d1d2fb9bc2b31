"""Whatever happens to the vector index's files costs time, never a wrong answer."""

from __future__ import annotations

import builtins
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgerag.storage import snapshot as snapshot_module
from edgerag.storage.vector_index import SnapshotRecord
from tests.storage.vector_cases import (
    NEVER,
    built,
    ids_of,
    only_file,
    open_index,
    source_of,
    unit_vectors,
)

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
