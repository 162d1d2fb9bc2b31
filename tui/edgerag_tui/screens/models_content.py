"""Models as rows of a table and as details; only text, no widget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from textual.content import Content

from edgerag.cli.render import format_size
from edgerag_tui import safe
from edgerag_tui.columns import facts, fit, right
from edgerag_tui.model_names import model_name
from edgerag_tui.models_work import SETTING_OF, ModelRow
from edgerag_tui.status import ModelStage, Status
from edgerag_tui.strings import tr
from edgerag_tui.tasks import Task

if TYPE_CHECKING:
    from edgerag.models.speed import Speed

COLUMNS = ("name", "size", "speed", "license", "state")
SIZE_WIDTH, SPEED_WIDTH, LICENSE_WIDTH, STATE_WIDTH = 8, 13, 13, 15
SPEED_FROM, LICENSE_FROM = 60, 80
"""Cells of a row from which these columns are shown."""
MOST_NOTES = 20


class Doing(Enum):
    """Work on a model."""

    WAITING = "waiting"
    PULLING = "pulling"
    STOPPING = "stopping"
    VERIFYING = "verifying"
    MEASURING = "measuring"
    SWITCHING = "switching"
    REMOVING = "removing"


@dataclass(slots=True)
class Activity:
    """What is being done with a model, or was done last."""

    doing: Doing | None
    """None: it has ended."""
    task: Task | None = None
    label: str = ""
    """File that is being downloaded."""
    done_bytes: int = 0
    total_bytes: int = 0
    began: float = 0.0
    """Of this file, by the monotonic clock."""
    began_bytes: int = 0
    now: float = 0.0
    notes: list[tuple[str, str]] = field(default_factory=list)
    """What it said, each with its style."""

    def note(self, text: str, style: str = "") -> None:
        """Say something; the oldest is forgotten."""
        self.notes = [*self.notes, (text, style)][-MOST_NOTES:]

    @property
    def bytes_per_s(self) -> float:
        """0 before anything came."""
        elapsed = self.now - self.began
        return (self.done_bytes - self.began_bytes) / elapsed if elapsed > 0.5 else 0.0


def is_used(row: ModelRow, status: Status) -> bool:
    """Whether questions go through it now."""
    model = status.models.get(SETTING_OF.get(row.task, ""))
    if model is None:
        return False
    if row.state == "builtin":
        if row.name == "none":
            return model.stage is ModelStage.ABSENT
        return model.name.startswith(f"{row.name}:")
    return bool(model.name) and model.name.casefold() == row.name.casefold()


def speed_short(speed: Speed | None) -> str:
    """One figure for the table."""
    if speed is None:
        return ""
    if speed.texts_per_s is not None:
        return tr("models.speed_texts", number=_figure(speed.texts_per_s))
    if speed.decode_tokens_per_s is not None:
        return tr("models.speed_tokens", number=_figure(speed.decode_tokens_per_s))
    return ""


def speed_long(speed: Speed | None) -> str:
    """Everything that was measured."""
    if speed is None:
        return tr("models.not_measured")
    parts = []
    if speed.decode_tokens_per_s is not None:
        parts.append(tr("models.writes", number=_figure(speed.decode_tokens_per_s)))
    if speed.prefill_tokens_per_s is not None:
        parts.append(tr("models.reads", number=_figure(speed.prefill_tokens_per_s)))
    if speed.texts_per_s is not None:
        parts.append(tr("models.texts", number=_figure(speed.texts_per_s)))
    if speed.query_ms is not None:
        parts.append(tr("models.query", number=_figure(speed.query_ms)))
    parts.append(tr("models.measured", threads=speed.threads, day=speed.measured_at[:10]))
    return " · ".join(parts)


def _figure(number: float) -> str:
    return f"{number:.1f}" if number < 10 else f"{number:,.0f}"


def state_content(row: ModelRow, activity: Activity | None, status: Status) -> Content:
    """One or two words: what is being done with it, otherwise where it is."""
    if activity is not None and activity.doing is Doing.PULLING and activity.total_bytes:
        share = f"{activity.done_bytes / activity.total_bytes:.0%}"
        return Content.styled(tr("models.share", share=share), "$accent bold")
    if activity is not None and activity.doing is not None:
        return Content.styled(tr(f"models.doing_{activity.doing.value}"), "$accent bold")
    if is_used(row, status):
        return Content.styled(tr("models.in_use"), "$text-success bold")
    if row.state == "broken":
        return Content.styled("! " + tr("models.state_broken"), "$text-error bold")
    return Content.styled(tr(f"models.state_{row.state}"), "$muted" if row.can_pull else "")


def _line(mark: str, cells: Sequence[Content | str], width: int) -> Content:
    """A line of the table: name, size, speed, licence, state. The details say the licence and the speed, so those
    columns go first where there is no room."""
    name, size, speed, license, state = cells
    parts: list[Content] = [right(size, SIZE_WIDTH)]
    if width >= SPEED_FROM:
        parts.append(right(speed, SPEED_WIDTH))
    if width >= LICENSE_FROM:
        parts.append(fit(license, LICENSE_WIDTH))
    parts.append(fit(state, STATE_WIDTH))
    others = sum(part.cell_length + 2 for part in parts)
    return Content("  ").join([Content(mark) + fit(name, max(6, width - len(mark) - others)), *parts])


def row_content(row: ModelRow, activity: Activity | None, status: Status, width: int) -> Content:
    """A line of the table, `width` cells wide."""
    # Something that is not here is told apart by more than its colour: the column of states says so too.
    name = safe.content_line(row.name, "$muted" if row.can_pull else "bold")
    if row.state == "builtin":
        name = Content.assemble(name, "  ", (model_name(row.name), "$muted"))
    size = format_size(row.size_bytes) if row.size_bytes else ""
    license = safe.content_line(row.license, "$muted")
    state = state_content(row, activity, status)
    return _line("▸ " if is_used(row, status) else "  ", (name, size, speed_short(row.speed), license, state), width)


def head_content(width: int) -> Content:
    """The names of the columns."""
    return _line("  ", [tr(f"models.column_{name}") for name in COLUMNS], width)


def bar(activity: Activity, width: int = 24) -> Content:
    """How far a download is; empty where the server does not say how long it is."""
    if not activity.total_bytes:
        return Content("")
    filled = round(width * activity.done_bytes / activity.total_bytes)
    return Content.assemble(("━" * filled, "$primary"), ("╌" * (width - filled), "$muted"))


def pull_content(activity: Activity) -> Content:
    """Bar, file, bytes and speed of a download."""
    done = format_size(activity.done_bytes)
    amount = done if not activity.total_bytes else tr("models.of", done=done, total=format_size(activity.total_bytes))
    parts = [Content(amount)]
    if activity.bytes_per_s:
        parts.append(Content(tr("models.rate", size=format_size(activity.bytes_per_s))))
        left_s = (activity.total_bytes - activity.done_bytes) / activity.bytes_per_s
        if left_s > 0:
            parts.append(Content(tr("models.left", minutes=int(left_s) // 60, seconds=f"{int(left_s) % 60:02}")))
    line = Content.assemble(safe.content_line(activity.label), "  ", Content(" · ").join(parts))
    return Content("\n").join([bar(activity), line]) if activity.total_bytes else line


def details_content(row: ModelRow, activity: Activity | None, width: int) -> Content:
    """What was last done with a model and everything that is known of it, `width` cells wide."""
    lines: list[Content] = []
    if activity is not None and activity.doing in (Doing.PULLING, Doing.STOPPING) and activity.label:
        lines.append(pull_content(activity))
    if activity is not None:
        lines += [safe.content(text, style) for text, style in reversed(activity.notes)]
    if lines:
        lines.append(Content(""))
    if row.state == "builtin":
        lines.append(Content(tr("models.about_maxsim" if row.name == "maxsim" else "models.about_none")))
    elif row.description:
        lines.append(safe.content_line(row.description, "$text-error" if row.state == "broken" else ""))
    if row.state == "untried":
        lines.append(Content.styled(tr("models.untried_hint"), "$muted"))
    languages = tr("models.any_language") if "*" in row.languages else ", ".join(row.languages)
    entries = [
        (tr("models.fact_speed"), speed_long(row.speed) if row.is_here else ""),
        (tr("models.fact_license"), row.license),
        (tr("models.fact_weights"), " · ".join(part for part in (row.parameters, row.precision) if part)),
        (tr("models.fact_tokens"), f"{row.max_tokens:,}" if row.max_tokens else ""),
        (tr("models.fact_languages"), languages),
        (tr("models.fact_source"), ", ".join(row.sources)),
        (tr("models.fact_folder"), row.folder),
    ]
    return Content("\n").join([*lines, *facts(entries, width)])
