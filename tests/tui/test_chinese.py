"""The Chinese interface speaks Chinese to the end: what the engine says of files, answers and itself is translated."""

from __future__ import annotations

from pathlib import Path

from textual.widgets import Static

from edgerag.config import Settings
from edgerag.errors import LibraryError
from edgerag_tui import messages
from edgerag_tui.app import EdgeragApp
from edgerag_tui.screens.doctor import DoctorScreen, finding_content
from edgerag_tui.screens.inspect import InspectScreen
from edgerag_tui.screens.library import LibraryScreen
from tests.fakes import FakeGenerator
from tests.tui.driving import drive, running

NOTES = {
    "hut.md": "The hut is locked at night. A night costs 32 crowns.",
    "empty.txt": "",
    "market.md": "Fish at dawn.",
}


def shown(app: EdgeragApp) -> str:
    """All that stands on the screen, row by row."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def test_why_a_file_failed(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES, language="zh") as driver:
            await driver.press("f6")
            screen = driver.app.screen
            assert isinstance(screen, LibraryScreen)
            await driver.until(lambda: "empty.txt" in shown(driver.app))
            await driver.press("p", "down", "down")
            await driver.until(lambda: "! 是空文件" in shown(driver.app))

    drive(work())


def test_why_a_document_is_missing_and_what_is_degraded(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES, language="zh", size=(120, 40)) as driver:
            await driver.ask("What does a night cost?")
            await driver.until(lambda: driver.of(messages.AskDone))
            await driver.press("f7")
            screen = driver.app.screen
            assert isinstance(screen, InspectScreen)
            await driver.until(lambda: screen.explanation is not None)
            (tmp_path / "documents" / "market.md").unlink()
            await driver.press("w")
            await driver.type("market")
            await driver.press("enter")
            await driver.until(lambda: screen.outcome is not None)
            told = str(screen.query_one("#why-text", Static).render())
            assert "其文件在读取之后被删除，因此不显示。" in told
            assert "建议：按 F5 将其移除。" in told
            assert "它在文库中，共 1 个片段。" in told

    drive(work())


def test_why_a_sentence_is_unsupported(tmp_path: Path) -> None:
    async def work() -> None:
        speaker = FakeGenerator("A night costs 900 crowns. A night costs 32 crowns.")
        async with running(tmp_path, documents=NOTES, language="zh", generator=speaker) as driver:
            await driver.ask("What does a night cost?")
            await driver.until(lambda: driver.of(messages.AskDone))
            await driver.until(lambda: "无依据：" in shown(driver.app))
            assert "[无依据：段落中没有出现数" in shown(driver.app)

    drive(work())


def test_checks_are_told_in_chinese(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=NOTES, language="zh", size=(120, 40)) as driver:
            await driver.press("f10")
            screen = driver.app.screen
            assert isinstance(screen, DoctorScreen)
            await driver.until(lambda: not screen.is_running)
            told = {finding.name: finding_content(finding, 200).plain for finding in screen.findings}
            assert "个文档" in told["library"] and "文库" in told["library"]
            assert told["threads"].startswith("✓ 正常  线程")
            assert "连接" in told["offline"]
            await driver.press("c")
            assert "library: " in driver.app.clipboard  # a report stays as `edgerag doctor` prints it

    drive(work())


def test_library_that_does_not_open(tmp_path: Path) -> None:
    from edgerag.engine import Engine

    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "library.db").write_text("This is no database, and it is long enough to be looked at. " * 20)

    async def work() -> None:
        settings = Settings()
        async with running(
            tmp_path, language="zh", open_engine=lambda: Engine.open(broken, settings=settings)
        ) as driver:
            await driver.until(lambda: driver.app.session.status.problem)
            problem = driver.app.session.status.problem
            assert problem.startswith(f"{broken / 'library.db'} 已损坏：")
            assert problem.endswith("请恢复备份，或移走该文件夹后重新添加来源。")

    drive(work())


def test_error_without_a_code_is_told_as_it_is(tmp_path: Path) -> None:
    def refuse() -> None:
        raise LibraryError("The library is odd.", hint="Ask somebody.")

    async def work() -> None:
        async with running(tmp_path, language="zh", open_engine=refuse) as driver:  # type: ignore[arg-type]
            await driver.until(lambda: driver.app.session.status.problem)
            assert driver.app.session.status.problem == "The library is odd. Ask somebody."

    drive(work())
