"""The Document screen, driven by keys; and the layout of its text."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.widgets import Input, OptionList

from edgerag.errors import DocumentError
from edgerag_tui import messages, safe
from edgerag_tui.external import editor_command
from edgerag_tui.layout import TAB_CELLS, lay_out
from edgerag_tui.screens.document import DocumentScreen
from edgerag_tui.screens.prompts import PromptScreen
from edgerag_tui.widgets.document_picker import DocumentPicker
from edgerag_tui.widgets.text_view import GUTTER, TextView
from tests.tui.driving import Driver, drive, running
from tests.tui.hostile import hostile_text

PARAGRAPH = "The keeper writes down wind and weather every hour and signs the page at midnight."
BOOK = "".join(f"## Chapter {number}\n\n{PARAGRAPH} Entry {number}.\n\n" for number in range(1, 201))


async def opened(driver: Driver, name: str) -> DocumentScreen:
    """Choose a document from the list by typing a part of its name."""
    await driver.press("f4")
    await driver.until(lambda: driver.of(messages.DocumentsListed))
    await driver.type(name)
    await driver.press("enter")
    await driver.until(lambda: driver.of(messages.DocumentLoaded))
    screen = driver.app.screen
    assert isinstance(screen, DocumentScreen)
    await driver.until(lambda: screen.query_one(TextView).rows)
    return screen


def rows_shown(screen: DocumentScreen) -> list[str]:
    view = screen.query_one(TextView)
    return [view.render_line(y).text[GUTTER:].rstrip() for y in range(view.size.height)]


def title_of(screen: DocumentScreen) -> str:
    return str(screen.query_one("#page").border_title)


def test_a_document_is_chosen_from_the_list_by_a_part_of_its_name(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            screen = await opened(driver, "mark")
            shown = ["# Market", "", "The fish market of Varn opens at dawn. The market is closed", "on Sundays."]
            assert rows_shown(screen)[:4] == shown
            await driver.press("l")
            assert screen.query_one(DocumentPicker).display
            await driver.press("escape")
            assert not screen.query_one(DocumentPicker).display

    drive(work())


def test_find_goes_to_each_occurrence_and_round(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents={"book.md": BOOK}) as driver:
            screen = await opened(driver, "book")
            view = screen.query_one(TextView)
            await driver.press("slash")
            await driver.type("ENTRY 15")
            await driver.press("enter")
            found = [BOOK[start:end] for start, end in view.matches]
            assert found == ["Entry 15"] * 11
            await driver.until(lambda: any("Entry 15." in row for row in rows_shown(screen)))
            await driver.press("n")
            await driver.until(lambda: any("Entry 150." in row for row in rows_shown(screen)))
            await driver.press("N", "N")
            await driver.until(lambda: any("Entry 159." in row for row in rows_shown(screen)))
            assert str(screen.query_one("#find", Input).border_subtitle) == "11 of 11"
            await driver.press("slash", "escape")
            assert not screen.query_one("#find").display and view.matches == []

    drive(work())


def test_headings_are_gone_through_by_key_and_by_the_outline(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents={"book.md": BOOK}, size=(110, 30)) as driver:
            screen = await opened(driver, "book")
            await driver.press("right_square_bracket", "right_square_bracket", "right_square_bracket")
            await driver.until(lambda: "Chapter 4" in title_of(screen))
            await driver.press("left_square_bracket")
            await driver.until(lambda: "Chapter 3" in title_of(screen))
            outline = screen.query_one("#outline", OptionList)
            assert outline.option_count == 200
            outline.focus()
            outline.highlighted = 149
            await driver.press("enter")
            await driver.until(lambda: "## Chapter 150" in rows_shown(screen))

    drive(work())


def test_pages_are_gone_to_by_number(tmp_path: Path, checkout: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents={}) as driver:
            (tmp_path / "documents" / "maintenance.pdf").write_bytes(
                (checkout / "examples" / "maintenance.pdf").read_bytes()
            )
            driver.engine.add([tmp_path / "documents"])
            screen = await opened(driver, "maintenance")
            pages = screen.view.stored.pages if screen.view else ()
            assert len(pages) > 1
            await driver.press("p")
            assert isinstance(driver.app.screen, PromptScreen)
            await driver.type("2")
            await driver.press("enter")
            assert screen.query_one(TextView).here() == pages[1].start_chars
            assert any("p2" in screen.query_one(TextView).render_line(y).text for y in range(20))

    drive(work())


def test_chunk_borders_are_shown_on_demand(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents={"book.md": BOOK}) as driver:
            screen = await opened(driver, "book")
            view = screen.query_one(TextView)

            def gutters() -> str:
                return "".join(view.render_line(y).text[:GUTTER] for y in range(view.size.height))

            assert "#1" not in gutters()
            await driver.press("b")
            assert "#1" in gutters()
            await driver.press("b")
            assert "#1" not in gutters()

    drive(work())


def test_narrower_terminal_keeps_the_place(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents={"book.md": BOOK}, size=(120, 30)) as driver:
            screen = await opened(driver, "book")
            view = screen.query_one(TextView)
            place = BOOK.index("Entry 120.")
            view.show_offset(place)
            await driver.pilot.pause()
            await driver.pilot.resize_terminal(60, 30)
            await driver.until(lambda: view.rows is not None and view.rows.width < 60)
            await driver.until(lambda: any("Entry 120." in row for row in rows_shown(screen)))

    drive(work())


def test_the_match_under_the_cursor_is_reversed_which_shows_without_colours_too(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents={"tide.txt": "The tide is low. The tide is high.\n"}) as driver:
            screen = await opened(driver, "tide")
            await driver.press("slash")
            await driver.type("tide")
            await driver.press("enter")
            view = screen.query_one(TextView)
            strip = view.render_line(0)
            reversed_text = [segment.text for segment in strip if segment.style and segment.style.reverse]
            assert reversed_text == ["tide"]
            await driver.press("escape", "b")
            strip = view.render_line(0)
            assert [segment.text for segment in strip if segment.style and segment.style.reverse] == ["T"]

    drive(work())


def test_a_citation_whose_document_has_gone_is_reported(tmp_path: Path) -> None:
    from tests.fakes import FakeGenerator
    from tests.tui.driving import SUPPORTED

    async def work() -> None:
        async with running(tmp_path, generator=FakeGenerator(SUPPORTED)) as driver:
            await driver.ask()
            await driver.until(lambda: driver.of(messages.AskDone))
            driver.engine.remove(tmp_path / "documents")
            await driver.press("1")
            await driver.until(lambda: driver.of(messages.Failed))
            assert "no longer in the library" in driver.of(messages.Failed)[0].problem

    drive(work())


def test_a_long_text_is_laid_out_in_a_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgerag_tui.widgets import text_view

    threads: list[str] = []

    def noted(*arguments: object) -> object:
        threads.append(threading.current_thread().name)
        return lay_out(*arguments)  # type: ignore[arg-type]

    async def work() -> None:
        async with running(tmp_path, documents={"book.md": BOOK}) as driver:
            await opened(driver, "book")
            assert threads and threading.main_thread().name not in threads

    monkeypatch.setattr(text_view, "LAY_OUT_AT_ONCE_CHARS", 1000)
    monkeypatch.setattr(text_view, "lay_out", noted)
    drive(work())


# --- layout ---------------------------------------------------------------------------------------


def rows_of(text: str, width: int) -> list[str]:
    rows = lay_out(text, width)
    assert rows is not None
    return [text[slice(*rows.span(row))] for row in range(len(rows))]


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("one two three", 8, ["one two ", "three"]),
        ("one\n\ntwo", 8, ["one\n", "\n", "two"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("中文字符测试", 4, ["中文", "字符", "测试"]),
        ("中文，字符", 4, ["中", "文，", "字符"]),
        ("ab中文", 3, ["ab", "中", "文"]),
        ("naïve café au lait", 9, ["naïve ", "café au ", "lait"]),
        ("👩‍👩‍👧‍👦👩‍👩‍👧‍👦", 2, ["👩‍👩‍👧‍👦", "👩‍👩‍👧‍👦"]),
        ("a\tb\tc", 6, ["a\tb", "\tc"]),
        ("", 5, [""]),
    ],
    ids=["words", "lines", "long word", "chinese", "no comma first", "mixed", "accents", "emoji", "tabs", "empty"],
)
def test_rows_break_where_a_reader_expects(text: str, width: int, expected: list[str]) -> None:
    assert rows_of(text, width) == expected


@given(text=st.one_of(hostile_text, st.text()), width=st.integers(2, 40))
def test_rows_cover_the_text_and_none_is_wider_than_the_screen(text: str, width: int) -> None:
    rows = rows_of(safe.plain(text), width)
    assert "".join(rows) == safe.plain(text)
    for row in rows:
        shown = row.rstrip("\n ").replace("\t", " " * TAB_CELLS)
        assert cell_len(shown) <= max(width, TAB_CELLS)


def test_laying_out_stops_when_told() -> None:
    stop = threading.Event()
    stop.set()
    assert lay_out("line\n" * 10_000, 40, stop) is None


def test_offsets_find_their_row() -> None:
    rows = lay_out("one two three\nfour", 8)
    assert rows is not None
    assert [rows.row_of(offset) for offset in (0, 7, 8, 13, 14, 17)] == [0, 0, 1, 1, 2, 2]


# --- other programs -------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="other quoting")
def test_editor_gets_the_file_as_one_argument_whatever_its_name(tmp_path: Path) -> None:
    file = tmp_path / "; rm -rf $HOME `id`.txt"
    file.write_text("x")
    assert editor_command(str(file), {"EDITOR": "code --wait"}) == ["code", "--wait", str(file)]
    assert editor_command(str(file), {"EDITOR": "vi", "VISUAL": "'/opt/my editor/ed'"}) == [
        "/opt/my editor/ed",
        str(file),
    ]


def test_a_file_that_has_gone_is_not_handed_to_an_editor(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="not there any more"):
        editor_command(str(tmp_path / "gone.txt"), {"EDITOR": "vi"})
