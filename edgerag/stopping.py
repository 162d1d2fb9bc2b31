"""A stop flag for all that runs inside one block, however deep: no model's interface has to carry it.

Retrieval and the weighing of evidence ask models for one result at a time; whoever asks has the stop flag, and whoever
loops over texts can look at it between two of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from edgerag.protocols import StopFlag

_current: ContextVar[StopFlag | None] = ContextVar("edgerag_stop", default=None)


class StoppedError(Exception):
    """The flag of the block was set; never leaves the function that opened the block."""


@contextmanager
def stoppable(stop: StopFlag) -> Iterator[None]:
    """Work inside ends with `StoppedError` soon after `stop` is set, where it looks (`check_stop`)."""
    token = _current.set(stop)
    try:
        yield
    finally:
        _current.reset(token)


def current_stop() -> StopFlag | None:
    """The flag of this thread's block, to be taken along into other threads."""
    return _current.get()


def check_stop(stop: StopFlag | None = None) -> None:
    """Look at `stop`, or at the flag of the block.

    Raises:
        StoppedError: It is set.
    """
    flag = stop or _current.get()
    if flag is not None and flag.is_set():
        raise StoppedError
