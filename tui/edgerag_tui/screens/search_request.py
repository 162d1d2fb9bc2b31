"""What is searched for, and the stages in which its results come. No widget here, and no searching either."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from edgerag.datatypes import DocumentFilter
from edgerag_tui import messages
from edgerag_tui.tasks import Task

if TYPE_CHECKING:
    from edgerag.datatypes import SearchStage
    from edgerag.engine import Engine, Mode
    from edgerag_tui.session import Session
    from edgerag_tui.session_reading import Target

MODES: tuple[Mode, ...] = ("hybrid", "lexical", "vector")
MOST_SHOWN = 30
REST_AFTER_S = 0.07
"""After the words were looked up, and so after the last key: a search that the next key supersedes costs no model."""


@dataclass(frozen=True, slots=True)
class SearchFilter:
    """Documents of one format, of one source, or where a path fits; by default all."""

    format: str = ""
    source: str = ""
    """Path of the source."""
    path: str = ""
    """As a person types it: a file, a folder, a pattern, or the end of one."""
    num_documents: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it leaves everything."""
        return not (self.format or self.source or self.path)

    @property
    def within(self) -> DocumentFilter | None:
        """For the engine."""
        if self.is_open:
            return None
        paths = tuple(path for path in (self.source, self.path) if path)
        return DocumentFilter(paths, (self.format,) if self.format else ())


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

    It is one search, but its words are looked up on a thread of their own: they need no model, so they wait for none.
    """
    search = _Search(request, to)
    first, *others = request.stages
    if first != "lexical":
        return (session.run("rank", "search", search.run, to=to, reply=_no_reply),)
    words = session.run("search", "search", search.look_up_words, to=to, reply=_no_reply)
    if not others:
        return (words,)
    return words, session.run("rank", "search", lambda engine, task: search.go_on(task, words), to=to, reply=_no_reply)


class _Search:
    """A search under way, handed from one thread to the next."""

    def __init__(self, request: SearchRequest, to: Target) -> None:
        self._request = request
        self._to = to
        self._stages: Iterator[SearchStage] = iter(())

    def run(self, engine: Engine, task: Task) -> None:
        self._begin(engine, task)
        for stage in self._stages:
            self._post(task, stage)

    def look_up_words(self, engine: Engine, task: Task) -> None:
        self._begin(engine, task)
        for stage in islice(self._stages, 1):
            self._post(task, stage)

    def go_on(self, task: Task, words: Task) -> None:
        """Where the words failed there is nothing left to do."""
        while not words.done.wait(0.05):
            if task.stop.is_set():
                return
        if not task.stop.wait(REST_AFTER_S):
            for stage in self._stages:
                self._post(task, stage)

    def _begin(self, engine: Engine, task: Task) -> None:
        self._stages = engine.search_stages(
            self._request.query,
            top_k=MOST_SHOWN,
            mode=self._request.mode,
            rerank=self._request.rerank,
            within=self._request.filter.within,
            is_typing=True,
            stop=task.stop,
        )

    def _post(self, task: Task, stage: SearchStage) -> None:
        result = stage.result
        self._to.post_message(
            messages.SearchFound(
                task.id,
                stage.name,
                result.passages,
                num_documents if isinstance(num_documents := result.notes.get("documents"), int) else None,
                result.degraded,
                result.timings_ms["total"],
            )
        )


def _no_reply(task_id: int, result: None) -> None:
    """Each stage has sent a message of its own."""


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
