"""A program in a pseudo-terminal: what it draws, and whether a key ends it."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ran import status_in_words

ESCAPES = re.compile(
    rb"\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b[P_^][^\x1b]*\x1b\\|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-Z\\-_=>()][0B]?"
)
WAITED_FOR = b"up to date"
"""Stands in the last line once the library is open and compared with its folders."""
CTRL_Q = b"\x11"
ROWS, COLUMNS = 30, 100


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a program in a terminal."""

    status: int
    timed_out: bool
    has_drawn: bool
    drawn_after_s: float
    lines: tuple[str, ...]
    """The text that was written, without escape sequences."""

    @property
    def ending(self) -> str:
        return "it did not end" if self.timed_out else status_in_words(self.status)


def plain(data: bytes) -> bytes:
    """What was written to a terminal, without its escape sequences; moving the cursor becomes a line break."""
    return ESCAPES.sub(b"", re.sub(rb"\x1b\[[0-9;]*H", b"\n", data))


def drive(
    command: Sequence[str], *, environment: Mapping[str, str], folder: Path, timeout_s: float, settle_s: float = 1.5
) -> Seen:
    """Start a program in a terminal of 100 x 30, wait until its library is open, press Ctrl+Q, wait for its end."""
    import fcntl  # POSIX only, as the rest
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    started = time.monotonic()
    process = subprocess.Popen(
        list(command), stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, start_new_session=True,
        env=dict(environment),
    )  # fmt: skip
    os.close(theirs)
    written, drawn_after_s, pressed_at, timed_out = b"", 0.0, 0.0, False
    try:
        while True:
            now = time.monotonic()
            if now - started > timeout_s:
                timed_out = True
                break
            if not drawn_after_s and WAITED_FOR in plain(written):
                drawn_after_s = now - started
            # Pressed again now and then: a key that comes before the application listens is lost.
            if drawn_after_s and now - started > drawn_after_s + settle_s and now - pressed_at > 2:
                pressed_at = now
                with contextlib.suppress(OSError):
                    os.write(ours, CTRL_Q)
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    part = os.read(ours, 65536)
                except OSError:  # Linux: the other side is closed
                    break
                if not part:
                    break
                written += part
        if timed_out:
            os.killpg(process.pid, signal.SIGKILL)
        try:
            status = process.wait(10)
        except subprocess.TimeoutExpired:
            timed_out = True
            os.killpg(process.pid, signal.SIGKILL)
            status = process.wait()
    finally:
        os.close(ours)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    text = plain(written).decode("utf-8", "replace")
    lines = tuple(line.rstrip() for line in re.split(r"[\r\n]+", text) if line.strip())
    return Seen(status, timed_out, drawn_after_s > 0, drawn_after_s, lines)
