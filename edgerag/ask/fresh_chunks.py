"""Loads what a search found: only sound rows of files that are as they were read, and each once per search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgerag.ask.freshness import FreshnessCheck
from edgerag.coded_text import at_stage, coded
from edgerag.datatypes import Chunk, Document
from edgerag.storage.library import Library


@dataclass(frozen=True, slots=True)
class LoadedChunks:
    by_id: dict[int, tuple[Document, Chunk]]
    """In the order that was asked for."""
    degraded: tuple[str, ...]
    """What was left out."""


class FreshChunks:
    """Remembers what it has loaded, so that the stages of a search share it."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._freshness = FreshnessCheck()
        self._rows: dict[int, tuple[Document, Chunk]] = {}
        self._seen: set[int] = set()
        self._damaged: set[int] = set()

    def best(self, chunk_ids: Sequence[int], wanted: int) -> LoadedChunks:
        """The first `wanted` chunks that may be shown; a few more where the last lot holds more."""
        loaded: dict[int, tuple[Document, Chunk]] = {}
        stale: set[tuple[str, str]] = set()
        num_damaged = 0
        for start in range(0, len(chunk_ids), wanted):
            some = chunk_ids[start : start + wanted]
            self._load([chunk_id for chunk_id in some if chunk_id not in self._seen])
            num_damaged += sum(chunk_id in self._damaged for chunk_id in some)
            for chunk_id in some:
                if chunk_id not in self._rows:
                    continue
                document = self._rows[chunk_id][0]
                if problem := self._freshness.problem(document):
                    stale.add((document.path, problem))
                else:
                    loaded[chunk_id] = self._rows[chunk_id]
            if len(loaded) >= wanted:
                break
        degraded = [at_stage("freshness", _told(path, problem)) for path, problem in sorted(stale)]
        if num_damaged:
            left_out = coded(
                "degraded.rows", "{number} damaged rows were left out; run `edgerag verify`", number=num_damaged
            )
            degraded.insert(0, at_stage("storage", left_out))
        return LoadedChunks(loaded, tuple(degraded))

    def _load(self, chunk_ids: list[int]) -> None:
        rows, damaged = self._library.load_chunks(chunk_ids)
        self._rows |= rows
        self._damaged |= set(damaged)
        self._seen |= set(chunk_ids)


def _told(path: str, problem: str) -> str:
    if problem == "deleted":
        return coded("degraded.deleted", "{path} was deleted since it was read; run `edgerag sync`", path=path)
    if problem == "changed":
        return coded("degraded.changed", "{path} was changed since it was read; run `edgerag sync`", path=path)
    return coded("degraded.unreadable", "{path} cannot be read any more; run `edgerag sync`", path=path)
