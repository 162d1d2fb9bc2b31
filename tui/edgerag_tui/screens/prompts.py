"""Small windows: one line of text, or yes and no."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from edgerag_tui import safe
from edgerag_tui.keymap import bind
from edgerag_tui.strings import tr


class PromptScreen(ModalScreen["str | None"]):
    """Asks for one line; None when it is closed without an answer."""

    BINDINGS: ClassVar[list[BindingType]] = [bind("escape", "dismiss", "prompt.close")]

    def __init__(self, title: str, value: str = "", *, type: str = "text") -> None:
        """
        Args:
            title: Text of any origin.
            value: To begin with.
            type: As textual's `Input`: `text`, `integer`, `number`.
        """
        super().__init__()
        self._title = title
        self._value = value
        self._type = type

    def compose(self) -> ComposeResult:
        with Vertical(classes="panel prompt") as panel:
            panel.border_title = safe.content_line(self._title)
            panel.border_subtitle = Content(tr("prompt.keys"))
            yield Input(safe.line(self._value), type=self._type, select_on_focus=False)  # type: ignore[arg-type]

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(event.value.strip() or None)


class ConfirmScreen(ModalScreen[bool]):
    """Asks before something cannot be undone."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("y,enter", "answer(True)", "confirm.yes"),
        bind("n,escape", "answer(False)", "confirm.no"),
    ]

    def __init__(self, question: str) -> None:
        """`question` may be text of any origin."""
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        with Vertical(classes="panel prompt") as panel:
            panel.border_subtitle = Content(tr("confirm.keys"))
            yield Static(safe.content(self._question))

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)
