"""A job as a value: what it is about, where it is, and what each message of its work makes of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from textual.message import Message

from edgerag_tui import messages

if TYPE_CHECKING:
    from edgerag.datatypes import FileFailed, IngestProgress, IngestSummary
    from edgerag.models.events import PullProgress

MOST_LOGGED = 500
"""Failures whose reason a job keeps; the rest are counted. The library itself keeps all of them."""


class JobState(Enum):
    WAITING = "waiting"
    RUNNING = "running"
    PAUSING = "pausing"
    """On its way to the next safe point."""
    PAUSED = "paused"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """Begun in an earlier session and never ended."""


ACTIVE = frozenset((JobState.WAITING, JobState.RUNNING, JobState.PAUSING, JobState.CANCELLING))
RESUMABLE = frozenset((JobState.PAUSED, JobState.CANCELLED, JobState.FAILED, JobState.INTERRUPTED))
SYNCS = frozenset(("sync", "watch", "retry"))
"""Kinds of jobs that read all sources, and so finish what others have left."""


_STOPPED = {JobState.PAUSING: JobState.PAUSED, JobState.CANCELLING: JobState.CANCELLED}
"""A pull that is stopped ends with an error."""


@dataclass(frozen=True, slots=True)
class Job:
    """A picture of a job at one moment."""

    id: int
    kind: str
    """`add`, `sync`, `watch` (a sync because a file changed), `retry`, `remove`, or `pull` (a model)."""
    paths: tuple[str, ...]
    """What it is about; empty: everything. Of a pull the model's name."""
    state: JobState = JobState.WAITING
    run: int = 0
    """How often it was begun: a resumed job runs again."""
    progress: IngestProgress | None = None
    failures: tuple[FileFailed, ...] = ()
    """The first `MOST_LOGGED` of this run."""
    num_failed: int = 0
    summary: IngestSummary | None = None
    pulled: PullProgress | None = None
    num_removed: int | None = None
    """Documents that a `remove` took out of the library."""
    problem: str = ""
    """Why it failed, and what to do about it."""
    hint: str = ""
    began_at: float = 0.0
    """Seconds since the epoch; 0: not yet."""
    seconds: float = 0.0
    """Of its last run, once that has ended."""

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE

    @property
    def may_pause(self) -> bool:
        return self.kind != "remove" and self.state in (JobState.WAITING, JobState.RUNNING)

    @property
    def may_resume(self) -> bool:
        return self.state in RESUMABLE

    @property
    def may_cancel(self) -> bool:
        if self.kind == "remove":
            return self.state is JobState.WAITING  # one transaction, which nothing stops
        return self.state in (
            JobState.WAITING, JobState.RUNNING, JobState.PAUSING, JobState.PAUSED, JobState.INTERRUPTED
        )  # fmt: skip

    @property
    def is_ended(self) -> bool:
        """Nothing waits for anybody to go on with it."""
        return not self.is_active and self.state not in (JobState.PAUSED, JobState.INTERRUPTED)


def after(job: Job, message: Message | None) -> Job:
    """The job after a message of its work."""
    match message:
        case None:
            state = JobState.RUNNING if job.state is JobState.WAITING else job.state
            return replace(job, state=state, began_at=time.time())
        case messages.IngestAdvanced(progress=progress):
            return replace(job, progress=progress)
        case messages.IngestFileFailed(failure=failure):
            failures = job.failures if len(job.failures) >= MOST_LOGGED else (*job.failures, failure)
            return replace(job, failures=failures, num_failed=job.num_failed + 1)
        case messages.IngestDone(summary=summary):
            state = JobState.DONE
            if summary.interrupted:
                is_over = job.state in (JobState.CANCELLING, JobState.CANCELLED)
                state = JobState.CANCELLED if is_over else JobState.PAUSED
            return replace(job, state=state, summary=summary, seconds=summary.seconds)
        case messages.PullAdvanced(event=event):
            from edgerag.models.events import PullProgress

            return replace(job, pulled=event) if isinstance(event, PullProgress) else job
        case messages.Finished() if job.kind == "pull":
            return replace(job, state=JobState.DONE, seconds=time.time() - job.began_at)
        case messages.Failed() if job.kind == "pull" and job.state in _STOPPED:
            return replace(job, state=_STOPPED[job.state])
        case messages.Finished(result=result):
            return replace(job, state=JobState.DONE, num_removed=result, seconds=time.time() - job.began_at)
        case messages.Failed(problem=problem, hint=hint):
            seconds = time.time() - job.began_at if job.began_at else 0.0
            return replace(job, state=JobState.FAILED, problem=problem, hint=hint, seconds=seconds)
    return job


def is_idle_watch(job: Job) -> bool:
    """Whether this was a sync of the watcher's that found nothing to do: not worth a word."""
    summary = job.summary
    if job.kind != "watch" or job.state is not JobState.DONE or summary is None or job.num_failed:
        return False
    return not (summary.added or summary.updated or summary.moved or summary.removed)
