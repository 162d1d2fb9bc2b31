"""The list of jobs: what runs and waits, what has ended, and what earlier sessions did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from edgerag_tui.job_views import earlier_content, job_content
from edgerag_tui.strings import tr
from edgerag_tui.widgets.marked_list import MarkedList

if TYPE_CHECKING:
    from edgerag_tui.job import Job
    from edgerag_tui.session_files import EarlierRun


class JobsPane(MarkedList):
    """The newest job first. Keeps its cursor on a job while that moves or changes."""

    @dataclass
    class Moved(Message):
        """The cursor is on another job."""

        job: Job | None

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = Content(tr("jobs.title"))
        self.jobs: tuple[Job, ...] = ()
        self.earlier: tuple[EarlierRun, ...] = ()

    def on_mount(self) -> None:
        self._rebuild(0)

    @property
    def job(self) -> Job | None:
        """What the cursor is on; the newest where it is on none."""
        place = self.highlighted or 0
        return self.jobs[place] if place < len(self.jobs) else None

    def show(self, jobs: Sequence[Job]) -> None:
        """Replace the jobs."""
        before, self.jobs = self.jobs, tuple(jobs)
        active = sum(job.is_active for job in self.jobs)
        self.border_subtitle = Content(tr("jobs.active", number=active)) if active else None
        if [job.id for job in before] == [job.id for job in self.jobs] and before:
            for place, (old, new) in enumerate(zip(before, self.jobs, strict=True)):
                if old != new:
                    self.replace_option_prompt_at_index(place, job_content(new))
            return
        place = self.highlighted or 0
        chosen = before[place].id if 0 < place < len(before) else None
        places = {job.id: number for number, job in enumerate(self.jobs)}
        self._rebuild(places.get(chosen, 0) if chosen is not None else 0)

    def show_earlier(self, earlier: Sequence[EarlierRun]) -> None:
        """Replace what earlier sessions did."""
        if tuple(earlier) != self.earlier:
            self.earlier = tuple(earlier)
            self._rebuild(self.highlighted or 0)

    def _rebuild(self, place: int) -> None:
        self.clear_options()
        self.add_options(Option(job_content(job)) for job in self.jobs)
        if self.earlier:
            self.add_option(Option(Content.styled(tr("jobs.earlier"), "$muted italic"), disabled=True))
            self.add_options(Option(earlier_content(run)) for run in self.earlier)
        if not self.jobs and not self.earlier:
            self.add_option(Option(Content.styled(tr("jobs.none"), "$muted"), disabled=True))
        elif self.jobs:
            self.highlighted = min(place, self.option_count - 1)

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self.post_message(self.Moved(self.job))

    def on_focus(self) -> None:
        self.post_message(self.Moved(self.job))
