"""The terminal belongs to the application alone: nothing else is written to it, and what is written is UTF-8."""

from __future__ import annotations

import contextlib
import io
import logging
import logging.handlers
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from edgerag import paths

LOG_NAME = "tui.log"
MOST_LOGGED_BYTES = 500_000


class _FileHandler(logging.handlers.RotatingFileHandler):
    """A log that is made when there is something to log, and never a reason to fail."""

    def __init__(self, file: Path) -> None:
        super().__init__(file, maxBytes=MOST_LOGGED_BYTES, backupCount=1, encoding="utf-8", delay=True)
        self.num_errors = 0

    def emit(self, record: logging.LogRecord) -> None:
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        self.num_errors += record.levelno >= logging.ERROR
        super().emit(record)

    def handle(self, record: logging.LogRecord) -> bool:
        with contextlib.suppress(OSError):
            return super().handle(record)
        return False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """A full disk, say: it would be written across the screen."""


@contextlib.contextmanager
def own_terminal() -> Iterator[None]:
    """Meanwhile what is logged goes into `tui.log` in the settings folder; afterwards a line tells of errors in it.

    The locale of a login over ssh often names no encoding while the terminal speaks UTF-8. Without it there are no
    lines and no Chinese, so it is used whatever the locale says.
    """
    for stream in (sys.__stdout__, sys.__stderr__):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower().replace("-", "") != "utf8":
            stream.reconfigure(encoding="utf-8", errors="replace")
    root = logging.getLogger()
    before = root.handlers[:]
    file = paths.config_dir() / LOG_NAME
    handler = _FileHandler(file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root.handlers[:] = [handler]
    try:
        yield
    finally:
        root.handlers[:] = before
        handler.close()
        if handler.num_errors:
            click.echo(f"What went wrong is told in {file}.", err=True)
