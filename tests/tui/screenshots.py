"""Draws every screen of the application, with the example documents and the real models, for the README.

    make screenshots            or: python -m tests.tui.screenshots [FOLDER]

It runs without a terminal, in a home of its own; the generator is that of `EDGERAG_MODELS`, and without one answers are
extractive.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.cells import cell_len
from textual.pilot import Pilot
from textual.widgets import TextArea

from edgerag_tui.app import EdgeragApp

ROOT = Path(__file__).parents[2]
SIZE = (100, 30)
TIMEOUT_S = 60.0
FONTS = '"DejaVu Sans Mono", Menlo, Consolas, "Noto Sans Mono CJK SC", monospace'


class Camera:
    """The running application, driven by keys, and where its pictures go."""

    def __init__(self, pilot: Pilot[int], folder: Path) -> None:
        self._pilot = pilot
        self._app: EdgeragApp = pilot.app  # type: ignore[assignment]
        self._folder = folder

    async def keys(self, *keys: str, text: str = "") -> None:
        names = {" ": "space", "?": "question_mark"}
        await self._pilot.press(*keys, *(names.get(character, character) for character in text))

    async def until_shown(self, *texts: str, absent: str = "") -> None:
        """Wait until the screen shows all of the texts, and not the absent one."""
        shown = ""
        for _ in range(int(TIMEOUT_S / 0.05)):
            await self._pilot.pause(0.05)
            shown = "\n".join(strip.text for strip in self._app.screen._compositor.render_strips())
            if all(text in shown for text in texts) and not (absent and absent in shown):
                return
        raise SystemExit(f"{texts} did not appear:\n{shown}")

    async def take(self, name: str) -> None:
        self._app.clear_notifications()
        for area in self._app.screen.query(TextArea):
            area.cursor_blink = False
        await self._pilot.pause(0.3)
        (self._folder / f"{name}.svg").write_text(
            tidied(self._app.export_screenshot(title="edgerag")), encoding="utf-8"
        )


def tidied(svg: str) -> str:
    """A picture in which wide characters take two cells, with fonts that need no network.

    rich 15 gives each run of text the width of its characters' number, not of their cells. A viewer spreads a run's
    width over all its characters, so that what stands beside wide ones would move: they become runs of their own, in
    which each has its place.
    """

    def widened(match: re.Match[str]) -> str:
        head, x, middle, length, tail, text = match.groups()
        plain = html.unescape(text)
        cell = float(length) / len(plain)
        if cell_len(plain) == len(plain):
            return f'{head}x="{x}"{middle}textLength="{float(length):.1f}"{tail}>{text}</text>'
        place, runs = float(x), ""
        for run in _runs(plain):
            width = cell * cell_len(run)
            if not run.isspace():
                shown = html.escape(run).replace("\N{NO-BREAK SPACE}", "&#160;")
                is_wide = cell_len(run) == 2 * len(run) and max(run) <= "\uffff"
                xs = " ".join(f"{place + 2 * cell * number:.1f}" for number in range(len(run)))
                at = f'x="{xs}"{middle}' if is_wide else f'x="{place:.1f}"{middle}textLength="{width:.1f}"'
                runs += f"{head}{at}{tail}>{shown}</text>"
            place += width
        return runs

    svg = re.sub(r'(<text [^>]*?)x="([0-9.]+)"([^>]*?)textLength="([0-9.]+)"([^>]*)>([^<]+)</text>', widened, svg)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: Fira Code, monospace", f"font-family: {FONTS}", svg)
    return re.sub(r"terminal-\d+", "t", svg)


def _runs(text: str) -> Iterator[str]:
    """Wide characters and others in turn; what has no width belongs to what it follows."""
    run = ""
    for character in text:
        if run and cell_len(character) and (cell_len(character) > 1) != (cell_len(run[0]) > 1):
            yield run
            run = ""
        run += character
    yield run


async def english(camera: Camera) -> None:
    """All sections, in the order in which someone would come upon them."""
    await camera.until_shown("6 documents are ready", absent="loading")
    await camera.keys(text="What does a night cost?")
    await camera.keys("enter")
    await camera.until_shown("[1] handbook.md", absent="checking …")
    await camera.keys("slash", text="what about members?")
    await camera.keys("enter")
    await camera.until_shown("Searched as:", "[1] handbook.md", "up to date", absent="checking …")
    await camera.take("ask")
    await camera.keys("1")
    await camera.until_shown("Outline", "dormitory")
    await camera.take("document")
    await camera.keys("f7")
    await camera.until_shown("bm25", "cosine", absent="looking into it")
    await camera.take("inspect")
    await camera.keys("f3", text="rain gauge in winter")
    await camera.until_shown("Results", "Preview", "logbook.epub", absent="searching")
    await camera.take("search")
    await camera.keys("f6")
    await camera.until_shown("handbook.md", "up to date")
    await camera.take("library")
    for key, name, shown in (("f8", "models", "all-MiniLM"), ("f9", "settings", "rerank"), ("f10", "doctor", "sqlite")):
        await camera.keys(key)
        await camera.until_shown(shown)
        await camera.take(name)


async def chinese(camera: Camera) -> None:
    """The other language, in the light theme."""
    await camera.until_shown("6", absent="加载")
    await camera.keys("escape", "x", "slash", text="观测员每天几点读取雨量计")
    await camera.keys("enter")
    await camera.until_shown("[1] 观测手册.md")
    await camera.take("ask-zh")


async def photograph(folder: Path, library: Path) -> None:
    from edgerag_tui.cli import make_app

    for language, theme, work in (("en", "dark", english), ("zh", "light", chinese)):
        app = make_app(library, language=language, theme=theme)
        async with app.run_test(size=SIZE, notifications=True) as pilot:
            await work(Camera(pilot, folder))
            await pilot.press("ctrl+q")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "tui" / "screenshots")
    folder: Path = parser.parse_args(arguments).folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    base = Path(tempfile.gettempdir()) / "edgerag-pictures"  # it can be seen in them: the same each time, and short
    shutil.rmtree(base, ignore_errors=True)
    try:
        home = base / "home"
        documents = home / "Merle Pass"
        shutil.copytree(ROOT / "examples", documents)
        os.environ |= {"HOME": str(home), "EDGERAG_CONFIG": str(home / "config"), "COLORTERM": "truecolor"}
        from edgerag.engine import Engine  # settings and models are looked for in that home

        library = home / "hut"
        with Engine.open(library) as engine:
            engine.add([documents])
        asyncio.run(photograph(folder, library))
    finally:
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
