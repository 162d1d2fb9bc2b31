"""A terminal that dies in the middle of an ingest, with a real process and a real SIGKILL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edgerag.storage.verify import Damage, verify
from edgerag_tui.job import JobState
from tests.tui.driving import Driver, drive, running

TEXT = "The keeper of the lighthouse number {number} wrote a page about the sea and the wind of that day.\n"
NUM_FILES = 160


def states(driver: Driver) -> list[JobState]:
    return [job.state for job in driver.app.jobs.all()]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_library_whose_terminal_was_killed_opens_and_goes_on(tmp_path: Path, checkout: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    for number in range(NUM_FILES):
        (documents / f"page {number:03}.md").write_text(TEXT.format(number=number))
    # A session of its own, since its parsers are processes too and die with it.
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.tui.ingest_to_be_killed", str(tmp_path)],
        cwd=checkout,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        assert b"in the middle" in process.stdout.readline()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()

    async def work() -> None:
        async with running(tmp_path, documents={}) as driver:
            library = driver.engine.library
            assert [source.path for source in library.sources()] == [str(documents)]
            num_kept = library.counts()["documents"]
            assert 0 < num_kept < NUM_FILES
            assert not [event for event in verify(library, threading.Event()) if isinstance(event, Damage)]
            await driver.press("f5")
            await driver.until(lambda: states(driver) == [JobState.DONE])
            assert library.counts()["documents"] == NUM_FILES
            summary = driver.app.jobs.all()[0].summary
            assert summary is not None and summary.added == NUM_FILES - num_kept

    drive(work())
