"""What is searched for, and the stages in which an answer to it comes. No widget here, and no searching either."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from edgerag_tui import messages
from edgerag_tui.tasks import Task

if TYPE_CHECKING:
    from edgerag.datatypes import Document, SearchResult
    from edgerag.engine import Engine, Mode
    from edgerag_tui.session import Session
    from edgerag_tui.session_reading import Target

MODES: tuple[Mode, ...] = ("hybrid", "lexical", "vector")
MOST_SHOWN = 30
FILTERED_FROM = 300
"""Passages of which a filter leaves some: the engine has no filter of its own, so it is asked for more of them."""


@dataclass(frozen=True, slots=True)
class SearchFilter:
    """Documents of one format, or of one source; by default all."""

    format: str = ""
    source: str = ""
    """Path of the source."""
    num_documents: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it leaves everything."""
        return not self.format and not self.source

    def keeps(self, document: Document) -> bool:
        if self.format and document.format != self.format:
            return False
        return not self.source or PurePath(document.path).is_relative_to(self.source)


@dataclass(frozen=True, slots=True)
class SearchRequest:
    query: str = ""
    mode: Mode = "hybrid"
    rerank: bool = True
    filter: SearchFilter = SearchFilter()

    @property
    def stages(self) -> tuple[str, ...]:
        """In the order in which their results come: the quick ones first."""
        searches = {"hybrid": ("lexical", "vector"), "lexical": ("lexical",), "vector": ("vector",)}[self.mode]
        return (*searches, "rerank") if self.rerank else searches

    def next_mode(self) -> SearchRequest:
        return replace(self, mode=MODES[(MODES.index(self.mode) + 1) % len(MODES)])


def start_search(session: Session, request: SearchRequest, *, to: Target) -> tuple[Task, ...]:
    """Search in stages; a `SearchFound` for each, or `Failed`.

    The words are looked up on a thread of their own: they need no model, so they wait for none.
    """
    first, *others = request.stages
    if first != "lexical":
        return (_start(session, "rank", request, request.stages, to),)
    words = _start(session, "search", request, (first,), to)
    return (words, _start(session, "rank", request, tuple(others), to, after=words)) if others else (words,)


def _start(
    session: Session, lane: str, request: SearchRequest, stages: tuple[str, ...], to: Target, after: Task | None = None
) -> Task:
    def work(engine: Engine, task: Task) -> None:
        while after is not None and not after.done.wait(0.05):
            if task.stop.is_set():
                return
        for stage in stages:
            if task.stop.is_set():
                return
            result = engine.search(
                request.query,
                top_k=MOST_SHOWN if request.filter.is_open else FILTERED_FROM,
                mode="lexical" if stage == "lexical" else request.mode,
                rerank=stage == "rerank",
            )
            to.post_message(_found(task.id, stage, result, request.filter))

    return session.run(lane, "search", work, to=to, reply=lambda task_id, result: None)


def _found(task_id: int, stage: str, result: SearchResult, filter: SearchFilter) -> messages.SearchFound:
    kept = tuple(passage for passage in result.passages if filter.keeps(passage.document))
    return messages.SearchFound(
        task_id, stage, kept[:MOST_SHOWN], len(result.passages), result.degraded, result.timings_ms["total"]
    )


def list_filters(session: Session, *, to: Target) -> Task:
    """Every format and source that the library has, with its number of documents; `FiltersListed`."""

    def work(engine: Engine, task: Task) -> list[SearchFilter]:
        rows = engine.library.rows("SELECT format, count(*) FROM documents GROUP BY format ORDER BY 2 DESC, 1")
        formats = [SearchFilter(format=str(name), num_documents=int(number)) for name, number in rows]
        states = engine.library.document_states().values()
        sources = [
            SearchFilter(source=source.path, num_documents=sum(state.source_id == source.id for state in states))
            for source in engine.library.sources()
        ]
        total = sum(filter.num_documents for filter in formats)
        return [SearchFilter(num_documents=total), *formats, *sources]

    return session.run("read", "filters", work, to=to, reply=messages.FiltersListed)
