"""Models: what is installed and what could be, which are in use, and the only way to the network."""

from __future__ import annotations

import time
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.widgets import OptionList

from edgerag.cli.render import format_size
from edgerag_tui import messages, models_work, settings_work
from edgerag_tui.keymap import bind
from edgerag_tui.models_work import ModelRow
from edgerag_tui.screens.models_content import Activity, Doing, details_content, head_content, is_used, row_content
from edgerag_tui.screens.prompts import ConfirmScreen
from edgerag_tui.screens.table import TableScreen
from edgerag_tui.status import Status
from edgerag_tui.strings import say, tr
from edgerag_tui.tasks import Task


class ModelsScreen(TableScreen[ModelRow]):
    """Above all models by what they are for; below what is known of the chosen one, and the work on it."""

    SECTION = "models"
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("u", "use", "models.use"),
        bind("p", "pull", "models.pull"),
        bind("x", "stop", "models.stop"),
        bind("m", "measure", "models.measure"),
        bind("v", "verify", "models.verify"),
        bind("d,delete", "remove", "models.remove"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.activities: dict[str, Activity] = {}
        """By name: what is being done with a model, or was done last."""
        self._names: dict[int, str] = {}
        """What each task is about."""

    def on_mount(self) -> None:
        self.query_one("#table").border_title = Content(tr("models.title"))

    def show_status(self, status: Status) -> None:
        super().show_status(status)
        if self.rows:
            self.show_rows()

    # --- the table --------------------------------------------------------------------------------

    def list_rows(self) -> Task:
        """Look at the disk and the catalogue."""
        return models_work.list_models(self.session, to=self)

    def on_models_listed(self, message: messages.ModelsListed) -> None:
        self.take_rows(message, message.rows)

    def show_rows(self) -> None:
        self.fill((tr(f"models.task_{row.task or 'none'}"), row) for row in self.rows)
        num_here = sum(row.is_here for row in self.rows)
        size = format_size(sum(row.size_bytes for row in self.rows if row.is_here))
        self.query_one("#table").border_subtitle = Content(tr("models.count", number=num_here, size=size))

    def head(self, width: int) -> Content:
        return head_content(width)

    def row_line(self, row: ModelRow, width: int) -> Content:
        return row_content(row, self.activities.get(row.name), self.session.status, width)

    def details_of(self, row: ModelRow, width: int) -> Content:
        return details_content(row, self.activities.get(row.name), width)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter: use what is here, pull what is not."""
        event.stop()
        if self.row is not None:
            if self.row.can_pull:
                self.action_pull()
            else:
                self.action_use()

    # --- work on models ---------------------------------------------------------------------------

    def _activity(self, name: str) -> Activity | None:
        activity = self.activities.get(name)
        return activity if activity is not None and activity.doing is not None else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "focus_main":
            return False  # nothing is typed here
        if action not in ("use", "pull", "stop", "measure", "verify", "remove") or not self.is_mounted:
            return True
        # None, not False: the help names what may be done with other models too.
        return True if self._may(action) else None

    def _may(self, action: str) -> bool:
        """Whether an action fits the model under the cursor now."""
        row = self.row
        if row is None:
            return False
        activity = self._activity(row.name)
        if action == "stop":
            return activity is not None and activity.doing in (Doing.WAITING, Doing.PULLING, Doing.MEASURING)
        if activity is not None:
            return False
        if action == "pull":
            return row.can_pull
        if action == "remove":
            return row.state in ("installed", "broken")
        if action == "use":
            return (row.is_here or row.state == "builtin") and not is_used(row, self.session.status)
        return row.is_here

    def _begin(self, row: ModelRow, activity: Activity) -> None:
        assert activity.task is not None
        self.activities[row.name] = activity
        self._names[activity.task.id] = row.name
        self.show_row(row.name)

    def action_use(self) -> None:
        """Switch to a generator or reranker now; to an embedding model at the next start."""
        row = self.row
        if row is None or not self._may("use"):
            return

        def use(yes: bool | None = True) -> None:
            if yes:
                setting = models_work.SETTING_OF[row.task]
                task = settings_work.change_setting(self.session, setting, row.name, to=self)
                self._begin(row, Activity(Doing.SWITCHING, task))

        if row.task == "embedding":
            self.app.push_screen(ConfirmScreen(tr("models.embedder_really", name=row.name)), use)
        else:
            use()

    def action_pull(self) -> None:
        row = self.row
        if row is None or not self._may("pull"):
            return

        def pull(yes: bool | None) -> None:
            if yes:
                task = models_work.pull_model(self.session, row.name, to=self)
                self._begin(row, Activity(Doing.WAITING, task))

        size = format_size(row.size_bytes) if row.size_bytes else tr("models.size_unknown")
        source = row.sources[0] if row.sources else ""
        self.app.push_screen(ConfirmScreen(tr("models.pull_really", name=row.name, size=size, source=source)), pull)

    def action_stop(self) -> None:
        row = self.row
        activity = self._activity(row.name) if row is not None else None
        if row is None or activity is None or activity.task is None or not self._may("stop"):
            return
        activity.task.cancel()
        if activity.doing is Doing.WAITING:
            # Work that has not begun says nothing when it is dropped.
            activity.doing = None
            activity.note(tr("models.pull_stopped"))
        else:
            activity.doing = Doing.STOPPING
        self.show_row(row.name)

    def action_verify(self) -> None:
        row = self.row
        if row is not None and self._may("verify"):
            self._begin(row, Activity(Doing.VERIFYING, models_work.verify_model(self.session, row.name, to=self)))

    def action_measure(self) -> None:
        row = self.row
        if row is not None and self._may("measure"):
            self._begin(row, Activity(Doing.MEASURING, models_work.measure_model(self.session, row.name, to=self)))

    def action_remove(self) -> None:
        row = self.row
        if row is None or not self._may("remove"):
            return

        def remove(yes: bool | None) -> None:
            if yes:
                task = models_work.remove_model(self.session, row.name, row.task, to=self)
                self._begin(row, Activity(Doing.REMOVING, task))

        key = "models.remove_used_really" if is_used(row, self.session.status) else "models.remove_really"
        question = tr(key, name=row.name, size=format_size(row.size_bytes), folder=row.folder)
        self.app.push_screen(ConfirmScreen(question), remove)

    # --- what the work says -----------------------------------------------------------------------

    def on_pull_advanced(self, message: messages.PullAdvanced) -> None:
        from edgerag.models.events import PullNote, PullProgress

        name = self._names.get(message.task_id, "")
        activity = self.activities.get(name)
        if activity is None:
            return
        if activity.doing is Doing.WAITING:
            activity.doing = Doing.PULLING
        match message.event:
            case PullProgress(label, done_bytes, total_bytes):
                activity.now = time.monotonic()
                if label != activity.label:
                    activity.label, activity.began, activity.began_bytes = label, activity.now, done_bytes
                activity.done_bytes, activity.total_bytes = done_bytes, total_bytes
            case PullNote(text, is_warning):
                mark, style = ("! ", "$text-warning") if is_warning else ("", "$muted")
                activity.note(mark + say(text), style)
        self.show_row(name)

    def on_finished(self, message: messages.Finished) -> None:
        name = self._names.pop(message.task_id, "")
        activity = self.activities.get(name)
        if activity is None:
            return
        activity.doing = None
        match message.name:
            case "pull":
                activity.notes = [note for note in activity.notes if note[1] == "$text-warning"]
                self._told(activity, tr("models.pulled", name=name))
            case "verify" if message.result:
                problems = "\n".join(f"! {say(problem)}" for problem in message.result)
                activity.note(f"{problems}\n{tr('models.damaged_hint')}", "$text-error")
                self.tell(tr("models.damaged", name=name), severity="error")
            case "verify":
                self._told(activity, tr("models.whole", name=name))
            case "measure":
                activity.notes = []
            case "remove":
                self.activities.pop(name)
                self.tell(tr("models.removed", name=name))
        self.reload()

    def _told(self, activity: Activity, text: str) -> None:
        activity.note(text, "$text-success")
        self.tell(text)

    def on_setting_changed(self, message: messages.SettingChanged) -> None:
        name = self._names.pop(message.task_id, "")
        self.activities.pop(name, None)
        change = message.change
        if change.at_next_start:
            self.tell(tr("models.used_later", name=name))
        elif change.overridden_by:
            self.tell(tr("settings.overridden", name=name, variable=change.overridden_by), severity="warning")
        else:
            self.tell(tr("models.used", name=name))
        self.show_rows()

    def on_failed(self, message: messages.Failed) -> None:
        name = self._names.pop(message.task_id, "")
        activity = self.activities.get(name)
        if activity is None:
            self.tell_failure(message)
            return
        was_stopped = activity.task is not None and activity.task.stop.is_set()
        is_pull = activity.doing in (Doing.PULLING, Doing.STOPPING, Doing.WAITING) and message.name == "pull"
        activity.doing = None
        if was_stopped:
            activity.note(tr("models.pull_stopped" if is_pull else "models.measure_stopped"))
        else:
            activity.note(f"! {message.problem}\n{message.hint}".strip(), "$text-error")
            self.tell_failure(message)
        self.show_row(name)

    def action_cancel(self) -> None:
        """`esc`: back to the list."""
        self.query_one("#rows").focus()
