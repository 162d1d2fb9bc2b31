"""How long a generator may speak."""

from __future__ import annotations

import time

from edgerag.protocols import StopFlag


class Deadline:
    """A stop flag that is also set once the time is up."""

    def __init__(self, stop: StopFlag, timeout_s: float) -> None:
        self._stop = stop
        self._end = time.monotonic() + timeout_s

    def is_set(self) -> bool:
        return self._stop.is_set() or self.is_over()

    def is_over(self) -> bool:
        return time.monotonic() >= self._end
