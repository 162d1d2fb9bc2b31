"""Models as tables, as JSON, and as a progress bar while one is pulled."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import click

from edgerag.cli.context import CliContext
from edgerag.cli.render import format_size
from edgerag.cli.safe_text import safe_line
from edgerag.models.catalogue import CatalogueEntry
from edgerag.models.events import PullEvent, PullNote, PullProgress
from edgerag.models.store import BrokenModel, InstalledModel

HEADINGS = ("name", "task", "size", "licence", "state", "about")


def model_json(model: InstalledModel) -> dict[str, Any]:
    """An installed model, as `--json` shows it."""
    manifest = model.manifest
    return {
        "name": model.name,
        "task": manifest.task,
        "bundled": model.bundled,
        "folder": str(model.folder),
        "size_bytes": model.size_bytes,
        "license": manifest.license,
        "precision": manifest.precision,
        "max_tokens": manifest.max_tokens,
        "languages": list(manifest.languages),
        "source": manifest.source,
    }


def entry_json(entry: CatalogueEntry) -> dict[str, Any]:
    """A model that can be pulled, as `--json` shows it."""
    return {
        "name": entry.name,
        "task": entry.task,
        "description": entry.description,
        "size_bytes": entry.size_bytes or None,
        "license": entry.license,
        "family": entry.family,
        "parameters": entry.parameters,
        "context_tokens": entry.context_tokens or None,
        "tried": entry.tried,
        "user_entry": entry.is_user_entry,
        "sources": [str(source) for source in entry.sources],
    }


def print_table(
    installed: Sequence[InstalledModel],
    available: Sequence[CatalogueEntry],
    broken: Sequence[BrokenModel],
    *,
    color: bool,
) -> None:
    """Installed models first, then what could be pulled, then what is broken."""
    rows = [_installed_row(model) for model in installed]
    rows += [_available_row(entry) for entry in available]
    rows += [(folder.name, "", "", "", "broken", folder.reason) for folder in broken]
    safe_rows = [tuple(safe_line(cell) for cell in row) for row in rows]
    if not sys.stdout.isatty():
        # A line a model, cells parted by tabs: for `cut` and `awk`. `--json` is the stable form.
        for row in (HEADINGS, *safe_rows):
            click.echo("\t".join(row))
        return
    from rich.console import Console  # deferred: 60 ms that a pipe does without
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in HEADINGS:
        table.add_column(heading, justify="right" if heading == "size" else "left", no_wrap=heading in ("name", "size"))
    for row in safe_rows:
        # Text objects, never strings: a name from a manifest must not be read as markup.
        table.add_row(*(Text(cell) for cell in row))
    Console(no_color=not color, highlight=False).print(table)


def _installed_row(model: InstalledModel) -> tuple[str, ...]:
    manifest = model.manifest
    state = "bundled" if model.bundled else "installed"
    return (
        model.name,
        manifest.task,
        format_size(model.size_bytes),
        manifest.license,
        state,
        manifest.precision,
    )


def _available_row(entry: CatalogueEntry) -> tuple[str, ...]:
    size = format_size(entry.size_bytes) if entry.size_bytes else "?"
    state = "available" if entry.tried else "untried"
    return (entry.name, entry.task, size, entry.license, state, entry.description)


class PullView:
    """Shows the events of a pull on stderr: a bar on a terminal, lines elsewhere, nothing under `-q`."""

    def __init__(self, context: CliContext) -> None:
        self._context = context
        self._bar: Any = None
        self._task: Any = None
        self._label = ""
        self._told_percent = 0

    def __enter__(self) -> PullView:
        if self._context.shows_progress:
            self._bar = _make_bar()
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, event: PullEvent) -> None:
        """Show one event; the result is the caller's to tell."""
        if isinstance(event, PullNote):
            self._note(event)
        elif isinstance(event, PullProgress):
            self._progress(event)

    def _note(self, event: PullNote) -> None:
        text = f"{'warning: ' if event.is_warning else ''}{safe_line(event.text)}"
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            self._context.note(text)

    def _progress(self, event: PullProgress) -> None:
        is_new = event.label != self._label
        self._label = event.label
        if self._bar is not None:
            if is_new:
                if self._task is not None:
                    self._bar.remove_task(self._task)
                self._task = self._bar.add_task(safe_line(event.label), total=event.total_bytes or None)
            self._bar.update(self._task, completed=event.done_bytes, total=event.total_bytes or None)
            return
        if is_new:
            self._told_percent = -1
        if not event.total_bytes:
            return
        # A line a quarter: a log is readable, and shows that something happens.
        percent = 100 * event.done_bytes // event.total_bytes // 25 * 25
        if percent > self._told_percent:
            self._told_percent = percent
            done, total = format_size(event.done_bytes), format_size(event.total_bytes)
            self._context.note(f"{safe_line(event.label)}: {percent} % ({done} of {total})")


def _make_bar() -> Any:
    # deferred: only a terminal needs it
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
