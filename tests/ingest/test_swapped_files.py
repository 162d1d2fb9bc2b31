"""Files that change places keep size and time stamp, and yet none is taken for another."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgerag.ask import freshness
from edgerag.ask.freshness import FreshnessCheck
from edgerag.file_times import RACY_NS, settled_ns
from edgerag.ingest.file_states import file_states
from tests.ingest.ingest_bench import Bench

TEXTS = {"a.txt": "The heron stands in the reeds.", "b.txt": "The otter swims to the island."}
has_change_times = pytest.mark.skipif(sys.platform == "win32", reason="st_ctime is when a file was made there")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Two documents of one size and time, in a library that has no doubt about them."""
    bench = Bench(tmp_path)
    for name, text in TEXTS.items():
        os.utime(bench.write(name, text), ns=(10**18, 10**18))
    bench.sync()
    settle(monkeypatch)
    freshness._hashes.clear()
    assert bench.sync().unchanged == 2
    yield bench
    bench.library.close()


def settle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every file count as changed long ago."""
    monkeypatch.setattr("edgerag.file_times.RACY_NS", -(10**18))


def forbid_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    def hashed(path: Path) -> str:
        raise AssertionError(f"{path} was hashed")

    monkeypatch.setattr("edgerag.ingest.pipeline.hash_file", hashed)
    monkeypatch.setattr("edgerag.ask.freshness.hash_file", hashed)


def problems(bench: Bench) -> list[str]:
    check = FreshnessCheck()
    return [check.problem(document) for document in bench.library.documents()]


def texts(bench: Bench) -> dict[str, str]:
    documents = bench.library.documents()
    return {Path(document.path).name: bench.library.document_text(document.id).text for document in documents}


def test_file_that_nothing_has_happened_to_is_not_hashed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_hashing(monkeypatch)
    assert bench.sync().unchanged == 2
    assert problems(bench) == ["", ""]


@has_change_times
def test_two_files_of_one_size_and_time_that_change_places_are_read_again(bench: Bench) -> None:
    a, b, aside = (bench.documents / name for name in ("a.txt", "b.txt", "aside"))
    a.rename(aside)
    b.rename(a)
    aside.rename(b)

    assert problems(bench) == ["changed", "changed"]
    assert [state.state for state in file_states(bench.library)] == ["changed", "changed"]
    summary = bench.sync()

    assert (summary.updated, summary.unchanged, summary.embedded_chunks) == (2, 0, 0)
    assert texts(bench) == {"a.txt": TEXTS["b.txt"], "b.txt": TEXTS["a.txt"]}
    assert problems(bench) == ["", ""]
    assert bench.damages() == []


def test_other_permissions_cost_one_hash_and_nothing_is_hidden(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TEXTS:
        (bench.documents / name).chmod(0o640)
    assert problems(bench) == ["", ""]

    summary = bench.sync()

    assert (summary.unchanged, summary.updated, summary.embedded_chunks) == (2, 0, 0)
    forbid_hashing(monkeypatch)
    assert bench.sync().unchanged == 2
    assert problems(bench) == ["", ""]


@has_change_times
def test_file_in_doubt_is_hashed_once_for_all_searches(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    (bench.documents / "a.txt").chmod(0o640)
    assert problems(bench) == ["", ""]
    forbid_hashing(monkeypatch)
    assert problems(bench) == ["", ""]
    monkeypatch.undo()
    os.utime(bench.write("a.txt", TEXTS["b.txt"]), ns=(10**18, 10**18))
    assert problems(bench) == ["changed", ""]


def test_stop_while_files_are_hashed_changes_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    (bench.documents / "a.txt").rename(bench.documents / "c.txt")

    def hashed(path: Path) -> str:
        bench.stop.set()
        raise InterruptedError

    monkeypatch.setattr("edgerag.ingest.pipeline.hash_file", hashed)
    summary = bench.sync()
    assert (summary.interrupted, summary.removed, bench.paths()) == (True, 0, ["a.txt", "b.txt"])
    monkeypatch.undo()
    bench.stop.clear()
    assert bench.sync().moved == 1


def test_time_of_change_proves_something_only_some_time_after(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgerag.file_times.RACY_NS", RACY_NS)
    status = (bench.documents / "a.txt").stat()
    newest = max(status.st_ctime_ns, status.st_mtime_ns)
    assert settled_ns(status, looked_ns=newest + RACY_NS) is None
    assert settled_ns(status, looked_ns=newest + RACY_NS + 1) == status.st_ctime_ns
