"""The progress bar of an ingest, on stderr."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.text import Text

from edgerag.cli.safe_text import safe_line
from edgerag.datatypes import IngestProgress

NAME_WIDTH = 28


class IngestBar:
    """Files done of all, chunks per second, time left."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[told]}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task("scanning", total=None, told="")

    def __enter__(self) -> IngestBar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def update(self, event: IngestProgress) -> None:
        """Show where an ingest is."""
        name = event.current_path.replace("\\", "/").rsplit("/", 1)[-1]
        shown = Text(safe_line(name))
        shown.truncate(NAME_WIDTH, overflow="ellipsis", pad=False)
        if event.stage == "scan":
            self._progress.update(self._task, description="scanning", told=f"{event.total_files} files")
            return
        if event.stage == "index":
            self._progress.update(self._task, description="indexing", total=None, told=f"{event.done_chunks} chunks")
            return
        left = "" if event.eta_s is None else f" · {_duration(event.eta_s)} left"
        self._progress.update(
            self._task,
            description="reading",
            total=1.0,
            completed=event.done_share,
            told=f"{event.done_files}/{event.total_files} files · {event.chunks_per_s:.0f} chunks/s{left} · {shown}",
        )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
