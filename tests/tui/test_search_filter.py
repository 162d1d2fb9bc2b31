"""The filter of the Search screen: formats, sources, paths and patterns; and the line that names mode and filter."""

from __future__ import annotations

from pathlib import Path

from textual.widgets import Input, Static

from edgerag_tui import messages
from edgerag_tui.screens.search_filter import SearchFilterScreen
from edgerag_tui.screens.search_request import SearchFilter
from edgerag_tui.widgets.key_bar import KeyBar
from edgerag_tui.widgets.result_list import ResultList
from tests.tui.driving import Driver, drive, running
from tests.tui.searching import NOTES, finished, names, search, text_of


def test_a_filter_leaves_documents_of_one_format_and_says_how_many_there_are(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            screen = await search(driver, "harbour")
            await driver.press("alt+f")
            await driver.until(lambda: isinstance(driver.app.screen, SearchFilterScreen))
            listed = [(each.format, Path(each.source).name, each.num_documents) for each in filters_of(driver)]
            assert listed == [("", "", 3), ("markdown", "", 2), ("text", "", 1), ("", "documents", 3)]
            await driver.press("down", "down", "enter")
            await finished(driver, screen, "harbour")
            assert screen.request.filter.format == "text"
            assert names(screen) == ["market.txt"]
            assert str(screen.query_one(ResultList).border_subtitle) == "1 in 1 document"
            assert "only text" in text_of(screen, "#search-state")

    drive(work())


def test_a_path_or_a_pattern_is_typed_and_one_that_fits_nothing_is_named(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            screen = await search(driver, "harbour")

            async def choose(path: str) -> None:
                await driver.press("alt+f")
                await driver.until(lambda: isinstance(driver.app.screen, SearchFilterScreen))
                await driver.press("slash", "ctrl+u")
                driver.app.screen.query_one(Input).value = path
                await driver.press("enter")

            await choose("*.md")
            await finished(driver, screen, "harbour")
            assert sorted(names(screen)) == ["dredging.md", "harbour.md"]
            assert str(screen.query_one(ResultList).border_subtitle) == "2 in 2 documents"
            assert "in *.md" in text_of(screen, "#search-state")
            await choose("nowhere")
            await driver.until(lambda: screen.problem)
            assert "The library has no document in nowhere." in text_of(screen, "#search-problem")
            await choose("")
            await finished(driver, screen, "harbour")
            assert len(names(screen)) == 3

    drive(work())


def filters_of(driver: Driver) -> list[SearchFilter]:
    return driver.of(messages.FiltersListed)[-1].filters


def test_the_line_of_modes_names_the_keys_as_they_are_mapped_and_no_other(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES, keys={"search.mode_2": "ctrl+g"}) as driver:
            screen = await search(driver, "dawn")
            assert text_of(screen, "#search-state") == "^G words and meaning  Alt+R reranked  Alt+F all documents"
            await driver.press("enter")
            await driver.pilot.pause()
            assert " Mode" not in str(screen.query_one(KeyBar).query_one(Static).visual)
            await driver.press("ctrl+g")
            assert screen.request.mode == "lexical"

    drive(work())
