"""The Doctor screen: the checks of the command line, also where the library does not open."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgerag.engine import Engine
from edgerag.errors import LibraryError
from edgerag_tui import messages
from edgerag_tui.screens.doctor import DoctorScreen
from tests.tui.driving import Driver, drive, running


async def opened(driver: Driver) -> DoctorScreen:
    await driver.press("f10")
    screen = driver.app.screen
    assert isinstance(screen, DoctorScreen)
    await driver.until(lambda: not screen.is_running)
    return screen


def test_every_check_of_the_command_line_is_shown(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            screen = await opened(driver)
            findings = {finding.name: finding for finding in screen.findings}
            assert [*findings][:5] == ["edgerag", "settings", "sqlite", "library", "disk"]
            assert findings["library"].text == f"{driver.engine.library.folder}: 2 documents, 2 chunks"
            assert "100 x 30" in findings["terminal"].text
            assert findings["offline"].verdict == "ok"

    drive(work())


def test_checks_run_again_and_copy_as_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            screen = await opened(driver)
            monkeypatch.setenv("EDGERAG_THREADS", "200")
            await driver.press("r")
            await driver.until(lambda: not screen.is_running)
            problems = [finding.name for finding in screen.findings if finding.verdict == "problem"]
            assert problems == ["threads"]
            await driver.press("c")
            assert "\nBAD   threads: set to 200, but" in driver.app.clipboard

    drive(work())


def test_checks_run_where_the_library_does_not_open(tmp_path: Path) -> None:
    def refuse() -> Engine:
        raise LibraryError("The library is damaged.", hint="Restore it.")

    async def work() -> None:
        async with running(tmp_path, open_engine=refuse) as driver:
            screen = await opened(driver)
            assert {"edgerag", "sqlite", "embedder"} <= {finding.name for finding in screen.findings}
            assert not [failed for failed in driver.of(messages.Failed) if failed.name == "doctor"]

    drive(work())
