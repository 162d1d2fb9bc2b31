"""Vector search: an exact scan of few embeddings, an hnswlib snapshot of many, and never a wrong or stale answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgerag.coded_text import at_stage, coded
from edgerag.cores import usable_cores
from edgerag.datatypes import Hit
from edgerag.errors import StaleIndexError
from edgerag.protocols import StopFlag
from edgerag.storage.exact_scan import best_first, is_in, to_hits
from edgerag.storage.snapshot import (
    Snapshot,
    SnapshotRecord,
    add_vectors,
    import_hnswlib,
    new_index,
    remove_snapshots,
    write_snapshot,
)
from edgerag.storage.vector_state import IndexState, StateKeeper, VectorSource, finite

if TYPE_CHECKING:
    from numpy.typing import NDArray  # 20 ms that only the type checker needs

__all__ = ["BuildOutcome", "SearchOutcome", "SnapshotRecord", "VectorIndex", "VectorSource"]

logger = logging.getLogger(__name__)

DEAD_SHARE = 0.2
"""Share of dead labels above which a snapshot is built anew: with 90 % dead, recall@10 at ef 50 was 0.747."""
TAIL_SHARE = 0.1
"""Share of chunks outside the snapshot above which they are added: they are scanned in every search."""


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    hits: list[Hit]
    """Best first; the score is the cosine; equal scores in order of id."""
    method: str
    """`exact`, `hnsw`, or `hnsw+tail` where chunks newer than the snapshot were scanned beside it."""
    degraded: tuple[str, ...]
    """What fell back and why, as `vector: reason`."""


@dataclass(frozen=True, slots=True)
class BuildOutcome:
    is_built: bool
    reason: str
    """Why there is no new snapshot; empty when there is."""


class VectorIndex:
    """The nearest chunks of a library, for any number of threads.

    The snapshot is a cache. Absent, stale or damaged, it is not used: every embedding is compared at once, the
    outcome says so, and the next `build_snapshot` repairs it.
    """

    def __init__(
        self,
        folder: Path,
        source: VectorSource,
        *,
        dim: int,
        fingerprint: str,
        exact_scan_limit: int,
        ef: int,
        threads: int = 0,
    ) -> None:
        """Open nothing yet.

        Args:
            folder: For snapshots; need not exist.
            exact_scan_limit: Up to this many chunks every embedding is compared.
            ef: hnswlib's search width.
            threads: For building; 0: one for each core this process may use.
        """
        self._folder = folder
        self._source = source
        self._dim = dim
        self._fingerprint = fingerprint
        self._exact_scan_limit = exact_scan_limit
        self._threads = threads or usable_cores()
        self._keeper = StateKeeper(
            folder, source, dim=dim, fingerprint=fingerprint, exact_scan_limit=exact_scan_limit, ef=ef
        )

    def close(self) -> None:
        """Let go of the memory; a later search loads it again."""
        self._keeper.forget()

    def preload(self) -> None:
        """Read what a search needs, so that the first one does not wait for it."""
        self._keeper.current()

    def search(self, query: NDArray[np.float32], top_k: int, within: NDArray[np.int64] | None = None) -> SearchOutcome:
        """Find the chunks nearest to an embedding.

        Args:
            query: Shape (dim,), length 1.
            within: Only these chunk ids, ascending; None: all. Up to `exact_scan_limit` of them are compared one by
                one however large the library is.
        """
        if query.shape != (self._dim,):
            raise ValueError(f"the query has shape {query.shape} instead of ({self._dim},)")
        if top_k < 1:
            raise ValueError(f"top_k is {top_k}; it must be positive")
        query = np.ascontiguousarray(query, dtype=np.float32)
        state = self._keeper.current()
        if state.snapshot is None:
            return SearchOutcome(to_hits(*state.table.search(query, top_k, within)), "exact", state.degraded)
        live_ids, num_live_labels = state.live_ids, state.num_live_labels
        if within is not None:
            live_ids = live_ids[is_in(live_ids, within)]
            if len(live_ids) <= self._exact_scan_limit:
                table = self._keeper.part_table(state, live_ids)
                return SearchOutcome(to_hits(*table.search(query, top_k)), "exact", state.degraded)
            num_live_labels = int(np.count_nonzero(is_in(state.snapshot.labels, live_ids)))
        found = state.snapshot.search(query, top_k, live_ids, num_live_labels)
        if found is None:
            reason = at_stage(
                "vector",
                coded("degraded.few_live", "the snapshot yielded too few live chunks; every vector was compared"),
            )
            table = self._keeper.whole_table(state)
            return SearchOutcome(to_hits(*table.search(query, top_k, within)), "exact", (*state.degraded, reason))
        if not np.any(state.table.alive):
            return SearchOutcome(to_hits(*found), "hnsw", state.degraded)
        tail = state.table.search(query, top_k, within)
        ids, scores = np.concatenate([found[0], tail[0]]), np.concatenate([found[1], tail[1]])
        return SearchOutcome(to_hits(*best_first(ids, scores, top_k)), "hnsw+tail", state.degraded)

    def ranks(self, query: NDArray[np.float32], chunk_ids: Sequence[int]) -> dict[int, tuple[int, float]]:
        """Rank and cosine of some chunks among all live ones, by comparing every embedding: for explanations.

        Args:
            query: Shape (dim,), length 1.

        Returns:
            By chunk id; chunks without an embedding of this model are missing.
        """
        state = self._keeper.current()
        table = state.table if state.snapshot is None else self._keeper.whole_table(state)
        ids, scores = table.search(np.ascontiguousarray(query, dtype=np.float32), len(table.ids))
        places = np.flatnonzero(np.isin(ids, np.asarray(chunk_ids, dtype=np.int64)))
        return {int(ids[place]): (int(place) + 1, float(scores[place])) for place in places}

    def needs_snapshot(self) -> bool:
        """Whether a snapshot is called for and there is none, or it is damaged, or too far behind."""
        state = self._keeper.current()
        if not state.is_large:
            return False
        if state.snapshot is None:
            return True
        return state.dead_share > DEAD_SHARE or state.tail_share > TAIL_SHARE

    def build_snapshot(self, *, stop: StopFlag, progress: Callable[[int, int], None] | None = None) -> BuildOutcome:
        """Write a snapshot of all chunks and make it the current one. The caller holds the writer lock.

        A sound snapshot is extended by what it lacks (in a copy of its own); otherwise all is built anew.
        A failure costs speed only, so it is an outcome and not an error: what was ingested is safe.

        Args:
            progress: Called with vectors added and vectors to add.
        """
        try:
            record = self._build(self._keeper.current(), stop, progress)
        except StaleIndexError as error:
            logger.warning("No vector index snapshot: %s", error)
            return BuildOutcome(False, str(error))
        except MemoryError:
            logger.warning("No vector index snapshot: not enough memory")
            return BuildOutcome(False, "not enough memory")
        if record is None:
            return BuildOutcome(False, "interrupted")
        try:
            self._source.record_snapshot(record)
        except BaseException:
            remove_snapshots(self._folder, self._fingerprint, keep=self._recorded_name())
            raise
        remove_snapshots(self._folder, self._fingerprint, keep=record.file_name)
        return BuildOutcome(True, "")

    def discard_snapshots(self) -> None:
        """Delete this model's snapshot files, so that the next one is built from nothing."""
        remove_snapshots(self._folder, self._fingerprint)
        self._keeper.forget()

    def _build(
        self, state: IndexState, stop: StopFlag, progress: Callable[[int, int], None] | None
    ) -> SnapshotRecord | None:
        """Build and write; None when stopped."""
        import_hnswlib()  # before reading anything for it
        index: Any
        base = self._base_to_extend(state)
        if base is None:
            ids, vectors = finite(*self._source.read_vectors(0))
            index = new_index(self._dim, len(ids))
        else:
            index = base.index
            alive = state.table.alive
            order = np.argsort(state.table.ids[alive])
            ids = state.table.ids[alive][order]
            vectors = state.table.buffer[: len(state.table.ids)][alive][order]
        if not add_vectors(index, ids, vectors, threads=self._threads, stop=stop, progress=progress):
            return None
        return write_snapshot(self._folder, index, fingerprint=self._fingerprint, dim=self._dim)

    def _base_to_extend(self, state: IndexState) -> Snapshot | None:
        """A copy of the current snapshot with room for the tail; None where it should not live on."""
        if state.snapshot is None or state.dead_share > DEAD_SHARE:
            return None
        capacity = len(state.snapshot.labels) + int(np.count_nonzero(state.table.alive))
        try:
            return self._keeper.load(state.snapshot.record, capacity)
        except StaleIndexError:
            return None

    def _recorded_name(self) -> str:
        record = self._source.snapshot_record()
        return record.file_name if record is not None else ""
