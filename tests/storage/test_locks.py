"""One process writes at a time, and a dead one holds nothing."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgerag.errors import LibraryError
from edgerag.storage.library import Library
from edgerag.storage.locks import WriterLock


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "lib") as opened:
        yield opened


def test_second_writer_is_refused_and_told_who_writes(library: Library) -> None:
    holder = multiprocessing.get_context("spawn")
    ready, leave = holder.Event(), holder.Event()
    process = holder.Process(target=hold_lock, args=(str(library.folder), ready, leave))
    process.start()
    try:
        assert ready.wait(30)
        with pytest.raises(LibraryError, match=rf"process {process.pid}\) is writing"), library.writing():
            pass
        assert library.counts()["documents"] == 0
    finally:
        leave.set()
        process.join(30)
    with library.writing():
        pass


def hold_lock(folder: str, ready, leave) -> None:
    with WriterLock(Path(folder)):
        ready.set()
        leave.wait(30)


def test_lock_of_a_killed_process_is_free_again(library: Library) -> None:
    holder = multiprocessing.get_context("spawn")
    ready, leave = holder.Event(), holder.Event()
    process = holder.Process(target=hold_lock, args=(str(library.folder), ready, leave))
    process.start()
    assert ready.wait(30)
    process.kill()
    process.join(30)

    with library.writing(timeout_s=5) as writer:
        writer.add_source(Path("/docs"))
    assert library.counts()["sources"] == 1
