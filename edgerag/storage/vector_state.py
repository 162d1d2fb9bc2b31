"""What a vector search works on, kept in step with the library: embeddings in memory and a verified snapshot."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from edgerag.coded_text import at_stage, coded
from edgerag.errors import StaleIndexError
from edgerag.storage.exact_scan import VectorTable, is_in
from edgerag.storage.snapshot import Snapshot, SnapshotRecord, load_snapshot

if TYPE_CHECKING:
    from numpy.typing import NDArray  # 20 ms that only the type checker needs

SNAPSHOT_REASON = "every vector was compared:"
"""Marks the reasons that concern the snapshot."""


class VectorSource(Protocol):
    """What the index asks of a library. One model's embeddings only."""

    def change_counter(self) -> int:
        """Grows with every commit that adds or deletes chunks."""

    def count_vectors(self) -> int: ...

    def read_vectors(self, after_id: int = 0) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Embeddings of the live chunks with a larger id: ids ascending, shape (n,); shape (n, dim)."""

    def read_some(self, chunk_ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The same of some chunks, whose ids ascend."""

    def live_ids(self) -> NDArray[np.int64]:
        """Ids of all chunks that have an embedding, ascending."""

    def snapshot_record(self) -> SnapshotRecord | None:
        """The current snapshot."""

    def record_snapshot(self, record: SnapshotRecord) -> None:
        """Make a snapshot the current one."""


@dataclass(frozen=True, slots=True)
class IndexState:
    """All that one search needs; replaced as a whole, so that a search never sees half an update."""

    change_counter: int
    record: SnapshotRecord | None
    """As the database had it; looked at only above the threshold."""
    is_large: bool
    """More chunks than are scanned exactly."""
    table: VectorTable
    """Every live embedding, or with a snapshot those outside it."""
    snapshot: Snapshot | None
    live_ids: NDArray[np.int64]
    num_live_labels: int
    missing: NDArray[np.int64]
    """Live chunks whose embedding is damaged, ascending."""
    degraded: tuple[str, ...]

    @property
    def dead_share(self) -> float:
        """Share of the snapshot's labels whose chunk is gone."""
        if self.snapshot is None:
            return 0.0
        return 1.0 - self.num_live_labels / max(1, len(self.snapshot.labels))

    @property
    def tail_share(self) -> float:
        """Share of the chunks that the table holds."""
        return float(np.count_nonzero(self.table.alive)) / max(1, len(self.live_ids))


class StateKeeper:
    """Brings the state up to date when the library has changed; safe to share between threads."""

    def __init__(
        self, folder: Path, source: VectorSource, *, dim: int, fingerprint: str, exact_scan_limit: int, ef: int
    ) -> None:
        self._folder = folder
        self._source = source
        self._dim = dim
        self._fingerprint = fingerprint
        self._exact_scan_limit = exact_scan_limit
        self._ef = ef
        self._refreshing = threading.Lock()
        self._state: IndexState | None = None
        self._whole: tuple[int, VectorTable] | None = None
        self._part: tuple[int, NDArray[np.int64], VectorTable] | None = None

    def forget(self) -> None:
        """Let go of the memory."""
        with self._refreshing:
            self._state = self._whole = self._part = None

    def load(self, record: SnapshotRecord, capacity: int = 0) -> Snapshot:
        """Load a snapshot, with room for `capacity` vectors.

        Raises:
            StaleIndexError: As `load_snapshot`.
        """
        return load_snapshot(
            self._folder,
            record,
            dim=self._dim,
            fingerprint=self._fingerprint,
            ef=self._ef,
            capacity=capacity,
        )

    def current(self) -> IndexState:
        """The state, brought up to date if the library or its snapshot changed."""
        state = self._state
        if state is not None and self._is_current(state):
            return state
        with self._refreshing:
            state = self._state
            if state is None or not self._is_current(state):
                state = self._refreshed(state)
                self._state = state
                self._whole = self._part = None
            return state

    def _is_current(self, state: IndexState) -> bool:
        if state.change_counter != self._source.change_counter():
            return False
        return not state.is_large or state.record == self._source.snapshot_record()

    def _refreshed(self, old: IndexState | None) -> IndexState:
        # The counter is read first: whatever is committed from here on makes the next search look again.
        counter = self._source.change_counter()
        num_vectors = self._source.count_vectors()
        is_large = num_vectors > self._exact_scan_limit
        record = self._source.snapshot_record() if is_large else None
        snapshot, degraded = self._snapshot_for(record, old) if is_large else (None, ())
        live_ids: NDArray[np.int64] | None
        if old is not None and old.snapshot is snapshot:
            table, missing, live_ids = old.table, old.missing, self._source.live_ids()
        else:
            table, missing = _empty_table(self._dim), np.empty(0, np.int64)
            live_ids = self._source.live_ids() if snapshot is not None else None
        if live_ids is None:
            # Everything is read, so the ids are asked for only when something seems to be missing.
            sound_ids, vectors = finite(*self._source.read_vectors(0))
            live_ids = sound_ids if len(sound_ids) == num_vectors else self._source.live_ids()
            table, missing = VectorTable.of(sound_ids, vectors), live_ids[~is_in(live_ids, sound_ids)]
        else:
            wanted = live_ids if snapshot is None else live_ids[~is_in(live_ids, snapshot.labels)]
            table, missing = self._with_new_rows(table, wanted, missing)
        num_live_labels = int(np.count_nonzero(is_in(snapshot.labels, live_ids))) if snapshot is not None else 0
        if self._source.change_counter() != counter:
            # Ids and embeddings were read on two sides of a commit: what seems to be missing may only be new.
            missing = missing[:0]
        if len(missing):
            left_out = coded(
                "degraded.embeddings",
                "{number} damaged embeddings were left out; run `edgerag verify`",
                number=len(missing),
            )
            degraded = (*degraded, at_stage("vector", left_out))
        return IndexState(counter, record, is_large, table, snapshot, live_ids, num_live_labels, missing, degraded)

    def _snapshot_for(
        self, record: SnapshotRecord | None, old: IndexState | None
    ) -> tuple[Snapshot | None, tuple[str, ...]]:
        """The recorded snapshot, or why there is none."""
        if old is not None and old.is_large and old.record == record and record is not None:
            # Loaded already, or known to be unusable: hashing it again in every refresh would cost more than it helps.
            return old.snapshot, tuple(reason for reason in old.degraded if SNAPSHOT_REASON in reason)
        if record is None:
            return None, (_compared(coded("index.none", "there is no snapshot yet")),)
        try:
            return self.load(record), ()
        except StaleIndexError as error:
            return None, (_compared(error.message),)

    def _with_new_rows(
        self, table: VectorTable, wanted: NDArray[np.int64], missing: NDArray[np.int64]
    ) -> tuple[VectorTable, NDArray[np.int64]]:
        """Bring a table to exactly the wanted ids (ascending); also those that cannot be had."""
        missing = missing[is_in(missing, wanted)]
        unknown = wanted[~is_in(wanted, table.live_ids) & ~is_in(wanted, missing)]
        new_ids, new_vectors = np.empty(0, np.int64), np.empty((0, self._dim), np.float32)
        if len(unknown):
            # Not only ids above the largest known: a chunk gets its embedding later when the model is changed.
            ids, vectors = finite(*self._source.read_vectors(int(unknown[0]) - 1))
            chosen = is_in(ids, unknown)
            new_ids, new_vectors = ids[chosen], vectors[chosen]
            missing = np.union1d(missing, unknown[~is_in(unknown, new_ids)])
        return table.updated(wanted, new_ids, new_vectors), missing

    def whole_table(self, state: IndexState) -> VectorTable:
        """Every live embedding, for the rare search that the snapshot cannot serve; kept until the next change."""
        with self._refreshing:
            if self._whole is None or self._whole[0] != state.change_counter:
                table = VectorTable.of(*finite(*self._source.read_vectors(0)))
                self._whole = (state.change_counter, table)
            return self._whole[1]

    def part_table(self, state: IndexState, chunk_ids: NDArray[np.int64]) -> VectorTable:
        """The embeddings of some live chunks (ascending ids); the last choice is kept until the next change."""
        with self._refreshing:
            part = self._part
            if part is None or part[0] != state.change_counter or not np.array_equal(part[1], chunk_ids):
                table = VectorTable.of(*finite(*self._source.read_some(chunk_ids)))
                self._part = part = (state.change_counter, chunk_ids, table)
            return part[2]


def _compared(reason: str) -> str:
    told = coded("degraded.compared", "every vector was compared: {reason}; run `edgerag rebuild`", reason=reason)
    return at_stage("vector", told)


def _empty_table(dim: int) -> VectorTable:
    return VectorTable.of(np.empty(0, np.int64), np.empty((0, dim), np.float32))


def finite(ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Without rows that hold NaN or infinity, which would compare as nearest to everything."""
    sound = np.isfinite(vectors.sum(axis=1))
    return (ids, vectors) if bool(sound.all()) else (ids[sound], vectors[sound])
