"""Threads for inference: as many as the cores this process is allowed, not those the machine has."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from edgerag.cores import usable_cores
from edgerag.stopping import check_stop, current_stop

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Workers:
    """A pool that starts when it is first needed and gives the results of one call in order."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def map(self, call: Callable[[_Item], _Result], items: Sequence[_Item]) -> list[_Result]:
        """Apply `call` to each item, many at a time; after the first error the others are not begun.

        Raises:
            StoppedError: The caller's stop flag was set (`edgerag.stopping`); looked at before each item.
        """
        stop = current_stop()  # of this thread; the pool's have none

        def do(item: _Item) -> _Result:
            check_stop(stop)
            return call(item)

        if len(items) < 2 or self._count == 1:
            return [do(item) for item in items]
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._count, thread_name_prefix="edgerag-inference")
            futures = [self._pool.submit(do, item) for item in items]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()  # after an error or Ctrl-C; one that has ended is not touched

    def close(self) -> None:
        """End the threads; the next `map` starts new ones."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)


def worker_count(threads: int = 0) -> int:
    """Return `threads`, or the number of usable cores where it is 0.

    Raises:
        ValueError: Negative.
    """
    if threads < 0:
        raise ValueError(f"threads must be 0 or more, not {threads}")
    return threads or usable_cores()
