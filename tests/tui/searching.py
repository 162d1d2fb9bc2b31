"""Opens the Search screen, types a query, and reads what it shows."""

from __future__ import annotations

from pathlib import Path

from textual.content import Content
from textual.widgets import Input, Static

from edgerag_tui.screens.search import SearchScreen
from edgerag_tui.widgets.hit_preview import HitPreview
from edgerag_tui.widgets.result_list import ResultList
from tests.tui.driving import HARBOUR, Driver

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
    await driver.until(lambda: driver.app.focused is screen.query_one("#query"))
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
