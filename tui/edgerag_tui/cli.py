"""`edgerag tui`: the command, which imports textual only when it runs."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgerag.cli.context import CliContext
from edgerag.errors import SettingsError

if TYPE_CHECKING:
    from edgerag.engine import Engine
    from edgerag_tui.app import EdgeragApp

INSTALL_HINT = 'Install it: pip install "edgerag[tui]".'


@click.command()
@click.option("--theme", type=click.Choice(["dark", "light", "contrast"]), help="Default: as chosen last.")
@click.option("--language", type=click.Choice(["en", "zh"]), help="Default: as LANG says.")
@click.option(
    "--self-test", is_flag=True, help="Open every screen without a terminal, ask a question, and say how it went."
)
@click.option("--frames", type=click.Path(path_type=Path, dir_okay=False), hidden=True, help="Record frame times here.")
@click.pass_obj
def tui(context: CliContext, theme: str | None, language: str | None, self_test: bool, frames: Path | None) -> int:
    """Open the terminal application."""
    if importlib.util.find_spec("textual") is None:
        raise SettingsError("The terminal application needs textual, which is not installed.", hint=INSTALL_HINT)
    if self_test:
        from edgerag_tui.self_test import run_self_test

        return run_self_test(context)
    app = make_app(context.library, theme=theme, language=language)
    if frames is None:
        return app.run() or 0
    from edgerag_tui.frames import recorded

    with recorded(app, frames):
        return app.run() or 0


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
