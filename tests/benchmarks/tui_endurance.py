"""A long day in the terminal application: what is left over after many questions, searches and changes of screen.

    python -m tests.benchmarks.tui_endurance [--questions 200] [--searches 2000] [--screens 400]

Drives the application by keys, with the fakes of the tests and a real library, and counts before and after each kind of
work, garbage collected: resident memory, Python objects, widgets, timers, asyncio tasks, threads and file descriptors.
Three counts each: after the first quarter, which is warming up, in the middle of the rest, and at the end; what leaks
grows by as much in either half. What one conversation rightly keeps (its turns) is gone before each count: a new one is
begun. Prints JSON. Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import tempfile
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input

from edgerag_tui import messages
from edgerag_tui.vitals import read_vitals
from edgerag_tui.widgets.turn_view import TurnView
from tests.fakes import FakeGenerator
from tests.tui.driving import SUPPORTED, Driver, running

WORDS = ("harbour", "Varn", "dredging", "market", "Sundays", "dawn", "ships", "1912", "Ada Holm", "closed")
SECTION_KEYS = ("f2", "f3", "f4", "f6", "f7", "f8", "f9")
NUM_DOCUMENTS = 40
MOST_TYPES = 8
"""Kinds of objects that are told of, those that grew most."""


def counted() -> dict[str, Any]:
    """What there is now."""
    for _ in range(3):
        gc.collect()
    objects = gc.get_objects()
    kinds = Counter(type(each).__qualname__ for each in objects)
    told = {
        "rss_mb": round(read_vitals().memory_bytes / 1e6, 1),
        "objects": len(objects),
        "widgets": sum(isinstance(each, Widget) for each in objects),
        "timers": sum(isinstance(each, Timer) for each in objects),
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "descriptors": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        "kinds": kinds,
    }
    del objects
    return told


def grown(counts: list[dict[str, Any]], number: int) -> dict[str, Any]:
    """What there was at each count, and of which kinds of objects there are more at the end."""
    told = {name: [count[name] for count in counts] for name in counts[0] if name != "kinds"}
    more = Counter(counts[-1]["kinds"])
    more.subtract(counts[0]["kinds"])
    kinds = {kind: count for kind, count in more.most_common(MOST_TYPES) if count > number // 10}
    return {"operations": number, **told, "kinds_that_grew": kinds}


async def ask(driver: Driver, number: int) -> None:
    done = len(driver.of(messages.AskDone))
    await driver.ask(f"Who led the dredging of the harbour of Varn, asked for the {number}th time?")
    await driver.until(lambda: len(driver.of(messages.AskDone)) > done)
    if number % 20 == 19:
        await driver.press("ctrl+n")


async def search(driver: Driver, number: int) -> None:
    done = len(driver.of(messages.SearchFound))
    driver.app.screen.query_one(Input).value = f"{WORDS[number % len(WORDS)]} {WORDS[number * 7 % len(WORDS)]} {number}"
    await driver.until(lambda: len(driver.of(messages.SearchFound)) > done)


async def change_screen(driver: Driver, number: int) -> None:
    await driver.press(SECTION_KEYS[number % len(SECTION_KEYS)])
    if number % 10 == 0:
        await driver.press("ctrl+p")
        await driver.pilot.pause()
        await driver.press("escape")
        await driver.press("f1", "escape")


async def many(
    driver: Driver, work: Callable[[Driver, int], Awaitable[None]], number: int, settle: Callable[[], Awaitable[None]]
) -> dict[str, Any]:
    """Do something often; returns what was left over."""
    counts: list[dict[str, Any]] = []
    quarter = number // 4
    for place in range(number):
        await work(driver, place)
        if place % 10 == 9:
            forget(driver)
        if place + 1 in (quarter, quarter + (number - quarter) // 2, number):
            await settle()
            forget(driver)
            counts.append(counted())
    return grown(counts, number - quarter)


def forget(driver: Driver) -> None:
    """What the driver and the fakes have recorded."""
    driver.messages.clear()
    driver.engine.models.reranker.calls.clear()
    driver.engine.models.embedder.document_calls.clear()
    driver.engine.models.embedder.queries.clear()
    driver.engine.models.generator().prompts.clear()
    driver.engine.models.generator().samplings.clear()


async def live(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    documents = {
        f"note {number}.md": f"# Note {number}\n\n{SUPPORTED} Ship {number} came back in {1900 + number}.\n"
        for number in range(NUM_DOCUMENTS)
    }
    report: dict[str, Any] = {}
    async with running(folder, documents=documents, generator=FakeGenerator(SUPPORTED), size=(120, 40)) as driver:

        async def new_conversation() -> None:
            await driver.press("f2", "ctrl+n")
            driver.app.clear_notifications()
            await driver.until(lambda: not driver.app.screen.query(TurnView))
            await driver.pilot.pause(1.0)

        async def rest() -> None:
            await driver.pilot.pause(1.0)

        report["questions"] = await many(driver, ask, arguments.questions, new_conversation)
        await driver.press("f3")
        await driver.pilot.pause()
        report["searches"] = await many(driver, search, arguments.searches, rest)
        report["screens"] = await many(driver, change_screen, arguments.screens, new_conversation)
    await asyncio.sleep(0.5)
    report["after_closing"] = {
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "tasks": len(asyncio.all_tasks()),
    }
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--searches", type=int, default=2000)
    parser.add_argument("--screens", type=int, default=400)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for name in ("EDGERAG_LIBRARY", "EDGERAG_MODELS", "EDGERAG_CONFIG"):
            os.environ[name] = str(Path(temporary) / name.lower())
        print(json.dumps(asyncio.run(live(Path(temporary), arguments))))


if __name__ == "__main__":
    main()
