"""Files that failed: when they are tried again, what their failure costs, and when it is forgotten."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgerag.ask.freshness import FreshnessCheck
from edgerag.config import Settings
from edgerag.datatypes import ScannedFile
from edgerag.errors import DocumentError
from edgerag.ingest.parse_pool import ParsedFile, ParsePool
from edgerag.ingest.scan import scan
from tests.ingest.ingest_bench import SETTINGS, Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.library.close()


def with_settings(**changed: Any) -> Settings:
    return replace(SETTINGS, **changed)


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


@pytest.mark.parametrize(
    "raised",
    [{"max_text_chars": 5000}, {"parse_timeout_s": 60.0}, {"parse_memory_mib": 1024}, {"max_file_mib": 3}],
    ids=["max_text_chars", "parse_timeout_s", "parse_memory_mib", "max_file_mib"],
)
def test_failed_files_are_tried_again_under_other_limits(bench: Bench, raised: dict[str, Any]) -> None:
    bench.write("a.txt", "Words. " * 300)
    assert len(bench.sync(settings=with_settings(max_text_chars=1000)).failed) == 1

    again = bench.sync(settings=with_settings(**{"max_text_chars": 4000, **raised}))

    assert (again.added, again.failed) == (1, ())
    assert bench.library.failures() == {}


def test_failed_file_is_not_parsed_again_in_each_sync(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write("a.txt", "Words. " * 300)
    few = with_settings(max_text_chars=1000)
    monkeypatch.setattr("edgerag.ingest.scan.settled_ns", lambda status: status.st_ctime_ns)
    bench.sync(settings=few)

    def parsed(*_: object) -> None:
        raise AssertionError("a file was parsed")

    monkeypatch.setattr(ParsePool, "parse_many", parsed)
    assert len(bench.sync(settings=few).failed) == 1


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="root reads everything; Windows has other permissions"
)
def test_file_that_may_be_read_again_is_read(bench: Bench) -> None:
    path = bench.write("a.txt", "Sound text.")
    path.chmod(0)
    assert len(bench.sync().failed) == 1
    path.chmod(0o600)
    assert (bench.sync().added, bench.library.failures()) == (1, {})


def test_untouched_file_that_fails_once_keeps_its_text(bench: Bench) -> None:
    bench.write("a.txt", "Words. " * 300)
    bench.sync()
    other = with_settings(chunk_tokens=40, max_text_chars=1000)

    for _ in range(3):
        summary = bench.sync(settings=other)
        assert (summary.removed, summary.updated, len(summary.failed)) == (0, 0, 1)
        assert bench.paths() == ["a.txt"]
    assert [FreshnessCheck().problem(document) for document in bench.library.documents()] == [""]

    assert bench.sync(settings=with_settings(chunk_tokens=40)).updated == 1
    assert bench.library.failures() == {}


@pytest.mark.parametrize(("text", "kept"), [("Sound text.", ["a.txt"]), ("Other text.", []), ("Longer now.....", [])])
def test_crash_of_a_parser_costs_only_a_text_that_is_exact_no_more(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, text: str, kept: list[str]
) -> None:
    bench.write("a.txt", "Sound text.")
    bench.sync()
    bench.write("a.txt", text)

    def crashing(self: ParsePool, files: list[Path], stop: object) -> Iterator[ParsedFile]:
        for path in files:
            yield ParsedFile(path, DocumentError("crashed its parser"), None, 0, 0, None, 0.0)

    monkeypatch.setattr(ParsePool, "parse_many", crashing)
    summary = bench.sync(settings=with_settings(chunk_tokens=40))

    assert [Path(failure.path).name for failure in summary.failed] == ["a.txt"]
    assert bench.paths() == kept
