"""What every section's screen has: tabs, side bar, status line and key bar around a body of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Horizontal
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from edgerag_tui import messages
from edgerag_tui.keymap import bind
from edgerag_tui.session import Session
from edgerag_tui.status import Status
from edgerag_tui.strings import tr
from edgerag_tui.widgets.key_bar import KeyBar
from edgerag_tui.widgets.sidebar import Sidebar
from edgerag_tui.widgets.status_line import StatusLine
from edgerag_tui.widgets.top_bar import TopBar

if TYPE_CHECKING:
    from edgerag_tui.app import EdgeragApp


SMALLEST = (40, 15)
"""Columns and rows; below, nothing but a note of that is shown."""
SHORT = 20
"""Rows below which style sheets make secondary panes lower (`-short`)."""


class SectionScreen(Screen[None]):
    """A section. Subclasses give `SECTION`, `compose_body`, and where they have work to stop `action_cancel`."""

    SECTION: ClassVar[str]
    FOCUS: ClassVar[str] = ""
    """Selector of the widget that `/` goes to."""
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("slash", "focus_main", "screen.focus_main"),
        bind("escape", "cancel", "screen.cancel", show=False),
    ]

    def compose(self) -> ComposeResult:
        yield TopBar(self.SECTION)
        with Horizontal(id="frame"):
            yield Sidebar(self.SECTION)
            with Container(id="body"):
                yield from self.compose_body()
        yield StatusLine()
        yield KeyBar()
        yield Static(id="too-small")

    def compose_body(self) -> ComposeResult:
        """The section's own widgets."""
        raise NotImplementedError

    @property
    def edgerag(self) -> EdgeragApp:
        """The application, with its type."""
        from edgerag_tui.app import EdgeragApp  # the application imports its screens' base

        assert isinstance(self.app, EdgeragApp)
        return self.app

    @property
    def session(self) -> Session:
        return self.edgerag.session

    # Textual calls `on_...` handlers of all classes, the subclass's first: one that is overridden calls no `super`.

    def on_mount(self) -> None:
        self.edgerag.live_screens.add(self)
        self.show_status(self.session.status)
        self.query_one(Sidebar).show_conversations(self.edgerag.conversations)

    def on_status_changed(self, message: messages.StatusChanged) -> None:
        self.show_status(message.status)

    def show_status(self, status: Status) -> None:
        """Called on every change of the status, on the screen's thread; call `super` when you override it."""
        self.query_one(StatusLine).status = status

    def on_screen_resume(self) -> None:
        self.show_sidebar()

    def on_resize(self) -> None:
        self.show_sidebar()
        width, height = self.app.size
        is_too_small = width < SMALLEST[0] or height < SMALLEST[1]
        self.set_class(is_too_small, "-too-small")
        self.set_class(height < SHORT, "-short")
        if is_too_small:
            columns, rows = SMALLEST
            note = tr("too_small", width=width, height=height, columns=columns, rows=rows)
            self.query_one("#too-small", Static).update(Content(note))

    def show_sidebar(self) -> None:
        """Show or hide the side bar, as the width or the person wants it."""
        self.query_one(Sidebar).display = self.edgerag.shows_sidebar

    def action_focus_main(self) -> None:
        """`/`: where one types."""
        if self.FOCUS:
            self.query_one(self.FOCUS).focus()

    def action_cancel(self) -> None:
        """`esc`: stop what runs, or leave what is open; nothing by default."""

    def tell(self, text: str, *, severity: str = "information") -> None:
        """A note in the corner; text of any origin."""
        self.edgerag.tell(text, severity=severity)

    def tell_failure(self, message: messages.Failed) -> None:
        """The note for work that failed."""
        self.tell(f"{message.problem}\n{message.hint}".strip(), severity="error")
