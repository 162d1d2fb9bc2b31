"""How long after `esc` an answer has stopped: on the screen, and in the engine.

    python -m tests.benchmarks.cancelling [--samples 20] [--without-abort] [--only engine|screen]

Engine: the stop flag is set at a random moment of each phase of an answer, with the real models; counted is the time
until the thread that works has ended. A cross-encoder of the common size (six layers of 384) is stood in for by the
bundled embedder, of the same architecture, reading question and passage together. Prompt and context are large (1,500
tokens of evidence), so that the phases are long. Screen: the application in a pseudo-terminal, from the byte of the key
until "stopped" has reached the terminal; that includes the time for which a program must wait to tell `esc` from an
escape sequence (`edgerag_tui.cli.ESCAPE_DELAY_MS`). `--without-abort` leaves llama.cpp to finish each step of a prompt.
Needs a generator in `EDGERAG_MODELS` or `.demo/models`; prints JSON. Linux and macOS.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import quantiles
from typing import Any

import numpy as np
from numpy.typing import NDArray
from textual.message import Message

from edgerag.ask.check import Evidence
from edgerag.config import Settings
from edgerag.engine import Engine
from edgerag.inference.generator import LlamaGenerator
from edgerag.inference.generator_abort import AbortSwitch
from edgerag.protocols import Embedder, RerankCandidate
from edgerag_tui import messages
from edgerag_tui.session import Session
from tests.benchmarks.tui_frames import QUESTIONS, Terminal, environment_of, write_notes

PHASES = ("retrieve", "evidence", "prefill", "decode", "check")
SETTINGS = Settings(
    context_tokens=2048,
    evidence_tokens=1500,
    rerank_top=200,
    candidates=200,
    min_evidence=0.0,
    save_conversations=False,
)
NUM_NOTES = 600
STOPPED = b"stopped"
SEARCHING = b"searching"
LIMIT_S = 0.2
"""What the issue asks for."""


class PairReranker:
    """Costs what a cross-encoder of six layers costs; what it says is of no concern here."""

    name = "pairs"

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def score(self, question: str, candidates: Sequence[RerankCandidate]) -> NDArray[np.float32]:
        pairs = [f"{question} {candidate.text}" for candidate in candidates]
        return np.array([encoding.embedding[0] for encoding in self._embedder.encode_documents(pairs)])


class Answering:
    """One question, watched from outside: when each phase began."""

    def __init__(self, session: Session, question: str) -> None:
        self.began = {phase: threading.Event() for phase in PHASES}
        self.times: dict[str, float] = {}
        _current.append(self)
        self.task = session.ask(question, to=self)

    def note(self, phase: str) -> None:
        self.times.setdefault(phase, time.perf_counter())
        self.began[phase].set()

    def post_message(self, message: Message) -> bool:
        if isinstance(message, messages.AskPassages):
            self.note("evidence")
        elif isinstance(message, messages.AskDelta):
            self.note("decode")
        return True


_current: list[Answering] = []


def noting(phase: str, call: Callable[..., Any]) -> Callable[..., Any]:
    def noted(*arguments: Any, **options: Any) -> Any:
        _current[-1].note(phase)
        return call(*arguments, **options)

    return noted


def told(samples: Sequence[float]) -> dict[str, Any]:
    """Percentiles in ms."""
    cuts = quantiles(samples, n=100, method="inclusive") if len(samples) > 1 else [samples[0]] * 99
    return {
        "samples": len(samples),
        "p50_ms": round(cuts[49] * 1000, 1),
        "p95_ms": round(cuts[94] * 1000, 1),
        "max_ms": round(max(samples) * 1000, 1),
    }


def in_the_engine(folder: Path, samples: int) -> dict[str, Any]:
    """Seconds from the stop flag to the end of the work, by phase."""
    engine = Engine.open(folder, settings=SETTINGS)
    reranker = PairReranker(engine.models.embedder)
    engine.models._parts["reranker"] = reranker
    # Each instance or class is told apart by nothing else: the phases have no events of their own.
    reranker.score = noting("retrieve", reranker.score)  # type: ignore[method-assign]
    LlamaGenerator.stream = noting("prefill", LlamaGenerator.stream)  # type: ignore[method-assign]
    Evidence.check = noting("check", Evidence.check)  # type: ignore[method-assign]
    session = Session(lambda: engine, lambda message: None)
    session.start().done.wait()
    rng = random.Random(3)
    whole = Answering(session, QUESTIONS[0])
    whole.task.done.wait()
    ended = time.perf_counter()
    starts = [whole.times[phase] for phase in PHASES]
    ends = [*starts[1:], ended]
    lengths = {phase: end - start for phase, start, end in zip(PHASES, starts, ends, strict=True)}
    lengths["check"] = 0.01
    report: dict[str, Any] = {}
    for phase in PHASES:
        taken: list[float] = []
        for number in range(samples * 3):
            if len(taken) == samples:
                break
            # Another question each time: nothing of the prompt is in memory.
            answering = Answering(session, f"{QUESTIONS[number % 4]} {rng.random():.6f}")
            while not answering.began[phase].wait(0.01) and answering.task.is_running:
                pass
            time.sleep(rng.uniform(0.0, max(0.0, lengths[phase]) * 0.9))
            if not answering.task.is_running:
                continue
            start = time.perf_counter()
            answering.task.cancel()
            answering.task.done.wait()
            taken.append(time.perf_counter() - start)
        report[phase] = {"phase_s": round(lengths[phase], 2)} | (told(taken) if taken else {"samples": 0})
    session.close()
    return report


class Watched(Terminal):
    """A terminal that remembers when a word was last written to it."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.seen = threading.Condition()
        self.last: dict[bytes, float] = {}
        super().__init__(command, environment)

    def _read(self) -> None:
        tail = b""
        while True:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            if not data:
                return
            now = time.perf_counter()
            tail = tail[-64:] + data
            with self.seen:
                for word in (STOPPED, SEARCHING, b"offline"):
                    if word in tail:
                        self.last[word] = now
                        tail = tail.replace(word, b"")
                self.seen.notify_all()

    def wait_for(self, word: bytes, since: float, timeout_s: float = 60.0) -> float:
        """When the word was written after `since`."""
        with self.seen:
            if not self.seen.wait_for(lambda: self.last.get(word, 0.0) > since, timeout_s):
                raise SystemExit(f"{word.decode()} did not appear.")
            return self.last[word]


def on_the_screen(folder: Path, library: Path, samples: int) -> dict[str, Any]:
    """Seconds from the key to the word on the screen, at random moments of answers."""
    command = [sys.executable, "-m", "edgerag", "--library", str(library), "tui", "--language", "en"]
    terminal = Watched(command, environment_of(folder))
    terminal.wait_for(b"offline", 0.0)
    time.sleep(5.0)  # its models load
    rng = random.Random(5)
    taken: list[float] = []
    for number in range(samples):
        asked = time.perf_counter()
        terminal.press("/")
        time.sleep(0.2)
        terminal.press(f"{QUESTIONS[number % 4]} {number}")
        time.sleep(0.3)
        terminal.press("\r")
        terminal.wait_for(SEARCHING, asked)
        time.sleep(rng.uniform(0.0, 0.4))
        pressed = time.perf_counter()
        terminal.press("\x1b")
        taken.append(terminal.wait_for(STOPPED, pressed) - pressed)
        time.sleep(1.0)
    terminal.end()
    return told(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--without-abort", action="store_true")
    parser.add_argument("--only", choices=["engine", "screen"])
    arguments = parser.parse_args()
    os.environ.setdefault("EDGERAG_MODELS", str(Path(".demo/models").resolve()))
    if arguments.without_abort:
        AbortSwitch.turn = lambda self, on: None  # type: ignore[method-assign]
    report: dict[str, Any] = {"limit_ms": LIMIT_S * 1000, "without_abort": arguments.without_abort}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_notes(folder / "notes", NUM_NOTES)
        library = folder / "library"
        with Engine.open(library, settings=SETTINGS) as engine:
            engine.add([folder / "notes"])
        if arguments.only != "screen":
            report["engine"] = in_the_engine(library, arguments.samples)
        if arguments.only != "engine":
            report["screen"] = on_the_screen(folder, library, arguments.samples)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
