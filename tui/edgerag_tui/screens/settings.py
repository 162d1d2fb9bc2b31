"""Settings: every value with who gave it, what it may be, a way to change it and a way back."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import Input, OptionList

from edgerag.errors import SettingsError
from edgerag_tui import messages, safe, settings_work, strings, themes
from edgerag_tui.keymap import bind
from edgerag_tui.preferences import FILE_NAME, THEMES, Preferences, load_preferences, save_preferences
from edgerag_tui.screens.settings_content import details_content, fits, grouped, head_content, row_content, shown
from edgerag_tui.screens.settings_edit import EditScreen
from edgerag_tui.screens.table import TableScreen
from edgerag_tui.settings_work import SettingChange, SettingRow
from edgerag_tui.strings import say_with_hint, tr
from edgerag_tui.tasks import Task

INTERFACE = {"theme": THEMES, "language": strings.LANGUAGES}
"""What `tui.toml` keeps, with its values."""


class SettingsScreen(TableScreen[SettingRow]):
    """Above all settings by what they are for; below what is known of the chosen one. `rows`: those of the engine."""

    SECTION = "settings"
    FOCUS = "#filter"
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("slash", "focus_main", "screen.focus_main", name="actions.screen.filter"),
        bind("e", "edit", "settings.edit"),
        bind("r,delete", "reset", "settings.reset"),
        bind("o", "own", "settings.own"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.only_own = False
        self._problem = ""
        """Why the settings cannot be read."""

    def compose_filter(self) -> ComposeResult:
        yield Input(placeholder=tr("settings.filter"), id="filter")

    def on_mount(self) -> None:
        self.query_one("#filter").display = False
        self.query_one("#table").border_title = Content(tr("settings.title"))

    # --- the table --------------------------------------------------------------------------------

    def list_rows(self) -> Task:
        """Read the files."""
        return settings_work.list_settings(self.session, to=self)

    def on_settings_listed(self, message: messages.SettingsListed) -> None:
        if message.task_id == self._listing:
            self._problem = ""
        self.take_rows(message, message.rows)

    def on_failed(self, message: messages.Failed) -> None:
        if message.task_id == self._listing:
            self._problem = f"{message.problem} {message.hint}".strip()
            self.show_rows()
        self.tell_failure(message)

    def _interface(self) -> list[SettingRow]:
        """Theme and language: the application's own."""
        try:
            saved = load_preferences()
        except SettingsError:
            saved = Preferences()
        used = self.edgerag.preferences
        rows = []
        for name, choices in INTERFACE.items():
            in_file, now = getattr(saved, name), getattr(used, name)
            default = themes.default_theme() if name == "theme" else strings.language_of()
            running = self.app.theme if name == "theme" else now or default
            value = in_file or default if in_file == now else running
            origin = ("file" if in_file else "default") if in_file == now else "command"
            rows.append(SettingRow(name, value, default, origin, choices=choices, file=FILE_NAME))
            if self._language_changed and name == "language":
                rows[-1] = replace(rows[-1], until_restart=self._language_changed)
        return rows

    _language_changed = ""
    """Language of the widgets, once another one was chosen."""

    def show_rows(self) -> None:
        words = self.query_one("#filter", Input).value.casefold().split()
        everything = [*self._interface(), *self.rows, *settings_work.places(self.session)]
        wanted = [row for row in everything if fits(row, words) and not (self.only_own and row.origin == "default")]
        self.fill(
            ((tr(f"settings.group_{group}"), row) for group, row in grouped(wanted)),
            problem=safe.content(f"! {self._problem}", "$text-error") if self._problem else None,
            empty=tr("settings.nothing_fits"),
        )
        own = sum(row.origin != "default" for row in everything)
        count = tr("settings.count", number=len(everything), own=own)
        self.query_one("#table").border_subtitle = Content(count)

    def head(self, width: int) -> Content:
        return head_content(width)

    def row_line(self, row: SettingRow, width: int) -> Content:
        return row_content(row, width)

    def details_of(self, row: SettingRow, width: int) -> Content:
        return details_content(row, width)

    # --- changing ---------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action not in ("edit", "reset") or not self.is_mounted:
            return True
        # None, not False: the help names what may be done with other settings too.
        return True if self._may(action) else None

    def _may(self, action: str) -> bool:
        row = self.row
        if row is None or not row.can_change:
            return False
        return action == "edit" or row.origin in ("file", "session", "command")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.action_edit()

    def action_edit(self) -> None:
        """Turn a switch, go to the next theme or language, otherwise ask for the value."""
        row = self.row
        if row is None or not row.can_change:
            return
        if row.name in INTERFACE:
            choices = INTERFACE[row.name]
            self._prefer(row.name, choices[(choices.index(row.value) + 1) % len(choices)])
        elif isinstance(row.default, bool):
            settings_work.change_setting(self.session, row.name, "false" if row.value else "true", to=self)
        else:
            self.app.push_screen(EditScreen(row, self.session), self._tell_change)

    def action_reset(self) -> None:
        row = self.row
        if row is None or not self._may("reset"):
            return
        if row.name in INTERFACE:
            self._prefer(row.name, "")
        else:
            settings_work.reset_setting(self.session, row.name, to=self)

    def _prefer(self, name: str, value: str) -> None:
        """Keep a preference of the interface; a theme is put on at once."""
        app = self.edgerag
        if name == "language" and not self._language_changed:
            self._language_changed = app.preferences.language or strings.language_of()
        app.preferences = replace(app.preferences, **{name: value})  # type: ignore[arg-type]  # a name of INTERFACE
        if name == "theme":
            app.theme = value or themes.default_theme()
        elif (value or strings.language_of()) == self._language_changed:
            self._language_changed = ""
        try:
            save_preferences(app.preferences)
        except SettingsError as error:
            self.tell(say_with_hint(error.message, error.hint), severity="warning")
        self.show_rows()

    def on_setting_changed(self, message: messages.SettingChanged) -> None:
        self._tell_change(message.change)

    def _tell_change(self, change: SettingChange | None) -> None:
        if change is None:
            return
        if change.overridden_by:
            text = tr("settings.overridden", name=change.name, variable=change.overridden_by)
            self.tell(text, severity="warning")
        else:
            key = "settings.changed_later" if change.at_next_start else "settings.changed"
            self.tell(tr(key, name=change.name, before=shown(change.before), value=shown(change.value)))
        self.reload()

    # --- finding ----------------------------------------------------------------------------------

    def action_focus_main(self) -> None:
        """`/`: find a setting by name or meaning."""
        self.query_one("#filter").display = True
        self.query_one("#filter").focus()

    def action_own(self) -> None:
        """Only what is not at its default, or all."""
        self.only_own = not self.only_own
        key = "settings.title_own" if self.only_own else "settings.title"
        self.query_one("#table").border_title = Content(tr(key))
        self.show_rows()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.show_rows()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.query_one("#rows").focus()

    def action_cancel(self) -> None:
        """`esc`: close the filter, show all settings again, back to the list."""
        box = self.query_one("#filter", Input)
        if box.display:
            box.value = ""
            box.display = False
        elif self.only_own:
            self.action_own()
        self.query_one("#rows").focus()
