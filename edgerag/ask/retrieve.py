"""From a question to ranked passages, at once or stage by stage."""

from __future__ import annotations

from collections.abc import Iterator

from edgerag.ask.staged_search import Mode, SearchModels, StagedSearch, Trace
from edgerag.config import Settings
from edgerag.datatypes import DocumentFilter, SearchResult, SearchStage
from edgerag.protocols import StopFlag
from edgerag.stopping import StoppedError
from edgerag.storage.library import Library

__all__ = ["Mode", "Retriever", "SearchModels", "Trace"]


class Retriever:
    """Searches one library; safe to use from several threads."""

    def __init__(self, library: Library, *, settings: Settings, models: SearchModels) -> None:
        self._library = library
        self._settings = settings
        self._models = models

    def retrieve(
        self,
        query: str,
        *,
        top_k: int = 10,
        mode: Mode = "hybrid",
        rerank: bool = True,
        within: DocumentFilter | None = None,
    ) -> SearchResult:
        """Find the passages that fit a query best.

        Args:
            top_k: Passages returned, at least 1.
            mode: Which searches are asked.
            rerank: Whether the reranker has its say.
            within: Only these documents; None: all.

        Returns:
            Passages best first; whatever was skipped or fell back is in `degraded`.

        Raises:
            ValueError: The query is blank or `top_k` is not positive.
            ModelError: The embedder failed and `mode` is `vector`.
            LibraryError: The database failed, or `within` names what the library has not.
        """
        return self.trace(query, top_k=top_k, mode=mode, rerank=rerank, within=within).result

    def trace(
        self,
        query: str,
        *,
        top_k: int = 10,
        mode: Mode = "hybrid",
        rerank: bool = True,
        within: DocumentFilter | None = None,
    ) -> Trace:
        """`retrieve` with every list on the way, for explanations."""
        search = StagedSearch(self._library, self._settings, self._models, query, top_k, mode, within)
        for _ in search.stages(rerank=rerank):
            pass  # the stages before the last are ranked, but not made into passages
        return search.trace()

    def stages(
        self,
        query: str,
        *,
        top_k: int = 10,
        mode: Mode = "hybrid",
        rerank: bool = True,
        within: DocumentFilter | None = None,
        is_typing: bool = False,
        stop: StopFlag | None = None,
    ) -> Iterator[SearchStage]:
        """`retrieve` step by step: each stage's work is done once, and the last result is that of `retrieve`.

        Args:
            is_typing: The last word may be unfinished. For the first look it also stands for the words that begin with
                it; later on only where the library does not have it as a word.
            stop: Ends the search before its next step.

        Yields:
            `lexical`, `vector`, `rerank`: those that `mode` and `rerank` ask for, in this order. `total` in their
            `timings_ms` is what was spent so far on the search itself.

        Raises:
            As `retrieve`, when the first stage is asked for, or the one that fails.
        """
        search = StagedSearch(self._library, self._settings, self._models, query, top_k, mode, within)
        try:
            for name in search.stages(rerank=rerank, is_typing=is_typing, stop=stop):
                yield SearchStage(name, search.trace().result)
        except StoppedError:
            if stop is None or not stop.is_set():
                raise  # by a block around this search
