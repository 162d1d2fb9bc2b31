"""`edgerag` and `edgerag tui` where a stream is no terminal, and `--self-test`, which needs none."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import click
import pytest

import edgerag.cli.root as root
from edgerag.cli.context import CliContext
from edgerag.errors import SettingsError
from edgerag_tui import self_test
from edgerag_tui.cli import tui

STREAMS = ("stdin", "stdout", "stderr")


@pytest.fixture
def redirect(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes all streams terminals but one."""

    def redirect(which: str) -> None:
        for name in STREAMS:
            monkeypatch.setattr(getattr(sys, name), "isatty", lambda name=name: name != which)

    return redirect


@pytest.mark.parametrize("which", [*STREAMS, ""])
def test_edgerag_alone_opens_the_application_only_where_all_streams_are_terminals(
    redirect: Callable[[str], None], which: str
) -> None:
    redirect(which)
    found = root._application(click.Context(root.root), CliContext())
    assert (found is not None) == (which == "")


@pytest.mark.parametrize(
    ("which", "message", "hint"),
    [
        ("stdin", "standard input is none", "Start it without `<` or `|`."),
        ("stderr", "standard error is none", "Start it without `2>`."),
    ],
)
def test_a_redirected_stream_is_refused_and_named(
    redirect: Callable[[str], None], capsys: pytest.CaptureFixture[str], which: str, message: str, hint: str
) -> None:
    redirect(which)
    with pytest.raises(SettingsError, match=message) as error:
        tui.main([], obj=CliContext(), standalone_mode=False)
    assert error.value.hint == hint
    # What is written to a redirected standard error is not seen, so the terminal is told as well.
    assert (hint in capsys.readouterr().out) == (which == "stderr")


def test_the_self_test_says_what_took_too_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Waiting:
        async def pause(self, delay: float) -> None:
            await asyncio.sleep(delay)

    async def drive(folder: Path, doing: self_test.Doing) -> None:
        await self_test._until(cast(Any, Waiting()), lambda: True, "adding a file", doing)
        await self_test._until(cast(Any, Waiting()), lambda: False, "loading the models", doing)

    monkeypatch.setattr(self_test, "_drive", drive)
    assert self_test.run_self_test(CliContext(), 0.2) == 2
    assert capsys.readouterr().err == "The self-test failed: loading the models took longer than 0.2 s\n"
