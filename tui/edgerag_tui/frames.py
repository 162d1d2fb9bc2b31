"""Measures how long the interface takes to react; hidden behind `edgerag tui --frames FILE`, for the benchmark."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgerag_tui.app import EdgeragApp

BEAT_S = 1 / 60


class FrameRecorder:
    """Asks for a picture 60 times a second and notes how late it is.

    A frame's time runs from when the event loop should have woken to when everything that waited (keys, messages,
    layout, painting) was done: what a person waits for the reaction to a key.
    """

    def __init__(self) -> None:
        self.frames_ms: list[float] = []
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; within the running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._beat())

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _beat(self) -> None:
        while True:
            due = time.perf_counter() + BEAT_S
            await asyncio.sleep(BEAT_S)
            await asyncio.sleep(0)  # behind everything else that was ready in this turn of the loop
            self.frames_ms.append(max(0.0, time.perf_counter() - due) * 1000)

    def summary(self) -> dict[str, float]:
        """Number of frames, and their time in ms at the median, the 95th and 99th percentile, and at most."""
        ordered = sorted(self.frames_ms) or [0.0]

        def at(share: float) -> float:
            return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)

        return {
            "frames": len(self.frames_ms),
            "p50_ms": at(0.5),
            "p95_ms": at(0.95),
            "p99_ms": at(0.99),
            "max_ms": round(ordered[-1], 2),
        }


@contextlib.contextmanager
def recorded(app: EdgeragApp, file: Path) -> Iterator[FrameRecorder]:
    """Record while the application runs; what was measured is written as JSON at the end."""
    recorder = FrameRecorder()
    app.on_first_paint.append(recorder.start)
    try:
        yield recorder
    finally:
        recorder.stop()
        first_paint_s = app.first_paint - app.started if app.first_paint is not None else None
        file.write_text(json.dumps({**recorder.summary(), "first_paint_s": first_paint_s}) + "\n", encoding="utf-8")
