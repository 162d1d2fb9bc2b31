"""What the screens look like, as SVG; `WRITE_PICTURES=1 pytest tests/tui/test_pictures.py` draws them anew."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import TextArea

from edgerag import paths
from edgerag.cli import doctor
from edgerag.cli.doctor import Finding
from edgerag.models.speed import Speed
from edgerag_tui import doctor_work, messages, models_work
from edgerag_tui.models_work import ModelRow
from edgerag_tui.screens.doctor import DoctorScreen
from edgerag_tui.session import Session
from edgerag_tui.session_reading import Target
from edgerag_tui.tasks import Task
from tests.fakes import FakeGenerator
from tests.tui.driving import HARBOUR, LOOKS, MARKET, SUPPORTED, UNSUPPORTED, Driver, check_picture, drive, running

DOCUMENTS = {
    "harbour.md": HARBOUR + "\n" + "## 港口\n\n瓦恩港于1912年疏浚。艾达·霍尔姆领导了疏浚工程。\n\n" * 4,
    "market.md": MARKET,
}
WITH_CONTRAST = [*LOOKS[:3], pytest.param((120, 40), "contrast", "zh", id="120x40-contrast-zh")]


MODELS = [
    ModelRow(
        "fake-generator",
        "generator",
        "installed",
        98_400_000,
        "Apache-2.0",
        "A small one: the default, runs anywhere, answers modestly.",
        Speed(prefill_tokens_per_s=380.0, decode_tokens_per_s=46.2, threads=2, measured_at="2026-01-02T03:04:05"),
        "Q4_1",
        "135M",
        ("en",),
        8192,
        ("example/fake-generator",),
        "~/models/fake-generator",
    ),
    ModelRow("a-generator-with-a-rather-long-name-1.7b", "generator", "available", 1_800_000_000, "Apache-2.0"),
    ModelRow("terms-1b", "generator", "untried", 806_000_000, "Terms of use that go on for a while"),
    ModelRow("maxsim", "cross-encoder", "builtin"),
    ModelRow("none", "cross-encoder", "builtin"),
    ModelRow("fake-reranker", "cross-encoder", "installed", 91_700_000, "Apache-2.0", speed=Speed(texts_per_s=22.0)),
    ModelRow("fake-embedder", "embedding", "bundled", 24_100_000, "Apache-2.0", speed=Speed(texts_per_s=31.5)),
    ModelRow("half-a-model", "", "broken", description="model.toml is missing.", folder="~/models/half-a-model"),
]
FINDINGS = [
    Finding("edgerag", "ok", "0.1.0 on Python 3.11.7, Linux x86_64"),
    Finding("settings", "ok", "defaults (~/.config/edgerag/config.toml does not exist)"),
    Finding("library", "ok", "~/library: 2 documents, 2 chunks"),
    Finding("disk", "note", "0.9 GB free at ~/library. Reading many files may fill it; remove what is not needed."),
    Finding("threads", "problem", "set to 200, but this process may use 2 cores. Set `threads` to 0 or to 2."),
]


async def still(driver: Driver) -> None:
    """Nothing blinks, nothing loads."""
    for area in driver.app.screen.query(TextArea):
        area.cursor_blink = False
    await driver.until(lambda: driver.app.session.status.num_stale == 0)
    await driver.pilot.pause()
    await driver.pilot.pause()


@pytest.mark.parametrize(("size", "theme", "language"), WITH_CONTRAST)
def test_screens_look_as_they_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], theme: str, language: str
) -> None:
    look = f"{size[0]}x{size[1]}-{theme}-{language}"

    async def work() -> None:
        generator = FakeGenerator(f"{SUPPORTED} {UNSUPPORTED}")
        async with running(
            tmp_path, documents=DOCUMENTS, generator=generator, size=size, theme=theme, language=language
        ) as driver:
            await still(driver)
            check_picture(driver, f"welcome-{look}")
            await driver.ask("Who led the dredging of the harbour of Varn?")
            await driver.until(lambda: driver.of(messages.AskDone))
            await driver.until(lambda: driver.of(messages.ConversationsListed)[-1].conversations)
            await still(driver)
            check_picture(driver, f"ask-{look}")
            await driver.press("f1")
            await still(driver)
            check_picture(driver, f"help-{look}")
            await driver.press("escape", "ctrl+o")
            await still(driver)
            check_picture(driver, f"jump-{look}")
            await driver.press("escape", "1")
            await driver.until(lambda: driver.of(messages.DocumentLoaded))
            await driver.press("b")
            await still(driver)
            check_picture(driver, f"document-{look}")
            await driver.press("l")
            await driver.until(lambda: driver.of(messages.DocumentsListed))
            await still(driver)
            check_picture(driver, f"documents-{look}")

    monkeypatch.chdir(tmp_path)
    drive(work())


@pytest.mark.parametrize(("size", "theme", "language"), WITH_CONTRAST)
def test_screens_about_the_installation_look_as_they_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], theme: str, language: str
) -> None:
    look = f"{size[0]}x{size[1]}-{theme}-{language}"

    def list_models(session: Session, *, to: Target) -> Task:
        return session.run_apart("models", "models", lambda task: MODELS, to=to, reply=messages.ModelsListed)

    monkeypatch.setattr(models_work, "list_models", list_models)
    monkeypatch.setattr(doctor, "find_all", lambda context: iter(FINDINGS))
    monkeypatch.setattr(doctor_work, "_terminal", lambda text: Finding("terminal", "ok", "textual, 16 colours"))
    monkeypatch.chdir(tmp_path)
    paths.config_dir().mkdir(parents=True)
    (paths.config_dir() / "config.toml").write_text("rerank_top = 20\n", encoding="utf-8")

    async def work() -> None:
        async with running(
            tmp_path, documents=DOCUMENTS, generator=FakeGenerator(), size=size, theme=theme, language=language
        ) as driver:
            await driver.press("f8")
            await driver.until(lambda: driver.of(messages.ModelsListed))
            await still(driver)
            check_picture(driver, f"models-{look}")
            await driver.press("f9")
            await driver.until(lambda: driver.of(messages.SettingsListed))
            await driver.press(*["down"] * 5)
            await still(driver)
            check_picture(driver, f"settings-{look}")
            await driver.press("enter")
            await still(driver)
            check_picture(driver, f"settings-edit-{look}")
            await driver.press("escape", "f10")
            screen = driver.app.screen
            assert isinstance(screen, DoctorScreen)
            await driver.until(lambda: not screen.is_running)
            await still(driver)
            check_picture(driver, f"doctor-{look}")

    drive(work())
