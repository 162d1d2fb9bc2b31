"""The state of every file, told without reading any; failed files are tried again on demand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgerag.ingest.file_states import FileState, file_states
from tests.ingest.ingest_bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.library.close()


def by_name(states: list[FileState]) -> dict[str, str]:
    return {Path(state.path).name: state.state for state in states}


def test_each_state_is_told_apart(bench: Bench) -> None:
    for name in ("fresh.txt", "edited.txt", "touched.txt", "deleted.txt"):
        bench.write(name, f"The file {name}.")
    bench.write("empty.txt", "")
    bench.sync()
    bench.write("edited.txt", "Another text.")
    os.utime(bench.documents / "touched.txt")
    (bench.documents / "deleted.txt").unlink()
    bench.write("new.txt", "Not read yet.")

    states = file_states(bench.library)

    assert by_name(states) == {
        "deleted.txt": "gone",
        "edited.txt": "changed",
        "empty.txt": "failed",
        "fresh.txt": "fresh",
        "touched.txt": "changed",
    }
    failed = next(state for state in states if state.state == "failed")
    assert failed.reason
    assert failed.document_id is None
    fresh = next(state for state in states if state.state == "fresh")
    assert (fresh.num_chunks, fresh.source_path, fresh.title) == (1, str(bench.documents), "fresh")
    assert by_name(file_states(bench.library, find_new=True))["new.txt"] == "new"


def test_new_file_belongs_to_the_most_specific_source(bench: Bench) -> None:
    inner = bench.documents / "inner"
    inner.mkdir()
    bench.sync(sources=[bench.documents, inner])
    (inner / "new.txt").write_text("Not read yet.")
    (state,) = file_states(bench.library, find_new=True)
    assert (state.state, state.source_path) == ("new", str(inner))


def test_no_file_is_opened(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write("a.txt", "Some text.")
    bench.sync()

    def opened(*_: object, **__: object) -> None:
        raise AssertionError("a file was opened")

    monkeypatch.setattr(Path, "open", opened)
    assert by_name(file_states(bench.library, find_new=True)) == {"a.txt": "fresh"}


def test_listing_ends_when_stopped(bench: Bench) -> None:
    bench.write("a.txt", "Some text.")
    bench.sync()
    bench.stop.set()
    assert file_states(bench.library, stop=bench.stop) == []
