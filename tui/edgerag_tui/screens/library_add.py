"""The window that asks for a file or folder, with completion from the disk."""

from __future__ import annotations

import os
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option
from textual.worker import get_current_worker

from edgerag_tui import safe
from edgerag_tui.keymap import bind
from edgerag_tui.path_completion import Completion, common_start, complete, read_path
from edgerag_tui.strings import tr
from edgerag_tui.widgets.marked_list import MarkedList


class AddScreen(ModalScreen["str | None"]):
    """Comes back with an absolute path that exists, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("escape", "dismiss", "library_add.close"),
        bind("tab", "complete", "library_add.complete", priority=True),
        bind("down", "move(1)", "library_add.down", show=False, priority=True),
        bind("up", "move(-1)", "library_add.up", show=False, priority=True),
    ]

    def __init__(self, value: str = "") -> None:
        super().__init__()
        self._value = value
        self._found: list[Completion] = []
        self._found_for: str | None = None
        """What was typed when `_found` was found."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="panel add") as panel:
            panel.border_title = Content(tr("library.add_title"))
            panel.border_subtitle = Content(tr("library.add_keys"))
            yield Input(self._value, placeholder=tr("library.add_placeholder"), select_on_focus=False)
            yield Static(id="problem")
            yield MarkedList(id="completions")
            yield Static(Content.styled(tr("library.add_note"), "$muted"), id="note")

    def on_mount(self) -> None:
        self.query_one("#completions").can_focus = False
        self._look()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.query_one("#problem", Static).update(Content(""))
        self._look()

    def _look(self) -> None:
        self._find(self.query_one(Input).value)

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _find(self, typed: str) -> None:
        # In a thread: a folder on a network drive may take its time.
        found = complete(typed) if typed else []
        if not get_current_worker().is_cancelled:
            self.app.call_from_thread(self._show, typed, found)

    def _show(self, typed: str, found: list[Completion]) -> None:
        if not self.is_attached or typed != self.query_one(Input).value:
            return
        self._found, self._found_for = found, typed
        options = self.query_one("#completions", OptionList)
        options.clear_options()
        options.add_options(Option(completion_content(each)) for each in found)
        if found:
            options.highlighted = 0

    # --- actions ----------------------------------------------------------------------------------

    def action_move(self, step: int) -> None:
        options = self.query_one("#completions", OptionList)
        if self._found:
            options.highlighted = ((options.highlighted or 0) + step) % len(self._found)

    def action_complete(self) -> None:
        """As far as all agree; then, and after the arrow keys, what the cursor is on."""
        box = self.query_one(Input)
        if not self._found or self._found_for != box.value:
            return
        place = self.query_one("#completions", OptionList).highlighted or 0
        common = common_start(self._found, box.value)
        self._put(self._found[place].text if place or common == box.value else common)

    def _put(self, text: str) -> None:
        box = self.query_one(Input)
        box.value = text
        box.cursor_position = len(text)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._put(self._found[event.option_index].text)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        path = read_path(event.value)
        if path is not None and os.path.lexists(path):
            self.dismiss(str(path))
        else:
            problem = tr("library.add_empty") if path is None else tr("library.add_missing", path=path)
            self.query_one("#problem", Static).update(safe.content_line(f"! {problem}", "$text-error"))


def completion_content(found: Completion) -> Content:
    """One entry of a folder."""
    name = safe.content_line(found.name)
    return Content.assemble(name.stylize("bold"), os.sep) if found.is_folder else name
