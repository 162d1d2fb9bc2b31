"""A job as text: the two lines in the list of jobs, and its log."""

from __future__ import annotations

import time
from pathlib import PurePath
from typing import TYPE_CHECKING

from textual.content import Content

from edgerag.cli.render import format_size
from edgerag_tui import safe
from edgerag_tui.job import MOST_LOGGED, Job, JobState
from edgerag_tui.strings import say, tr

if TYPE_CHECKING:
    from edgerag_tui.session_files import EarlierRun

NAME_KEYS = {
    "add": "jobs.add",
    "sync": "jobs.sync",
    "watch": "jobs.watch",
    "retry": "jobs.retry",
    "remove": "jobs.remove",
    "pull": "jobs.pull",
}
STATE_KEYS = {
    JobState.WAITING: "jobs.state_waiting",
    JobState.RUNNING: "jobs.state_running",
    JobState.PAUSING: "jobs.state_pausing",
    JobState.PAUSED: "jobs.state_paused",
    JobState.CANCELLING: "jobs.state_cancelling",
    JobState.CANCELLED: "jobs.state_cancelled",
    JobState.DONE: "jobs.state_done",
    JobState.FAILED: "jobs.state_failed",
    JobState.INTERRUPTED: "jobs.state_interrupted",
}
STAGE_KEYS = {"scan": "stages.scan", "ingest": "stages.ingest", "index": "stages.index"}
STYLES = {
    JobState.RUNNING: "$accent",
    JobState.DONE: "$text-success",
    JobState.FAILED: "$text-error bold",
    JobState.PAUSED: "$text-warning",
    JobState.INTERRUPTED: "$text-warning",
    JobState.PAUSING: "$text-warning",
    JobState.CANCELLING: "$text-warning",
}
BAR_CELLS = 12


def job_name(job: Job) -> str:
    """What it does to what; text of any origin."""
    what = ""
    if len(job.paths) == 1:
        path = PurePath(job.paths[0])
        what = path.name or str(path)
    elif job.paths:
        what = tr("jobs.several", number=len(job.paths))
    return f"{tr(NAME_KEYS[job.kind])} {what}".strip()


def job_content(job: Job) -> Content:
    """A few lines for the list."""
    sign = "! " if job.state in (JobState.FAILED, JobState.INTERRUPTED) else ""
    state = Content.styled(sign + tr(STATE_KEYS[job.state]), STYLES.get(job.state, "$muted"))
    head = Content.assemble(state, "  ", safe.content_line(job_name(job), "bold" if job.is_active else ""))
    if job.seconds:
        head = Content.assemble(head, (f"  {tr('jobs.seconds', number=f'{job.seconds:.1f}')}", "$muted"))
    second = _second_line(job)
    return Content("\n  ").join([head, *second.split("\n")]) if second else head


def _second_line(job: Job) -> Content:
    if job.state is JobState.FAILED:
        return safe.content_line(job.problem, "$muted")
    if job.summary is not None or job.num_removed is not None:
        return Content.styled(outcome(job), "$muted")
    if job.state is JobState.INTERRUPTED:
        since = f"{told_time(job.began_at)} · " if job.began_at else ""
        return Content.styled(since + tr("jobs.interrupted_keys"), "$muted")
    if job.pulled is not None and not job.is_ended:
        done, total = job.pulled.done_bytes, job.pulled.total_bytes
        share = f"{done / total:.0%} · " if total else ""
        return Content.styled(f"{share}{format_size(done)}", "$muted")
    if job.is_active and job.progress is not None:
        return progress_content(job)
    return Content("")


def progress_content(job: Job) -> Content:
    """Bar, share and files; below that rate and the time that is left."""
    progress = job.progress
    assert progress is not None
    if progress.stage == "scan":
        return Content.styled(tr("jobs.scanned", number=f"{progress.total_files:,}"), "$muted")
    if progress.stage == "index":
        return Content.styled(tr("stages.index"), "$muted")
    full = round(BAR_CELLS * progress.done_share)
    bar = Content.assemble(("█" * full, "$accent"), ("░" * (BAR_CELLS - full), "$muted"))
    first = Content.assemble(bar, f" {progress.done_share:.0%} · {progress.done_files:,}/{progress.total_files:,}")
    second = tr("jobs.rate", number=f"{progress.chunks_per_s:.0f}")
    if progress.eta_s is not None and job.state is JobState.RUNNING:
        second += " · " + tr("jobs.left", time=duration(progress.eta_s))
    return Content.assemble(first, "\n", second)


def outcome(job: Job) -> str:
    """What an ended run has done, in a few words."""
    if job.num_removed is not None:
        return tr("jobs.removed", number=f"{job.num_removed:,}")
    summary = job.summary
    assert summary is not None
    failed = len(summary.failed)
    counts = (
        (failed, "jobs.count_failed"),
        (summary.added, "jobs.count_added"),
        (summary.updated, "jobs.count_updated"),
        (summary.moved, "jobs.count_moved"),
        (summary.removed, "jobs.count_removed"),
    )
    told = [tr(key, number=f"{number:,}") for number, key in counts if number]
    told = told or [tr("jobs.nothing_new")]
    return ", ".join(told)


def job_log(job: Job) -> Content:
    """All that is known of a job."""
    lines = [safe.content_line(job_name(job), "bold")]
    lines += [Content.assemble("  ", safe.content_line(path, "$muted")) for path in job.paths[:20]]
    lines.append(Content.styled(tr(STATE_KEYS[job.state]), STYLES.get(job.state, "$muted")))
    if job.is_active and job.progress is not None:
        stage = tr(STAGE_KEYS.get(job.progress.stage, "stages.ingest"))
        lines += [Content(stage), progress_content(job)]
        if job.progress.current_path:
            lines.append(safe.content_line(job.progress.current_path, "$muted"))
    if job.summary is not None or job.num_removed is not None:
        lines.append(Content(outcome(job)))
    if job.state is JobState.INTERRUPTED:
        lines.append(Content.styled(tr("jobs.interrupted_before"), "$muted"))
        lines.append(Content.styled(tr("jobs.interrupted_keys"), "$muted"))
    elif job.kind != "pull" and job.state in (JobState.PAUSED, JobState.CANCELLED):
        lines.append(Content.styled(tr("jobs.what_was_read_stays"), "$muted"))
    if job.problem:
        lines.append(safe.content(f"! {job.problem}", "$text-error"))
    if job.hint:
        lines.append(safe.content(job.hint))
    # What failed before and was left alone comes with the summary only.
    failures = job.summary.failed[:MOST_LOGGED] if job.summary is not None else job.failures
    num_failed = len(job.summary.failed) if job.summary is not None else job.num_failed
    for failure in failures:
        lines.append(Content.assemble(("! ", "$text-error"), safe.content_line(failure.path)))
        lines.append(Content.assemble("    ", safe.content_line(say(failure.reason), "$muted")))
    if num_failed > len(failures):
        lines.append(Content(tr("jobs.more_failures", number=f"{num_failed - len(failures):,}")))
    return Content("\n").join(lines)


def earlier_content(run: EarlierRun) -> Content:
    """A run of an earlier session, on two lines."""
    counts = (
        (run.added, "jobs.count_added"),
        (run.updated, "jobs.count_updated"),
        (run.moved, "jobs.count_moved"),
        (run.removed, "jobs.count_removed"),
    )
    told = ", ".join(tr(key, number=f"{number:,}") for number, key in counts if number)
    when = local_time(run.at)
    return Content.styled(f"{when}  {told}", "$muted")


def local_time(at: str) -> str:
    """An ISO 8601 time in the time zone of the machine, to the minute; as it stands where it is none."""
    from datetime import datetime

    try:
        return datetime.fromisoformat(at).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return safe.line(at)


def told_time(seconds: float) -> str:
    """Seconds since the epoch in the time zone of the machine, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def duration(seconds: float) -> str:
    """`0:34`, `12:05`, `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
