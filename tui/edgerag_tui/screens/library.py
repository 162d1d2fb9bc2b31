"""Library: sources and files with their state, and the jobs that read them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from edgerag.errors import EdgeragError
from edgerag_tui import messages
from edgerag_tui.file_views import file_details, library_counts
from edgerag_tui.ignoring import ignore_line, leave_out
from edgerag_tui.job import Job
from edgerag_tui.job_views import job_log, job_name
from edgerag_tui.keymap import bind
from edgerag_tui.screens.base import SectionScreen
from edgerag_tui.screens.library_add import AddScreen
from edgerag_tui.screens.prompts import ConfirmScreen
from edgerag_tui.session_files import list_files
from edgerag_tui.shown_paths import home_path
from edgerag_tui.strings import say, say_with_hint, tr
from edgerag_tui.tasks import Task
from edgerag_tui.widgets.file_tree import FileTree, files_text
from edgerag_tui.widgets.jobs_pane import JobsPane

if TYPE_CHECKING:
    from edgerag_tui.library_tree import Node

RELOAD_S = 3.0
"""How often the files are looked at anew while a job changes them; less often where looking takes long."""
RELOAD_SHARE = 10
"""At most one part in so many of the time is spent looking."""


class LibraryScreen(SectionScreen):
    """Above the files; below them what is known of the chosen one, and the jobs."""

    SECTION = "library"
    FOCUS = "#filter"
    CSS_PATH = "../styles/library.tcss"
    AUTO_FOCUS = "#files"
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("slash", "focus_main", "screen.focus_main", name="actions.screen.filter"),
        # First, so that the key bar has room for them; they are there only while there is such a job.
        bind("space", "pause", "jobs.pause"),
        bind("x", "cancel_job", "jobs.cancel"),
        bind("a", "add", "library.add"),
        bind("d,delete", "remove", "library.remove"),
        bind("r", "retry", "library.retry"),
        bind("R", "retry_all", "library.retry_all", show=False),
        bind("w", "watch", "library.watch"),
        bind("p", "problems", "library.problems"),
        bind("j", "jobs", "library.jobs"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.only_problems = False
        self._listing: Task | None = None
        self._listing_began = 0.0
        self._listing_s = 0.0
        self._is_loaded = False
        self._shows_job = False
        """Whether the pane at the left shows the chosen job's log instead of the chosen file."""

    def compose_body(self) -> ComposeResult:
        with Vertical(id="library"):
            with Vertical(id="tree"):
                yield Input(placeholder=tr("library.filter"), id="filter")
                yield Static(id="columns")
                yield Static(id="empty")
                yield FileTree(id="files")
            with Horizontal(id="lower"):
                with VerticalScroll(id="details"):
                    yield Static(id="detail")
                yield JobsPane(id="jobs")

    def on_mount(self) -> None:
        self.query_one("#filter").display = False
        self.query_one("#tree").border_title = Content(tr("library.title"))
        self.query_one("#details").can_focus = True
        self.show_jobs(self.edgerag.jobs.all())
        self._show_empty()
        self.set_interval(RELOAD_S, self._reload_while_working)

    def on_screen_resume(self) -> None:
        self.reload()

    # --- files ------------------------------------------------------------------------------------

    def reload(self) -> None:
        """Look at the files anew, in the background."""
        if self._listing is not None:
            self._listing.cancel()
        self._listing_began = time.monotonic()
        self._listing = list_files(self.session, before=self.edgerag.jobs.started_at, to=self)

    def _reload_while_working(self) -> None:
        is_idle = self._listing is None or not self._listing.is_running
        rested = time.monotonic() - self._listing_began > RELOAD_SHARE * self._listing_s
        if self.is_current and is_idle and rested and any(job.is_active for job in self.edgerag.jobs.all()):
            self.reload()

    def on_library_changed(self, message: messages.LibraryChanged) -> None:
        if self.is_current:  # otherwise when it is shown again
            self.reload()

    def on_files_listed(self, message: messages.FilesListed) -> None:
        if self._listing is None or message.task_id != self._listing.id:
            return
        self._listing_s = time.monotonic() - self._listing_began
        self._is_loaded = True
        self.query_one(FileTree).load(message.listing.roots)
        self.query_one(JobsPane).show_earlier(message.listing.earlier)
        self._show_empty()
        self._show_title()
        self.refresh_bindings()

    def on_failed(self, message: messages.Failed) -> None:
        self.tell_failure(message)

    def _show_empty(self) -> None:
        tree = self.query_one(FileTree)
        text = ""
        if not self._is_loaded:
            text = tr("library.loading")
        elif not tree.roots:
            text = tr("library.welcome")
        elif not tree.rows:
            text = tr("library.no_problems" if self.only_problems and not tree.words else "library.nothing_fits")
        empty = self.query_one("#empty", Static)
        empty.display = bool(text)
        self.query_one("#columns").display = not text
        empty.update(Content.styled(text, "$muted"))

    def _show_title(self) -> None:
        box = self.query_one("#tree")
        box.border_subtitle = library_counts(self.query_one(FileTree).roots, is_watched=self.edgerag.jobs.is_watching)
        box.border_title = Content(tr("library.title_problems" if self.only_problems else "library.title"))

    def on_file_tree_resized(self, event: FileTree.Resized) -> None:
        event.stop()
        self.query_one("#columns", Static).update(self.query_one(FileTree).header())

    def on_file_tree_moved(self, event: FileTree.Moved) -> None:
        event.stop()
        if not self.query_one(JobsPane).has_focus:
            self._shows_job = False
        self._show_details()

    def _show_details(self) -> None:
        box, detail = self.query_one("#details"), self.query_one("#detail", Static)
        job, node = self.query_one(JobsPane).job, self.query_one(FileTree).node
        if self._shows_job and job is not None:
            box.border_title = Content(tr("jobs.log"))
            detail.update(job_log(job))
        else:
            box.border_title = Content(tr("library.details"))
            detail.update(file_details(node) if node is not None else Content(""))

    async def on_file_tree_chosen(self, event: FileTree.Chosen) -> None:
        event.stop()
        file = event.node.file
        assert file is not None
        if file.document_id is None:
            self.tell(say(file.reason) or tr("library.not_read"), severity="warning" if file.reason else "information")
            return
        from edgerag_tui.screens.document import DocumentScreen

        await self.edgerag.action_go("document")
        screen = self.app.screen
        assert isinstance(screen, DocumentScreen)
        screen.came_from = self.SECTION
        screen.open_document(str(file.document_id))

    # --- jobs -------------------------------------------------------------------------------------

    def on_jobs_changed(self, message: messages.JobsChanged) -> None:
        self.show_jobs(message.jobs)

    def show_jobs(self, jobs: tuple[Job, ...]) -> None:
        """Show where the jobs are."""
        self.query_one(JobsPane).show(jobs)
        self._show_title()
        if self._shows_job:
            self._show_details()
        self.refresh_bindings()

    def on_jobs_pane_moved(self, event: JobsPane.Moved) -> None:
        event.stop()
        if self.query_one(JobsPane).has_focus:
            self._shows_job = True
            self._show_details()
            self.refresh_bindings()

    def on_option_list_option_selected(self, event: JobsPane.OptionSelected) -> None:
        event.stop()
        self.query_one("#details").focus()

    def action_jobs(self) -> None:
        """To the jobs, and back to the files."""
        pane = self.query_one(JobsPane)
        if pane.has_focus or self.query_one("#details").has_focus:
            self._shows_job = False
            self.query_one(FileTree).focus()
            self._show_details()
        else:
            pane.focus()

    def _job(self) -> Job | None:
        """The job that keys are about: the chosen one, otherwise the one that runs, otherwise the newest."""
        pane = self.query_one(JobsPane)
        if pane.has_focus or self._shows_job:
            return pane.job
        return next((job for job in pane.jobs if job.is_active), pane.job)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if not self.is_mounted:
            return True
        if action in ("remove", "retry", "retry_all", "watch", "problems"):
            # None, not False: the help names them before there is anything they could be done with.
            return True if self.query_one(FileTree).roots else None
        if action not in ("pause", "cancel_job"):
            return True
        job = self._job()
        if job is None:
            return False
        return job.may_cancel if action == "cancel_job" else job.may_pause or job.may_resume

    def action_pause(self) -> None:
        """Pause the job, or go on with it."""
        job = self._job()
        if job is not None and job.may_pause:
            self.edgerag.jobs.pause(job.id)
        elif job is not None:
            self.edgerag.jobs.resume(job.id)

    def action_cancel_job(self) -> None:
        job = self._job()
        if job is None or not job.may_cancel:
            return

        def answer(yes: bool | None) -> None:
            if yes:
                self.edgerag.jobs.cancel(job.id)

        self.app.push_screen(ConfirmScreen(tr("jobs.cancel_really", name=job_name(job))), answer)

    # --- changing the library ---------------------------------------------------------------------

    def action_add(self) -> None:
        def add(path: str | None) -> None:
            if path is not None:
                self.edgerag.jobs.add((path,))

        self.app.push_screen(AddScreen("~/"), add)

    def action_remove(self) -> None:
        """Forget a source; of what lies in one, offer to name it in `.edgeragignore`."""
        node = self.query_one(FileTree).node
        if node is None:
            return
        if node.kind == "source":
            question = tr("library.remove_really", path=home_path(node.path), files=files_text(node.num_files))
            self.app.push_screen(ConfirmScreen(question), lambda yes: self._remove(node) if yes else None)
            return
        line = ignore_line(node.source_path, node.path, is_folder=node.kind == "folder")
        question = tr("library.leave_out_really", name=node.name, source=home_path(node.source_path), line=line)
        self.app.push_screen(ConfirmScreen(question), lambda yes: self._leave_out(node, line) if yes else None)

    def _remove(self, node: Node) -> None:
        self.edgerag.jobs.remove(node.path)

    def _leave_out(self, node: Node, line: str) -> None:
        try:
            leave_out(node.source_path, line)
        except EdgeragError as error:
            self.tell(say_with_hint(error.message, error.hint), severity="error")
        else:
            self.edgerag.jobs.sync()

    def action_retry(self) -> None:
        """Try the files at or below the cursor again that failed."""
        node = self.query_one(FileTree).node
        paths = tuple(file.path for file in node.files() if file.state == "failed") if node is not None else ()
        if paths:
            self.edgerag.jobs.retry(paths)
        else:
            self.tell(tr("library.nothing_failed"))

    def action_retry_all(self) -> None:
        self.edgerag.jobs.retry()

    def action_watch(self) -> None:
        """Sync whenever a file of a source changes, or no longer."""
        wanted = not self.edgerag.jobs.is_watching
        self.edgerag.jobs.watch(wanted)
        self.tell(tr("library.watch_on" if wanted else "library.watch_off"))

    # --- finding ----------------------------------------------------------------------------------

    def action_focus_main(self) -> None:
        """`/`: filter the files."""
        self.query_one("#filter").display = True
        self.query_one("#filter").focus()

    def action_problems(self) -> None:
        """Only the files that are not up to date, or all."""
        self.only_problems = not self.only_problems
        self._filter()

    def _filter(self) -> None:
        self.query_one(FileTree).filter(self.query_one("#filter", Input).value, only_problems=self.only_problems)
        self._show_empty()
        self._show_title()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._filter()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.query_one(FileTree).focus()

    def action_cancel(self) -> None:
        """`esc`: from the jobs to the files; close the filter; show all files again."""
        box = self.query_one("#filter", Input)
        tree = self.query_one(FileTree)
        if box.display:
            box.value = ""
            box.display = False
            tree.focus()
        elif not tree.has_focus:
            self._shows_job = False
            tree.focus()
            self._show_details()
        elif self.only_problems:
            self.action_problems()
