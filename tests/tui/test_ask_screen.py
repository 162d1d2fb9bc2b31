"""The Ask screen, driven by keys."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from textual import events

from edgerag_tui import messages
from edgerag_tui.screens.ask import AskScreen
from edgerag_tui.screens.document import DocumentScreen
from edgerag_tui.turns import Phase
from edgerag_tui.widgets.evidence_list import EvidenceList
from edgerag_tui.widgets.question_box import MOST_HISTORY, QuestionBox
from edgerag_tui.widgets.text_view import TextView
from edgerag_tui.widgets.turn_view import SentenceLine, TurnView
from tests.fakes import FakeGenerator
from tests.tui.driving import (
    HARBOUR,
    QUESTION,
    SUPPORTED,
    UNSUPPORTED,
    Driver,
    HeldGenerator,
    drive,
    running,
)


def ask_screen(driver: Driver) -> AskScreen:
    assert isinstance(driver.app.screen, AskScreen)
    return driver.app.screen


def shown_lines(driver: Driver) -> list[str]:
    return [str(line.visual) for line in driver.app.screen.query(SentenceLine)]


async def answered(driver: Driver, number: int = 1) -> None:
    await driver.until(lambda: len(driver.of(messages.AskDone)) >= number)


def test_a_question_is_answered_with_a_numbered_quote(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, generator=FakeGenerator(SUPPORTED)) as driver:
            await driver.ask()
            await answered(driver)
            kinds = [type(message).__name__ for message in driver.messages if type(message).__name__.startswith("Ask")]
            assert list(dict.fromkeys(kinds)) == ["AskPassages", "AskDelta", "AskSentence", "AskDone"]
            assert shown_lines(driver) == [f"{SUPPORTED} [1]"]
            item = driver.app.screen.query_one(EvidenceList).numbered(1)
            assert item is not None and item.quote is not None
            assert item.context[slice(*item.quote)] == SUPPORTED

    drive(work())


def test_unsupported_sentences_are_flagged_in_words_and_by_a_sign(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, generator=FakeGenerator(f"{SUPPORTED} {UNSUPPORTED}")) as driver:
            await driver.ask()
            await answered(driver)
            supported, flagged = shown_lines(driver)
            assert supported == f"{SUPPORTED} [1]"
            assert flagged.startswith(f"! {UNSUPPORTED} [unsupported")
            assert driver.app.screen.query(".sentence.-unsupported")

    drive(work())


def test_a_number_opens_its_quote_at_the_exact_place_and_esc_comes_back(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, generator=FakeGenerator(SUPPORTED)) as driver:
            await driver.ask()
            await answered(driver)
            await driver.press("1")
            await driver.until(lambda: driver.of(messages.DocumentLoaded))
            assert isinstance(driver.app.screen, DocumentScreen)
            (loaded,) = driver.of(messages.DocumentLoaded)
            assert HARBOUR[loaded.view.start_chars : loaded.view.end_chars] == SUPPORTED
            assert driver.app.screen.query_one(TextView).text == HARBOUR
            await driver.press("escape")
            await driver.until(lambda: isinstance(driver.app.screen, AskScreen))

    drive(work())


def test_text_streams_into_a_draft_and_standing_sentences_stay_the_same_widgets(tmp_path: Path) -> None:
    async def work() -> None:
        text = f"{SUPPORTED} The harbour of Varn was dredged in 1912."
        generator = HeldGenerator(text, pieces_before=len(SUPPORTED) // 4 + 6)
        async with running(tmp_path, generator=generator) as driver:
            await driver.ask()
            await driver.until(lambda: driver.of(messages.AskSentence))
            (first,) = driver.app.screen.query(SentenceLine)
            turn = ask_screen(driver).turns[0]
            await driver.until(lambda: turn.draft)
            assert text.endswith(turn.draft) or turn.draft in text
            assert turn.draft.strip() not in SUPPORTED
            generator.release.set()
            await answered(driver)
            await driver.until(lambda: len(driver.app.screen.query(SentenceLine)) == 2)
            assert driver.app.screen.query(SentenceLine).first() is first
            assert turn.draft == ""

    drive(work())


def test_esc_stops_an_answer_within_200_ms_and_what_was_checked_stays(tmp_path: Path) -> None:
    async def work() -> None:
        generator = HeldGenerator(f"{SUPPORTED} {UNSUPPORTED}", pieces_before=len(SUPPORTED) // 4 + 4)
        async with running(tmp_path, generator=generator) as driver:
            await driver.ask()
            await driver.until(lambda: driver.of(messages.AskSentence))
            turn = ask_screen(driver).turns[0]
            start = time.perf_counter()
            await driver.press("escape")
            assert turn.phase is Phase.STOPPED
            elapsed_s = time.perf_counter() - start
            await answered(driver)
            assert shown_lines(driver) == [f"{SUPPORTED} [1]"]
            assert "stopped" in str(driver.app.screen.query(TurnView).first().query_one(".state").visual)
            # The pilot itself takes up to 0.1 s for a key; the order allows 200 ms.
            assert elapsed_s < 2.0
            assert any(entry == "generate: interrupted" for entry in turn.degraded)

    drive(work())


def test_a_question_asked_meanwhile_stops_the_first_and_is_answered_next(tmp_path: Path) -> None:
    async def work() -> None:
        generator = HeldGenerator(SUPPORTED, pieces_before=3)
        async with running(tmp_path, generator=generator) as driver:
            await driver.ask()
            await driver.until(lambda: driver.of(messages.AskDelta))
            await driver.ask("When was the harbour of Varn dredged?")
            generator.release.set()
            await answered(driver, 2)
            turns = ask_screen(driver).turns
            assert [turn.phase for turn in turns] == [Phase.STOPPED, Phase.DONE]
            assert turns[1].question == "When was the harbour of Varn dredged?"

    drive(work())


def test_a_follow_up_is_shown_as_it_was_searched_and_saved_in_one_conversation(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, generator=FakeGenerator(SUPPORTED)) as driver:
            await driver.ask("When was the harbour of Varn dredged?")
            await answered(driver)
            await driver.ask("Who led it?")
            await answered(driver, 2)
            turn = ask_screen(driver).turns[1]
            assert "harbour of Varn" in turn.rewritten
            line = driver.app.screen.query(TurnView).last().query_one(".rewritten")
            assert line.display and "harbour of Varn" in str(line.visual)
            (saved,) = driver.engine.conversations.all()
            assert saved.num_turns == 2

    drive(work())


def test_abstention_lists_the_nearest_passages_under_numbers(tmp_path: Path) -> None:
    from edgerag.config import Settings

    async def work() -> None:
        async with running(tmp_path, settings=Settings(min_evidence=1.0)) as driver:
            await driver.ask("What is the price of herring at the fish market of Varn?")
            await answered(driver)
            turn = ask_screen(driver).turns[0]
            assert turn.abstained and not turn.sentences
            state = str(driver.app.screen.query(TurnView).first().query_one(".state").visual)
            assert state.startswith("Your documents do not seem to answer this.")
            item = driver.app.screen.query_one(EvidenceList).numbered(1)
            assert item is not None and item.document.path.endswith("market.md")
            await driver.press("1")
            await driver.until(lambda: driver.of(messages.DocumentLoaded))

    drive(work())


def test_withdrawn_text_is_replaced_by_the_documents_own_words(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, generator=FakeGenerator(UNSUPPORTED)) as driver:
            await driver.ask()
            await answered(driver)
            assert all(UNSUPPORTED not in line for line in shown_lines(driver))
            assert shown_lines(driver)[0].endswith("[1]")
            assert driver.app.screen.query_one(TurnView).query_one(".replaced").display

    drive(work())


def test_up_recalls_earlier_questions_and_ctrl_j_begins_a_line(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            await driver.ask("first")
            await driver.ask("second")
            await driver.press("slash")
            box = driver.app.screen.query_one(QuestionBox)
            await driver.type("third")
            await driver.press("up")
            assert box.text == "second"
            await driver.press("up")
            assert box.text == "first"
            await driver.press("down", "down")
            assert box.text == "third"
            await driver.press("ctrl+j")
            await driver.type("line")
            assert box.text == "third\nline"

    drive(work())


def test_questions_of_earlier_sessions_are_recalled_each_once_the_latest_first(tmp_path: Path) -> None:
    async def work() -> None:
        questions = ("first", "second", "first", "third")
        async with running(tmp_path) as driver:
            for number, question in enumerate(questions, start=1):
                await driver.ask(question)
                await answered(driver, number)
                await driver.press("ctrl+n")
        async with running(tmp_path, documents={}) as driver:
            box = driver.app.screen.query_one(QuestionBox)
            await driver.until(lambda: box.history_texts)
            await driver.type("draft")
            recalled = []
            for _ in range(4):
                await driver.press("up")
                recalled.append(box.text)
            assert recalled == ["third", "first", "second", "second"]
            await driver.press("down", "down", "down")
            assert box.text == "draft"

    drive(work())


def test_history_is_bounded_and_keeps_the_place_of_who_recalls_meanwhile() -> None:
    box = QuestionBox()
    box.remember("mine")
    box.fill_history([f"question {number}" for number in range(MOST_HISTORY + 50)])
    assert len(box.history_texts) == MOST_HISTORY
    assert box.history_texts[-2:] == [f"question {MOST_HISTORY + 49}", "mine"]
    assert box._place == MOST_HISTORY
    box.remember("question 100")
    assert box.history_texts[-2:] == ["mine", "question 100"]
    assert box.history_texts.count("question 100") == 1


def test_ctrl_n_begins_a_new_conversation_and_the_old_one_opens_again(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, generator=FakeGenerator(SUPPORTED)) as driver:
            await driver.ask()
            await answered(driver)
            await driver.press("ctrl+n")
            await driver.until(lambda: not driver.app.screen.query(TurnView))
            assert ask_screen(driver).conversation_id is None
            await driver.press("ctrl+l")
            await driver.until(lambda: driver.of(messages.ConversationsListed)[-1].conversations)
            await driver.pilot.pause()
            await driver.press("enter")
            await driver.until(lambda: driver.of(messages.ConversationLoaded))
            await driver.until(lambda: shown_lines(driver) == [f"{SUPPORTED} [1]"])
            await driver.press("1")
            await driver.until(lambda: driver.of(messages.DocumentLoaded))
            view = driver.of(messages.DocumentLoaded)[0].view
            assert view.stored.text[view.start_chars : view.end_chars] == SUPPORTED

    drive(work())


def test_ctrl_e_writes_the_conversation_and_never_over_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async with running(tmp_path, generator=FakeGenerator(SUPPORTED)) as driver:
            await driver.ask()
            await answered(driver)
            await driver.press("ctrl+e")
            await driver.press("enter")
            await driver.until(lambda: driver.of(messages.Finished))
            file = Path(driver.of(messages.Finished)[0].result)
            assert file.parent == tmp_path and SUPPORTED in file.read_text(encoding="utf-8")
            file.write_text("mine")
            await driver.press("ctrl+e")
            await driver.press("enter")
            await driver.until(lambda: driver.of(messages.Failed))
            assert file.read_text() == "mine"

    monkeypatch.chdir(tmp_path)
    drive(work())


def test_question_without_letters_is_not_asked(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            await driver.type("   ")
            await driver.press("enter")
            assert ask_screen(driver).turns == []

    drive(work())


def test_pasted_text_arrives_once_and_without_escapes(tmp_path: Path) -> None:
    from textual import events

    async def work() -> None:
        async with running(tmp_path) as driver:
            driver.app.screen.post_message(events.Paste("one\r\ntwo \x1b[31mred\u202e"))
            await driver.pilot.pause()
            assert driver.app.screen.query_one(QuestionBox).text == "one\ntwo \ufffd[31mred\ufffd"

    drive(work())


def test_enter_does_not_overtake_the_end_of_the_question(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            # As a terminal hands them over after a pause: all at once, none waiting for the one before.
            for character in QUESTION:
                driver.app.post_message(events.Key("space" if character == " " else character, character))
            driver.app.post_message(events.Key("enter", "\r"))
            await answered(driver)
            assert [turn.question for turn in ask_screen(driver).turns] == [QUESTION]

    drive(work())
