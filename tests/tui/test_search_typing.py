"""Typing in the Search screen: each pause searches for all that stands in the box, and nothing else does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, OptionList

from edgerag_tui import messages
from edgerag_tui.screens.inspect import InspectScreen
from edgerag_tui.widgets.result_list import ResultList
from tests.tui.driving import drive, running
from tests.tui.searching import NOTES, finished, marked, names, search, stages_of


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


def test_a_timer_that_waited_behind_a_key_searches_for_all_that_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgerag_tui.screens.search.DEBOUNCE_S", 60.0)

    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            screen = await search(driver, "harbou", done=False)
            assert screen._timer is not None
            late = screen._timer._callback
            assert late is not None
            await driver.type("r")
            late()
            await finished(driver, screen, "harbour")

    drive(work())


def test_a_letter_that_is_taken_back_leaves_the_search_whole(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            screen = await search(driver, "dawn")
            await driver.press("s", "backspace")
            await driver.until(lambda: screen._timer is None)
            await finished(driver, screen, "dawn")
            assert names(screen)[0] == "market.txt"

    drive(work())


def test_another_mode_is_for_all_that_was_typed_though_its_timer_still_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            screen = await search(driver, "harbou")
            monkeypatch.setattr("edgerag_tui.screens.search.DEBOUNCE_S", 60.0)
            await driver.type("r")
            screen.action_next_mode()
            await finished(driver, screen, "harbour")
            assert screen.request.mode == "lexical"
            await driver.press("s")
            screen.post_message(messages.LibraryChanged())
            await finished(driver, screen, "harbours")

    drive(work())


def test_scores_are_those_of_all_that_was_typed_though_its_timer_still_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgerag_tui.screens.search.DEBOUNCE_S", 60.0)

    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            screen = await search(driver, "harbour", done=False)
            assert screen.request.query == ""
            await driver.press("alt+i")
            inspect = driver.app.screen
            assert isinstance(inspect, InspectScreen)
            assert inspect.subject is not None and inspect.subject.question == "harbour"

    drive(work())
