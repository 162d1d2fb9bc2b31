"""`edgerag tui`: the command, which imports textual only when it runs."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgerag.cli.context import CliContext
from edgerag.cli.numbers import FiniteRange
from edgerag.errors import SettingsError

if TYPE_CHECKING:
    from edgerag.engine import Engine
    from edgerag_tui.app import EdgeragApp

INSTALL_HINT = 'Install it: pip install "edgerag[tui]".'


ESCAPE_DELAY_MS = "50"
"""How long textual waits for the rest of a key's sequence before it takes `esc` for a key. Its own 100 ms are half of
what cancelling an answer may take; a terminal sends a sequence in one piece, also over ssh."""


@click.command()
@click.option("--theme", type=click.Choice(["dark", "light", "contrast"]), help="Default: as chosen last.")
@click.option("--language", type=click.Choice(["en", "zh"]), help="Default: as LANG says.")
@click.option(
    "--self-test", is_flag=True, help="Open every screen without a terminal, ask a question, and say how it went."
)
@click.option("--timeout", type=FiniteRange(1), default=120.0, hidden=True, help="Seconds for the self-test.")
@click.option("--frames", type=click.Path(path_type=Path, dir_okay=False), hidden=True, help="Record frame times here.")
@click.pass_obj
def tui(
    context: CliContext, theme: str | None, language: str | None, self_test: bool, timeout: float, frames: Path | None
) -> int:
    """Open the terminal application."""
    if importlib.util.find_spec("textual") is None:
        raise SettingsError("The terminal application needs textual, which is not installed.", hint=INSTALL_HINT)
    if self_test:
        from edgerag_tui.self_test import run_self_test

        return run_self_test(context, timeout)
    _need_terminal()
    os.environ.setdefault("ESCDELAY", ESCAPE_DELAY_MS)
    from edgerag_tui.leaving import leave
    from edgerag_tui.own_terminal import own_terminal

    app = make_app(context.library, theme=theme, language=language)
    with own_terminal():
        if frames is None:
            code = app.run() or app.return_code or 0
        else:
            from edgerag_tui.frames import recorded

            with recorded(app, frames):
                code = app.run() or app.return_code or 0
    return leave(app, code)


def _need_terminal() -> None:
    """Textual reads keys from standard input and draws on standard error; redirected, it would leave a blank screen.

    Raises:
        SettingsError: One of them is no terminal.
    """
    for stream, name, how in ((sys.stdin, "standard input", "`<` or `|`"), (sys.stderr, "standard error", "`2>`")):
        if not stream.isatty():
            error = SettingsError(
                f"The terminal application needs a terminal, and {name} is none.", hint=f"Start it without {how}."
            )
            if stream is sys.stderr and sys.stdout.isatty():
                click.echo(f"edgerag: {error}\n  {error.hint}")  # the error itself goes where nobody looks
            raise error


def make_app(library: Path | None, *, theme: str | None = None, language: str | None = None) -> EdgeragApp:
    """The application on a library, which it opens in the background.

    Raises:
        SettingsError: `tui.toml` is wrong.
    """
    from edgerag_tui.app import EdgeragApp
    from edgerag_tui.preferences import Preferences, load_preferences
    from edgerag_tui.session import Session

    def open_engine() -> Engine:
        from edgerag.engine import Engine  # numpy and onnxruntime come with it: after the first picture

        return Engine.open(library)

    saved = load_preferences()
    chosen = Preferences(theme or saved.theme, language or saved.language, saved.keys)
    return EdgeragApp(lambda announce: Session(open_engine, announce, folder=library), preferences=chosen)
