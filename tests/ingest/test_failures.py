"""Files that failed: when they are tried again, what their failure costs, and when it is forgotten."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgerag.datatypes import ScannedFile
from edgerag.ingest.scan import scan
from tests.ingest.ingest_bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.library.close()


def record_failure(bench: Bench, path: Path, reason: str = "may not be read") -> None:
    """As a run would that could not read the file as it is."""
    (file,) = scan([path], threading.Event())
    assert isinstance(file, ScannedFile)
    with bench.library.writing() as writer:
        writer.record_failure(bench.library.sources()[0].id, file, reason, "recipe")


def test_failure_is_forgotten_when_a_sound_file_takes_the_place(bench: Bench) -> None:
    sound = bench.write("a.txt", "Sound text.")
    bad = bench.write("bad.txt", "")
    assert len(bench.sync().failed) == 1
    sound.rename(bad)

    summary = bench.sync()

    assert (summary.moved, summary.failed) == (1, ())
    assert bench.library.failures() == {}


@pytest.mark.parametrize("is_settled", [True, False], ids=["without a hash", "after a hash"])
def test_failure_is_forgotten_when_the_file_is_readable_and_unchanged(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, is_settled: bool
) -> None:
    path = bench.write("a.txt", "Sound text.")
    bench.sync()
    if is_settled:
        monkeypatch.setattr("edgerag.file_times.RACY_NS", -(10**18))
        bench.sync()
    record_failure(bench, path)

    summary = bench.sync()

    assert (summary.unchanged, summary.failed) == (1, ())
    assert bench.library.failures() == {}
