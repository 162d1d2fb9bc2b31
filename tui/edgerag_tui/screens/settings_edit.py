"""The window in which a setting is changed; a value that does not fit stays in it, with the reason."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from edgerag_tui import messages, safe, settings_work
from edgerag_tui.keymap import bind
from edgerag_tui.screens.settings_content import about, allowed, shown, typed
from edgerag_tui.session import Session
from edgerag_tui.settings_work import SettingRow
from edgerag_tui.strings import tr
from edgerag_tui.widgets.marked_list import MarkedList


class EditScreen(ModalScreen["settings_work.SettingChange | None"]):
    """Comes back with what was changed, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("escape", "dismiss", "settings_edit.close"),
        bind("down", "choose(1)", "settings_edit.down", show=False, priority=True),
        bind("up", "choose(-1)", "settings_edit.up", show=False, priority=True),
    ]

    def __init__(self, row: SettingRow, session: Session) -> None:
        super().__init__()
        self._row = row
        self._session = session
        self._change: int | None = None
        """The task that waits for its end."""

    def compose(self) -> ComposeResult:
        row = self._row
        with Vertical(classes="panel edit") as panel:
            panel.border_title = Content(row.name)
            panel.border_subtitle = Content(tr("settings.edit_keys_choices" if row.choices else "settings.edit_keys"))
            yield Static(Content(about(row)))
            help_text = f"{allowed(row)} {tr('settings.default_is', value=shown(row.default))}"
            yield Static(safe.content_line(help_text, "$muted"))
            yield Input(safe.line(typed(row.value)), select_on_focus=True)
            yield Static(id="edit-problem")
            options = MarkedList(*(Option(safe.content_line(name)) for name in row.choices))
            options.can_focus = False
            options.display = bool(row.choices)
            options.highlighted = row.choices.index(row.value) if row.value in row.choices else None
            yield options

    def action_choose(self, step: int) -> None:
        """Put the next or previous of the known values into the box."""
        options = self.query_one(OptionList)
        if self._row.choices:
            before = options.highlighted
            place = (0 if step > 0 else -1) if before is None else before + step
            self._put(place % len(self._row.choices))

    def _put(self, place: int) -> None:
        self.query_one(OptionList).highlighted = place
        box = self.query_one(Input)
        box.value = self._row.choices[place]
        box.cursor_position = len(box.value)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._put(event.option_index)
        self.query_one(Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self._change is None:
            self.query_one("#edit-problem", Static).update(Content(""))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self._change is None:
            text = event.value if isinstance(self._row.default, tuple) else event.value.strip()
            self._change = settings_work.change_setting(self._session, self._row.name, text, to=self).id
            self.query_one("#edit-problem", Static).update(Content.styled(tr("settings.working"), "$muted"))

    def on_setting_changed(self, message: messages.SettingChanged) -> None:
        if message.task_id == self._change:
            self.dismiss(message.change)

    def on_failed(self, message: messages.Failed) -> None:
        if message.task_id == self._change:
            self._change = None
            text = f"! {message.problem}\n{message.hint}".strip()
            self.query_one("#edit-problem", Static).update(safe.content(text, "$text-error"))
