"""Running a program to its end, and saying in words how it ended."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

SHOWN_LINES = 12
CUE_POLL_S = 0.05
OUTLIVED_S = 2.0
"""So long processes may take to end after the program that started them."""
TRACEBACK = "Traceback (most recent call last)"
SIGNAL_MEANINGS = {
    "SIGILL": "illegal instruction: compiled for a newer processor than this one",
    "SIGSEGV": "segmentation fault",
    "SIGBUS": "bus error: a mapped file was cut short, or the disk is full",
    "SIGABRT": "aborted by a library",
    "SIGFPE": "arithmetic fault",
    "SIGKILL": "killed: out of memory, or by the time limit",
    "SIGSYS": "a system call that is not allowed",
    "SIGTRAP": "trap",
}
ADVICE: tuple[tuple[str, str], ...] = (
    (r"No module named '?([\w.]+)", "the bundle lacks the Python module {0}: hidden imports, exclusions of the build"),
    (r"error while loading shared libraries: (\S+?):", "the bundle lacks {0}, or it cannot be loaded"),
    (r"(\S+\.so[\w.]*): cannot open shared object", "the bundle lacks {0}: binaries of the build"),
    (r"version `(GLIBC\w*_[\d.]+)' not found", "this system is older than the build machine: {0} is missing"),
    (r"No such file or directory: '?([^'\n]+)", "a file is missing, perhaps data of the build: {0}"),
    (r"uncaught target signal 4|SIGILL", "something in the bundle was compiled for a newer processor"),
    (r"failed to map segment|noexec", "a folder that must hold code is mounted noexec"),
    (r"Permission denied", "permissions of the bundle, the home or the temp folder"),
)
"""What to look at, by what stands in the output; `{0}` is what the pattern caught."""


@dataclass(frozen=True, slots=True)
class Cue:
    """Something that is done to a program while it runs."""

    once: str
    """Pattern that its output, stdout or stderr, must match first (`re.search`, several lines); empty: nothing."""
    after_s: float
    """Waited from then on."""
    do: Callable[[], object] | None = None
    """None: press Ctrl-C (SIGINT to the whole session)."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A program that has ended."""

    command: tuple[str, ...]
    """As started, with what was put around the program."""
    status: int
    """As `subprocess` gives it: negative for a signal."""
    stdout: bytes
    stderr: bytes
    seconds: float
    timed_out: bool = False
    shown: str = ""
    """The program's own command line; empty: all of `command`."""
    seen: tuple[str, ...] = field(default=())
    """What the observer returned, sorted."""
    outlived: tuple[str, ...] = ()
    """Names of the processes of its session that went on after its end, and were killed."""

    @property
    def text(self) -> str:
        """Standard output; bytes that are no UTF-8 show as U+FFFD."""
        return self.stdout.decode("utf-8", "replace")

    @property
    def errors(self) -> str:
        return self.stderr.decode("utf-8", "replace")

    def ending(self) -> str:
        """How it ended, in words."""
        if self.timed_out:
            return f"stopped after {self.seconds:.0f} s, the time limit"
        return status_in_words(self.status)

    def advice(self) -> str:
        """What to look at; empty if nothing in the output says so."""
        both = self.errors + "\n" + self.text
        for pattern, told in ADVICE:
            if found := re.search(pattern, both):
                return told.format(*(found.groups() or ("",)))
        if name := signal_name(self.status):
            return SIGNAL_MEANINGS.get(name, "")
        return ""

    def told(self) -> list[str]:
        """What was run and what came out, for a person."""
        lines = ["ran: " + (self.shown or shlex.join(self.command)), "ended: " + self.ending()]
        for name, text in (("stdout", self.text), ("stderr", self.errors)):
            shown = text.splitlines()
            left_out = [f"... {len(shown) - SHOWN_LINES} lines before"] if len(shown) > SHOWN_LINES else []
            lines += [f"{name}: {line[:300]}" for line in (*left_out, *shown[-SHOWN_LINES:])] or [f"{name}: (empty)"]
        if advice := self.advice():
            lines.append("look at: " + advice)
        return lines


def signal_name(status: int) -> str:
    """`SIGILL` for -4 and for a shell's 132; empty if it was no signal."""
    number = -status if status < 0 else status - 128
    # A shell reports a signal as 128 + n. 130 is also how edgerag says that it was interrupted.
    if not 0 < number < 65 or status == 130:
        return ""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def status_in_words(status: int) -> str:
    """`exit code 2`, or the signal and what it means."""
    if name := signal_name(status):
        meaning = SIGNAL_MEANINGS.get(name, "")
        return f"killed by {name}" + (f" ({meaning})" if meaning else "")
    return f"exit code {status}"


def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    timeout_s: float,
    shown: str = "",
    folder: Path | None = None,
    cues: Sequence[Cue] = (),
    observe: Callable[[int], set[str]] | None = None,
) -> Ran:
    """Run a program in a session of its own, with this environment and no other; never raises for how it ends.

    Args:
        command: Program and arguments.
        environment: All of it.
        timeout_s: The whole session is killed after this time.
        shown: For `Ran.shown`.
        folder: Where it runs.
        cues: Done one after the other. One whose pattern never comes is not done, nor are those behind it.
        observe: Called with the process id over and over while it runs; what it returns is gathered in `Ran.seen`.
    """
    started = time.monotonic()
    seen: set[str] = set()
    # Files rather than pipes: a grandchild that stays alive would hold a pipe open, and the run would hang.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            process = subprocess.Popen(
                list(command), stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                env=dict(environment), cwd=folder, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            return Ran(tuple(command), 127, b"", f"{command[0]}: {error.strerror}\n".encode(), 0.0, shown=shown)
        watcher = _Watcher(process.pid, observe, seen) if observe is not None else None
        timed_out = False
        try:
            for cue in cues:
                if not _wait_for(cue, process, (out, err), started + timeout_s):
                    break
                if cue.do is not None:
                    cue.do()
                else:
                    _signal_session(process.pid, signal.SIGINT)
            status = process.wait(max(0.1, timeout_s - (time.monotonic() - started)))
        except subprocess.TimeoutExpired:
            timed_out = True
            _signal_session(process.pid, signal.SIGKILL)
            status = process.wait()
        except BaseException:
            _signal_session(process.pid, signal.SIGKILL)
            process.wait()
            raise
        finally:
            if watcher is not None:
                watcher.end()
        seconds = time.monotonic() - started
        outlived = _outlived(process.pid)
        out.seek(0)
        err.seek(0)
        return Ran(
            tuple(command), status, out.read(), err.read(), seconds, timed_out, shown, tuple(sorted(seen)), outlived
        )


def _wait_for(cue: Cue, process: subprocess.Popen[bytes], outputs: Sequence[IO[bytes]], end: float) -> bool:
    """Wait until it is the cue's time; False if the program has ended before, or the time is up."""
    pattern = re.compile(cue.once.encode(), re.MULTILINE)
    due = None
    while process.poll() is None and (now := time.monotonic()) < end:
        if due is None and any(pattern.search(_written(output)) for output in outputs):
            due = now + cue.after_s
        if due is not None and now >= due:
            return True
        time.sleep(CUE_POLL_S)
    return False


def _written(output: IO[bytes]) -> bytes:
    """All that a program has written so far. The file is read by place: its position is also the program's."""
    return os.pread(output.fileno(), os.fstat(output.fileno()).st_size, 0)


def _signal_session(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _outlived(pid: int) -> tuple[str, ...]:
    """Wait a moment for what a session's leader has left behind; kill what does not end, and name it."""
    end = time.monotonic() + OUTLIVED_S
    while (names := _alive(pid)) and time.monotonic() < end:
        time.sleep(CUE_POLL_S)
    if names:
        _signal_session(pid, signal.SIGKILL)
    return names


def _alive(pid: int) -> tuple[str, ...]:
    """Names of the processes of a group that have not ended. Linux's alone; elsewhere none is seen."""
    try:
        os.killpg(pid, 0)
    except (AttributeError, ProcessLookupError, PermissionError):
        return ()
    names = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            before, _, after = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")
            state, _, group = after.split()[:3]
            # Z, X: has ended, and waits for whoever inherited it, which in a container may be nobody.
            if int(group) == pid and state not in "ZX":
                names.append(before.partition("(")[2])
    return tuple(sorted(names))


class _Watcher:
    """Calls the observer every 20 ms until it is ended."""

    def __init__(self, pid: int, observe: Callable[[int], set[str]], seen: set[str]) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(pid, observe, seen), daemon=True)
        self._thread.start()

    def _watch(self, pid: int, observe: Callable[[int], set[str]], seen: set[str]) -> None:
        while not self._ended.wait(0.02):
            seen |= observe(pid)

    def end(self) -> None:
        self._ended.set()
        self._thread.join()
