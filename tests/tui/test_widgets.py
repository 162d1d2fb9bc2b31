"""Small parts that several screens share: the cursor's sign, columns, names that are too long, too small a window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.content import Content
from textual.widgets import Input, Static
from textual.widgets.option_list import Option

from edgerag_tui import safe, strings
from edgerag_tui.columns import middle
from edgerag_tui.models_work import ModelRow
from edgerag_tui.screens.models_content import head_content, row_content
from edgerag_tui.screens.settings_content import head_content as settings_head
from edgerag_tui.screens.settings_content import row_content as setting_line
from edgerag_tui.settings_work import SettingRow
from edgerag_tui.shown_paths import short_path
from edgerag_tui.status import Status
from edgerag_tui.widgets.key_bar import KeyBar
from edgerag_tui.widgets.marked_list import MarkedList
from tests.tui.driving import drive, running


class Lists(App[None]):
    def compose(self) -> ComposeResult:
        yield Input()
        yield MarkedList(Option(Content("one\ntwo")), Option(Content("three")), id="always")
        yield MarkedList(Option(Content("four")), id="quiet", only_focused=True, gutter=1)


def lines_of(app: App[None], selector: str) -> list[str]:
    box = app.query_one(selector, MarkedList)
    return [box.render_line(y).text.rstrip() for y in range(len(box._lines))]


def test_the_cursor_has_a_sign_on_the_first_line_of_what_is_under_it() -> None:
    async def work() -> None:
        app = Lists()
        async with app.run_test(size=(40, 20)) as pilot:
            always, quiet = app.query_one("#always", MarkedList), app.query_one("#quiet", MarkedList)
            always.highlighted, quiet.highlighted = 0, 0
            await pilot.pause()
            assert lines_of(app, "#always") == ["› one", "  two", "  three"]
            assert lines_of(app, "#quiet") == [" four"]
            always.highlighted = 1
            quiet.focus()
            await pilot.pause()
            assert lines_of(app, "#always") == ["  one", "  two", "› three"]
            assert lines_of(app, "#quiet") == ["›four"]

    drive(work())


@pytest.mark.parametrize("width", [36, 59, 60, 75, 79, 80, 120])
def test_column_heads_stand_over_their_columns(width: int) -> None:
    strings.use("en")
    model = ModelRow("模型-model", "generator", "available", 98_400_000, "Apache-2.0")
    head, line = head_content(width).plain, row_content(model, None, Status(), width).plain
    assert cell_len(head) == cell_len(line) == width
    if width >= 60:
        assert start_of(head, "Name") == start_of(line, "模型")
    assert end_of(head, "Size") == end_of(line, "98.4 MB")
    assert start_of(head, "State") == start_of(line, "available")
    assert ("Licence" in head) == ("Apache-2.0" in line) == (width >= 80)
    setting = SettingRow("top_k", 40, 40, "default")
    head, line = settings_head(width).plain, setting_line(setting, width).plain
    assert start_of(head, "Setting") == start_of(line, "top_k")
    assert start_of(head, "Value") == start_of(line, "40")
    assert ("Comes from" in head) == ("default" in line) == (width >= 60)


def start_of(line: str, text: str) -> int:
    return cell_len(line[: line.index(text)])


def end_of(line: str, text: str) -> int:
    return cell_len(line[: line.index(text) + len(text)])


def test_a_name_that_is_too_long_keeps_both_ends() -> None:
    assert middle("notes.md", 20).plain == "notes.md"
    assert middle("a very long file name that goes on.md", 20).plain == "a very lon…oes on.md"
    assert middle("\x1b[31m" + "x" * 40 + "[/].md", 20).plain == "\ufffd[31mxxxxx…xxx[/].md"
    for width in range(8, 40):
        assert middle("气象站观测记录" * 9 + ".md", width).cell_length <= width


def test_emoji_are_as_wide_as_every_terminal_shows_them() -> None:
    text = "气🌧\ufe0f ⌚\ufe0f ❤\ufe0f\u200d🔥"
    shown = safe.plain(text)
    assert len(shown) == len(text), "offsets keep their meaning"
    assert cell_len(safe.plain("🌧\ufe0f")) == 1, "narrow by itself: as a picture tmux gives it one cell, others two"
    assert cell_len(safe.plain("⌚\ufe0f")) == 2
    assert shown.replace("\ufe0e", "\ufe0f") == text


@pytest.mark.parametrize("size", [(39, 24), (80, 14)])
def test_a_window_that_is_too_small_says_so_and_how_large_it_must_be(tmp_path: Path, size: tuple[int, int]) -> None:
    async def work() -> None:
        async with running(tmp_path, size=size) as driver:
            note = driver.app.screen.query_one("#too-small", Static)
            assert note.region.size == driver.app.size
            assert f"{size[0]} x {size[1]} is too small" in str(note.visual)
            assert "40 columns and 15 rows" in str(note.visual)
            await driver.pilot.resize_terminal(80, 24)
            await driver.pilot.pause()
            assert not note.region
            assert driver.app.screen.query_one("#question").region

    drive(work())


def test_an_empty_library_offers_no_keys_that_do_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents={}) as driver:
            await driver.press("f6")
            await driver.until(lambda: "Nothing is in this library yet" in text_of(driver.app, "#empty"))
            keys = text_of(driver.app, "#keys")
            assert "a Add" in keys
            assert not any(key in keys for key in ("Remove", "Retry", "Watch", "Problems", "Open"))

    drive(work())


def text_of(app: App[Any], selector: str) -> str:
    app.screen.query_one(KeyBar).show_keys()
    return str(app.screen.query_one(selector, Static).visual)


def test_paths_are_shown_as_short_as_they_can_be_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert short_path(str(tmp_path / "here" / "a.md")) == "a.md"
    assert short_path(str(tmp_path / "notes" / "a.md")) == "~/notes/a.md"
    assert short_path(str(tmp_path.parent / "a.md")) == str(tmp_path.parent / "a.md")
    assert short_path(str(tmp_path / "no\ttes" / "a\x1b.md")) == "~/no tes/a\ufffd.md"
