"""`edgerag tui --self-test`: the whole application without a terminal, on a library made for the occasion."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgerag.errors import EdgeragError

if TYPE_CHECKING:
    from textual.app import App
    from textual.pilot import Pilot

    from edgerag.cli.context import CliContext

NOTE = "The night train to Tromsø leaves at 21:40 from platform 7. A berth costs 690 kroner.\n"
QUESTION = "When does the night train leave?"
TIMEOUT_S = 120.0


@dataclass(slots=True)
class Doing:
    what: str = "starting the application"
    """In words, for when it does not end."""


def run_self_test(context: CliContext, timeout_s: float = TIMEOUT_S) -> int:
    """Add a file, ask, open the citation, go through every section within a time; returns the exit code."""
    doing = Doing()
    with tempfile.TemporaryDirectory(prefix="edgerag-self-test-") as folder:
        try:
            asyncio.run(asyncio.wait_for(_drive(Path(folder), doing), timeout_s))
        except (EdgeragError, AssertionError, TimeoutError) as error:
            told = f"{doing.what} took longer than {timeout_s:g} s" if isinstance(error, TimeoutError) else str(error)
            click.echo(f"The self-test failed: {told or repr(error)}", err=True)
            return 2
    context.note("The self-test passed: library, models, question, citation and every screen.")
    return 0


async def _drive(folder: Path, doing: Doing) -> None:
    from edgerag_tui.cli import make_app
    from edgerag_tui.sections import SECTIONS
    from edgerag_tui.widgets.evidence_list import EvidenceList

    (folder / "documents").mkdir()
    (folder / "documents" / "trains.txt").write_text(NOTE, encoding="utf-8")
    app = make_app(folder / "library", language="en")
    async with app.run_test(size=(100, 30)) as pilot:
        added = app.session.ingest(
            "add", lambda engine, task: engine.stream_add([folder / "documents"], stop=task.stop), to=app
        )
        await _until(pilot, lambda: not added.is_running, "adding a file", doing)
        await _until(pilot, lambda: not app.session.status.is_loading, "loading the models", doing)
        assert not app.session.status.problem, app.session.status.problem
        await pilot.press(*("space" if character == " " else character for character in QUESTION), "enter")
        evidence = app.screen.query_one(EvidenceList)
        await _until(pilot, lambda: evidence.numbered(1) is not None, "an answer with a citation", doing)
        await pilot.press("1")
        await _until(pilot, lambda: _shows_note(app), "opening the document", doing)
        for section in SECTIONS:
            doing.what = f"opening the screen {section.id}"
            await app.action_go(section.id)
            await pilot.pause()
            assert app.current_mode == section.id, f"the screen {section.id} did not open"
        await pilot.press("ctrl+q")


def _shows_note(app: App[int]) -> bool:
    from edgerag_tui.widgets.text_view import TextView

    return any(view.text == NOTE for view in app.screen.query(TextView))


async def _until(pilot: Pilot[int], is_so: Callable[[], bool], what: str, doing: Doing) -> None:
    doing.what = what
    while not is_so():
        await pilot.pause(0.05)
