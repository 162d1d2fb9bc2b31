"""Threads that do the work, one for each kind: a search waits for no answer, and an answer for no ingest."""

from __future__ import annotations

import itertools
import logging
import queue
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)
_numbers = itertools.count(1)


class Task:
    """A piece of work under way: `stop` is its stop flag, `done` is set when it has ended however it did."""

    def __init__(self, name: str) -> None:
        self.id = next(_numbers)
        self.name = name
        self.stop = threading.Event()
        self.done = threading.Event()

    def cancel(self) -> None:
        """Ask the work to end at its next safe point."""
        self.stop.set()

    @property
    def is_running(self) -> bool:
        return not self.done.is_set()


class Lane:
    """One thread that takes work in order."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._queue: queue.SimpleQueue[tuple[Task, Callable[[Task], None]] | None] = queue.SimpleQueue()
        self._tasks: dict[Task, None] = {}
        """In order; what waits and what runs."""
        self._is_closed = False
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None

    def submit(self, name: str, work: Callable[[Task], None]) -> Task:
        """Do this next. `work` handles its own errors; what still escapes is logged. Nothing once it is closed."""
        task = Task(name)
        with self._guard:
            if self._is_closed:
                task.cancel()
                task.done.set()
                return task
            self._tasks[task] = None
            if self._thread is None:
                # A daemon: work that does not obey its stop flag must not keep the terminal.
                self._thread = threading.Thread(target=self._run, name=f"edgerag-{self.name}", daemon=True)
                self._thread.start()
        self._queue.put((task, work))
        return task

    @property
    def task_names(self) -> list[str]:
        """Of what runs and waits, in order."""
        with self._guard:
            return [task.name for task in self._tasks]

    def stop(self) -> None:
        """Ask what runs to end at its next safe point, drop what waits, take nothing more; returns at once."""
        with self._guard:
            for task in self._tasks:
                task.cancel()
            if self._is_closed:
                return
            self._is_closed = True
        self._queue.put(None)

    def join(self, timeout_s: float | None) -> bool:
        """After `stop`: wait for the end (None: however long it takes); returns whether it has come."""
        thread = self._thread
        if thread is None:
            return True
        thread.join(timeout_s)
        return not thread.is_alive()

    def _run(self) -> None:
        while (entry := self._queue.get()) is not None:
            task, work = entry
            try:
                if not task.stop.is_set():
                    work(task)
            except Exception:
                logger.exception("the work %r failed", task.name)
            finally:
                task.done.set()
                with self._guard:
                    self._tasks.pop(task, None)
