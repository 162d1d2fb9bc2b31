"""Settings: every value with who gave it, what it may be, a way to change it and a way back."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from edgerag.errors import SettingsError
from edgerag_tui import messages, safe, settings_work, strings, themes
from edgerag_tui.keymap import bind
from edgerag_tui.preferences import FILE_NAME, THEMES, Preferences, load_preferences, save_preferences
from edgerag_tui.screens.base import SectionScreen
from edgerag_tui.screens.settings_content import details_content, fits, grouped, row_content, shown
from edgerag_tui.screens.settings_edit import EditScreen
from edgerag_tui.settings_work import SettingChange, SettingRow
from edgerag_tui.strings import tr

FRAME_CELLS = 7
"""Border, padding and scroll bar beside a row."""
INTERFACE = {"theme": THEMES, "language": strings.LANGUAGES}
"""What `tui.toml` keeps, with its values."""


class SettingsScreen(SectionScreen):
    """Above all settings by what they are for; below what is known of the chosen one."""

    SECTION = "settings"
    FOCUS = "#setting-filter"
    CSS_PATH = "../styles/settings.tcss"
    AUTO_FOCUS = "#setting-list"
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("e", "edit", "settings.edit"),
        bind("r,delete", "reset", "settings.reset"),
        bind("o", "own", "settings.own"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[SettingRow] = []
        """Those of the engine."""
        self.only_own = False
        self._shown: list[SettingRow | None] = []
        """For each option the setting it shows; None for a heading."""
        self._listing: int | None = None
        self._problem = ""
        """Why the settings cannot be read."""

    def compose_body(self) -> ComposeResult:
        with Vertical(id="settings"):
            yield Input(placeholder=tr("settings.filter"), id="setting-filter")
            yield OptionList(id="setting-list", markup=False)
            with VerticalScroll(id="setting-details"):
                yield Static(id="setting-detail")

    def on_mount(self) -> None:
        self.query_one("#setting-filter").display = False
        self.query_one("#setting-list").border_title = Content(tr("settings.title"))
        self.query_one("#setting-details").can_focus = True

    def on_screen_resume(self) -> None:
        self.reload()

    def on_resize(self) -> None:
        self.call_after_refresh(self.show_rows)

    # --- the list ---------------------------------------------------------------------------------

    def reload(self) -> None:
        """Read the files anew, in the background."""
        self._listing = settings_work.list_settings(self.session, to=self).id

    def on_settings_listed(self, message: messages.SettingsListed) -> None:
        if message.task_id == self._listing:
            self.rows, self._problem = message.rows, ""
            self.show_rows()

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

    @property
    def row(self) -> SettingRow | None:
        """The setting under the cursor."""
        place = self.query_one("#setting-list", OptionList).highlighted
        return self._shown[place] if place is not None and place < len(self._shown) else None

    def show_rows(self) -> None:
        """Draw the table anew; the cursor stays on its setting."""
        options = self.query_one("#setting-list", OptionList)
        chosen = self.row.name if self.row is not None else None
        width = max(60, self.query_one("#settings").size.width - FRAME_CELLS)
        words = self.query_one("#setting-filter", Input).value.casefold().split()
        everything = [*self._interface(), *self.rows, *settings_work.places(self.session)]
        wanted = [row for row in everything if fits(row, words) and not (self.only_own and row.origin == "default")]
        entries: list[Option] = []
        self._shown = []
        if self._problem:
            entries.append(Option(safe.content(f"! {self._problem}", "$text-error"), disabled=True))
            self._shown.append(None)
        group, at = "", None
        for place, row in grouped(wanted):
            if place != group:
                group = place
                entries.append(Option(Content.styled(tr(f"settings.group_{group}"), "$primary bold"), disabled=True))
                self._shown.append(None)
            if row.name == chosen or at is None:
                at = len(entries)
            entries.append(Option(row_content(row, width)))
            self._shown.append(row)
        if not wanted:
            entries.append(Option(Content.styled(tr("settings.nothing_fits"), "$muted"), disabled=True))
        scroll = options.scroll_offset
        with self.app.batch_update():
            options.clear_options()
            options.add_options(entries)
            options.highlighted = at
            options.scroll_to(y=scroll.y, animate=False)
        own = sum(row.origin != "default" for row in everything)
        options.border_subtitle = Content(tr("settings.count", number=len(everything), own=own))
        self._show_details()

    def _show_details(self) -> None:
        row = self.row
        box = self.query_one("#setting-details")
        box.border_title = Content(row.name) if row is not None else None
        text = details_content(row, max(30, box.size.width - 5)) if row is not None else Content("")
        self.query_one("#setting-detail", Static).update(text)
        self.refresh_bindings()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self._show_details()

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
            self.tell(f"{error} {error.hint}", severity="warning")
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
        self.query_one("#setting-filter").display = True
        self.query_one("#setting-filter").focus()

    def action_own(self) -> None:
        """Only what is not at its default, or all."""
        self.only_own = not self.only_own
        key = "settings.title_own" if self.only_own else "settings.title"
        self.query_one("#setting-list").border_title = Content(tr(key))
        self.show_rows()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.show_rows()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.query_one("#setting-list").focus()

    def action_cancel(self) -> None:
        """`esc`: close the filter, show all settings again, back to the list."""
        box = self.query_one("#setting-filter", Input)
        if box.display:
            box.value = ""
            box.display = False
        elif self.only_own:
            self.action_own()
        self.query_one("#setting-list").focus()
