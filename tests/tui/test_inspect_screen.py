"""The Inspect screen, driven by keys."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from textual.widgets import ContentSwitcher, Input, OptionList, Static

from edgerag.errors import ModelError
from edgerag_tui import messages
from edgerag_tui.screens.document import DocumentScreen
from edgerag_tui.screens.inspect import InspectScreen
from tests.fakes import FakeGenerator
from tests.tui.driving import HARBOUR, LOOKS, MARKET, QUESTION, SUPPORTED, Driver, check_picture, drive, running

FERRY = "# Ferry\n\nTickets for the boat are sold on board.\n"
NOTES = {"harbour.md": HARBOUR, "market.md": MARKET, "ferry.md": FERRY}


async def inspected(driver: Driver, question: str = QUESTION) -> InspectScreen:
    """Ask a question, then open the screen and wait for the explanation."""
    await driver.ask(question)
    await driver.until(lambda: driver.of(messages.AskDone))
    await driver.press("f7")
    screen = driver.app.screen
    assert isinstance(screen, InspectScreen)
    await driver.until(lambda: screen.explanation is not None)
    return screen


async def why_not(driver: Driver, screen: InspectScreen, name: str) -> str:
    """Pick a document by a part of its name, and give what is said of it."""
    await driver.press("w")
    await driver.until(lambda: driver.of(messages.DocumentsListed))
    await driver.type(name)
    await driver.press("enter")
    await driver.until(lambda: screen.outcome is not None)
    return text_of(screen, "#why-text")


def text_of(screen: InspectScreen, selector: str) -> str:
    return str(screen.query_one(selector, Static).visual)


def numbers_of(screen: InspectScreen) -> dict[str, float]:
    """The last column of the waterfall, by the first."""
    rows = [line.split() for line in text_of(screen, "#waterfall-text").splitlines()]
    names = ("words", "meaning", "together", "reranker", "final")
    return {row[0]: float(row[-1]) for row in rows if row and row[0] in names and row[-1] != "–"}


def test_the_last_question_is_taken_and_its_scores_add_up(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            screen = await inspected(driver)
            assert screen.query_one("#inspected", Input).value == QUESTION
            assert screen.hit is not None and screen.hit.passage.document.path.endswith("harbour.md")
            parts = numbers_of(screen)
            assert parts["words"] + parts["meaning"] == pytest.approx(parts["together"], abs=0.002)
            assert parts["together"] + parts["reranker"] == pytest.approx(parts["final"], abs=0.002)
            assert parts["final"] == pytest.approx(screen.hit.passage.scores.final, abs=0.001)
            assert "dredging" in text_of(screen, "#waterfall-text")

    drive(work())


def test_the_waterfall_follows_the_cursor(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            screen = await inspected(driver)
            first = text_of(screen, "#waterfall-text")
            await driver.press("down")
            await driver.until(lambda: text_of(screen, "#waterfall-text") != first)
            assert screen.hit is screen.explanation.hits[1] if screen.explanation else False
            prompts = [str(option.prompt)[0] for option in screen.query_one("#hits", OptionList).options]
            assert prompts == [" ", "›", " "]

    drive(work())


def test_the_prompt_is_that_of_the_generator_which_answered_though_another_is_in_use_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator, later = FakeGenerator(SUPPORTED), FakeGenerator(SUPPORTED)
    later.name = "later"  # type: ignore[misc]  # of the class
    installed = {generator.name: generator, "later": later}

    def find(name: str | None = None) -> SimpleNamespace:
        wanted = name or "later"
        if wanted not in installed:
            raise ModelError(f"No model called {wanted} is installed.")
        return SimpleNamespace(name=wanted, manifest=SimpleNamespace(languages=("*",)))

    async def work() -> None:
        async with running(tmp_path, documents=NOTES, generator=generator) as driver:
            await driver.ask()
            await driver.until(lambda: driver.of(messages.AskDone))
            monkeypatch.setattr(driver.engine.models, "generator_model", find)
            monkeypatch.setattr(driver.engine.models, "generator", lambda name=None: installed[name or "later"])
            await driver.press("f7")
            await driver.until(lambda: driver.of(messages.Explained))
            assert driver.of(messages.Explained)[-1].explanation.model == "fake-generator"
            del installed["fake-generator"]
            await driver.press("r")
            await driver.until(lambda: len(driver.of(messages.Explained)) == 2)
            assert driver.of(messages.Explained)[-1].explanation.model == "later"

    drive(work())


def test_the_prompt_is_shown_to_the_letter(tmp_path: Path) -> None:
    async def work() -> None:
        generator = FakeGenerator(SUPPORTED)
        async with running(tmp_path, documents=NOTES, generator=generator) as driver:
            screen = await inspected(driver)
            await driver.press("3")
            assert text_of(screen, "#prompt-text") == "".join(part.text for part in generator.prompts[0])
            assert str(screen.query_one("#prompt-pane").border_title).startswith("Prompt for fake-generator: ")
            await driver.press("c")
            assert driver.app.clipboard == "".join(part.text for part in generator.prompts[0])

    drive(work())


def test_an_extractive_answer_has_no_prompt_and_the_screen_says_why(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            screen = await inspected(driver)
            await driver.press("3")
            assert text_of(screen, "#prompt-text").startswith("There is no prompt: the answer is made of")

    drive(work())


def test_evidence_shows_which_sentences_were_used_and_opens_them(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            screen = await inspected(driver)
            await driver.press("2")
            assert text_of(screen, "#verdict").startswith("✓ The evidence scores ")
            first = str(screen.query_one("#sentences", OptionList).get_option_at_index(0).prompt)
            assert first.startswith("✓ ") and first.endswith(SUPPORTED)
            await driver.press("down", "enter")
            await driver.until(lambda: driver.of(messages.DocumentLoaded))
            assert isinstance(driver.app.screen, DocumentScreen)
            view = driver.of(messages.DocumentLoaded)[0].view
            assert view.stored.text[view.start_chars : view.end_chars] == SUPPORTED
            await driver.press("escape")
            await driver.until(lambda: driver.app.screen is screen)

    drive(work())


def test_times_are_those_of_the_answer_and_of_looking_again(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES, generator=FakeGenerator(SUPPORTED)) as driver:
            screen = await inspected(driver)
            await driver.press("4")
            answer, _, again = text_of(screen, "#time-text").partition("Looked at again")
            assert "write and check" in answer and "write and check" not in again
            assert answer.count("= total") == again.count("= total") == 1

    drive(work())


def test_a_document_that_came_through_is_said_to_be_cited(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES, generator=FakeGenerator(SUPPORTED)) as driver:
            screen = await inspected(driver)
            told = await why_not(driver, screen, "harb")
            assert "✓ It came through all stages." in told
            assert "✓ cited" in told and "The answer cites it: [1]." in told

    drive(work())


def test_a_document_that_fell_out_is_told_with_the_stage(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            screen = await inspected(driver)
            (tmp_path / "documents" / "market.md").write_text("changed since")
            told = await why_not(driver, screen, "market")
            assert "✗ It fell out here: freshness" in told
            assert "What helps: F5 reads it again." in told
            assert screen.outcome is not None and screen.outcome.fell_out_at == "freshness"

    drive(work())


def test_a_file_that_the_library_does_not_hold_can_be_named(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            screen = await inspected(driver)
            told = await why_not(driver, screen, "nowhere.txt")
            assert "✗ It fell out here: library" in told and "there is no such file" in told

    drive(work())


def test_digits_are_typed_into_the_filter_and_switch_panes_after_esc(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            screen = await inspected(driver)
            await driver.press("5", "1")
            assert screen.query_one(ContentSwitcher).current == "why-pane"
            assert screen.query_one("#why-picker Input", Input).value == "1"
            await driver.press("escape", "1")
            assert screen.query_one(ContentSwitcher).current == "scores-pane"
            await driver.press("ctrl+pageup")
            assert screen.query_one(ContentSwitcher).current == "why-pane"

    drive(work())


def test_another_question_can_be_typed_and_the_next_one_asked_replaces_it(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            screen = await inspected(driver)
            await driver.press("slash", "ctrl+u")
            await driver.type("tickets for the boat")
            await driver.press("enter")
            await driver.until(lambda: screen.explanation and screen.explanation.question == "tickets for the boat")
            assert screen.hit is not None and screen.hit.passage.document.path.endswith("ferry.md")
            await driver.press("f2", "f7")
            assert screen.subject is not None and screen.subject.question == "tickets for the boat"
            await driver.press("f2")
            await driver.ask("When does the market open?")
            await driver.until(lambda: len(driver.of(messages.AskDone)) == 2)
            await driver.press("f7")
            await driver.until(lambda: screen.subject and screen.subject.question == "When does the market open?")

    drive(work())


def test_a_search_is_inspected_with_its_own_mode(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            await driver.press("f3", "alt+m", "alt+r")
            await driver.type("boat")
            await driver.until(lambda: driver.of(messages.SearchFound))
            await driver.press("enter", "i")
            await driver.until(lambda: driver.of(messages.Explained))
            screen = driver.app.screen
            assert isinstance(screen, InspectScreen) and screen.explanation is not None
            assert screen.explanation.notes["mode"] == "lexical"
            assert [hit.rerank_rank for hit in screen.explanation.hits] == [None]
            assert "was not asked" in text_of(screen, "#waterfall-text")

    drive(work())


def test_without_a_question_the_screen_says_what_to_do(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:
            await driver.press("f7")
            screen = driver.app.screen
            assert isinstance(screen, InspectScreen)
            told = "Ask a question first (F2), or type one above."
            assert text_of(screen, "#inspect-state") == told
            shown = "\n".join(strip.text for strip in screen._compositor.render_strips())
            assert shown.count(told) == 1
            await driver.press("w")
            await driver.until(lambda: driver.of(messages.DocumentsListed))
            await driver.press("enter")
            assert screen.is_current and screen.outcome is None

    drive(work())


def test_a_failure_is_told_in_the_screen(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES) as driver:

            def failing(*arguments: Any, **options: Any) -> Any:
                raise ModelError("The embedding model is missing.", hint="Run `edgerag doctor`.")

            driver.engine.explain = failing  # type: ignore[method-assign]
            await driver.press("f7", "slash")
            await driver.type("boat")
            await driver.press("enter")
            await driver.until(lambda: driver.of(messages.Failed))
            screen = driver.app.screen
            assert isinstance(screen, InspectScreen)
            assert text_of(screen, "#inspect-state") == "! The embedding model is missing. Run `edgerag doctor`."

    drive(work())


@pytest.mark.parametrize(("size", "theme", "language"), LOOKS)
def test_inspect_looks_as_it_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], theme: str, language: str
) -> None:
    look = f"{size[0]}x{size[1]}-{theme}-{language}"

    async def work() -> None:
        generator = FakeGenerator(SUPPORTED)
        async with running(
            tmp_path, documents=NOTES, generator=generator, size=size, theme=theme, language=language
        ) as driver:
            screen = await inspected(driver)
            await driver.until(lambda: driver.of(messages.ConversationsListed)[-1].conversations)
            for key, name in (("1", "scores"), ("2", "evidence"), ("3", "prompt")):
                await driver.press(key)
                await driver.pilot.pause()
                check_picture(driver, f"inspect-{name}-{look}")
            await why_not(driver, screen, "ferry")
            await driver.pilot.pause()
            check_picture(driver, f"inspect-why-{look}")

    monkeypatch.chdir(tmp_path)
    drive(work())
