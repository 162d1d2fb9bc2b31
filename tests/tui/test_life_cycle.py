"""Stopping an answer, quitting with work under way, and what is found again the next time."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from textual.widgets import Static

from edgerag.datatypes import PromptPart, Sampling
from edgerag.engine import Engine
from edgerag.protocols import StopFlag
from edgerag.storage.verify import Damage, verify
from edgerag_tui import messages
from edgerag_tui.own_terminal import own_terminal
from edgerag_tui.screens.ask import AskScreen
from edgerag_tui.screens.leaving import LeavingScreen
from edgerag_tui.turns import Phase
from edgerag_tui.widgets.turn_view import TurnView
from tests.fakes import FakeGenerator
from tests.tui.driving import QUESTION, SUPPORTED, TIMEOUT_S, Driver, drive, running
from tests.tui.test_jobs import hold, new_folder


class DeafGenerator(FakeGenerator):
    """Does not look at its stop flag before it is released: as a step of a prompt that takes long."""

    def __init__(self) -> None:
        super().__init__(SUPPORTED)
        self.reached = threading.Event()
        self.release = threading.Event()

    def stream(self, prompt: Sequence[PromptPart], sampling: Sampling, stop: StopFlag) -> Iterator[str]:
        self.reached.set()
        self.release.wait(TIMEOUT_S)
        if not stop.is_set():
            yield from super().stream(prompt, sampling, stop)


async def happens(is_so: Callable[[], object]) -> None:
    """Wait though the application may have ended."""
    for _ in range(int(TIMEOUT_S / 0.02)):
        if is_so():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("this did not happen in time")


def is_sound(library: Path) -> bool:
    with Engine.open(library) as engine:
        return not [event for event in verify(engine.library, threading.Event()) if isinstance(event, Damage)]


def state_of(driver: Driver) -> str:
    return str(driver.app.screen.query(TurnView).last().query_one(".state", Static).visual)


def test_esc_shows_stopped_before_the_engine_has_stopped_and_the_next_question_waits_for_it(tmp_path: Path) -> None:
    async def work() -> None:
        generator = DeafGenerator()
        async with running(tmp_path, generator=generator) as driver:
            await driver.ask()
            await driver.until(generator.reached.is_set)
            screen = driver.app.screen
            assert isinstance(screen, AskScreen) and screen._asking is not None
            task = screen._asking
            await driver.press("escape")
            assert screen.turns[0].phase is Phase.STOPPED
            assert "stopped" in state_of(driver)
            assert task.stop.is_set()
            assert task.is_running, "the screen did not wait for the engine"
            await driver.ask("Who came back in 1913?")
            assert screen.turns[1].phase is Phase.WAITING
            generator.release.set()
            await driver.until(lambda: len(driver.of(messages.AskDone)) == 2)
            first, second = (message.answer for message in driver.of(messages.AskDone))
            assert (first.question, first.degraded, first.sentences) == (QUESTION, ("generate: interrupted",), ())
            assert second.question == "Who came back in 1913?"

    drive(work())


def test_quitting_in_the_middle_of_an_answer_says_what_it_waits_for_and_draws_on(tmp_path: Path) -> None:
    async def work() -> None:
        generator = DeafGenerator()
        async with running(tmp_path, generator=generator) as driver:
            await driver.ask()
            await driver.until(generator.reached.is_set)
            await driver.press("ctrl+q")
            await driver.until(lambda: isinstance(driver.app.screen, LeavingScreen))
            assert "Waiting for the answer to stop." in str(driver.app.screen.query_one(Static).visual)
            assert not driver.app.session.is_closed
            generator.release.set()
            await happens(lambda: driver.app.session.is_closed)
            await happens(lambda: driver.app._exit)

    drive(work())
    assert is_sound(tmp_path / "library")


def test_a_second_ctrl_q_leaves_at_once(tmp_path: Path) -> None:
    async def work() -> None:
        generator = DeafGenerator()
        async with running(tmp_path, generator=generator) as driver:
            await driver.ask()
            await driver.until(generator.reached.is_set)
            await driver.press("ctrl+q")
            await driver.until(lambda: isinstance(driver.app.screen, LeavingScreen))
            await driver.press("ctrl+q")
            await happens(lambda: driver.app._exit)
            assert not driver.app.session.is_closed
            assert driver.app.session.work_left == ["ask"]
            generator.release.set()

    drive(work())
    assert is_sound(tmp_path / "library")


def test_quitting_in_the_middle_of_an_ingest_ends_at_a_safe_point(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            embedder = hold(driver)
            driver.app.jobs.add((str(new_folder(tmp_path)),))
            await driver.until(embedder.reached.is_set)
            await driver.press("ctrl+q")
            await driver.until(lambda: isinstance(driver.app.screen, LeavingScreen))
            assert "the file that is being read" in str(driver.app.screen.query_one(Static).visual)
            embedder.release.set()
            await happens(lambda: driver.app.session.is_closed)

    drive(work())
    assert is_sound(tmp_path / "library")
    with Engine.open(tmp_path / "library") as engine:
        assert len(engine.library.sources()) == 2


def test_after_quitting_nothing_new_is_begun(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            driver.app.session.stop_work()
            task = driver.app.session.run("another", "ask", lambda engine, task: None, to=driver.app)
            assert (task.is_running, task.stop.is_set()) == (False, True)

    drive(work())


def test_what_is_logged_goes_into_a_file_and_not_across_the_screen(
    isolated_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logging.basicConfig(stream=sys.stderr, force=True)
    with own_terminal():
        logging.getLogger("edgerag_tui.tasks").error("the work %r failed", "counts")
        logging.getLogger("edgerag").warning("a warning")
        assert capsys.readouterr().err == ""
    file = isolated_home / "edgerag-config" / "tui.log"
    lines = file.read_text(encoding="utf-8").splitlines()
    assert [line.split(" ", 2)[2] for line in lines] == [
        "ERROR edgerag_tui.tasks: the work 'counts' failed",
        "WARNING edgerag: a warning",
    ]
    assert capsys.readouterr().err == f"What went wrong is told in {file}.\n"


def test_a_log_that_cannot_be_written_fails_nothing(isolated_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (isolated_home / "edgerag-config").write_text("a file where the folder should be")
    with own_terminal():
        logging.getLogger("edgerag_tui").error("lost")
    assert "Traceback" not in capsys.readouterr().err
