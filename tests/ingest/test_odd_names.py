"""Names and values that the database cannot hold cost the file that has them, and no other."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from edgerag.ask.freshness import FreshnessCheck
from edgerag.datatypes import FileFailed, IngestSummary
from edgerag.engine import Engine
from edgerag.errors import LibraryError
from edgerag.file_times import modified_ns
from edgerag.ingest.file_states import file_states
from edgerag.ingest.names import printable_path, refused_name
from edgerag.storage.writer import LibraryWriter
from tests.ingest.ingest_bench import Bench

NOT_UTF8 = "its name is not valid UTF-8; rename it"
any_bytes_are_a_name = pytest.mark.skipif(sys.platform != "linux", reason="names are UTF-8 or UTF-16 there")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.library.close()


def write_bytes_named(folder: Path, name: bytes, text: str) -> Path:
    path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@any_bytes_are_a_name
def test_name_that_is_no_utf8_is_a_failed_file_and_the_others_are_stored(bench: Bench) -> None:
    for name in ("a.txt", "z.txt"):
        bench.write(name, f"The file {name}.")
    write_bytes_named(bench.documents, b"caf\xe9.txt", "A name in Latin-1.")
    write_bytes_named(bench.documents, b"d\xe9p\xf4t/inner.txt", "A folder's name in Latin-1.")

    events = bench.events()

    summary = events[-1]
    assert isinstance(summary, IngestSummary)
    assert summary.added == 2
    assert bench.paths() == ["a.txt", "z.txt"]
    folder = str(bench.documents)
    expected = [
        FileFailed(f"{folder}/caf\\xe9.txt", NOT_UTF8),
        FileFailed(f"{folder}/d\\xe9p\\xf4t/inner.txt", NOT_UTF8),
    ]
    assert [event for event in events if isinstance(event, FileFailed)] == expected
    assert list(summary.failed) == expected
    assert bench.library.failures() == {}


@any_bytes_are_a_name
def test_known_file_that_gets_such_a_name_is_gone_and_comes_back_without_embedding(bench: Bench) -> None:
    path = bench.write("cafe.txt", "The coffee house opens at nine.")
    bench.sync()
    odd = path.rename(Path(os.fsdecode(os.fsencode(bench.documents) + b"/caf\xe9.txt")))

    summary = bench.sync()

    assert (summary.removed, len(summary.failed), bench.paths()) == (1, 1, [])
    odd.rename(bench.documents / "café.txt")
    again = bench.sync()
    assert (again.added, again.failed, again.embedded_chunks) == (1, (), 0)


@any_bytes_are_a_name
def test_source_of_such_a_name_is_refused_and_the_other_sources_are_read(tmp_path: Path) -> None:
    odd = write_bytes_named(tmp_path, b"caf\xe9.txt", "A name in Latin-1.")
    empty = tmp_path / "folder"
    empty.mkdir()
    with Engine.open(tmp_path / "library") as engine:
        *events, summary = engine.stream_add([odd, empty])
        sources = [source.path for source in engine.library.sources()]
        with pytest.raises(LibraryError, match="has no document"):
            engine.document(str(odd))
    failure = FileFailed(f"{tmp_path}/caf\\xe9.txt", NOT_UTF8)
    assert failure in events
    assert isinstance(summary, IngestSummary)
    assert summary.failed == (failure,)
    assert sources == [str(empty)]


def test_names_that_can_be_stored_are_not_refused() -> None:
    for path in ("/docs/a.txt", "/docs/咖啡.txt", "/docs/caf\\xe9.txt"):
        assert refused_name(path) is None
        assert printable_path(path) == path


def test_document_that_the_database_refuses_loses_no_other(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        bench.write(f"{number}.txt", f"The text of file {number}.")
    put_chunks = LibraryWriter._put_chunks

    def refusing(self: LibraryWriter, document_id: int, *rest: object) -> None:
        put_chunks(self, document_id, *rest)  # type: ignore[arg-type]
        (path,) = self._connection.execute("SELECT path FROM documents WHERE id = ?", (document_id,)).fetchone()
        if path.endswith("2.txt"):
            self._connection.execute("SELECT ?", (2**63,))

    monkeypatch.setattr(LibraryWriter, "_put_chunks", refusing)
    summary = bench.sync()

    assert summary.added == 4
    assert [Path(failure.path).name for failure in summary.failed] == ["2.txt"]
    assert summary.failed[0].reason.startswith("could not be stored (")
    assert bench.paths() == ["0.txt", "1.txt", "3.txt", "4.txt"]
    assert bench.damages() == []
    monkeypatch.undo()
    assert bench.sync().added == 1


@pytest.mark.parametrize("year", [1600, 2300])
def test_file_of_a_time_that_the_database_cannot_hold_is_read_and_known_again(bench: Bench, year: int) -> None:
    path = bench.write("a.txt", "From a far away time.")
    bench.write("b.txt", "From today.")
    seconds = (year - 1970) * 31_556_952
    try:
        os.utime(path, (seconds, seconds))
    except OSError:
        pytest.skip("the file system has no such time")

    assert bench.sync().added == 2

    again = bench.sync()
    assert (again.unchanged, again.updated, again.failed) == (2, 0, ())
    assert [state.state for state in file_states(bench.library)] == ["fresh", "fresh"]
    assert [FreshnessCheck().problem(document) for document in bench.library.documents()] == ["", ""]


def test_times_are_clamped_to_what_the_database_can_hold(tmp_path: Path) -> None:
    status = tmp_path.stat()
    for claimed, kept in ((5, 5), (-5, -5), (2**63 + 9, 2**63 - 1), (-(2**70), 1 - 2**63)):
        assert modified_ns(cast(os.stat_result, SimpleNamespace(st_mtime_ns=claimed))) == kept
    assert modified_ns(status) == status.st_mtime_ns
