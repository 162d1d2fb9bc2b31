"""What the screens look like, as SVG; `WRITE_PICTURES=1 pytest tests/tui/test_pictures.py` draws them anew."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import TextArea

from edgerag_tui import messages
from tests.fakes import FakeGenerator
from tests.tui.driving import HARBOUR, MARKET, SUPPORTED, UNSUPPORTED, Driver, check_picture, drive, running

DOCUMENTS = {
    "harbour.md": HARBOUR + "\n" + "## 港口\n\n瓦恩港于1912年疏浚。艾达·霍尔姆领导了疏浚工程。\n\n" * 4,
    "market.md": MARKET,
}
LOOKS = [
    pytest.param((80, 24), "dark", "en", id="80x24-dark-en"),
    pytest.param((80, 24), "light", "zh", id="80x24-light-zh"),
    pytest.param((120, 40), "light", "en", id="120x40-light-en"),
    pytest.param((120, 40), "contrast", "zh", id="120x40-contrast-zh"),
]


async def still(driver: Driver) -> None:
    """Nothing blinks, nothing loads."""
    for area in driver.app.screen.query(TextArea):
        area.cursor_blink = False
    await driver.until(lambda: driver.app.session.status.num_stale == 0)
    await driver.pilot.pause()
    await driver.pilot.pause()


@pytest.mark.parametrize(("size", "theme", "language"), LOOKS)
def test_screens_look_as_they_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], theme: str, language: str
) -> None:
    look = f"{size[0]}x{size[1]}-{theme}-{language}"

    async def work() -> None:
        generator = FakeGenerator(f"{SUPPORTED} {UNSUPPORTED}")
        async with running(
            tmp_path, documents=DOCUMENTS, generator=generator, size=size, theme=theme, language=language
        ) as driver:
            await still(driver)
            check_picture(driver, f"welcome-{look}")
            await driver.ask("Who led the dredging of the harbour of Varn?")
            await driver.until(lambda: driver.of(messages.AskDone))
            await driver.until(lambda: driver.of(messages.ConversationsListed)[-1].conversations)
            await still(driver)
            check_picture(driver, f"ask-{look}")
            await driver.press("f1")
            await still(driver)
            check_picture(driver, f"help-{look}")
            await driver.press("escape", "ctrl+o")
            await still(driver)
            check_picture(driver, f"jump-{look}")
            await driver.press("escape", "1")
            await driver.until(lambda: driver.of(messages.DocumentLoaded))
            await driver.press("b")
            await still(driver)
            check_picture(driver, f"document-{look}")
            await driver.press("l")
            await driver.until(lambda: driver.of(messages.DocumentsListed))
            await still(driver)
            check_picture(driver, f"documents-{look}")

    monkeypatch.chdir(tmp_path)
    drive(work())
