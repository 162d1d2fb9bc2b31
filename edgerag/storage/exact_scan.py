"""Vector search by comparing with every embedding: always right, and fastest up to some ten thousand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgerag.datatypes import Hit

if TYPE_CHECKING:
    from numpy.typing import NDArray  # 20 ms that only the type checker needs

BLOCK_ROWS = 65_536
"""Rows compared at a time: a copy that BLAS might make stays below 100 MB at 384 dimensions."""
COMPACT_SHARE = 0.2
"""Share of dead rows above which the rest is copied together."""
GATHER_SHARE = 0.2
"""Share of wanted rows below which copying them together is quicker than comparing with all."""
SCORE_DECIMALS = 6
"""Equal embeddings in different rows differ in the last bits of their score; rounded they tie, and the id decides."""


@dataclass(frozen=True, slots=True)
class VectorTable:
    """Embeddings held in memory. Never changed: an update returns another table, so that searches go on beside it.

    Tables share a buffer: an update writes behind the rows that older tables see. Hence only the newest table of
    a line may be updated.
    """

    ids: NDArray[np.int64]
    """Shape (num_rows,), unique, in no particular order."""
    alive: NDArray[np.bool_]
    """Shape (num_rows,): which rows count."""
    id_buffer: NDArray[np.int64]
    buffer: NDArray[np.float32]
    """Shape (capacity, dim) with capacity >= num_rows."""

    @classmethod
    def of(cls, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> VectorTable:
        """A table of all these rows, which are not copied."""
        return cls(ids, np.ones(len(ids), dtype=np.bool_), ids, vectors)

    @property
    def live_ids(self) -> NDArray[np.int64]:
        """Ascending."""
        return np.sort(self.ids[self.alive])

    def updated(
        self, wanted: NDArray[np.int64], new_ids: NDArray[np.int64], new_vectors: NDArray[np.float32]
    ) -> VectorTable:
        """Drop the rows that are not wanted (ascending ids) and append new ones."""
        alive = self.alive & is_in(self.ids, wanted)
        num_old, num_new = len(self.ids), len(new_ids)
        if np.count_nonzero(alive) < num_old * (1 - COMPACT_SHARE):
            ids = np.concatenate([self.ids[alive], new_ids])
            vectors = np.concatenate([self.buffer[:num_old][alive], new_vectors])
            return VectorTable.of(ids, vectors)
        id_buffer, buffer = self.id_buffer, self.buffer
        if num_new:
            if len(buffer) < num_old + num_new or not buffer.flags.writeable:
                capacity = num_old + num_new + (num_old + num_new) // 4
                id_buffer = np.empty(capacity, dtype=np.int64)
                buffer = np.empty((capacity, self.buffer.shape[1]), dtype=np.float32)
                id_buffer[:num_old] = self.ids
                buffer[:num_old] = self.buffer[:num_old]
            id_buffer[num_old : num_old + num_new] = new_ids
            buffer[num_old : num_old + num_new] = new_vectors
            alive = np.concatenate([alive, np.ones(num_new, dtype=np.bool_)])
        return VectorTable(id_buffer[: num_old + num_new], alive, id_buffer, buffer)

    def search(
        self, query: NDArray[np.float32], top_k: int, within: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Ids and cosines of the best rows, best first, equal ones in order of id.

        Args:
            within: Only these ids, ascending; None: all.
        """
        rows = self.alive if within is None else self.alive & is_in(self.ids, within)
        num_rows, num_wanted = len(self.ids), int(np.count_nonzero(rows))
        if within is not None and num_wanted < num_rows * GATHER_SHARE:
            chosen = np.flatnonzero(rows)
            return best_first(self.ids[chosen], self.buffer[chosen] @ query, min(top_k, num_wanted))
        scores = np.empty(num_rows, dtype=np.float32)
        for start in range(0, num_rows, BLOCK_ROWS):
            end = min(start + BLOCK_ROWS, num_rows)
            np.matmul(self.buffer[start:end], query, out=scores[start:end])
        scores[~rows] = -np.inf
        return best_first(self.ids, scores, min(top_k, num_wanted))


def best_first(
    ids: NDArray[np.int64], scores: NDArray[np.float32], top_k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The `top_k` best of some scored ids, best first, equal ones in order of id."""
    if top_k <= 0:
        return ids[:0], scores[:0]
    scores = np.round(scores, SCORE_DECIMALS)
    if top_k < len(ids):
        # Everything that ties with the last place is kept until the ids have decided.
        last = np.partition(scores, len(scores) - top_k)[len(scores) - top_k]
        chosen = np.flatnonzero(scores >= last)
        ids, scores = ids[chosen], scores[chosen]
    order = np.lexsort((ids, -scores))[:top_k]
    return ids[order], scores[order]


def to_hits(ids: NDArray[np.int64], scores: NDArray[np.float32]) -> list[Hit]:
    """Ranked ids and scores as hits."""
    pairs = zip(ids.tolist(), scores.tolist(), strict=True)
    return [Hit(chunk_id, score, rank) for rank, (chunk_id, score) in enumerate(pairs, start=1)]


def is_in(ids: NDArray[np.int64], ascending: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of some ids occur among others, which are sorted."""
    if not len(ascending):
        return np.zeros(len(ids), dtype=np.bool_)
    places = np.minimum(np.searchsorted(ascending, ids), len(ascending) - 1)
    found: NDArray[np.bool_] = ascending[places] == ids
    return found
