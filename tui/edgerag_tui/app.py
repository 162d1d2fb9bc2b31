"""The application: sections as modes, bindings by action id, themes, and what the session announces."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar
from weakref import WeakSet

from textual.app import App
from textual.binding import BindingType
from textual.message import Message
from textual.notifications import SeverityLevel
from textual.widget import Widget

from edgerag.errors import SettingsError
from edgerag_tui import messages, safe, strings, themes, wrapping
from edgerag_tui.evidence import EvidenceItem
from edgerag_tui.job import JobState
from edgerag_tui.job_views import told_time
from edgerag_tui.jobs import Jobs
from edgerag_tui.keymap import SYNC_KEY, bind, check_keys, moved_keys
from edgerag_tui.leaving import SIGNAL_TIMEOUT_S, obey_signals
from edgerag_tui.preferences import THEMES, Preferences, save_preferences
from edgerag_tui.screens.base import SectionScreen
from edgerag_tui.sections import FIRST, SECTIONS
from edgerag_tui.session import Session
from edgerag_tui.strings import say, say_with_hint, tr
from edgerag_tui.vitals import Vitals, read_vitals
from edgerag_tui.widgets.sidebar import Sidebar
from edgerag_tui.widgets.top_bar import SectionTab

if TYPE_CHECKING:
    from edgerag.storage.turns import Conversation

WIDE = 110
"""Columns from which the side bar is shown without being asked for."""
LEAVE_QUIETLY_S = 0.15
"""Work that ends within this time of quitting is not worth a window that says so."""
RECHECK_INTERVAL_S = 60.0
"""How often the files of the library are looked at for changes, which reads none of them."""


class EdgeragApp(App[int]):
    """Someone's documents, for hours."""

    TITLE = "edgerag"
    CSS_PATH = "styles/app.tcss"
    MODES: ClassVar = {section.id: section.loader() for section in SECTIONS}
    DEFAULT_MODE = FIRST
    ENABLE_COMMAND_PALETTE = False
    """Textual's own binding for it has words in English only; ours opens the same palette."""
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("f1,question_mark", "help", "app.help"),
        bind("ctrl+p", "palette", "app.palette", priority=True),
        bind("ctrl+n", "new_conversation", "app.new_conversation", priority=True),
        bind(SYNC_KEY, "sync", "app.sync", priority=True),
        bind("ctrl+b", "toggle_sidebar", "app.sidebar", priority=True),
        bind("ctrl+o", "jump", "app.jump", priority=True),
        bind("ctrl+l", "conversations", "app.conversations", show=False, priority=True),
        bind("ctrl+t", "next_theme", "app.theme", show=False, priority=True),
        bind("ctrl+c", "copy_or_cancel", "app.copy_or_cancel", show=False),
        bind("ctrl+z", "suspend_process", "app.suspend", show=False),
        bind("ctrl+q", "quit", "app.quit", priority=True),
        # With priority: textual's text area has meanings of its own for F6 and F7.
        *(
            bind(section.keys, f"go('{section.id}')", f"app.go_{section.id}", show=False, priority=True)
            for section in SECTIONS
        ),
    ]

    def __init__(
        self,
        make_session: Callable[[Callable[[Message], object]], Session],
        *,
        preferences: Preferences | None = None,
        read_vitals: Callable[[], Vitals] = read_vitals,
    ) -> None:
        """
        Args:
            make_session: Gets what the session announces changes with.
            preferences: Theme, language and keys.
            read_vitals: Memory and sockets, for the status line.

        Raises:
            SettingsError: The preferences name an action that there is not.
        """
        self.preferences = preferences or Preferences()
        strings.use(self.preferences.language or strings.language_of(), moved_keys(self.preferences.keys))
        wrapping.install()
        super().__init__()
        self.read_vitals = read_vitals
        self.live_screens: WeakSet[SectionScreen] = WeakSet()
        self.session = make_session(self.post_message)
        self.jobs = Jobs(self.session, self.post_message)
        self.conversations: list[Conversation] = []
        """The saved ones, for screens that are opened later."""
        self.started = time.perf_counter()
        self.first_paint: float | None = None
        """When the first picture stood, by the same clock."""
        self.on_first_paint: list[Callable[[], object]] = []
        self.is_leaving = False
        """Whether somebody has quit, and only the end of work is waited for."""
        self.chosen_sidebar: bool | None = None
        """None: shown where there is room."""
        check_keys(self.preferences.keys, known_actions(), origin="tui.toml")
        for theme in themes.ALL:
            self.register_theme(theme)
        self.theme = self.preferences.theme or themes.default_theme()
        self.set_keymap(dict(self.preferences.keys))

    def on_mount(self) -> None:
        if not self.is_headless:
            obey_signals(self)
        # After `ctrl+z` and `fg` textual draws only what has changed, on a terminal that has been cleared.
        self.app_resume_signal.subscribe(self, lambda _: self.refresh(layout=True))
        self.call_after_refresh(self._first_painted)

    def _first_painted(self) -> None:
        # Not before: importing numpy and onnxruntime beside the first picture would make it late.
        self.first_paint = time.perf_counter()
        for call in self.on_first_paint:
            call()
        self.session.start()
        self.session.conversations.find(to=self)
        self.jobs.find_unfinished()
        self.set_interval(RECHECK_INTERVAL_S, self.session.refresh_counts)

    # --- leaving ----------------------------------------------------------------------------------

    async def action_quit(self) -> None:
        """Leave once all work has reached a safe point; a second time: at once."""
        if self.is_leaving:
            self.exit(0)
            return
        self.is_leaving = True
        self.session.close_in_background(lambda: self.post_message(messages.SessionClosed()))
        self.set_timer(LEAVE_QUIETLY_S, self._show_leaving)

    def _show_leaving(self) -> None:
        from edgerag_tui.screens.leaving import LeavingScreen

        if not self.session.is_closed:
            self.push_screen(LeavingScreen(self.session))

    def on_session_closed(self) -> None:
        self.exit(0)

    def end_soon(self, code: int) -> None:
        """Leave because the system says so: as `ctrl+q`, but not later than after `SIGNAL_TIMEOUT_S`."""
        self.is_leaving = True
        self.session.close_in_background(lambda: self.call_later(self.exit, code))
        self.set_timer(SIGNAL_TIMEOUT_S, lambda: self.exit(code))

    # --- what the session announces ---------------------------------------------------------------

    def on_status_changed(self, message: messages.StatusChanged) -> None:
        self._pass_on(message)

    def on_library_changed(self, message: messages.LibraryChanged) -> None:
        self._pass_on(message)

    def on_jobs_changed(self, message: messages.JobsChanged) -> None:
        self._pass_on(message)

    def on_jobs_offered(self, message: messages.JobsOffered) -> None:
        for job in message.jobs:
            key = "jobs.offered_pull" if job.kind == "pull" else "jobs.offered_sync"
            self.tell(tr(key, name="".join(job.paths), at=told_time(job.began_at)), severity="warning")

    def on_conversations_changed(self, message: messages.ConversationsChanged) -> None:
        self.session.conversations.find(to=self)
        self._pass_on(message)

    def _pass_on(self, message: Message) -> None:
        for screen in self.live_screens:
            screen.post_message(dataclasses.replace(message))  # type: ignore[type-var]  # a message has one receiver

    def on_conversations_listed(self, message: messages.ConversationsListed) -> None:
        self.conversations = message.conversations
        for screen in self.live_screens:
            screen.query_one(Sidebar).show_conversations(message.conversations)

    def on_ingest_file_failed(self, message: messages.IngestFileFailed) -> None:
        self.tell(tr("sync.failed", path=message.failure.path, reason=say(message.failure.reason)), severity="warning")

    def on_ingest_done(self, message: messages.IngestDone) -> None:
        summary = message.summary
        key = "sync.interrupted" if summary.interrupted else "sync.done"
        self.tell(
            tr(
                key,
                added=summary.added,
                updated=summary.updated,
                removed=summary.removed,
                failed=len(summary.failed),
                seconds=f"{summary.seconds:.1f}",
            )
        )

    def on_failed(self, message: messages.Failed) -> None:
        self.tell(f"{message.problem}\n{message.hint}".strip(), severity="error")

    def tell(self, text: str, *, severity: str = "information") -> None:
        """A note in the corner; text of any origin."""
        level: SeverityLevel = severity if severity in ("warning", "error") else "information"  # type: ignore[assignment]
        self.notify(safe.plain(text), severity=level, markup=False)

    # --- actions ----------------------------------------------------------------------------------

    async def action_go(self, section: str) -> None:
        """Open a section."""
        await self.switch_mode(section)

    async def open_conversation(self, conversation_id: int) -> None:
        """Show a saved conversation in the Ask screen."""
        await self.switch_mode(FIRST)
        self.session.conversations.open(conversation_id, to=self.screen)

    async def show_place(self, item: EvidenceItem) -> None:
        """Show a piece of evidence in its document; `esc` there comes back to this section."""
        from edgerag_tui.screens.document import DocumentScreen

        came_from = self.current_mode
        await self.switch_mode("document")
        screen = self.screen
        assert isinstance(screen, DocumentScreen)
        screen.came_from = came_from
        if item.citation is not None:
            screen.open_citation(item.citation)
        else:
            screen.open_document(str(item.document.id), item.start_chars, item.end_chars)

    async def action_new_conversation(self) -> None:
        await self.switch_mode(FIRST)
        await self.screen.run_action("new_conversation")

    def action_sync(self) -> None:
        """Bring the library up to date; while a job runs, pause it, and then go on with it."""
        if self.jobs.sync_or_pause().state is JobState.PAUSING:
            self.tell(tr("sync.stopping"))

    @property
    def shows_sidebar(self) -> bool:
        return self.size.width >= WIDE if self.chosen_sidebar is None else self.chosen_sidebar

    def action_toggle_sidebar(self) -> None:
        self.chosen_sidebar = not self.shows_sidebar
        for screen in self.live_screens:
            screen.show_sidebar()

    def action_next_theme(self) -> None:
        """The next of dark, light and high contrast; it is remembered."""
        place = THEMES.index(self.theme) if self.theme in THEMES else -1
        self.theme = THEMES[(place + 1) % len(THEMES)]
        self.preferences = dataclasses.replace(self.preferences, theme=self.theme)
        self.tell(tr("themes.now", name=tr(f"themes.{self.theme}")))
        try:
            save_preferences(self.preferences)
        except SettingsError as error:
            self.tell(say_with_hint(error.message, error.hint), severity="warning")

    async def action_copy_or_cancel(self) -> None:
        """`ctrl+c`: copy what is selected, otherwise cancel what runs; it never ends the program."""
        if text := self.screen.get_selected_text():
            self.copy_to_clipboard(safe.plain(text))
            self.screen.clear_selection()
            self.tell(tr("copied"))
        elif isinstance(self.screen, SectionScreen):
            self.screen.action_cancel()

    def action_help(self) -> None:
        from edgerag_tui.screens.help import HelpScreen

        self.push_screen(HelpScreen(self.screen))

    def action_palette(self) -> None:
        from textual.command import CommandPalette

        from edgerag_tui.palette import ActionProvider

        if not CommandPalette.is_open(self):  # type: ignore[arg-type]  # it takes App[object]
            self.push_screen(CommandPalette([ActionProvider], placeholder=tr("palette.placeholder")))

    def action_conversations(self) -> None:
        from edgerag_tui.screens.conversations import ConversationsScreen

        self.push_screen(ConversationsScreen())

    def action_jump(self) -> None:
        from edgerag_tui.screens.jump import JumpScreen, targets_of

        async def jump(widget: Widget | None) -> None:
            if isinstance(widget, SectionTab):
                await widget.go()
            elif widget is not None:
                widget.focus()

        if isinstance(self.screen, SectionScreen):
            self.push_screen(JumpScreen(targets_of(self.screen)), jump)


def known_actions() -> set[str]:
    """The id of every action in the catalogue: what a key map may name."""
    prefix = "actions."
    return {key.removeprefix(prefix) for key in strings.catalogue(strings.LANGUAGES[0]) if key.startswith(prefix)}
