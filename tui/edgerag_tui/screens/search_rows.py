"""The rows of a list of hits while one stage after the other orders them anew. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgerag.datatypes import Passage


@dataclass(frozen=True, slots=True)
class ResultRow:
    passage: Passage
    rank: int | None
    """None: a later stage no longer finds it; it stays because the cursor is on it."""


def arrange(shown: Sequence[ResultRow], passages: Sequence[Passage], cursor: int | None) -> list[ResultRow]:
    """The rows for a new ranking: best first, but the row under the cursor stays in its place.

    Args:
        shown: Before.
        passages: The new ranking, best first.
        cursor: Place of the row that someone is on; None where nobody has moved there.

    Returns:
        Each passage once. The row under the cursor keeps its place as long as there are rows enough above it.
    """
    rows = [ResultRow(passage, rank) for rank, passage in enumerate(passages, start=1)]
    if cursor is None or not 0 <= cursor < len(shown):
        return rows
    held = shown[cursor].passage
    same = next((row for row in rows if row.passage.chunk.id == held.chunk.id), None)
    if same is not None:
        rows.remove(same)
    rows.insert(cursor, same or ResultRow(held, None))
    return rows
