"""The application in a real terminal (tmux) with the real models: what a person sees and does, what a kill leaves."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgerag.engine import Engine
from edgerag.storage.verify import Damage, verify

TIMEOUT_S = 30.0
POLL_S = 0.03
NOTE = (
    "# Lighthouse {number}\n\nThe lamp of lighthouse {number} was lit in {year}. "
    "Its keeper winds the clockwork {times} times a day.\n"
)
NUM_NOTES = 240
TMUX_CONF = 'set -g default-terminal "screen-16color"\nset -g status off\n'
ENDED = "ended with "

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]


class Terminal:
    """80 x 24 cells and 16 colours, in which the application runs as `edgerag` alone starts it."""

    def __init__(self, folder: Path) -> None:
        self._socket = f"edgerag-test-{os.getpid()}"
        self._conf = folder / "tmux.conf"
        self._conf.write_text(TMUX_CONF, encoding="utf-8")
        self._pid_file = folder / "application.pid"
        self._has_started = False

    def tmux(self, *arguments: str, check: bool = True) -> str:
        command = ["tmux", "-u", "-L", self._socket, "-f", str(self._conf), *arguments]
        return subprocess.run(command, check=check, capture_output=True, text=True, timeout=TIMEOUT_S).stdout

    def start(self) -> None:
        # Said by a shell: tmux 3.3 sometimes forgets how a process ended.
        inner = f"echo $$ >'{self._pid_file}'; exec '{sys.executable}' -m edgerag"
        # With carriage returns: what is killed leaves the terminal as it had set it.
        command = f"sh -c {shlex.quote(inner)}; printf '\\r\\n{ENDED}%s.\\r\\n' $?; exec sleep 600"
        if self._has_started:
            self.tmux("respawn-pane", "-k", command)
        else:
            self.tmux("new-session", "-d", "-x", "80", "-y", "24", command)
        self._has_started = True

    def close(self) -> None:
        self.tmux("kill-server", check=False)

    def type(self, text: str) -> None:
        self.tmux("send-keys", "-l", text)

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p")

    def wait_for(self, *texts: str, absent: str = "") -> str:
        """The screen, once it shows all the texts, and not the absent one."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            screen = self.screen()
            if all(text in screen for text in texts) and not (absent and absent in screen):
                return screen
            assert time.monotonic() < deadline, f"{texts} did not appear:\n{screen}"
            time.sleep(POLL_S)

    def wait_for_end(self) -> str:
        """The application's exit code as a shell tells it; 137 after SIGKILL."""
        return self.wait_for(ENDED).split(ENDED)[1].split(".")[0]

    def quit(self) -> None:
        self.press("C-q")
        ended = self.wait_for_end()
        assert ended == "0", f"it ended with {ended}:\n{self.screen()}"

    def kill(self) -> str:
        """SIGKILL to the application; returns what the screen showed before."""
        screen = self.screen()
        os.kill(int(self._pid_file.read_text()), signal.SIGKILL)
        assert self.wait_for_end() == "137"
        return screen


@pytest.fixture
def terminal(
    tmp_path: Path, isolated_home: Path, installed_models: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Terminal]:
    """A terminal in a fresh home, with the default generator installed."""
    monkeypatch.setenv("EDGERAG_MODELS", str(installed_models))
    monkeypatch.setenv("PYTHONFAULTHANDLER", "1")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.delenv("COLORTERM", raising=False)
    opened = Terminal(tmp_path)
    yield opened
    opened.close()


def add_folder(terminal: Terminal, folder: Path) -> None:
    """By hand: Library, A, the path, Enter."""
    terminal.press("F6")
    terminal.wait_for("Press A to add a folder")
    terminal.press("a")
    terminal.wait_for("Tab completes")
    terminal.type(str(folder))
    terminal.press("Enter")


def check_library(library: Path) -> int:
    """Verify a library that nobody has open; returns how many documents it holds."""
    with Engine.open(library) as engine:
        assert not [event for event in verify(engine.library, threading.Event()) if isinstance(event, Damage)]
        return engine.library.counts()["documents"]


def test_a_person_adds_a_folder_asks_reads_the_source_and_asks_again(terminal: Terminal, checkout: Path) -> None:
    terminal.start()
    terminal.wait_for("This library is empty.", "F6 opens the Library")
    add_folder(terminal, checkout / "examples")
    terminal.wait_for("handbook.md", "6 documents", "up to date")
    terminal.press("F2")
    terminal.wait_for("6 documents are ready to be asked.")
    terminal.wait_for("smollm2-135m", absent="loading")

    terminal.type("What does a night cost?")
    terminal.press("Enter")
    terminal.wait_for("› What does a night cost?", "[1] handbook.md", "offline: 0 sockets", absent="writing")

    terminal.press("1")
    terminal.wait_for("[F4 Document]", "handbook.md", "A night")
    terminal.press("Escape")
    terminal.wait_for("[F2 Ask]", "› What does a night cost?")

    terminal.press("/")
    terminal.wait_for("Enter Ask")
    terminal.type("what about members?")
    terminal.press("Enter")
    terminal.wait_for("Searched as:", "What does a night cost for", "members?", "[1] handbook.md", absent="writing")
    terminal.quit()


def test_killed_while_reading_files_it_goes_on_where_it_was(terminal: Terminal, tmp_path: Path) -> None:
    library = Path(os.environ["EDGERAG_LIBRARY"])
    notes = tmp_path / "notes"
    notes.mkdir()
    for number in range(NUM_NOTES):
        text = NOTE.format(number=number, year=1700 + number, times=number % 5 + 2)
        (notes / f"note {number:03}.md").write_text(text * 6, encoding="utf-8")
    terminal.start()
    terminal.wait_for("This library is empty.")
    add_folder(terminal, notes)
    terminal.wait_for("chunks/s")
    terminal.kill()
    assert check_library(library) < NUM_NOTES

    terminal.start()
    terminal.wait_for("documents", "smollm2-135m", absent="loading")
    terminal.press("F5")
    terminal.wait_for(f"{NUM_NOTES} documents", "up to date")
    terminal.quit()
    assert check_library(library) == NUM_NOTES


def test_killed_while_answering_it_opens_and_answers(terminal: Terminal, tmp_path: Path, checkout: Path) -> None:
    library = Path(os.environ["EDGERAG_LIBRARY"])
    with Engine.open(library) as engine:
        engine.add([checkout / "examples"])
    terminal.start()
    terminal.wait_for("6 documents are ready", "smollm2-135m", absent="loading")
    terminal.type("What does a night cost for members?")
    terminal.press("Enter")
    terminal.wait_for("writing and checking")
    assert "writing and checking" in terminal.kill()
    assert check_library(library) == 6
    with Engine.open(library) as engine:
        assert engine.conversations.all() == []  # it was killed before there was an answer to keep

    terminal.start()
    terminal.wait_for("6 documents are ready", "smollm2-135m", absent="loading")
    terminal.type("What does a night cost for members?")
    terminal.press("Enter")
    terminal.wait_for("[1] handbook.md", absent="writing")
    terminal.quit()
    with Engine.open(library) as engine:
        assert [each.title for each in engine.conversations.all()] == ["What does a night cost for members?"]
