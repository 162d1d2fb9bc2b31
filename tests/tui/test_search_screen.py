"""The Search screen, driven by keys."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, OptionList

from edgerag.datatypes import SearchStage
from edgerag.errors import ModelError
from edgerag_tui import messages
from edgerag_tui.screens.document import DocumentScreen
from edgerag_tui.screens.search import SearchScreen
from edgerag_tui.screens.search_filter import SearchFilterScreen
from edgerag_tui.widgets.result_list import ResultList
from tests.tui.driving import LOOKS, check_picture, drive, running
from tests.tui.searching import NOTES, finished, marked, names, preview, search, stages_of, text_of


def test_words_are_found_while_the_models_are_busy(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            release = threading.Event()
            real = driver.engine.search_stages

            def held(query: str, **options: Any) -> Iterator[SearchStage]:
                for stage in real(query, **options):
                    yield stage
                    release.wait(60)

            driver.engine.search_stages = held  # type: ignore[method-assign]
            try:
                screen = await search(driver, "mud", done=False)
                await driver.until(lambda: names(screen) == ["dredging.md"])
                # The search by meaning for `mud` still runs.
                await driver.press("ctrl+u")
                await driver.type("dawn")
                await driver.until(lambda: screen.request.query == "dawn" and screen.done_stages == ("lexical",))
                assert names(screen) == ["market.txt"]
                assert stages_of(screen) == "✓ words  … meaning  … reranker"
            finally:
                release.set()
            await finished(driver, screen, "dawn")

    drive(work())


def test_all_stages_are_one_search_and_come_in_order(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            begun: list[str] = []
            real = driver.engine.search_stages

            def slow_words(query: str, **options: Any) -> Iterator[SearchStage]:
                begun.append(query)
                time.sleep(0.3)
                yield from real(query, **options)

            driver.engine.search_stages = slow_words  # type: ignore[method-assign]
            await driver.press("f3")
            screen = driver.app.screen
            assert isinstance(screen, SearchScreen)
            await driver.press("d")
            await finished(driver, screen, "d")
            assert begun == ["d"]
            assert [message.stage for message in driver.of(messages.SearchFound)] == ["lexical", "vector", "rerank"]

    drive(work())


def test_the_row_under_the_cursor_stays_under_it_when_the_order_changes(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            release = threading.Event()
            real = driver.engine.search_stages

            def turned_round(query: str, **options: Any) -> Iterator[SearchStage]:
                for stage in real(query, **options):
                    if stage.name != "rerank":
                        before_rerank = stage.result
                        yield stage
                        continue
                    while not release.wait(0.02) and not options["stop"].is_set():
                        pass
                    turned = replace(before_rerank, passages=tuple(reversed(before_rerank.passages)))
                    yield SearchStage("rerank", turned)

            driver.engine.search_stages = turned_round  # type: ignore[method-assign]
            try:
                screen = await search(driver, "harbour dredging", done=False)
                await driver.until(lambda: screen.done_stages == ("lexical", "vector"))
                before = names(screen)
                await driver.press("down", "down")
                results = screen.query_one(ResultList)
                assert results.highlighted == 1 and screen.passage is not None
                held = screen.passage.chunk.id
                await driver.press("up")
                held = screen.passage.chunk.id
                assert results.highlighted == 0
            finally:
                release.set()
            await finished(driver, screen, "harbour dredging")
            assert results.highlighted == 0 and screen.passage.chunk.id == held
            assert names(screen) == [before[0], before[2], before[1]]
            assert [row.rank for row in results.rows] == [3, 1, 2]
            assert str(results.get_option_at_index(0).prompt).startswith("›")

    drive(work())


def test_enter_goes_to_the_hits_then_opens_one_in_its_document_and_esc_comes_back(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            screen = await search(driver, "dawn")
            await driver.press("enter")
            assert driver.app.focused is screen.query_one(ResultList)
            await driver.press("enter")
            await driver.until(lambda: driver.of(messages.DocumentLoaded))
            assert isinstance(driver.app.screen, DocumentScreen)
            view = driver.of(messages.DocumentLoaded)[0].view
            assert view.stored.text[view.start_chars : view.end_chars].startswith("The fish market")
            await driver.press("escape")
            await driver.until(lambda: driver.app.screen is screen)
            assert names(screen)[0] == "market.txt"

    drive(work())


def test_mode_and_reranker_are_switched_while_one_types(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            screen = await search(driver, "dawn")
            await driver.press("alt+m")
            assert screen.request.mode == "lexical" and screen.query_one("#query", Input).value == "dawn"
            await finished(driver, screen, "dawn")
            assert names(screen) == ["market.txt"]
            await driver.press("alt+r")
            assert screen.request.stages == ("lexical",)
            await finished(driver, screen, "dawn")
            assert "words only" in text_of(screen, "#search-state")
            assert "not reranked" in text_of(screen, "#search-state")
            await driver.press("enter", "m")
            assert screen.request.stages == ("vector",)
            await finished(driver, screen, "dawn")
            assert len(names(screen)) == 3

    drive(work())


def test_preview_marks_the_words_of_the_query(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            screen = await search(driver, "opens at dawn")
            assert marked(screen) == ["opens", "dawn"]
            assert "The fish market of Varn opens at dawn, beside the harbour." in preview(screen).plain

    drive(work())


def test_quote_and_path_are_copied(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            await search(driver, "dawn")
            await driver.press("enter", "c")
            assert driver.app.clipboard == "The fish market of Varn opens at dawn, beside the harbour."
            await driver.press("y")
            assert driver.app.clipboard == str(tmp_path / "documents" / "market.txt")

    drive(work())


def test_a_stage_that_fails_is_named_and_the_rest_stays(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            real = driver.engine.search_stages

            def failing(query: str, **options: Any) -> Iterator[SearchStage]:
                yield next(real(query, **options))
                raise ModelError("The embedding model is missing.", hint="Run `edgerag doctor`.")

            driver.engine.search_stages = failing  # type: ignore[method-assign]
            screen = await search(driver, "dawn", done=False)
            await driver.until(lambda: screen.problem and screen.query_one(ResultList).rows)
            assert names(screen) == ["market.txt"]
            assert text_of(screen, "#search-problem") == "! The embedding model is missing. Run `edgerag doctor`."
            assert stages_of(screen) == "✓ words  – meaning  – reranker"

    drive(work())


def test_an_empty_library_is_said_to_be_empty_and_where_to_fill_it(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents={}) as driver:
            screen = await search(driver, "dawn")
            shown = str(screen.query_one("#results", OptionList).get_option_at_index(0).prompt)
            assert shown.startswith("This library is empty") and "F6" in shown

    drive(work())


def test_a_heading_is_not_said_twice(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            screen = await search(driver, "Ada")
            row = str(screen.query_one("#results", OptionList).get_option_at_index(0).prompt)
            assert row.count("Harbour") == 1 and "#" not in row
            assert preview(screen).plain.count("Harbour") == 1 and "#" not in preview(screen).plain

    drive(work())


def test_what_is_found_follows_the_library(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            screen = await search(driver, "dawn")
            (tmp_path / "documents" / "ferry.md").write_text("The ferry leaves at dawn.\n")
            await driver.press("f5")
            await driver.until(lambda: "ferry.md" in names(screen))

    drive(work())


@pytest.mark.parametrize(("size", "theme", "language"), LOOKS)
def test_search_looks_as_it_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], theme: str, language: str
) -> None:
    look = f"{size[0]}x{size[1]}-{theme}-{language}"

    async def work() -> None:
        async with running(tmp_path, documents=NOTES, size=size, theme=theme, language=language) as driver:
            await search(driver, "harbour dredging")
            await driver.press("enter", "down")
            await driver.pilot.pause()
            check_picture(driver, f"search-{look}")
            await driver.press("f")
            await driver.until(lambda: isinstance(driver.app.screen, SearchFilterScreen))
            await driver.pilot.pause()
            check_picture(driver, f"search-filter-{look}")

    monkeypatch.chdir(tmp_path)
    drive(work())
