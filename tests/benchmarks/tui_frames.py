"""The terminal application in a terminal of its own: first picture, frame times under load, memory.

    python -m tests.benchmarks.tui_frames [--chunks 10000] [--pairs 9] [--only first_paint|load]

First picture: from the start of the process until the key bar has reached the terminal, in turn with
`python -c "import textual.app, numpy, onnxruntime"`. Load: an ingest of so many notes of one chunk each while one
question after another is asked; every sixtieth of a second the application notes how late its event loop is
(`edgerag tui --frames`). Memory: the peak of that process against one that does the same with the engine alone. Needs a
generator in `EDGERAG_MODELS` or `.demo/models`; prints JSON. Linux and macOS.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import random
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

from edgerag.engine import Engine
from tests.benchmarks.sync import WORDS

ROWS, COLUMNS = 40, 120
KEY_BAR = b"Commands"
"""Stands in the last row of every screen."""
QUESTIONS = (
    "Which note tells of the heron and the lantern?",
    "What does the ledger say about the granite?",
    "Where is the valve of the engine?",
    "Who has the compass and the map?",
)
IMPORTS = "import textual.app, numpy, onnxruntime"
POLL_S = 0.25
TIMEOUT_S = 1800.0


class Terminal:
    """A process in a pseudo-terminal, whose output is read and thrown away."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            command, env=environment, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        os.close(slave)
        self.seen_at: dict[bytes, float] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        tail = b""
        while True:
            ready = select.select([self.master], [], [], 0.5)[0]
            try:
                data = os.read(self.master, 65536) if ready else b""
            except OSError:
                return
            if not ready:
                continue
            if not data:
                return
            tail = (tail + data)[-200_000:]
            if KEY_BAR not in self.seen_at and KEY_BAR in tail:
                self.seen_at[KEY_BAR] = time.perf_counter()

    def press(self, text: str) -> None:
        os.write(self.master, text.encode())

    def end(self) -> int:
        """Ctrl+Q; returns the peak resident size in bytes."""
        self.press("\x11")
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        os.close(self.master)
        if self.process.returncode:
            raise SystemExit(f"The application ended with {self.process.returncode}.")
        return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def environment_of(folder: Path) -> dict[str, str]:
    """A fresh home; the models are those of the caller."""
    models = os.environ.get("EDGERAG_MODELS") or str(Path(".demo/models").resolve())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EDGERAG_")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # the warm-up turn compiles all, as a user's first run does
    return environment | {
        "HOME": str(folder),
        "EDGERAG_MODELS": models,
        "EDGERAG_CONFIG": str(folder / "config"),
        "ORT_DISABLE_TELEMETRY": "1",
        "TERM": "xterm-256color",
        "LC_ALL": "C.UTF-8",
    }


def first_paint(folder: Path, pairs: int) -> dict[str, Any]:
    """Seconds from process start to the first picture, and of the imports, in turn."""
    environment = environment_of(folder)
    times: dict[str, list[float]] = {"imports": [], "first_paint": []}
    application = [sys.executable, "-m", "edgerag", "--library", str(folder / "empty"), "tui"]
    for turn in range(pairs + 1):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", IMPORTS], env=environment, check=True)
        imports_s = time.perf_counter() - start
        terminal = Terminal(application, environment)
        while KEY_BAR not in terminal.seen_at:
            if terminal.process.poll() is not None or time.perf_counter() - terminal.started > 60:
                raise SystemExit("The application showed nothing.")
            time.sleep(0.005)
        painted_s = terminal.seen_at[KEY_BAR] - terminal.started
        time.sleep(1.0)  # it loads models now; leaving in the midst of that is no part of this
        terminal.end()
        if turn:
            times["imports"].append(imports_s)
            times["first_paint"].append(painted_s)
    imports_s, painted_s = median(times["imports"]), median(times["first_paint"])
    return {
        "imports_s": round(imports_s, 3),
        "first_paint_s": round(painted_s, 3),
        "limit_s": round(0.7 * imports_s + 0.3, 3),
        "all_first_paints_s": [round(value, 3) for value in times["first_paint"]],
    }


def write_notes(folder: Path, chunks: int) -> None:
    """Notes of one chunk each."""
    folder.mkdir()
    generator = random.Random(7)
    for number in range(chunks):
        words = " ".join(generator.choice(WORDS) for _ in range(20))
        (folder / f"{number:05}.txt").write_text(f"Note {number}. {words}.\n", encoding="utf-8")


def new_library(library: Path, documents: Path) -> None:
    """A library that knows the folder and has read nothing of it."""
    with Engine.open(library) as engine, engine.library.writing() as writer:
        writer.add_source(documents)


def counts_of(library: Path) -> tuple[int, int]:
    """Chunks and saved turns so far."""
    with Engine.open(library) as engine:
        rows = engine.library.rows("SELECT count(*) FROM turns")
        return engine.library.counts()["chunks"], int(rows[0][0])


def under_load(folder: Path, documents: Path, chunks: int) -> dict[str, Any]:
    """The application takes in all notes and answers at the same time."""
    library, frames = folder / "library", folder / "frames.json"
    new_library(library, documents)
    command = [sys.executable, "-m", "edgerag", "--library", str(library), "tui", "--frames", str(frames)]
    terminal = Terminal(command, environment_of(folder))
    time.sleep(5.0)  # its models load
    began = time.perf_counter()
    terminal.press("\x1b[15~")  # F5
    time.sleep(1.0)
    asked = 0
    while True:
        done_chunks, answered = counts_of(library)
        if done_chunks >= chunks:
            break
        if time.perf_counter() - began > TIMEOUT_S or terminal.process.poll() is not None:
            terminal.process.send_signal(signal.SIGTERM)
            raise SystemExit(f"Only {done_chunks} of {chunks} chunks were read.")
        if answered == asked:
            # In the question box itself the slash would be typed: Ctrl+U takes out what stands in it.
            terminal.press("/\x15")
            time.sleep(POLL_S)
            terminal.press(QUESTIONS[asked % len(QUESTIONS)])
            time.sleep(POLL_S)
            terminal.press("\r")
            asked += 1
        time.sleep(POLL_S)
    elapsed_s = time.perf_counter() - began
    peak_bytes = terminal.end()
    return json.loads(frames.read_text(encoding="utf-8")) | {
        "chunks": done_chunks,
        "answers": answered,
        "seconds": round(elapsed_s, 1),
        "peak_mb": round(peak_bytes / 1e6),
    }


def plain_engine(folder: Path, documents: Path) -> dict[str, Any]:
    """The same work by the engine alone, in a process of its own."""
    library = folder / "plain-library"
    new_library(library, documents)
    command = [sys.executable, "-m", "tests.benchmarks.tui_frames", "--engine-on", str(library)]
    process = subprocess.Popen(command, env=environment_of(folder), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    scale = 1 if sys.platform == "darwin" else 1024
    return json.loads(told) | {"peak_mb": round(usage.ru_maxrss * scale / 1e6)}


def run_engine(library: Path) -> None:
    """What `plain_engine` runs: ingest in a thread, one question after another meanwhile."""
    with Engine.open(library) as engine:
        began = time.perf_counter()
        ingest = threading.Thread(target=engine.sync)
        ingest.start()
        answers = 0
        while ingest.is_alive():
            # Of an empty library every answer is "nothing", within a millisecond: not what the application is asked.
            if engine.library.counts()["chunks"] == 0:
                time.sleep(POLL_S)
                continue
            engine.ask(QUESTIONS[answers % len(QUESTIONS)], save=True)
            answers += 1
        ingest.join()
        print(json.dumps({"answers": answers, "seconds": round(time.perf_counter() - began, 1)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=10_000)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--only", choices=["first_paint", "load"])
    parser.add_argument("--engine-on", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.engine_on:
        run_engine(arguments.engine_on)
        return
    report: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if arguments.only != "load":
            report["first_paint"] = first_paint(folder, arguments.pairs)
        if arguments.only != "first_paint":
            documents = folder / "notes"
            write_notes(documents, arguments.chunks)
            report["load"] = under_load(folder, documents, arguments.chunks)
            report["engine_alone"] = plain_engine(folder, documents)
            report["memory_of_the_application_mb"] = report["load"]["peak_mb"] - report["engine_alone"]["peak_mb"]
    print(json.dumps(report))


if __name__ == "__main__":
    main()
