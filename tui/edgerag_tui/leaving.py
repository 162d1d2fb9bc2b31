"""Leaving: by key, by a signal, or because the terminal is gone; with work under way, and without waiting for it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from edgerag_tui.app import EdgeragApp

SIGNAL_TIMEOUT_S = 3.0
"""How long a program that is told to end waits for its work to reach a safe point."""
WATCHDOG_S = 5.0
"""After that the process ends however it stands: a terminal that is gone may never take what is written to it."""


def obey_signals(app: EdgeragApp) -> None:
    """SIGINT is `ctrl+c`; SIGTERM and SIGHUP end the program with its library sound and the terminal as it was."""
    loop = asyncio.get_running_loop()

    def handle(name: str, call: Callable[[int], object]) -> None:
        number = getattr(signal, name, None)
        if number is not None:
            # Windows has no handlers in its event loop, and only the main thread may set one.
            with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
                loop.add_signal_handler(number, call, number)

    def end(number: int) -> None:
        watchdog = threading.Timer(WATCHDOG_S, os._exit, (128 + number,))
        watchdog.daemon = True
        watchdog.start()
        app.end_soon(128 + number)

    handle("SIGINT", lambda number: app.call_later(app.action_copy_or_cancel))
    handle("SIGTERM", end)
    handle("SIGHUP", end)


def leave(app: EdgeragApp, code: int) -> int:
    """What remains after the last picture: close the session if nobody has; returns the exit code.

    Where work has not ended, the process ends here. Python would wait for threads of models and free what llama.cpp
    still computes with.
    """
    if not app.session.is_closed and not app.is_leaving:
        app.session.close()  # the application failed
    if not app.session.is_closed:
        _end_process(code)
    return code


def _end_process(code: int) -> NoReturn:
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
