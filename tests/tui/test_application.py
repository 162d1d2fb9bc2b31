"""The frame around every screen: loading, status, help, palette, side bar, themes, keys, quitting."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from textual.command import CommandPalette
from textual.widgets import Static

from edgerag.engine import Engine
from edgerag.errors import LibraryError, SettingsError
from edgerag_tui import messages, strings
from edgerag_tui.preferences import Preferences, load_preferences, save_preferences
from edgerag_tui.screens.ask import AskScreen
from edgerag_tui.screens.document import DocumentScreen
from edgerag_tui.screens.help import HelpScreen
from edgerag_tui.screens.jump import JumpScreen
from edgerag_tui.screens.library import LibraryScreen
from edgerag_tui.strings import tr
from edgerag_tui.vitals import Vitals
from edgerag_tui.widgets.key_bar import KeyBar
from edgerag_tui.widgets.question_box import QuestionBox
from edgerag_tui.widgets.sidebar import Sidebar
from tests.tui.driving import Driver, drive, line_of, running


def keys_of(driver: Driver) -> str:
    return str(driver.app.screen.query_one(KeyBar).query_one(Static).visual)


def test_the_screen_stands_and_says_so_while_the_library_is_still_opening(tmp_path: Path) -> None:
    async def work() -> None:
        may_open = threading.Event()
        engine = Engine.open(tmp_path / "other")

        def slowly() -> Engine:
            may_open.wait(20)
            return engine

        from edgerag_tui.app import EdgeragApp
        from edgerag_tui.session import Session

        app = EdgeragApp(
            lambda announce: Session(slowly, announce),
            preferences=Preferences(language="en"),
            read_vitals=lambda: Vitals(1, 0),
        )
        async with app.run_test(size=(100, 24)) as pilot:
            await pilot.pause()
            driver = Driver(app, pilot, engine, [])
            assert "opening the library" in line_of(driver)
            assert "Opening the library" in str(app.screen.query_one("#welcome").visual)  # type: ignore[attr-defined]
            await driver.type("typed already")
            assert app.screen.query_one(QuestionBox).text == "typed already"
            may_open.set()
            await driver.until(lambda: "empty: F6 adds files" in line_of(driver))
        app.session.close()

    drive(work())


def test_a_library_that_cannot_be_opened_is_reported_with_its_hint(tmp_path: Path) -> None:
    def fail() -> Engine:
        raise LibraryError("The library is damaged.", hint="Restore a backup.")

    async def work() -> None:
        async with running(tmp_path, open_engine=fail) as driver:
            assert "! The library is damaged. Restore a backup." in line_of(driver)
            assert "Restore a backup." in str(driver.app.screen.query_one("#welcome", Static).visual)
            await driver.ask("anyone there?")
            await driver.until(lambda: driver.of(messages.Failed))

    drive(work())


def test_changed_files_are_noticed_and_f5_takes_them_in(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            (tmp_path / "documents" / "market.md").write_text("# Market\n\nIt is open on Sundays now.\n")
            driver.app.session.refresh_counts()
            await driver.until(lambda: "! 1 changed (F5)" in line_of(driver))
            await driver.press("f5")
            await driver.until(lambda: driver.of(messages.IngestDone))
            assert driver.of(messages.IngestDone)[0].summary.updated == 1
            await driver.until(lambda: "up to date" in line_of(driver))

    drive(work())


def test_help_is_made_from_the_bindings_that_are_active(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, keys={"app.sync": "f6"}, size=(100, 50)) as driver:
            await driver.press("f1")
            assert isinstance(driver.app.screen, HelpScreen)
            text = str(driver.app.screen.query_one(Static).visual)
            assert "F6" in text and "F5" not in text
            for words in ("Ask your documents.", "^J", "1…9", "Export the conversation", "Everywhere", "^Q"):
                assert words in text
            assert text.index("Commands") < text.index("Go to Doctor") < text.index("Quit"), "leaving comes last"
            await driver.press("escape")
            assert isinstance(driver.app.screen, AskScreen)

    drive(work())


def test_sentences_name_the_keys_that_somebody_has_chosen(tmp_path: Path) -> None:
    keys = {"app.sync": "ctrl+s,f12", "app.go_library": "f5"}

    async def work() -> None:
        async with running(tmp_path, keys=keys) as driver:
            assert tr("ask.welcome_empty").startswith("This library is empty.")
            assert "F5 opens the Library" in tr("ask.welcome_empty")
            assert tr("errors.sync") == "^S brings the library up to date."
            await driver.press("f5")
            assert isinstance(driver.app.screen, LibraryScreen)

    try:
        drive(work())
    finally:
        strings.use("en")


def test_a_brace_may_be_a_key_too(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, keys={"app.sync": ",left_curly_bracket"}):
            assert tr("status.stale", number=3) == "3 changed ({)"
            assert tr("errors.sync") == "{ brings the library up to date."

    try:
        drive(work())
    finally:
        strings.use("en")


def test_every_binding_of_ours_has_a_name(tmp_path: Path) -> None:
    from edgerag_tui.keymap import name_of

    async def work() -> None:
        async with running(tmp_path) as driver:
            for section in ("ask", "document"):
                await driver.app.action_go(section)
                for entry in driver.app.screen.active_bindings.values():
                    if entry.binding.id:
                        assert name_of(entry.binding), entry.binding.id

    drive(work())


def test_palette_runs_an_action_by_name(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            await driver.press("ctrl+p")
            await driver.until(lambda: isinstance(driver.app.screen, CommandPalette))
            await driver.type("go to doc")
            await driver.pilot.pause(0.5)
            await driver.press("enter")
            await driver.until(lambda: isinstance(driver.app.screen, DocumentScreen))

    drive(work())


def test_jump_mode_goes_to_what_its_letter_stands_on(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            await driver.press("ctrl+o")
            assert isinstance(driver.app.screen, JumpScreen)
            targets = {key: widget.id for key, widget in driver.app.screen._targets.items()}
            letter = next(key for key, name in targets.items() if name == "evidence")
            await driver.press(letter)
            assert driver.app.focused is not None and driver.app.focused.id == "evidence"
            await driver.press("ctrl+o", "4")  # its tab reads F4
            await driver.until(lambda: isinstance(driver.app.screen, DocumentScreen))
            await driver.press("ctrl+o", "0")
            await driver.until(lambda: driver.app.current_mode == "doctor")

    drive(work())


def test_side_bar_is_there_where_there_is_room_and_by_key(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, size=(80, 24)) as driver:
            bar = driver.app.screen.query_one(Sidebar)
            assert not bar.display
            await driver.press("ctrl+b")
            assert bar.display
            await driver.press("f4")
            assert driver.app.screen.query_one(Sidebar).display
        async with running(tmp_path, size=(120, 40)) as driver:
            assert driver.app.screen.query_one(Sidebar).display

    drive(work())


def test_theme_changes_by_key_and_is_remembered(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            for expected in ("light", "contrast", "dark"):
                await driver.press("ctrl+t")
                assert driver.app.theme == expected
                assert load_preferences().theme == expected

    drive(work())


def test_key_bar_names_only_what_works_here(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, size=(120, 30)) as driver:
            assert keys_of(driver).startswith("Enter Ask")
            assert "/ Type" not in keys_of(driver), "in the box, a slash is typed"
            await driver.press("escape")
            await driver.until(lambda: keys_of(driver).startswith("/ Type"))

    drive(work())


def test_ctrl_c_cancels_and_never_ends_the_program(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            await driver.press("escape", "ctrl+c", "ctrl+c", "ctrl+c")
            assert driver.app.is_running

    drive(work())


def test_ctrl_q_closes_the_library(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            await driver.press("ctrl+q")
            await driver.until(lambda: driver.app.session.is_closed)
            with pytest.raises(LibraryError, match="closed"):
                driver.engine.library.counts()

    drive(work())


def test_keys_of_an_unknown_action_are_refused_with_the_nearest_one(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, keys={"app.synk": "f6"}):
            pass

    with pytest.raises(SettingsError, match="synk") as error:
        drive(work())
    assert error.value.hint == "Did you mean `app.sync`?"


def test_preferences_are_written_and_read_back(tmp_path: Path) -> None:
    file = tmp_path / "settings" / "tui.toml"
    preferences = Preferences("light", "zh", {"app.sync": "f6,ctrl+s", "ask.copy": "y"})
    save_preferences(preferences, file)
    assert load_preferences(file) == preferences
    assert [entry.name for entry in file.parent.iterdir()] == ["tui.toml"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("them = 'dark'", "Unknown setting `them`"),
        ("theme = 'pink'", "is 'pink'"),
        ("[keys]\n'app.sync' = 5", "as text"),
        ("theme = ", "cannot be read"),
    ],
    ids=["unknown", "value", "keys", "syntax"],
)
def test_wrong_preferences_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "tui.toml").write_text(text)
    with pytest.raises(SettingsError, match=message):
        load_preferences(tmp_path / "tui.toml")
