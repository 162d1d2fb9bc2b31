"""Long work on the library: what runs, waits, is paused or has ended, and what it said on its way.

One job at a time changes the library; the others wait. Pausing stops a job at its next safe point, and resuming begins
it anew: what was read stays read, so it goes on where it was. No widget is known here.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from textual.message import Message

from edgerag_tui import messages
from edgerag_tui.job import SYNCS, Job, JobState, after, is_idle_watch

if TYPE_CHECKING:
    from edgerag.datatypes import IngestEvent
    from edgerag.engine import Engine
    from edgerag.models.unfinished import UnfinishedPull
    from edgerag_tui.session import Session
    from edgerag_tui.tasks import Task

MOST_TOLD = 3
"""Failures of one job that are announced one by one; its end tells how many there were."""
MOST_KEPT = 50
"""Ended jobs that stay in the list."""


class Jobs:
    """Every method returns at once; each change is announced as `JobsChanged`."""

    def __init__(self, session: Session, announce: Callable[[Message], object]) -> None:
        """
        Args:
            announce: Takes the messages; called from any thread.
        """
        self._session = session
        self._announce = announce
        self._guard = threading.RLock()
        self._jobs: dict[int, Job] = {}
        self._tasks: dict[int, Task] = {}
        self._numbers = itertools.count(1)
        self._watch: Task | None = None
        self.started_at = time.time()
        """Earlier runs are in the library's own history."""

    def all(self) -> tuple[Job, ...]:
        """The newest first."""
        with self._guard:
            return tuple(reversed(self._jobs.values()))

    def get(self, job_id: int) -> Job | None:
        return self._jobs.get(job_id)

    # --- beginning --------------------------------------------------------------------------------

    def add(self, paths: tuple[str, ...]) -> Job:
        """Remember files and folders as sources and read them."""
        return self._new("add", paths)

    def sync(self, *, kind: str = "sync") -> Job:
        """Bring all sources up to date; a sync that waits or runs already is that one."""
        with self._guard:
            for job in self._jobs.values():
                if job.kind in ("sync", "watch") and job.state in (JobState.WAITING, JobState.RUNNING):
                    return job
            return self._new(kind, ())

    def retry(self, paths: tuple[str, ...] = ()) -> Job:
        """Try files that failed again; none: all that did."""
        return self._new("retry", paths)

    def remove(self, path: str) -> Job:
        """Forget a source and everything derived from it."""
        with self._guard:
            for job in self._jobs.values():
                if job.kind == "add" and job.paths == (path,):
                    self.cancel(job.id)  # otherwise resuming it would bring the source back
            return self._new("remove", (path,))

    def find_unfinished(self) -> None:
        """List what an earlier session has begun and not ended, to be resumed or dismissed."""
        self._session.run("read", "unfinished", _look_for_unfinished, to=_Finder(self))

    def offer(self, since: float | None, pulls: Sequence[UnfinishedPull]) -> None:
        """List a run that began at `since` (s since the epoch) and downloads as interrupted jobs."""
        with self._guard:
            known = {job.paths for job in self._jobs.values() if job.kind == "pull"}
            offered = [Job(next(self._numbers), "pull", (pull.name,)) for pull in pulls if (pull.name,) not in known]
            if since is not None and not any(job.kind != "pull" for job in self._jobs.values()):
                offered.append(Job(next(self._numbers), "sync", (), began_at=since))
            for job in offered:
                self._jobs[job.id] = replace(job, state=JobState.INTERRUPTED)
        if offered:
            self._tell()
            self._announce(messages.JobsOffered(tuple(offered)))

    def sync_or_pause(self) -> Job:
        """What one key can do: pause what runs, go on with what was paused or interrupted, otherwise sync."""
        with self._guard:
            for job in self.all():
                if job.kind != "pull" and job.may_pause and job.state is JobState.RUNNING:
                    self.pause(job.id)
                    return self._jobs[job.id]
            for job in self.all():
                if job.kind != "pull" and job.state in (JobState.PAUSED, JobState.INTERRUPTED):
                    self.resume(job.id)
                    return self._jobs[job.id]
            return self.sync()

    def _new(self, kind: str, paths: tuple[str, ...]) -> Job:
        job = Job(next(self._numbers), kind, paths)
        with self._guard:
            self._jobs[job.id] = job
            ended = [each.id for each in self._jobs.values() if each.is_ended]
            for old in ended[: max(0, len(ended) - MOST_KEPT)]:
                del self._jobs[old]
            self._start(job.id)
        return job

    def _start(self, job_id: int) -> None:
        with self._guard:
            job = self._jobs[job_id]
            run = job.run + 1
            job = Job(job_id, job.kind, job.paths, run=run)
            self._jobs[job_id] = job
            listener = _Listener(self, job_id, run)
            if job.kind == "pull":
                from edgerag_tui import models_work  # nothing that the first picture needs

                self._tasks[job_id] = models_work.pull_model(self._session, job.paths[0], to=listener)
            elif job.kind == "remove":
                self._tasks[job_id] = self._session.run("write", "remove", self._removing(job, listener), to=listener)
            else:
                self._tasks[job_id] = self._session.ingest(job.kind, self._ingesting(job, listener), to=listener)
        self._tell()

    def _ingesting(self, job: Job, listener: _Listener) -> Callable[[Engine, Task], Iterator[IngestEvent]]:
        def start(engine: Engine, task: Task) -> Iterator[IngestEvent]:
            listener.begins()
            if job.kind == "add":
                return engine.stream_add(job.paths, stop=task.stop)
            # A retry begun once has forgotten its failures: from then on they are files like any other.
            if job.kind == "retry" and job.run == 1:
                return engine.stream_retry(job.paths or None, stop=task.stop)
            return engine.stream_sync(stop=task.stop)

        return start

    def _removing(self, job: Job, listener: _Listener) -> Callable[[Engine, Task], int]:
        def work(engine: Engine, task: Task) -> int:
            listener.begins()
            try:
                return engine.remove(job.paths[0])
            finally:
                self._session.refresh_counts()
                self._session.announce(messages.LibraryChanged())

        return work

    # --- pausing and ending -----------------------------------------------------------------------

    def pause(self, job_id: int) -> None:
        """Stop at the next safe point, to be resumed; nothing where that is not possible."""
        self._stop(job_id, JobState.PAUSING, JobState.PAUSED, lambda job: job.may_pause)

    def cancel(self, job_id: int) -> None:
        """Stop at the next safe point for good. What was read stays in the library.

        One that an earlier session has left is not listed any more; what there was of a download is deleted.
        """
        with self._guard:
            job = self._jobs.get(job_id)
            if job is not None and job.state is JobState.INTERRUPTED:
                del self._jobs[job_id]
                self._forget(job)
                self._tell()
                return
            if job is not None and job.state is JobState.PAUSED:
                self._forget(job)
        self._stop(job_id, JobState.CANCELLING, JobState.CANCELLED, lambda job: job.may_cancel)

    def resume(self, job_id: int) -> None:
        """Go on with a job that was paused, cancelled or has failed."""
        with self._guard:
            job = self._jobs.get(job_id)
            if job is not None and job.may_resume:
                # At the end of the list, which is the top of what is shown.
                self._jobs[job_id] = self._jobs.pop(job_id)
                self._start(job_id)

    def _stop(self, job_id: int, under_way: JobState, at_once: JobState, may: Callable[[Job], bool]) -> None:
        with self._guard:
            job = self._jobs.get(job_id)
            if job is None or not may(job):
                return
            self._tasks[job_id].cancel()
            runs = job.state in (JobState.RUNNING, JobState.PAUSING)
            self._jobs[job_id] = replace(job, state=under_way if runs else at_once)
        self._tell()

    def _forget(self, job: Job) -> None:
        """Nobody wants to go on with it: the next session is not to offer it."""
        if job.kind == "pull":

            def work(task: Task) -> None:
                from edgerag.models.unfinished import discard_pull

                discard_pull(job.paths[0])

            self._session.run_apart("pull", "discard", work, to=_Forwarder(self._announce))
        elif not any(each.id != job.id and (each.is_active or not each.is_ended) for each in self._jobs.values()):
            self._session.run(
                "read", "forget", lambda engine, task: engine.library.forget_unfinished(), to=_Forwarder(self._announce)
            )

    # --- watching ---------------------------------------------------------------------------------

    @property
    def is_watching(self) -> bool:
        return self._watch is not None and self._watch.is_running and not self._watch.stop.is_set()

    def watch(self, wanted: bool) -> None:
        """Begin or end syncing whenever a file of a source changes; beginning syncs once."""
        if wanted == self.is_watching:
            return
        if not wanted:
            assert self._watch is not None
            self._watch.cancel()
            self._tell()
            return

        def work(engine: Engine, task: Task) -> None:
            from edgerag_tui.watching import watch_sources

            try:
                watch_sources(engine.library, self._sync_for_watch, stop=task.stop)
            finally:
                task.cancel()  # ended by an error, it watches no longer
                self._tell()

        self._watch = self._session.run("watch", "watch", work, to=_Forwarder(self._announce))
        self._tell()

    def _sync_for_watch(self) -> bool:
        """Sync, unless something runs or someone has paused it; returns whether it was begun."""
        with self._guard:
            if any(job.is_active or job.state is JobState.PAUSED for job in self._jobs.values()):
                return False
            self.sync(kind="watch")
            return True

    # --- what the work says -----------------------------------------------------------------------

    def take(self, job_id: int, run: int, message: Message | None) -> None:
        """A message of a job's work (None: it begins); called in the thread that does it."""
        with self._guard:
            job = self._jobs.get(job_id)
            if job is None or job.run != run:
                return
            self._jobs[job_id] = job = after(job, message)
            if is_idle_watch(job):
                del self._jobs[job_id]
            if job.kind in SYNCS and job.state is JobState.DONE:
                self._drop_interrupted()
            if job.state is JobState.CANCELLED:
                self._forget(job)
        is_told = isinstance(message, messages.IngestDone) and not is_idle_watch(job)
        is_told = is_told or (isinstance(message, messages.IngestFileFailed) and job.num_failed <= MOST_TOLD)
        is_told = is_told or (isinstance(message, messages.Failed) and job.state is JobState.FAILED)
        if message is not None and is_told:
            self._announce(message)
        self._tell()

    def _drop_interrupted(self) -> None:
        """A sync of all sources has read what an earlier session had left."""
        for job in list(self._jobs.values()):
            if job.kind != "pull" and job.state is JobState.INTERRUPTED:
                del self._jobs[job.id]

    def _tell(self) -> None:
        self._announce(messages.JobsChanged(self.all(), self.is_watching))


def _look_for_unfinished(engine: Engine, task: Task) -> tuple[float | None, list[UnfinishedPull]]:
    from edgerag.models.unfinished import unfinished_pulls

    return engine.library.unfinished_since(), unfinished_pulls()


@dataclass(frozen=True, slots=True)
class _Finder:
    """Gets what was found."""

    jobs: Jobs

    def post_message(self, message: Message) -> bool:
        if isinstance(message, messages.Finished):
            self.jobs.offer(*message.result)
        return True


class _Listener:
    """Gets the messages of one run of one job."""

    def __init__(self, jobs: Jobs, job_id: int, run: int) -> None:
        self._jobs = jobs
        self._job_id = job_id
        self._run = run

    def begins(self) -> None:
        self._jobs.take(self._job_id, self._run, None)

    def post_message(self, message: Message) -> bool:
        begins = isinstance(message, messages.PullAdvanced) and message.event is None
        self._jobs.take(self._job_id, self._run, None if begins else message)
        return True


@dataclass(frozen=True, slots=True)
class _Forwarder:
    announce: Callable[[Message], Any]

    def post_message(self, message: Message) -> bool:
        if isinstance(message, messages.Failed):
            self.announce(message)
        return True
