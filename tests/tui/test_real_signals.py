"""Signals in a real terminal (tmux): some only cancel; those that end the program leave library and terminal sound."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgerag.engine import Engine
from tests.tui.test_real_terminal import (  # noqa: F401 - `terminal` is a fixture
    NOTE,
    NUM_NOTES,
    POLL_S,
    TIMEOUT_S,
    Terminal,
    add_folder,
    check_library,
    pytestmark,
    terminal,
)

AS_BEFORE = "0 0 1"
"""Not the alternate screen, no mouse reporting, cursor shown."""


def state_of(terminal: Terminal) -> str:  # noqa: F811
    """What the terminal is set to, beside its line settings."""
    return terminal.tmux("display-message", "-p", "#{alternate_on} #{mouse_any_flag} #{cursor_flag}").strip()


def line_settings(terminal: Terminal) -> list[str]:  # noqa: F811
    """Of the pseudo-terminal, as `stty` names them."""
    tty = terminal.tmux("display-message", "-p", "#{pane_tty}").strip()
    option = "-f" if sys.platform == "darwin" else "-F"
    shown = subprocess.run(["stty", option, tty, "-a"], check=True, capture_output=True, text=True).stdout
    return shown.replace(";", " ").split()


def pid_of(terminal: Terminal) -> int:  # noqa: F811
    return int(terminal._pid_file.read_text())


def write_notes(folder: Path) -> Path:
    folder.mkdir()
    for number in range(NUM_NOTES):
        text = NOTE.format(number=number, year=1700 + number, times=number % 5 + 2)
        (folder / f"note {number:03}.md").write_text(text * 6, encoding="utf-8")
    return folder


def start_reading(terminal: Terminal, folder: Path) -> None:  # noqa: F811
    terminal.start()
    terminal.wait_for("This library is empty.")
    add_folder(terminal, folder)
    terminal.wait_for("chunks/s")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_told_to_end_while_reading_files_it_restores_the_terminal_and_goes_on_later(
    terminal: Terminal,  # noqa: F811
    tmp_path: Path,
    name: str,
) -> None:
    library = Path(os.environ["EDGERAG_LIBRARY"])
    start_reading(terminal, write_notes(tmp_path / "notes"))
    assert "-icanon" in line_settings(terminal)
    number = getattr(signal, name)
    os.kill(pid_of(terminal), number)
    assert terminal.wait_for_end() == str(128 + number)
    assert state_of(terminal) == AS_BEFORE
    assert {"icanon", "echo", "isig"} <= set(line_settings(terminal))
    assert check_library(library) < NUM_NOTES

    terminal.start()
    terminal.wait_for("Reading files was interrupted")
    terminal.press("F5")
    terminal.wait_for(f"{NUM_NOTES} documents", "up to date")
    terminal.quit()
    assert check_library(library) == NUM_NOTES


def test_a_closed_terminal_ends_the_program_and_leaves_the_library_sound(
    terminal: Terminal,  # noqa: F811
    tmp_path: Path,
) -> None:
    start_reading(terminal, write_notes(tmp_path / "notes"))
    pid = pid_of(terminal)
    terminal.tmux("kill-server", check=False)
    deadline = time.monotonic() + TIMEOUT_S
    while is_alive(pid):
        assert time.monotonic() < deadline, "it outlived its terminal"
        time.sleep(POLL_S)
    assert check_library(Path(os.environ["EDGERAG_LIBRARY"])) < NUM_NOTES


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_interrupts_cancel_an_answer_or_copy_and_never_end_the_program(
    terminal: Terminal,  # noqa: F811
    checkout: Path,
) -> None:
    with Engine.open(Path(os.environ["EDGERAG_LIBRARY"])) as engine:
        engine.add([checkout / "examples"])
    terminal.start()
    terminal.wait_for("6 documents are ready", "smollm2-135m", absent="loading")
    for number, interrupt in enumerate(
        (lambda: terminal.press("C-c"), lambda: os.kill(pid_of(terminal), signal.SIGINT))
    ):
        terminal.type(f"What does a night cost for {number} members?")
        terminal.press("Enter")
        terminal.wait_for(f"› What does a night cost for {number} members?")
        interrupt()
        terminal.wait_for("stopped", absent="writing")
        terminal.press("C-n")
        terminal.wait_for("6 documents are ready", "Enter Ask")

    terminal.type("kept text")
    terminal.wait_for("kept text")  # an interrupt overtakes what is still on its way to the box, and leaves the box
    terminal.press("C-c")  # in the box, nothing selected and nothing under way
    os.kill(pid_of(terminal), signal.SIGINT)
    terminal.press("S-Home")
    terminal.press("C-c")  # copies
    terminal.wait_for("kept text")
    terminal.quit()


def test_suspended_it_gives_the_terminal_back_and_resumed_it_draws_again(
    terminal: Terminal,  # noqa: F811
    checkout: Path,
) -> None:
    command = f"'{sys.executable}' -m edgerag"
    terminal.tmux("new-session", "-d", "-x", "80", "-y", "24", "env PS1='ready> ' bash --norc --noprofile -i")
    terminal.wait_for("ready>")
    terminal.type(command)
    terminal.press("Enter")
    terminal.wait_for("This library is empty.")
    terminal.press("Escape")
    terminal.wait_for("/ Type")  # out of the box, where the key takes back what was typed
    terminal.press("C-z")
    terminal.wait_for("Stopped", "ready>")
    assert state_of(terminal) == AS_BEFORE
    terminal.type("fg")
    terminal.press("Enter")
    terminal.wait_for("This library is empty.", "[F2 Ask]")
    terminal.press("F6")
    terminal.wait_for("Press A to add a folder")
    terminal.press("C-q")
    terminal.wait_for("ready>", absent="Press A")
    assert state_of(terminal) == AS_BEFORE
