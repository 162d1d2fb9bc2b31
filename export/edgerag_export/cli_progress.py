"""Progress of a build on stderr: a bar on a terminal, one line for each step elsewhere."""

from __future__ import annotations

import sys
from typing import Any

import click


class StepProgress:
    """Called with a step, what is done and what there is in all (0: not known); close it at the end."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._step = ""
        self._bar: Any = None
        self._task: Any = None

    def __call__(self, step: str, done: int, total: int) -> None:
        if self._quiet:
            return
        if not sys.stderr.isatty():
            if step != self._step:
                click.echo(step, err=True)
            self._step = step
            return
        if self._bar is None:
            self._bar = _bar()
            self._bar.start()
        if step != self._step:
            if self._task is not None:
                self._finish()
            self._task = self._bar.add_task(step, total=total or None)
            self._step = step
        self._bar.update(self._task, completed=done, total=total or None)

    def close(self) -> None:
        """Leave the last state on the screen."""
        if self._bar is not None:
            self._bar.stop()

    def _finish(self) -> None:
        task = self._bar.tasks[-1]
        self._bar.update(self._task, completed=task.total or 1, total=task.total or 1)


def _bar() -> Any:
    # deferred: 60 ms that a pipe does without
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description:<24}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
