"""Drives the application by keys, on a real engine and library with the fake models of `tests/fakes.py`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from textual import events
from textual.message import Message
from textual.pilot import Pilot
from textual.widgets import Static

from edgerag.config import Settings
from edgerag.datatypes import PromptPart, Sampling
from edgerag.engine import Engine
from edgerag.open_models import OpenModels
from edgerag.protocols import StopFlag
from edgerag.storage.library import Library
from edgerag_tui.app import EdgeragApp
from edgerag_tui.preferences import Preferences
from edgerag_tui.screens.base import SectionScreen
from edgerag_tui.session import Session
from edgerag_tui.vitals import Vitals
from edgerag_tui.widgets.status_line import StatusLine
from tests.fakes import FakeEmbedder, FakeGenerator, FakeReranker
from tests.tui.screenshots import tidied

Found = TypeVar("Found", bound=Message)
Shown = TypeVar("Shown", bound=SectionScreen)
PICTURES = Path(__file__).parent / "pictures"
WRITE_VARIABLE = "WRITE_PICTURES"
LOOKS = [
    pytest.param((80, 24), "dark", "en", id="80x24-dark-en"),
    pytest.param((80, 24), "light", "zh", id="80x24-light-zh"),
    pytest.param((120, 40), "light", "en", id="120x40-light-en"),
    pytest.param((120, 40), "dark", "zh", id="120x40-dark-zh"),
]
"""Size, theme and language of the pictures: each value at least once with each of another kind."""
TIMEOUT_S = 20.0
HARBOUR = "# Harbour\n\nThe harbour of Varn was dredged in 1912. Ada Holm led the dredging of the harbour of Varn.\n"
MARKET = "# Market\n\nThe fish market of Varn opens at dawn. The market is closed on Sundays.\n"
DOCUMENTS = {"harbour.md": HARBOUR, "market.md": MARKET}
QUESTION = "Who led the dredging of the harbour of Varn?"
SUPPORTED = "Ada Holm led the dredging of the harbour of Varn."
UNSUPPORTED = "The queen paid 900 crowns."


class HeldGenerator(FakeGenerator):
    """Speaks only as far as it is let: `release` lets it go on."""

    def __init__(self, text: str, *, pieces_before: int) -> None:
        super().__init__(text)
        self.release = threading.Event()
        self._pieces_before = pieces_before

    def stream(self, prompt: Sequence[PromptPart], sampling: Sampling, stop: StopFlag) -> Iterator[str]:
        for number, piece in enumerate(super().stream(prompt, sampling, stop)):
            if number == self._pieces_before:
                while not self.release.wait(0.01) and not stop.is_set():
                    pass
            if stop.is_set():
                return
            yield piece


class FakeModels(OpenModels):
    """The fakes in place of everything with weights; the vector index over them is the real one."""

    def __init__(self, library: Library, settings: Settings, generator: FakeGenerator | None) -> None:
        super().__init__(library, settings)
        embedder = FakeEmbedder()
        self.fake_generator = generator
        manifest = SimpleNamespace(
            name=embedder.name,
            dim=embedder.dim,
            fingerprint=embedder.fingerprint,
            languages=embedder.languages,
            max_tokens=embedder.max_tokens,
        )
        self._parts |= {
            "embedding_model": SimpleNamespace(name=embedder.name, manifest=manifest),
            "embedder": embedder,
            "reranker": FakeReranker(),
        }

    def generator_model(self, name: str | None = None) -> Any:
        if self.fake_generator is None:
            return None
        return SimpleNamespace(name=self.fake_generator.name, manifest=SimpleNamespace(languages=("*",)))

    def generator(self, name: str | None = None) -> Any:
        return self.fake_generator


class Driver:
    """The running application and what has been sent in it."""

    def __init__(self, app: EdgeragApp, pilot: Pilot[int], engine: Engine, messages: list[Message]) -> None:
        self.app = app
        self.pilot = pilot
        self.engine = engine
        self.messages = messages
        """Every message of `edgerag_tui.messages` that reached somebody, in order."""

    def of(self, kind: type[Found]) -> list[Found]:
        """The messages of one kind so far."""
        return [message for message in self.messages if isinstance(message, kind)]

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def type(self, text: str) -> None:
        """Type a text, character by character."""
        names = {" ": "space", "?": "question_mark", "/": "slash", ".": "full_stop", ",": "comma", "\n": "ctrl+j"}
        await self.pilot.press(*(names.get(character, character) for character in text))

    async def ask(self, question: str = QUESTION) -> None:
        """Paste a question into the box and press Enter."""
        if self.app.focused is None or self.app.focused.id != "question":
            await self.press("slash")
        self.app.screen.post_message(events.Paste(question))
        await self.press("enter")

    async def until(self, is_so: Callable[[], object]) -> None:
        """Wait for workers and messages; fails after `TIMEOUT_S`."""
        for _ in range(int(TIMEOUT_S / 0.02)):
            await self.pilot.pause()
            if is_so():
                return
            await asyncio.sleep(0.02)
        raise AssertionError("this did not happen in time")

    async def loaded(self) -> None:
        """Wait until library and models are there and counted."""
        await self.until(lambda: not self.app.session.status.is_loading)
        await self.until(lambda: self.app.session.status.num_stale is not None or self.app.session.status.problem)


@contextlib.asynccontextmanager
async def running(
    folder: Path,
    *,
    documents: Mapping[str, str] = DOCUMENTS,
    generator: FakeGenerator | None = None,
    size: tuple[int, int] = (100, 30),
    language: str = "en",
    theme: str = "dark",
    keys: Mapping[str, str] | None = None,
    settings: Settings | None = None,
    open_engine: Callable[[], Engine] | None = None,
) -> AsyncIterator[Driver]:
    """The application on a library with some documents, models loaded.

    Args:
        documents: Text by file name; written to `folder/documents` and read in beforehand.
        generator: None: answers are extractive.
        open_engine: Instead of the library with the documents.
    """
    settings = settings or Settings(min_evidence=0.0, generator="" if generator is None else generator.name)
    library = folder / "library"
    sources = folder / "documents"
    sources.mkdir(parents=True, exist_ok=True)
    for name, text in documents.items():
        (sources / name).write_text(text, encoding="utf-8")
    engine = Engine.open(library, settings=settings)
    engine.models = FakeModels(engine.library, settings, generator)
    if documents:
        engine.add([sources])
    messages: list[Message] = []
    app = EdgeragApp(
        lambda announce: Session(open_engine or (lambda: engine), announce),
        preferences=Preferences(theme, language, keys or {}),
        read_vitals=lambda: Vitals(123_000_000, 0),
    )

    def note(message: Message) -> None:
        if type(message).__module__ == "edgerag_tui.messages":
            messages.append(message)

    try:
        async with app.run_test(size=size, notifications=True, message_hook=note) as pilot:
            driver = Driver(app, pilot, engine, messages)
            await driver.loaded()
            yield driver
    finally:
        app.session.close()


@contextlib.asynccontextmanager
async def on_screen(folder: Path, key: str, kind: type[Shown], **how: Any) -> AsyncIterator[tuple[Driver, Shown]]:
    """`running`, with a screen opened by its key."""
    async with running(folder, **how) as driver:
        await driver.press(key)
        screen = driver.app.screen
        assert isinstance(screen, kind)
        yield driver, screen


def line_of(driver: Driver) -> str:
    """What the status line says."""
    return str(driver.app.screen.query_one(StatusLine).query_one(Static).visual)


def drive(work: Coroutine[Any, Any, None]) -> None:
    """Run a test's coroutine."""
    asyncio.run(work)


def check_picture(driver: Driver, name: str) -> None:
    """Compare the screen with `pictures/<name>.svg`; WRITE_PICTURES=1 writes it instead."""
    driver.app.clear_notifications()
    shown = _stable(driver.app.export_screenshot(title="edgerag"))
    file = PICTURES / f"{name}.svg"
    if os.environ.get(WRITE_VARIABLE):
        file.parent.mkdir(exist_ok=True)
        file.write_text(shown, encoding="utf-8")
        return
    assert file.is_file(), f"{file} is missing; {WRITE_VARIABLE}=1 writes it. Look at it before you commit it."
    if shown != file.read_text(encoding="utf-8"):
        got = Path(os.environ.get("PICTURES_GOT", file.parent.parent)) / f"{name}.got.svg"
        got.write_text(shown, encoding="utf-8")
        raise AssertionError(f"The screen no longer looks like {file}: compare it with {got}.")


def _stable(svg: str) -> str:
    """Without what differs from run to run (times, identifiers that are hashes of the whole), and half as long."""
    svg = re.sub(r"\d+\.\d(&#160;|秒| )(?=s|秒|&#160;s|&#160;秒)", r"0.0\1", svg)
    svg = re.sub(r"\d{4}-\d\d-\d\d&#160;\d\d:\d\d", "2026-01-01&#160;00:00", svg)
    svg = tidied(svg)
    svg = re.sub(r"<clipPath.*?</clipPath>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r' (clip-path|shape-rendering)="[^"]*"', "", svg)
    svg = svg.replace("<style>", "<style>rect { shape-rendering: crispEdges; }", 1)
    return svg.replace("&#160;", "\N{NO-BREAK SPACE}")
