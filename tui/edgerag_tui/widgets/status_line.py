"""The line that is always visible: library and freshness, models, speed, memory, sockets, what is degraded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Static

from edgerag.cli.render import format_size
from edgerag_tui import safe
from edgerag_tui.model_names import model_name
from edgerag_tui.status import ModelStage, Status
from edgerag_tui.strings import degraded_stage, tr
from edgerag_tui.vitals import Vitals

if TYPE_CHECKING:
    from edgerag_tui.app import EdgeragApp

VITALS_INTERVAL_S = 2.0
SEPARATOR = " │ "


class StatusLine(Widget):
    """Shortens itself to the width there is; the shield and what went wrong are the last to go."""

    DEFAULT_CSS = """
    StatusLine { height: 1; background: $surface; color: $foreground; }
    StatusLine Static { height: 1; width: 1fr; text-wrap: nowrap; padding: 0 1; }
    """
    status: reactive[Status] = reactive(Status, always_update=True)

    def compose(self) -> ComposeResult:
        yield Static(id="status")

    def on_mount(self) -> None:
        self.set_interval(VITALS_INTERVAL_S, self.show)
        self.show()

    def on_resize(self) -> None:
        self.show()

    def watch_status(self) -> None:
        if self.is_mounted:
            self.show()

    def show(self) -> None:
        """Put the status on the line."""
        if self.screen.is_current:
            app: EdgeragApp = self.app  # type: ignore[assignment]
            self.query_one("#status", Static).update(
                status_content(self.status, app.read_vitals(), self.size.width - 2)
            )


def status_content(status: Status, vitals: Vitals, width: int) -> Content:
    """The line for a width in cells: the longest form of every part that fits."""
    parts = [
        _library(status),
        _degraded(status),
        _models(status),
        _speed(status),
        _memory(vitals),
        _shield(status, vitals),
    ]
    shown = [forms[0] for forms in parts]
    # Shortened in this order, one step at a time: models, library, speed, memory, what is degraded.
    for place in (2, 0, 3, 4, 1, 0, 0):
        if _width(shown) <= width:
            break
        forms = parts[place]
        shown[place] = forms[min(forms.index(shown[place]) + 1, len(forms) - 1)]
    left, right = shown[0], [part for part in shown[1:] if part]
    while len(right) > 1 and _width([left, *right]) > width:
        del right[-2]  # the last one is the shield
    tail = Content(SEPARATOR).join(right)
    left = left.truncate(max(0, width - tail.cell_length - 1), ellipsis=True)
    return Content.assemble(left, " " * max(0, width - left.cell_length - tail.cell_length), tail)


def _width(parts: list[Content]) -> int:
    present = [part for part in parts if part]
    return sum(part.cell_length for part in present) + len(SEPARATOR) * max(0, len(present) - 1)


def _library(status: Status) -> list[Content]:
    if status.problem:
        return [safe.content_line(f"! {status.problem}", "$text-error bold")]
    if not status.is_open:
        return [Content(tr("status.opening"))]
    name = safe.line(Path(status.library).name)
    number = status.num_documents
    counts = tr("status.one_document") if number == 1 else tr("status.documents", number=f"{number:,}")
    if status.sync is not None:
        share = f"{status.sync.done_share:.0%}"
        rate = f"{status.sync.chunks_per_s:.0f}"
        long = tr("status.syncing_long", stage=tr(f"stages.{status.sync.stage}"), share=share, rate=rate)
        return [Content(f"{name} · {long}"), Content(tr("status.syncing", share=share))]
    if not status.num_documents and not status.num_failed and not status.num_stale:
        empty = Content(tr("status.empty"))
        return [Content.assemble((name, "bold"), " · ", empty), empty]
    if status.num_stale is None:
        freshness = Content(tr("status.checking"))
    elif status.num_stale:
        freshness = Content.styled("! " + tr("status.stale", number=status.num_stale), "$text-warning")
    else:
        freshness = Content(tr("status.fresh"))
    forms = [
        Content.assemble((name, "bold"), f" · {counts} · ", freshness),
        Content(f"{counts} · ") + freshness,
        freshness,
    ]
    if not status.num_failed:
        return forms
    # Said in every form: what could not be read is missing from every answer.
    failed = Content.styled("! " + tr("status.failed", number=f"{status.num_failed:,}"), "$text-warning")
    forms = [Content.assemble(form, " · ", failed) for form in forms]
    return forms if status.num_stale else [*forms, failed]


def _models(status: Status) -> list[Content]:
    models = status.models
    broken = [role for role, model in models.items() if model.stage is ModelStage.FAILED]
    if broken:
        names = ", ".join(tr(f"roles.{role}") for role in broken)
        return [Content.styled("! " + tr("status.model_failed", roles=names), "$text-error")]
    loading = [role for role, model in models.items() if model.stage is ModelStage.LOADING]
    if status.is_open and loading:
        text = tr("status.loading", role=tr(f"roles.{loading[0]}"))
        return [Content(text), Content(tr("status.loading_short"))]
    if status.is_loading:
        return [Content("")]
    names = " · ".join(model_name(model.name) for model in models.values() if model.name)
    generator = status.generator.name or tr("status.no_generator")
    return [
        safe.content_line(names if status.generator.name else f"{names} · {generator}"),
        safe.content_line(generator),
    ]


def _speed(status: Status) -> list[Content]:
    if status.tokens_per_s is None:
        return [Content("")]
    return [Content(tr("status.speed", number=f"{status.tokens_per_s:.0f}")), Content("")]


def _memory(vitals: Vitals) -> list[Content]:
    if vitals.memory_bytes is None:
        return [Content("")]
    return [Content(format_size(vitals.memory_bytes)), Content("")]


def _shield(status: Status, vitals: Vitals) -> list[Content]:
    if status.pulling:
        # Said even where no socket is counted: pip, in a process of its own, may hold it.
        text = tr("status.pulling", name=safe.line(status.pulling), number=vitals.num_sockets or 0)
        return [Content.styled("! " + text, "$text-warning bold reverse")]
    if vitals.num_sockets is None:
        return [Content(tr("status.offline_unknown"))]
    if vitals.num_sockets == 0:
        return [Content.styled(tr("status.offline"), "$text-success")]
    return [Content.styled("! " + tr("status.online", number=vitals.num_sockets), "$text-error bold reverse")]


def _degraded(status: Status) -> list[Content]:
    stages = list(dict.fromkeys(degraded_stage(entry) for entry in status.degraded))
    if not stages:
        return [Content("")]
    names = safe.line(tr("status.and").join(stages))
    return [
        Content.styled("! " + tr("status.degraded", stages=names), "$text-warning"),
        Content.styled("! " + tr("status.degraded_short", number=len(stages)), "$text-warning"),
    ]
