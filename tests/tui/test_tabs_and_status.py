"""The top row with its tabs, and the status line."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.cells import cell_len

from edgerag_tui import strings
from edgerag_tui.screens.jump import JumpScreen, place_of
from edgerag_tui.status import ModelStage, ModelStatus, Status, SyncStatus
from edgerag_tui.vitals import Vitals
from edgerag_tui.widgets.status_line import status_content
from tests.fakes import FakeGenerator
from tests.tui.driving import SUPPORTED, drive, line_of, running

READY = ModelStatus(ModelStage.READY, "m")


def test_status_line_tells_library_freshness_models_memory_and_sockets(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, generator=FakeGenerator(SUPPORTED), size=(140, 30)) as driver:
            line = line_of(driver)
            assert (
                line.split()
                == (
                    "library · 2 documents · up to date fake-embedder · fake-reranker · fake-generator │ 123 MB │ "
                    "offline: 0 sockets"
                ).split()
            )

    drive(work())


@pytest.mark.parametrize("width", [30, 60, 78, 118, 158])
def test_status_line_fits_any_width_and_keeps_the_shield(width: int) -> None:
    status = Status(
        library="/home/someone/a rather long name of a library",
        num_documents=12_345,
        num_stale=3,
        num_failed=2,
        embedder=READY,
        reranker=READY,
        generator=ModelStatus(ModelStage.READY, "smollm2-135m-instruct"),
        tokens_per_s=48.2,
        degraded=("generate: interrupted", "rerank: failed"),
    )
    line = status_content(status, Vitals(231_000_000, 0), width)
    assert line.cell_length <= width
    assert "0 sockets" in line.plain


@pytest.mark.parametrize(("width", "num_stale"), [(46, 0), (78, 0), (78, 3), (118, 3)])
def test_unreadable_files_are_told_at_any_width(width: int, num_stale: int) -> None:
    strings.use("en")
    status = Status(
        library="/home/someone/a rather long name of a library",
        num_documents=12_345,
        num_stale=num_stale,
        num_failed=1,
        embedder=READY,
        reranker=READY,
        generator=ModelStatus(ModelStage.READY, "qwen2.5-0.5b-instruct"),
        tokens_per_s=48.2,
    )
    line = status_content(status, Vitals(231_000_000, 0), width).plain
    assert "! 1 unreadable" in line
    assert ("! 3 changed (F5)" in line) == bool(num_stale)


def test_the_line_speaks_of_one_document_and_names_a_reranker_for_people() -> None:
    strings.use("en")
    reranker = ModelStatus(ModelStage.READY, "maxsim:all-MiniLM-L6-v2")
    status = Status("/l", num_documents=1, num_stale=0, embedder=READY, reranker=reranker, generator=READY)
    line = status_content(status, Vitals(1, 0), 120).plain
    assert "l · 1 document · up to date" in line
    assert " · late interaction · " in line
    assert "maxsim" not in line


def test_open_sockets_and_failed_models_are_shouted_not_only_coloured() -> None:
    failed = Status(library="/l", num_stale=0, generator=ModelStatus(ModelStage.FAILED, problem="out of memory"))
    line = status_content(failed, Vitals(1, 2), 120).plain
    assert "! 2 SOCKETS" in line
    assert "! no generator" in line
    syncing = Status(
        library="/l", embedder=READY, reranker=READY, generator=READY, sync=SyncStatus("ingest", 0.42, 18, 5)
    )
    assert "reading 42%, 18 chunks/s" in status_content(syncing, Vitals(1, 0), 120).plain


def cell_at(text: str, x: int) -> str:
    """The character in a column, counted in cells."""
    return next(text[place] for place in range(len(text)) if cell_len(text[:place]) == x)


@pytest.mark.parametrize(
    ("width", "language", "shown"),
    [
        (
            120,
            "en",
            " edgerag  F2 Ask [F3 Search] F4 Document  F6 Library  F7 Inspect  F8 Models  F9 Settings  F10 Doctor ",
        ),
        (80, "en", " F2 Ask [F3 Search] 4 Document 6 Library 7 Inspect 8 Models 9 Settings 10 Doctor "),
        (80, "zh", " F2 提问 [F3 搜索] F4 文档  F6 文库  F7 检视  F8 模型  F9 设置  F10 诊断 "),
        (40, "en", " F2 [F3 Search] F4 F6 F7 F8 F9 F10 "),
    ],
)
def test_tabs_say_as_much_as_fits_and_the_open_one_is_one_thing_in_brackets(
    tmp_path: Path, width: int, language: str, shown: str
) -> None:
    async def work() -> None:
        async with running(tmp_path, size=(width, 24), language=language) as driver:
            await driver.press("f3")
            await driver.pilot.pause()
            top = driver.app.screen._compositor.render_strips()[0].text
            assert top.rstrip() == shown.rstrip()
            await driver.press("ctrl+o")
            assert isinstance(driver.app.screen, JumpScreen)
            for key in "23467890":
                x, y = place_of(driver.app.screen._targets[key])
                assert (cell_at(top, x), y) == (key, 0), "the key to press is the digit that lights up"

    drive(work())


def test_tabs_name_the_keys_as_they_are_mapped(tmp_path: Path) -> None:
    async def work() -> None:
        keys = {"app.go_search": "ctrl+g", "app.go_library": "f12,ctrl+x"}
        async with running(tmp_path, size=(120, 24), keys=keys) as driver:
            top = driver.app.screen._compositor.render_strips()[0].text
            assert "[F2 Ask] ^G Search  F4 Document  F12 Library " in top
            await driver.press("ctrl+o", "6")
            await driver.until(lambda: driver.app.current_mode == "library")
            await driver.press("ctrl+g")
            await driver.until(lambda: driver.app.current_mode == "search")

    drive(work())
