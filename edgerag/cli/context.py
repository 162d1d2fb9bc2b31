"""What every command shares: the global options, and the one way to print."""

from __future__ import annotations

import codecs
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from edgerag.config import Settings, load_settings

SCHEMA_VERSION = 1
"""Of every JSON object on stdout; grows when a field changes its meaning or goes."""


@dataclass(slots=True)
class CliContext:
    """The global options; `ctx.obj` of every command."""

    library: Path | None = None
    as_json: bool = False
    quiet: bool = False
    verbose: int = 0
    color: bool = True
    _settings: Settings | None = None

    def settings(self) -> Settings:
        """The settings, read once.

        Raises:
            SettingsError: As `load_settings`.
        """
        if self._settings is None:
            self._settings = load_settings()
        return self._settings

    def print_json(self, value: dict[str, Any]) -> None:
        """One JSON object, on one line, with `schema_version`."""
        # JSON is UTF-8. Where stdout has another encoding, ASCII is in both; an escape of the stream would be no JSON.
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        ensure_ascii = codecs.lookup(encoding).name != "utf-8"
        click.echo(json.dumps({"schema_version": SCHEMA_VERSION, **value}, ensure_ascii=ensure_ascii))

    def note(self, text: str) -> None:
        """A line for the person, on stderr; silent under `-q`."""
        if not self.quiet:
            click.echo(text, err=True)

    @property
    def shows_progress(self) -> bool:
        return not self.quiet and not self.as_json and sys.stderr.isatty()


pass_context = click.make_pass_decorator(CliContext, ensure=True)
