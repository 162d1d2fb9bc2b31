"""The Library screen, driven by keys; its tree, completion and ignore lines by themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input, OptionList, Static

from edgerag_tui import messages, strings
from edgerag_tui.file_views import HINT_KEYS
from edgerag_tui.job import JobState
from edgerag_tui.job_views import NAME_KEYS, STAGE_KEYS
from edgerag_tui.job_views import STATE_KEYS as JOB_STATE_KEYS
from edgerag_tui.screens.document import DocumentScreen
from edgerag_tui.screens.library import LibraryScreen
from edgerag_tui.screens.library_add import AddScreen
from edgerag_tui.screens.prompts import ConfirmScreen
from edgerag_tui.widgets.file_tree import SIGNS, STATE_KEYS, STYLES, FileTree
from edgerag_tui.widgets.jobs_pane import JobsPane
from tests.tui.driving import HARBOUR, LOOKS, Driver, check_picture, drive, running


async def opened(driver: Driver) -> LibraryScreen:
    await driver.press("f6")
    await driver.until(lambda: driver.of(messages.FilesListed))
    screen = driver.app.screen
    assert isinstance(screen, LibraryScreen)
    await driver.until(lambda: screen.query_one(FileTree).rows or not screen.query_one(FileTree).roots)
    return screen


def shown(screen: LibraryScreen) -> list[str]:
    """The rows of the tree, without the white space between columns."""
    tree = screen.query_one(FileTree)
    return [" ".join(tree.render_line(y).text.split()) for y in range(min(len(tree.rows), tree.size.height))]


def details(screen: LibraryScreen) -> str:
    return str(screen.query_one("#detail", Static).visual)


def names(screen: LibraryScreen) -> list[str]:
    return [Path(node.path).name for node in screen.query_one(FileTree).rows]


async def go_to(driver: Driver, screen: LibraryScreen, name: str) -> None:
    tree = screen.query_one(FileTree)
    await driver.until(lambda: name in names(screen))
    await driver.press("home", *["down"] * names(screen).index(name))
    assert tree.node is not None and Path(tree.node.path).name == name


def change_on_disk(folder: Path) -> None:
    """One file of each state beside the fresh one."""
    documents = folder / "documents"
    (documents / "market.md").write_text("# Market\n\nIt is open on Sundays now.\n")
    (documents / "gone.md").unlink()
    (documents / "new.md").write_text("# New\n")


FIVE = {"harbour.md": HARBOUR, "market.md": "# Market\n", "gone.md": "# Gone\n", "broken.pdf": "%PDF-1.4\nnothing"}


def test_every_file_is_shown_with_its_state(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=FIVE, size=(80, 24)) as driver:
            change_on_disk(tmp_path)
            screen = await opened(driver)
            assert [row.rsplit(" ", 2)[0] for row in shown(screen)[1:]] == [
                "broken.pdf ! failed", "gone.md - gone", "harbour.md up to date", "market.md ~ changed",
                "new.md + not read yet",
            ]  # fmt: skip
            assert "! 1 - 1 ~ 1 + 1" in shown(screen)[0]
            await go_to(driver, screen, "broken.pdf")
            assert "R tries again." in details(screen) and "! " in details(screen)
            await driver.press("p")
            assert names(screen) == ["documents", "broken.pdf", "gone.md", "market.md", "new.md"]
            await driver.press("escape")
            assert "harbour.md" in names(screen)

    drive(work())


def test_a_file_is_found_by_a_part_of_its_path_and_opened_in_the_document_screen(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            screen = await opened(driver)
            await driver.press("slash")
            await driver.type("MARK")
            assert names(screen) == ["documents", "market.md"]
            await driver.press("enter", "end", "enter")
            await driver.until(lambda: driver.of(messages.DocumentLoaded))
            assert isinstance(driver.app.screen, DocumentScreen)
            assert driver.of(messages.DocumentLoaded)[0].view.stored.document.path.endswith("market.md")
            await driver.press("escape")
            await driver.until(lambda: isinstance(driver.app.screen, LibraryScreen))
            await driver.press("escape")
            assert names(screen) == ["documents", "harbour.md", "market.md"]

    drive(work())


def test_a_folder_is_added_by_its_path_with_completion(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            folder = tmp_path / "研究 笔记" / "deep er"
            folder.mkdir(parents=True)
            (folder / "气象.md").write_text("# 气象\n\n守夜人每小时记录风力。\n", encoding="utf-8")
            screen = await opened(driver)
            await driver.press("a")
            asking = driver.app.screen
            assert isinstance(asking, AddScreen)
            box = asking.query_one(Input)
            box.value = f"{tmp_path}/研"
            await driver.until(lambda: asking.query_one(OptionList).option_count == 1)
            await driver.press("tab")
            assert box.value == f"{tmp_path}/研究 笔记/"
            await driver.until(lambda: asking._found_for == box.value)
            await driver.press("tab", "enter")
            await driver.until(lambda: "气象.md" in names(screen))
            assert [source.path for source in driver.engine.library.sources()][-1] == str(folder)

    drive(work())


def test_a_path_that_does_not_exist_is_refused_where_it_was_typed(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            await opened(driver)
            await driver.press("a")
            asking = driver.app.screen
            asking.query_one(Input).value = f"{tmp_path}/nowhere"
            await driver.press("enter")
            assert driver.app.screen is asking
            assert f"! {tmp_path}/nowhere does not exist." in str(asking.query_one("#problem", Static).visual)
            for nothing in ("", "  ", "''", "file://"):
                asking.query_one(Input).value = nothing
                await driver.press("enter")
                assert driver.app.screen is asking
                assert "! Type the path of a file or a folder." in str(asking.query_one("#problem", Static).visual)
            assert not driver.app.jobs.all()
            await driver.press("escape")
            assert isinstance(driver.app.screen, LibraryScreen)

    drive(work())


def test_a_source_is_removed_after_a_question_and_its_files_stay(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            screen = await opened(driver)
            await driver.press("d")
            assert isinstance(driver.app.screen, ConfirmScreen)
            await driver.press("n")
            assert len(driver.engine.library.sources()) == 1
            await driver.press("d", "y")
            await driver.until(lambda: not screen.query_one(FileTree).roots)
            assert driver.engine.library.sources() == []
            assert (tmp_path / "documents" / "market.md").exists()
            assert "Nothing is in this library yet." in str(screen.query_one("#empty", Static).visual)

    drive(work())


def test_removing_a_file_offers_to_name_it_in_the_ignore_file(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            screen = await opened(driver)
            await go_to(driver, screen, "market.md")
            await driver.press("d", "y")
            await driver.until(lambda: names(screen) == ["documents", "harbour.md"])
            assert (tmp_path / "documents" / ".edgeragignore").read_text() == "/market.md\n"
            assert driver.engine.library.counts()["documents"] == 1

    drive(work())


def test_a_failed_file_is_tried_again(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, documents=FIVE) as driver:
            screen = await opened(driver)
            await go_to(driver, screen, "broken.pdf")
            await driver.press("r")
            await driver.until(lambda: [job.state for job in driver.app.jobs.all()] == [JobState.DONE])
            job = driver.app.jobs.all()[0]
            assert job.kind == "retry" and [Path(failure.path).name for failure in job.failures] == ["broken.pdf"]
            await go_to(driver, screen, "harbour.md")
            await driver.press("r")
            assert len(driver.app.jobs.all()) == 1

    drive(work())


def test_the_log_of_a_job_is_shown_when_the_jobs_have_the_focus(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            (tmp_path / "documents" / "broken.pdf").write_text("%PDF-1.4\nnothing")
            screen = await opened(driver)
            await driver.press("f5")
            await driver.until(lambda: [job.state for job in driver.app.jobs.all()] == [JobState.DONE])
            await driver.press("j")
            assert screen.query_one(JobsPane).has_focus
            await driver.until(lambda: details(screen).startswith("Sync"))
            assert "broken.pdf" in details(screen)
            await driver.press("escape")
            assert screen.query_one(FileTree).has_focus and "documents" in details(screen)

    drive(work())


def test_space_pauses_and_goes_on_and_x_cancels_after_a_question(tmp_path: Path) -> None:
    from tests.tui.test_jobs import hold, new_folder

    async def work() -> None:
        async with running(tmp_path) as driver:
            embedder = hold(driver)
            states = lambda: [job.state for job in driver.app.jobs.all()]  # noqa: E731
            await opened(driver)
            driver.app.jobs.add((str(new_folder(tmp_path)),))
            await driver.until(embedder.reached.is_set)
            await driver.press("space")
            embedder.release.set()
            await driver.until(lambda: states() == [JobState.PAUSED])
            await driver.press("space")
            await driver.until(lambda: states() == [JobState.DONE])
            embedder = hold(driver)
            (tmp_path / "documents" / "third.md").write_text("# Third\n")
            await driver.press("f5")
            await driver.until(embedder.reached.is_set)
            await driver.press("x", "n", "x", "y")
            embedder.release.set()
            await driver.until(lambda: states() == [JobState.CANCELLED, JobState.DONE])

    drive(work())


def test_what_earlier_sessions_read_is_told_from_the_library_s_history(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            driver.app.jobs.started_at += 5
            screen = await opened(driver)
            pane = screen.query_one(JobsPane)
            await driver.until(lambda: pane.option_count == 2)
            assert [(run.added, run.updated, run.moved, run.removed) for run in pane.earlier] == [(2, 0, 0, 0)]
            assert str(pane.get_option_at_index(1).prompt).endswith("  2 added")

    drive(work())


def test_the_cursor_stays_on_its_file_when_files_come_and_go(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as driver:
            screen = await opened(driver)
            await go_to(driver, screen, "market.md")
            (tmp_path / "documents" / "another.md").write_text("# Another\n")
            await driver.press("f5")
            await driver.until(lambda: "another.md" in names(screen))
            node = screen.query_one(FileTree).node
            assert node is not None and node.name == "market.md"

    drive(work())


# --- without a screen -----------------------------------------------------------------------------


def test_every_state_has_words_and_a_sign() -> None:
    known = strings.catalogue("en")
    assert SIGNS.keys() == STYLES.keys() == STATE_KEYS.keys() == {*HINT_KEYS, "fresh"}
    assert JOB_STATE_KEYS.keys() == set(JobState)
    for keys in (STATE_KEYS, HINT_KEYS, NAME_KEYS, STAGE_KEYS, JOB_STATE_KEYS):
        assert set(keys.values()) <= known.keys()


@pytest.mark.parametrize(("size", "theme", "language"), LOOKS)
def test_the_library_looks_as_it_did(
    size: tuple[int, int], language: str, theme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        async with running(tmp_path / "home", documents=FIVE, size=size, language=language, theme=theme) as driver:
            change_on_disk(tmp_path / "home")
            driver.app.jobs.started_at = 0.0  # whether the first ingest is an earlier one would hang on the second
            screen = await opened(driver)
            await driver.press("f5")
            await driver.until(lambda: [job.state for job in driver.app.jobs.all()] == [JobState.DONE])
            await go_to(driver, screen, "broken.pdf")
            await driver.until(lambda: not driver.app.session.status.sync)
            driver.app.clear_notifications()
            await driver.until(lambda: not list(driver.app.screen.query("Toast")))
            check_picture(driver, f"library-{size[0]}x{size[1]}-{theme}-{language}")

    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    drive(work())
