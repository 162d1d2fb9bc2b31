"""Sources that are not there for now, because a drive is unplugged or not mounted, lose none of their documents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgerag.ask.freshness import FreshnessCheck
from tests.ingest.ingest_bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.library.close()


def test_missing_source_keeps_its_documents_and_says_so(bench: Bench, tmp_path: Path) -> None:
    bench.write("a.txt", "On a stick that is pulled out.")
    bench.sync()
    bench.documents.rename(tmp_path / "elsewhere")

    summary = bench.sync()

    assert summary.removed == 0
    assert "not found" in summary.failed[0].reason
    assert bench.paths() == ["a.txt"]


def test_source_folder_that_is_empty_keeps_its_documents_and_says_so(bench: Bench, tmp_path: Path) -> None:
    bench.write("a.txt", "On a drive that is not mounted any more.")
    bench.write("inner/b.txt", "So is this one.")
    bench.write("empty.txt", "")
    bench.sync()
    bench.documents.rename(tmp_path / "elsewhere")
    bench.documents.mkdir()

    summary = bench.sync()

    assert (summary.removed, [failure.path for failure in summary.failed]) == (0, [str(bench.documents)])
    assert "`edgerag remove PATH` forgets them" in summary.failed[0].reason
    assert bench.paths() == ["a.txt", "b.txt"]
    assert len(bench.library.failures()) == 1
    checks = [FreshnessCheck().problem(document) for document in bench.library.documents()]
    assert checks == ["deleted", "deleted"]

    bench.documents.rmdir()
    (tmp_path / "elsewhere").rename(bench.documents)
    back = bench.sync()
    assert (back.unchanged, back.removed, back.embedded_chunks) == (2, 0, 0)


def test_source_folder_without_documents_may_be_empty(bench: Bench) -> None:
    assert bench.sync().failed == ()


def test_last_document_of_a_folder_that_holds_something_else_is_removed(bench: Bench) -> None:
    path = bench.write("a.txt", "Deleted on purpose.")
    bench.write(".hidden", "Not a document.")
    bench.sync()
    path.unlink()

    summary = bench.sync()

    assert (summary.removed, summary.failed, bench.paths()) == (1, (), [])
