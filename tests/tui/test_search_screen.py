"""The Search screen, driven by keys."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.content import Content
from textual.widgets import Input, OptionList, Static

from edgerag.datatypes import SearchStage
from edgerag.errors import ModelError
from edgerag_tui import messages
from edgerag_tui.screens.document import DocumentScreen
from edgerag_tui.screens.search import SearchScreen
from edgerag_tui.screens.search_filter import SearchFilterScreen
from edgerag_tui.screens.search_request import SearchFilter
from edgerag_tui.widgets.hit_preview import HitPreview
from edgerag_tui.widgets.result_list import ResultList
from tests.tui.driving import HARBOUR, Driver, check_picture, drive, running

NOTES = {
    "harbour.md": HARBOUR,
    "dredging.md": "# Dredging\n\nDredging, dredging, dredging: the mud of every harbour.\n",
    "market.txt": "The fish market of Varn opens at dawn, beside the harbour.\n",
}


async def search(driver: Driver, query: str, *, done: bool = True) -> SearchScreen:
    """Open the screen and type a query, then wait for the last stage."""
    await driver.press("f3")
    screen = driver.app.screen
    assert isinstance(screen, SearchScreen)
    await driver.type(query)
    if done:
        await finished(driver, screen, query)
    return screen


async def finished(driver: Driver, screen: SearchScreen, query: str) -> None:
    await driver.until(lambda: screen.request.query == query and screen.done_stages == screen.request.stages)


def names(screen: SearchScreen) -> list[str]:
    return [Path(row.passage.document.path).name for row in screen.query_one(ResultList).rows]


def text_of(screen: SearchScreen, selector: str) -> str:
    return str(screen.query_one(selector, Static).visual)


def preview(screen: SearchScreen) -> Content:
    content = screen.query_one(HitPreview).query_one(Static).visual
    assert isinstance(content, Content)
    return content


def marked(screen: SearchScreen) -> list[str]:
    content = preview(screen)
    return [content.plain[span.start : span.end] for span in content.spans if span.style == "bold underline"]


def stages_of(screen: SearchScreen) -> str:
    return Content.from_markup(screen.query_one("#query", Input).border_subtitle or "").plain


def test_results_come_while_one_types_words_first_then_meaning_then_the_reranker(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            screen = await search(driver, "dawn")
            found = driver.of(messages.SearchFound)
            assert [message.stage for message in found][-3:] == ["lexical", "vector", "rerank"]
            assert [Path(each.document.path).name for each in found[-3].passages] == ["market.txt"]
            assert names(screen)[0] == "market.txt" and len(names(screen)) == 3
            assert stages_of(screen) == "✓ words  ✓ meaning  ✓ reranker"

    drive(work())


def test_a_word_that_is_typed_quickly_is_searched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgerag_tui.screens import search as module

    # Longer than the keys take on a busy machine: what counts is that the clock starts anew with each.
    monkeypatch.setattr(module, "DEBOUNCE_S", 0.5)

    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            queries: list[str] = []
            real = driver.engine.search_stages

            def noted(query: str, **options: Any) -> Any:
                queries.append(query)
                return real(query, **options)

            driver.engine.search_stages = noted  # type: ignore[method-assign]
            await search(driver, "harbour")
            assert set(queries) == {"harbour"}

    drive(work())


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


def test_a_search_that_the_next_key_supersedes_asks_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgerag_tui.screens import search_request as module

    monkeypatch.setattr(module, "REST_AFTER_S", 5.0)

    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            embedder: Any = driver.engine.models.embedder
            screen = await search(driver, "mud", done=False)
            await driver.until(lambda: screen.request.query == "mud" and screen.done_stages == ("lexical",))
            await driver.type("dy")
            await driver.until(lambda: screen.request.query == "muddy" and screen.done_stages == ("lexical",))
            monkeypatch.setattr(module, "REST_AFTER_S", 0.0)
            screen.query_one("#query", Input).value = "muddy ground"
            await finished(driver, screen, "muddy ground")
            assert embedder.queries == ["muddy ground"]

    drive(work())


def test_a_word_is_found_before_it_is_written_out(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            screen = await search(driver, "the fish mar")
            assert names(screen)[0] == "market.txt"
            lexical = [message for message in driver.of(messages.SearchFound) if message.stage == "lexical"][-1]
            assert Path(lexical.passages[0].document.path).name == "market.txt"
            assert marked(screen) == ["fish", "market"]

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


def test_esc_empties_the_box_and_the_list(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            screen = await search(driver, "dawn")
            await driver.press("enter", "escape")
            assert driver.app.focused is screen.query_one("#query")
            await driver.press("escape")
            await driver.until(lambda: not screen.query_one(ResultList).rows)
            assert str(screen.query_one("#results", OptionList).get_option_at_index(0).prompt) == (
                "Results appear here while you type."
            )

    drive(work())


def test_what_is_found_follows_the_library(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            screen = await search(driver, "dawn")
            (tmp_path / "documents" / "ferry.md").write_text("The ferry leaves at dawn.\n")
            await driver.press("f5")
            await driver.until(lambda: "ferry.md" in names(screen))

    drive(work())


LOOKS = [
    pytest.param((80, 24), "dark", "en", id="80x24-dark-en"),
    pytest.param((80, 24), "light", "zh", id="80x24-light-zh"),
    pytest.param((120, 40), "light", "en", id="120x40-light-en"),
    pytest.param((120, 40), "dark", "zh", id="120x40-dark-zh"),
]


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


# --- the parts ------------------------------------------------------------------------------------
