"""How far an ingest is, how fast it goes, and when it will end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from edgerag.datatypes import IngestProgress

INTERVAL_S = 0.1
"""Progress events come no closer together than this."""
ESTIMATE_AFTER_S = 1.0


@dataclass(slots=True)
class ProgressMeter:
    """Counts files, bytes and chunks of one ingest."""

    total_files: int = 0
    total_bytes: int = 0
    done_files: int = 0
    done_bytes: int = 0
    done_chunks: int = 0
    embedded_chunks: int = 0
    embedding_bytes: float = 0.0
    """Share of the files that are being embedded at the moment."""
    started: float = field(default_factory=time.perf_counter)
    _last_event: float = 0.0

    def event(self, stage: str, current_path: str, *, always: bool = False) -> IngestProgress | None:
        """The next event, or None when the last one was just now."""
        now = time.perf_counter()
        if not always and now - self._last_event < INTERVAL_S:
            return None
        self._last_event = now
        elapsed = now - self.started
        # Bytes, not files: one long PDF outweighs a hundred notes.
        done_share = min(1.0, (self.done_bytes + self.embedding_bytes) / self.total_bytes) if self.total_bytes else 0.0
        eta_s = None
        if done_share and elapsed > ESTIMATE_AFTER_S:
            eta_s = elapsed * (1.0 - done_share) / done_share
        return IngestProgress(
            stage,
            self.done_files,
            self.total_files,
            self.done_chunks,
            current_path,
            self.done_chunks / elapsed if elapsed > 0 else 0.0,
            eta_s,
            done_share,
        )
