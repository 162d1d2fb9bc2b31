"""Ending an evaluation of llama.cpp in its midst: a step of a long prompt takes seconds where other programs run."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from edgerag.protocols import StopFlag

STOP_POLL_S = 0.02
"""How often the stop flag is looked at. 50 looks a second are not to be seen in the speed of an answer."""


class AbortSwitch:
    """A byte that llama.cpp reads between any two operations of its graph, of which a step has a thousand.

    A Python function would be asked there too, and each time wait for the interpreter's lock, up to 5 ms while a screen
    is drawn. So C asks C: `strlen` of two bytes is 0 while the first one is 0, and 1 once it is set, which is read as
    false and true.
    """

    def __init__(self) -> None:
        self._byte = ctypes.create_string_buffer(2)
        self._library = ctypes.cdll.msvcrt if sys.platform == "win32" else ctypes.CDLL(None)
        self._callback: Any = None

    def install(self, api: Any, context: Any) -> None:
        """Let evaluations of a context end when the switch is on; it must live as long as the context."""
        self._callback = ctypes.cast(self._library.strlen, api.llama_cpp.ggml_abort_callback)
        api.llama_set_abort_callback(context, self._callback, ctypes.cast(self._byte, ctypes.c_void_p))

    def turn(self, on: bool) -> None:
        """From any thread."""
        self._byte[0] = b"\1" if on else b"\0"

    @property
    def is_on(self) -> bool:
        return self._byte[0] != b"\0"

    @contextmanager
    def following(self, stop: StopFlag) -> Iterator[None]:
        """While the block runs, the switch goes on as soon as `stop` is set; afterwards it is off."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(STOP_POLL_S):
                if stop.is_set():
                    self.turn(True)
                    return

        watcher = threading.Thread(target=watch, name="edgerag-abort", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()
            self.turn(False)
