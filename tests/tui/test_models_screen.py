"""The Models screen: what there is, pulling with a shield that says so, switching, verifying, measuring, removing."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import OptionList, Static

from edgerag import paths
from edgerag.models import download, speed, store
from edgerag.models.importer import import_model
from edgerag_tui import messages
from edgerag_tui.models_work import ModelRow
from edgerag_tui.screens.help import help_content
from edgerag_tui.screens.models import ModelsScreen
from edgerag_tui.screens.models_content import Activity, Doing, details_content, row_content
from edgerag_tui.screens.prompts import ConfirmScreen
from edgerag_tui.status import ModelStage, ModelStatus, Status
from edgerag_tui.vitals import count_internet_sockets
from edgerag_tui.widgets.status_line import StatusLine
from tests.fakes import FakeGenerator
from tests.models.gguf_writer import gguf_bytes
from tests.models.hub_case import COMMIT, GGUF, REPOSITORY, SHA256
from tests.models.loopback import LoopbackServer
from tests.tui.driving import Driver, drive, on_screen


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackServer]:
    """A hub that has `tiny`, and a catalogue that names it."""
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy", "HF_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    server = LoopbackServer()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    server.add_hub_file(REPOSITORY, COMMIT, "tiny.gguf", GGUF, commit=COMMIT)
    paths.config_dir().mkdir(parents=True, exist_ok=True)
    (paths.config_dir() / "models.toml").write_text(
        f"""
        [tiny]
        task = "generator"
        license = "Apache-2.0"
        description = "A tiny one."
        [[tiny.source]]
        kind = "hub"
        repository = "{REPOSITORY}"
        revision = "{COMMIT}"
        files = [{{ role = "model", path = "tiny.gguf", sha256 = "{SHA256}", size_bytes = {len(GGUF)} }}]
        """,
        encoding="utf-8",
    )
    yield server
    server.close()


def install(folder: Path, name: str) -> store.InstalledModel:
    file = folder / f"{name}.gguf"
    file.write_bytes(gguf_bytes())
    return import_model(file, name=name)


@contextlib.asynccontextmanager
async def models_of(folder: Path, name: str = "", **how: Any) -> AsyncIterator[tuple[Driver, ModelsScreen]]:
    """The screen with its rows; the cursor on a model where one is named."""
    async with on_screen(folder, "f8", ModelsScreen, **how) as (driver, screen):
        await driver.until(lambda: screen.rows)
        if name:
            await choose(driver, screen, name)
        yield driver, screen


async def choose(driver: Driver, screen: ModelsScreen, name: str) -> None:
    options = screen.query_one("#rows", OptionList)
    options.highlighted = [row.name if row is not None else None for row in screen.shown].index(name)
    await driver.pilot.pause()
    assert screen.row is not None
    assert screen.row.name == name


def row_of(screen: ModelsScreen, name: str) -> ModelRow:
    return next(row for row in screen.rows if row.name == name)


def status_text(driver: Driver) -> str:
    line = driver.app.screen.query_one(StatusLine)
    line.show()
    return str(line.query_one("#status", Static).visual)


def finished(driver: Driver, name: str) -> list[Any]:
    return [message.result for message in driver.of(messages.Finished) if message.name == name]


def test_installed_and_available_models_are_listed_by_what_they_are_for(tmp_path: Path, hub: LoopbackServer) -> None:
    install(tmp_path, "mine")

    async def work() -> None:
        async with models_of(tmp_path) as (_driver, screen):
            assert row_of(screen, "mine").state == "installed"
            assert row_of(screen, "tiny").state == "available"
            assert row_of(screen, "all-MiniLM-L6-v2").state == "bundled"
            assert [row.name for row in screen.rows if row.state == "builtin"] == ["maxsim", "none"]
            tasks = [row.task for row in screen.rows]
            assert tasks == sorted(tasks, key=["generator", "cross-encoder", "embedding"].index)

    drive(work())


def test_nothing_is_pulled_before_someone_says_yes(tmp_path: Path, hub: LoopbackServer) -> None:
    async def work() -> None:
        async with models_of(tmp_path, "tiny") as (driver, _screen):
            await driver.press("p")
            await driver.until(lambda: isinstance(driver.app.screen, ConfirmScreen))
            await driver.press("n")
            await driver.pilot.pause()
            assert hub.seen == []
            assert not driver.of(messages.PullAdvanced)

    drive(work())


def test_a_pulled_model_is_installed_and_the_first_generator_is_loaded(tmp_path: Path, hub: LoopbackServer) -> None:
    async def work() -> None:
        async with models_of(tmp_path, "tiny") as (driver, screen):
            assert driver.app.session.status.generator.stage is ModelStage.ABSENT
            driver.engine.models.fake_generator = FakeGenerator()  # type: ignore[attr-defined]
            before = count_internet_sockets()  # the hub's own
            await driver.press("p", "y")
            await driver.until(lambda: finished(driver, "pull"))
            await driver.until(lambda: row_of(screen, "tiny").state == "installed")
            assert screen.row is not None
            assert screen.row.name == "tiny", "the cursor stays on its model though the row has moved"
            await driver.until(lambda: count_internet_sockets() == before)
            assert store.find("tiny").file("model").read_bytes() == GGUF
            await driver.until(lambda: driver.app.session.status.generator.stage is ModelStage.READY)
            assert driver.app.session.status.pulling == ""

    drive(work())


def test_the_shield_says_so_during_a_pull_which_stops_and_goes_on(
    tmp_path: Path, hub: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    write = download._write
    monkeypatch.setattr(download, "CHUNK_BYTES", 1024)
    monkeypatch.setattr(download, "PROGRESS_INTERVAL_S", 0.0)

    def write_slowly(stream: Any, chunk: bytes, part: Path) -> None:
        write(stream, chunk, part)
        if stream.tell() >= 4096:
            go_on.wait(20)

    monkeypatch.setattr(download, "_write", write_slowly)

    async def work() -> None:
        async with models_of(tmp_path, "tiny", size=(120, 40)) as (driver, screen):
            assert "offline: 0 sockets" in status_text(driver)
            await driver.press("p", "y")
            await driver.until(lambda: screen.activities.get("tiny") and screen.activities["tiny"].done_bytes >= 2048)
            assert "! ONLINE: pulling tiny" in status_text(driver)
            await driver.press("x")
            assert screen.activities["tiny"].doing is Doing.STOPPING
            go_on.set()
            await driver.until(lambda: screen.activities["tiny"].doing is None)
            assert "offline: 0 sockets" in status_text(driver)
            assert screen.activities["tiny"].notes[-1][0].startswith("Stopped. What was downloaded is kept")
            assert not finished(driver, "pull")
            await driver.press("p", "y")
            await driver.until(lambda: finished(driver, "pull"))
            assert "Range" in [seen for seen in hub.seen if "/store/" in seen.path and seen.method == "GET"][-1].headers
            assert store.verify_model(store.find("tiny")) == []

    drive(work())


def test_a_pull_that_fails_says_why_beside_the_model(tmp_path: Path, hub: LoopbackServer) -> None:
    hub.resources.clear()

    async def work() -> None:
        async with models_of(tmp_path, "tiny") as (driver, screen):
            await driver.press("p", "y")
            await driver.until(lambda: [each for each in driver.of(messages.Failed) if each.name == "pull"])
            await driver.pilot.pause()
            assert "could not be pulled" in str(screen.query_one("#detail", Static).visual)
            assert driver.app.session.status.pulling == ""

    drive(work())


def test_a_damaged_model_is_found_out(tmp_path: Path) -> None:
    model = install(tmp_path, "mine")

    async def work() -> None:
        async with models_of(tmp_path, "mine") as (driver, screen):
            await driver.press("v")
            await driver.until(lambda: finished(driver, "verify"))
            assert finished(driver, "verify") == [[]]
            file = model.file("model")
            content = bytearray(file.read_bytes())
            content[-1] ^= 1
            file.write_bytes(content)
            await driver.until(lambda: screen.activities["mine"].doing is None)
            await driver.press("v")
            await driver.until(lambda: len(finished(driver, "verify")) == 2)
            assert "is damaged: its hash is not the manifest's" in finished(driver, "verify")[1][0]

    drive(work())


def test_a_measurement_is_shown_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "mine")
    figures = speed.Speed(decode_tokens_per_s=41.4, prefill_tokens_per_s=380.0, threads=2, measured_at="2026-01-02T03")
    monkeypatch.setattr(speed, "measure", lambda model, threads, stop: figures)

    async def work() -> None:
        async with models_of(tmp_path, "mine") as (driver, screen):
            await driver.press("m")
            await driver.until(lambda: row_of(screen, "mine").speed)
            shown = str(screen.query_one("#detail", Static).visual)
            assert "writes 41 tokens/s · reads 380 tokens/s · 2 threads, 2026-01-02" in " ".join(shown.split())

    drive(work())
    assert speed.read_speeds()[speed.key_of(store.find("mine"))] == figures


def test_another_file_under_the_same_name_has_no_speed_yet(tmp_path: Path) -> None:
    from edgerag.models.install import remove_model

    speed.keep_speed(install(tmp_path, "mine"), speed.Speed(decode_tokens_per_s=41.4))
    remove_model("mine")
    (tmp_path / "mine.gguf").write_bytes(gguf_bytes(fill=9))
    assert speed.key_of(import_model(tmp_path / "mine.gguf", name="mine")) not in speed.read_speeds()


def test_a_generator_is_switched_and_written_and_a_removed_one_is_given_up(tmp_path: Path) -> None:
    install(tmp_path, "mine")
    generator = FakeGenerator()

    async def work() -> None:
        async with models_of(tmp_path, "mine", generator=generator) as (driver, _screen):
            generator.name = "mine"  # type: ignore[misc]  # what the fake models answer for any name
            await driver.press("u")
            await driver.until(lambda: driver.of(messages.SettingChanged))
            assert driver.engine.settings.generator == "mine"
            assert (paths.config_dir() / "config.toml").read_text(encoding="utf-8") == 'generator = "mine"\n'
            assert driver.app.session.status.generator == ModelStatus(ModelStage.READY, "mine")
            await driver.press("d")
            await driver.until(lambda: isinstance(driver.app.screen, ConfirmScreen))
            await driver.press("y")
            await driver.until(lambda: finished(driver, "remove"))
            assert [model.name for model in store.installed("generator")] == []
            assert driver.engine.settings.generator == ""
            assert (paths.config_dir() / "config.toml").read_text(encoding="utf-8") == ""

    drive(work())


def test_the_reranker_is_switched_off_and_the_row_says_so(tmp_path: Path) -> None:
    async def work() -> None:
        async with models_of(tmp_path, "none") as (driver, screen):
            await driver.press("enter")
            await driver.until(lambda: driver.of(messages.SettingChanged))
            assert driver.engine.models.reranker is None
            row = row_of(screen, "none")
            assert "in use" in row_content(row, None, driver.app.session.status, 80).plain

    drive(work())


def test_a_bundled_model_offers_no_removal(tmp_path: Path) -> None:
    async def work() -> None:
        async with models_of(tmp_path, "all-MiniLM-L6-v2") as (driver, screen):
            assert screen.check_action("remove", ()) is None
            assert screen.check_action("verify", ()) is True
            await driver.press("d")
            await driver.pilot.pause()
            assert driver.app.screen is screen

    drive(work())


def test_the_help_names_every_key_whatever_the_cursor_is_on(tmp_path: Path) -> None:
    async def work() -> None:
        async with models_of(tmp_path, "all-MiniLM-L6-v2") as (_driver, screen):
            told = help_content(screen).plain
            assert all(name in told for name in ("Use", "Pull", "Stop", "Measure", "Verify", "Remove", "Go to Doctor"))

    drive(work())


def test_rows_are_as_wide_as_asked_whatever_the_names() -> None:
    row = ModelRow(
        "模型" * 30, "generator", "installed", 10**9, "许可证" * 9, speed=speed.Speed(decode_tokens_per_s=9.0)
    )
    assert row_content(row, None, Status(), 76).cell_length == 76
    activity = Activity(Doing.PULLING, label="x\x1b[31m[bold]", done_bytes=5, total_bytes=10)
    assert "50%" in row_content(row, activity, Status(), 76).plain
    assert "\x1b" not in details_content(row, activity, 70).plain
