"""The Settings screen: values, origins, changes that count at once and are written, and refusals."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, Static

from edgerag import paths
from edgerag.config import setting_fields
from edgerag_tui import messages, strings
from edgerag_tui.screens.settings import SettingsScreen
from edgerag_tui.screens.settings_content import GROUPS
from edgerag_tui.screens.settings_edit import EditScreen
from tests.fakes import FakeGenerator
from tests.tui.driving import Driver, drive, on_screen, running


def config() -> str:
    file = paths.config_dir() / "config.toml"
    return file.read_text(encoding="utf-8") if file.is_file() else ""


@contextlib.asynccontextmanager
async def settings_of(folder: Path, name: str = "", **how: Any) -> AsyncIterator[tuple[Driver, SettingsScreen]]:
    """The screen with its rows; the cursor on a setting where one is named."""
    async with on_screen(folder, "f9", SettingsScreen, **how) as (driver, screen):
        await driver.until(lambda: screen.rows)
        if name:
            await choose(driver, screen, name)
        yield driver, screen


async def edit(driver: Driver, *keys: str, text: str = "") -> None:
    """Open the window of the setting under the cursor, press keys or type a value, and accept."""
    await driver.press("enter")
    await driver.until(lambda: isinstance(driver.app.screen, EditScreen))
    await driver.press(*keys)
    await driver.type(text)
    await driver.press("enter")


async def choose(driver: Driver, screen: SettingsScreen, name: str) -> None:
    """Put the cursor on a setting with the filter."""
    await driver.press("slash")
    screen.query_one("#filter", Input).value = name
    await driver.until(lambda: screen.row is not None and screen.row.name == name)
    await driver.press("enter")


def changes(driver: Driver) -> list[messages.SettingChanged]:
    return driver.of(messages.SettingChanged)


def until_changed(driver: Driver, number: int = 1) -> Callable[[], bool]:
    return lambda: len(changes(driver)) >= number and len(driver.of(messages.SettingsListed)) > number


def test_every_setting_has_a_group_and_the_same_words_as_on_the_command_line() -> None:
    grouped = {name for names in GROUPS.values() for name in names}
    english = strings.catalogue("en")
    for setting in setting_fields():
        assert setting.name in grouped
        assert english[f"settings.about.{setting.name}"] == setting.metadata["about"]


def test_values_show_who_gave_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths.config_dir().mkdir(parents=True)
    (paths.config_dir() / "config.toml").write_text("top_k = 30\n", encoding="utf-8")
    monkeypatch.setenv("EDGERAG_RERANK_TOP", "20")

    async def work() -> None:
        async with settings_of(tmp_path, settings=None, theme="light") as (_driver, screen):
            rows = {row.name: row for row in screen.rows}
            assert (rows["candidates"].value, rows["candidates"].origin) == (100, "default")
            # The engine of this test was opened with settings of its own.
            assert (rows["top_k"].value, rows["top_k"].origin) == (40, "session")
            assert (rows["min_evidence"].value, rows["min_evidence"].origin) == (0.0, "session")
            shown = {row.name: row for row in screen.shown if row is not None}
            assert (shown["theme"].value, shown["theme"].origin) == ("light", "command")
            assert shown["models_folder"].origin == "environment"

    drive(work())


def test_a_changed_number_counts_at_once_and_is_written(tmp_path: Path) -> None:
    async def work() -> None:
        async with settings_of(tmp_path, "candidates") as (driver, screen):
            await edit(driver, text="70")
            await driver.until(until_changed(driver))
            assert driver.engine.settings.candidates == 70
            assert driver.engine.models.settings.candidates == 70
            assert config() == "candidates = 70\n"
            row = {row.name: row for row in screen.rows}["candidates"]
            assert (row.value, row.origin) == (70, "file")

    drive(work())


def test_a_value_out_of_range_stays_in_the_window_with_the_reason(tmp_path: Path) -> None:
    async def work() -> None:
        async with settings_of(tmp_path, "candidates") as (driver, _screen):
            await edit(driver, text="0")
            await driver.until(lambda: driver.of(messages.Failed))
            await driver.pilot.pause()
            assert isinstance(driver.app.screen, EditScreen)
            told = str(driver.app.screen.query_one("#edit-problem", Static).visual)
            assert "It must be from 1 to 10000." in told
            assert driver.engine.settings.candidates == 100
            assert config() == ""

    drive(work())


def test_a_model_that_is_not_installed_is_refused(tmp_path: Path) -> None:
    async def work() -> None:
        async with settings_of(tmp_path, generator=FakeGenerator()) as (driver, screen):
            await choose(driver, screen, "generator")
            await edit(driver, text="nope")
            await driver.until(lambda: driver.of(messages.Failed))
            assert driver.of(messages.Failed)[0].problem == "No model called nope is installed."
            assert config() == ""
            assert driver.app.session.status.generator.name == "fake-generator"

    drive(work())


def test_a_switch_turns_with_enter_and_a_reset_takes_it_back(tmp_path: Path) -> None:
    async def work() -> None:
        async with settings_of(tmp_path, "save_conversations") as (driver, screen):
            await driver.press("enter")
            await driver.until(until_changed(driver))
            assert driver.engine.settings.save_conversations is False
            assert config() == "save_conversations = false\n"
            await driver.until(lambda: screen.row is not None and screen.row.origin == "file")
            await driver.press("r")
            await driver.until(until_changed(driver, 2))
            assert driver.engine.settings.save_conversations is True
            assert config() == ""

    drive(work())


def test_the_reranker_is_switched_without_a_restart(tmp_path: Path) -> None:
    async def work() -> None:
        async with settings_of(tmp_path, "reranker") as (driver, _screen):
            await edit(driver, "down")  # from maxsim to none
            await driver.until(until_changed(driver))
            assert driver.engine.models.reranker is None
            assert driver.app.session.status.reranker.stage.value == "absent"
            assert config() == 'reranker = "none"\n'

    drive(work())


def test_what_counts_from_the_next_start_on_says_so(tmp_path: Path) -> None:
    async def work() -> None:
        async with settings_of(tmp_path, "threads") as (driver, screen):
            await edit(driver, text="1")
            await driver.until(until_changed(driver))
            assert changes(driver)[0].change.at_next_start
            assert driver.engine.settings.threads == 0
            row = {row.name: row for row in screen.rows}["threads"]
            assert (row.value, row.until_restart) == (1, 0)

    drive(work())


def test_the_theme_is_put_on_at_once_and_kept(tmp_path: Path) -> None:
    async def work() -> None:
        async with settings_of(tmp_path, "theme", theme="dark") as (driver, _screen):
            await driver.press("enter")
            await driver.until(lambda: driver.app.theme == "light")
            assert (paths.config_dir() / "tui.toml").read_text(encoding="utf-8").startswith('theme = "light"\n')

    drive(work())


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            (paths.config_dir()).mkdir(parents=True, exist_ok=True)
            (paths.config_dir() / "config.toml").write_text("top_k = \n", encoding="utf-8")
            await driver.press("f9")
            await driver.until(lambda: driver.of(messages.Failed))
            assert "cannot be read" in driver.of(messages.Failed)[0].problem

    drive(work())
