"""The ingest pipeline on real files, real parse workers and real SQLite, with a fake embedder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgerag.config import Settings
from edgerag.datatypes import FileFailed, IngestProgress, IngestSummary
from edgerag.errors import ModelError
from edgerag.ingest.pipeline import ingest
from tests.fakes import FakeEmbedder
from tests.ingest.ingest_bench import SETTINGS, Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.library.close()


def paragraphs(number: int) -> str:
    return "\n\n".join(
        f"Paragraph {index} tells of item {index} and of nothing else at all." for index in range(number)
    )


def test_new_changed_moved_gone_and_unchanged_files_are_told_apart(bench: Bench) -> None:
    bench.write("kept.txt", "This file stays as it is.")
    bench.write("changed.txt", "The first version.")
    bench.write("moved.txt", "This one gets another name.")
    bench.write("gone.txt", "This one is deleted.")
    first = bench.sync()
    assert (first.added, first.failed) == (4, ())

    bench.write("changed.txt", "The second version, which is longer.")
    (bench.documents / "moved.txt").rename(bench.documents / "renamed.txt")
    (bench.documents / "gone.txt").unlink()
    bench.write("new.txt", "This one is new.")
    second = bench.sync()

    counts = (second.added, second.updated, second.moved, second.removed, second.unchanged)
    assert counts == (1, 1, 1, 1, 1)
    assert bench.paths() == ["changed.txt", "kept.txt", "new.txt", "renamed.txt"]
    assert second.embedded_chunks == 2
    assert bench.damages() == []


def test_unchanged_file_is_not_embedded_again(bench: Bench) -> None:
    bench.write("a.txt", paragraphs(20))
    bench.sync()
    calls = len(bench.embedder.document_calls)

    summary = bench.sync()

    assert (summary.unchanged, summary.embedded_chunks) == (1, 0)
    assert len(bench.embedder.document_calls) == calls


def test_rename_embeds_nothing(bench: Bench) -> None:
    path = bench.write("a.txt", paragraphs(20))
    bench.sync()
    embedded = len(bench.embedder.embedded_texts)
    path.rename(path.with_name("b.txt"))

    summary = bench.sync()

    assert summary.moved == 1
    assert len(bench.embedder.embedded_texts) == embedded


def test_equal_text_is_embedded_once(bench: Bench) -> None:
    bench.write("a.txt", "The same words in two files.")
    bench.write("b.txt", "The same words in two files.")

    summary = bench.sync()

    assert (summary.added, summary.chunks, summary.embedded_chunks) == (2, 2, 1)


def test_editing_one_paragraph_embeds_at_most_three_chunks(bench: Bench) -> None:
    parts = [f"Paragraph {index} " + f"tells of item {index} and nothing else. " * 8 for index in range(1500)]
    bench.write("long.txt", "\n\n".join(parts))
    assert sum(map(len, parts)) > 400_000
    bench.sync()
    parts[700] = "An entirely different paragraph stands here now, about the weather of the year 1816."
    bench.write("long.txt", "\n\n".join(parts))

    summary = bench.sync()

    assert summary.updated == 1
    assert 1 <= summary.embedded_chunks <= 3
    assert bench.damages() == []


def test_bad_files_are_recorded_and_end_nothing(bench: Bench) -> None:
    bench.write("good.txt", "A good file.")
    (bench.documents / "empty.txt").write_bytes(b"")
    (bench.documents / "junk.txt").write_bytes(bytes(range(256)) * 40)
    (bench.documents / "broken.pdf").write_bytes(b"%PDF-1.7\nthis is no pdf at all")

    events = bench.events()

    summary = events[-1]
    assert isinstance(summary, IngestSummary)
    assert summary.added == 1
    assert sorted(Path(failure.path).name for failure in summary.failed) == [
        "broken.pdf",
        "empty.txt",
        "junk.txt",
    ]
    assert all(failure.reason for failure in summary.failed)
    assert sum(isinstance(event, FileFailed) for event in events) == 3
    again = bench.sync()
    assert len(again.failed) == 3


def test_failed_file_is_read_again_once_it_is_mended(bench: Bench) -> None:
    path = bench.documents / "a.txt"
    path.write_bytes(b"")
    assert len(bench.sync().failed) == 1
    bench.write("a.txt", "Now it holds text.")

    summary = bench.sync()

    assert (summary.added, summary.failed) == (1, ())
    assert bench.library.failures() == {}


def test_document_that_became_unreadable_junk_is_not_served_any_more(bench: Bench) -> None:
    path = bench.write("a.txt", "Sound text.")
    bench.sync()
    path.write_bytes(b"")

    assert len(bench.sync().failed) == 1
    assert bench.paths() == []


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0,
    reason="root reads everything; Windows has other permissions",
)
def test_document_that_cannot_be_read_for_now_is_kept(bench: Bench) -> None:
    path = bench.write("a.txt", "Sound text.")
    bench.sync()
    path.write_text("Other text.")
    path.chmod(0)

    assert len(bench.sync().failed) == 1
    assert bench.paths() == ["a.txt"]


def test_stop_leaves_a_library_that_goes_on_where_it_stopped(bench: Bench) -> None:
    for number in range(100):
        bench.write(f"{number}.txt", f"Document number {number} has words of its own: w{number}.")
    with bench.library.writing() as writer:
        writer.add_source(bench.documents)
        sources = bench.library.sources()
        events = ingest(
            bench.library,
            writer,
            sources,
            embedder=bench.embedder,
            budget_tokens=64,
            settings=SETTINGS,
            stop=bench.stop,
        )
        for event in events:
            if isinstance(event, IngestProgress) and event.done_files >= 1:
                bench.stop.set()
    summary = event
    assert isinstance(summary, IngestSummary)
    assert summary.interrupted
    assert 0 < len(bench.paths()) < 100
    assert summary.added == len(bench.paths())
    assert bench.damages() == []
    bench.stop.clear()

    rest = bench.sync()

    assert rest.added + summary.added == 100
    assert rest.embedded_chunks == 100 - summary.embedded_chunks


def test_stop_while_a_long_text_is_cut_stores_nothing_of_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write("long.txt", paragraphs(200))
    token_starts = bench.embedder.token_starts

    def stopping(text: str) -> list[int]:
        bench.stop.set()
        return token_starts(text)

    monkeypatch.setattr(bench.embedder, "token_starts", stopping)
    summary = bench.sync()
    assert (summary.interrupted, summary.added, bench.paths()) == (True, 0, [])
    assert bench.embedder.embedded_texts == []

    monkeypatch.undo()
    bench.stop.clear()
    assert bench.sync().added == 1


def test_failing_embedder_loses_no_document_that_was_committed(bench: Bench) -> None:
    bench.write("a.txt", "The first document.")
    bench.sync()
    bench.write("b.txt", "The second document.")
    bench.embedder.fail_after = 1

    with pytest.raises(ModelError):
        bench.sync()

    assert bench.paths() == ["a.txt"]
    assert bench.damages() == []
    bench.embedder.fail_after = None
    assert bench.sync().added == 1


def test_full_disk_in_the_middle_keeps_what_was_committed(bench: Bench) -> None:
    from edgerag.errors import LibraryError

    bench.write("a.txt", "The first document.")
    bench.sync()
    pages = bench.library.rows("PRAGMA page_count")[0][0]
    bench.library.connection().execute(f"PRAGMA max_page_count = {pages}")
    bench.write("b.txt", "\n\n".join(f"{number} " + os.urandom(600).hex() for number in range(300)))

    with pytest.raises(LibraryError, match="disk is full"):
        bench.sync()

    assert bench.paths() == ["a.txt"]
    assert bench.damages() == []
    bench.library.connection().execute("PRAGMA max_page_count = 10000000")
    assert bench.sync().added == 1


def test_other_embedder_embeds_the_stored_chunks_again_without_parsing(bench: Bench) -> None:
    path = bench.write("a.txt", paragraphs(30))
    chunks = bench.sync().chunks
    path_bytes = path.read_bytes()
    bench.embedder = FakeEmbedder(name="other", dim=32)

    summary = bench.sync()

    assert (summary.updated, summary.unchanged, summary.embedded_chunks) == (0, 1, chunks)
    assert path.read_bytes() == path_bytes
    rows = bench.library.rows(
        "SELECT DISTINCT f.model FROM chunks c JOIN embeddings e ON e.id = c.embedding_id "
        "JOIN fingerprints f ON f.id = e.fingerprint_id"
    )
    assert rows == [("other",)]
    assert bench.damages() == []


def test_ignore_files_are_respected(bench: Bench) -> None:
    bench.write(".gitignore", "build/\n*.log\n")
    bench.write(".edgeragignore", "private.txt\n")
    for name in ("a.txt", "b.log", "build/c.txt", "private.txt"):
        bench.write(name, "Some text.")

    bench.sync()

    assert bench.paths() == ["a.txt"]


def test_file_in_two_sources_is_one_document(bench: Bench) -> None:
    inner = bench.write("inner/a.txt", "Some text.")

    summary = bench.sync(sources=[bench.documents, inner.parent])

    assert summary.added == 1
    assert bench.sync().added == 0
    assert bench.paths() == ["a.txt"]


def test_other_chunk_size_reads_the_documents_again(bench: Bench) -> None:
    bench.write("a.txt", paragraphs(40))
    few = bench.sync(settings=Settings(parse_workers=1, chunk_tokens=200)).chunks

    summary = bench.sync(settings=Settings(parse_workers=1, chunk_tokens=40))

    assert summary.updated == 1
    assert summary.chunks > few


def test_killed_process_leaves_a_sound_library(bench: Bench, tmp_path: Path) -> None:
    import subprocess
    import time

    for number in range(60):
        bench.write(f"{number}.txt", paragraphs(10).replace("item", f"item{number}"))
    script = (
        "import sys, threading; from pathlib import Path; from edgerag.config import Settings\n"
        "from edgerag.storage.library import Library; from edgerag.ingest.pipeline import ingest\n"
        "from tests.fakes import FakeEmbedder\n"
        "library = Library.open(Path(sys.argv[1]))\n"
        "with library.writing() as writer:\n"
        "    writer.add_source(Path(sys.argv[2]))\n"
        "    for event in ingest(library, writer, library.sources(), embedder=FakeEmbedder(), budget_tokens=32,\n"
        "            settings=Settings(parse_workers=1, chunk_tokens=32), stop=threading.Event()):\n"
        "        print(event, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(bench.library.folder), str(bench.documents)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not bench.library.counts()["documents"]:
            time.sleep(0.01)
    finally:
        process.kill()
        process.communicate()
    stored = bench.library.counts()["documents"]
    assert stored > 0
    assert bench.damages() == []

    summary = bench.sync(settings=Settings(parse_workers=1, chunk_tokens=32))

    assert summary.added == 60 - stored
    assert bench.damages() == []
