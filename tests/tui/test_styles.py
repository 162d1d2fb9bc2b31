"""Screens keep their looks to themselves: textual applies the style sheet of one to all others once it is loaded."""

from __future__ import annotations

from pathlib import Path

from textual.geometry import Region

from edgerag_tui.sections import SECTIONS
from tests.tui.driving import Driver, drive, running


async def regions_of(driver: Driver, section: str) -> dict[str, Region]:
    """Where the widgets with a name stand."""
    await driver.app.action_go(section)
    await driver.until(lambda: driver.app.current_mode == section)
    # What a screen loads when it is opened is there by then.
    for _ in range(5):
        await driver.pilot.pause(0.05)
    named = [widget for widget in driver.app.screen.query("*") if widget.id]
    return {str(widget.id): widget.region for widget in named}


def test_a_screen_looks_the_same_after_all_others_were_open(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, size=(80, 24)) as driver:
            alone = await regions_of(driver, "ask")
            for section in SECTIONS:
                await regions_of(driver, section.id)
            assert await regions_of(driver, "ask") == alone

    drive(work())


def test_every_rule_of_a_section_is_within_its_screen() -> None:
    styles = Path(__file__).parents[2] / "tui" / "edgerag_tui" / "styles"
    loose = [
        f"{file.name}: {line}"
        for file in sorted(styles.glob("*.tcss"))
        for line in file.read_text(encoding="utf-8").splitlines()
        if file.name != "app.tcss" and line.startswith("#")
    ]
    assert loose == []
