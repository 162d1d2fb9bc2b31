"""One query on its way: lexical -> vector -> fuse -> load -> rerank, with each part's score and time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from edgerag.ask.fresh_chunks import FreshChunks, LoadedChunks
from edgerag.ask.fuse import fuse_convex, fuse_rerank
from edgerag.coded_text import at_stage, coded
from edgerag.config import Settings
from edgerag.datatypes import Chunk, Document, DocumentFilter, Hit, Passage, Scores, SearchResult
from edgerag.errors import ModelError
from edgerag.protocols import Embedder, RerankCandidate, Reranker, StopFlag
from edgerag.scripts import knows_script
from edgerag.stopping import check_stop, stoppable
from edgerag.storage import lexical
from edgerag.storage.document_scope import documents_within
from edgerag.storage.library import Library

if TYPE_CHECKING:
    # numpy, 50 ms: a lexical search does without, and any other loads it beside the lexical one.
    from edgerag.storage.vector_index import VectorIndex
    from edgerag.storage.vectors import LibraryVectors

Mode = Literal["hybrid", "lexical", "vector"]
StageName = Literal["lexical", "vector", "rerank"]
SEARCHES: dict[Mode, tuple[StageName, ...]] = {
    "hybrid": ("lexical", "vector"),
    "lexical": ("lexical",),
    "vector": ("vector",),
}
FOREIGN_SHARE = 0.1
"""What is left of the weight of all that rests on the embedder for a question in a script that it was not trained on:
its cosines are close to noise there. With full weights the NDCG@10 of XQuAD zh was 0.954 instead of 0.962."""
OVERFETCH = 20
"""Candidates beyond `top_k` that are looked at, to make up for stale documents."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Every list of one retrieval, as it was used."""

    result: SearchResult
    lexical: tuple[Hit, ...]
    vector: tuple[Hit, ...]
    fused: dict[int, float]
    """Of every chunk that one of the searches found, best first."""
    loaded: dict[int, tuple[Document, Chunk]]
    """The best of them that are sound and fresh: only these may be shown."""
    reranked: dict[int, float]
    final: dict[int, float]
    """Of the loaded ones, best first."""
    vector_weight: float
    """Share of the vector score in the fused one, 0 to 1; all or nothing where one of the searches found nothing."""
    rerank_weight: float
    num_looked_at: int
    """Candidates that are loaded at least, so far as there are so many."""


class SearchModels(Protocol):
    """The parts of a search that need weights: made when first read, and any of them may raise `ModelError`."""

    @property
    def embedder(self) -> Embedder: ...

    @property
    def vectors(self) -> LibraryVectors: ...

    @property
    def index(self) -> VectorIndex: ...

    @property
    def reranker(self) -> Reranker | None:
        """None where the settings name none."""


class StagedSearch:
    """One query on its way through the stages. What a stage found is made into passages only when it is asked for."""

    def __init__(
        self,
        library: Library,
        settings: Settings,
        models: SearchModels,
        query: str,
        top_k: int,
        mode: Mode,
        within: DocumentFilter | None,
    ) -> None:
        if not query.strip() or top_k < 1:
            raise ValueError("a query must not be blank, and top_k must be at least 1")
        self._library = library
        self._settings = settings
        self._models = models
        self._query = query
        self._top_k = top_k
        self._mode = mode
        self._within = within
        self._document_ids: tuple[int, ...] | None = None
        self._num_candidates = max(settings.candidates, top_k)
        self._num_looked_at = max(top_k, settings.rerank_top) + OVERFETCH
        self._num_loaded = self._num_looked_at
        """The same, but for a first look: what is loaded for it is not always what is loaded in the end."""
        self._num_chunks = 0
        self._chunks = FreshChunks(library)
        self._lexical: list[Hit] = []
        self._lexical_is_plain = True
        self._vector: list[Hit] = []
        self._vector_weight = 0.0
        self._fused: dict[int, float] | None = None
        """None while a search has found something that is not fused yet."""
        self._loaded = LoadedChunks({}, ())
        self._reranked: dict[int, float] = {}
        self._rerank_weight = 0.0
        self._timings_ms: dict[str, float] = {}
        self._total_ms = 0.0
        self._degraded: list[str] = []
        """By the searches; what loading left out stands in `_loaded`."""
        self._degraded_rerank: list[str] = []
        self._notes: dict[str, object] = {"mode": mode}

    def stages(self, *, rerank: bool, is_typing: bool = False, stop: StopFlag | None = None) -> Iterator[StageName]:
        """Go from stage to stage; at each of them `trace` says what was found so far."""
        names = (*SEARCHES[self._mode], "rerank") if rerank else SEARCHES[self._mode]
        for name in names:
            with self._working(stop):
                check_stop()
                if name == names[0]:
                    self._prepare()
                if name == "lexical":
                    self._search_lexical(is_typing=is_typing)
                    self._num_loaded = self._top_k if "vector" in names else self._num_looked_at
                elif name == "vector":
                    if not self._lexical_is_plain:
                        self._search_lexical(is_typing=False)
                    self._search_vector()
                    self._num_loaded = self._num_looked_at
                else:
                    self._rerank()
            yield name

    @contextmanager
    def _working(self, stop: StopFlag | None = None) -> Iterator[None]:
        start = time.perf_counter()
        with stoppable(stop) if stop is not None else nullcontext():
            try:
                yield
            finally:
                self._total_ms += (time.perf_counter() - start) * 1000

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self._timings_ms[stage] = self._timings_ms.get(stage, 0.0) + (time.perf_counter() - start) * 1000

    def _prepare(self) -> None:
        self._num_chunks = int(self._library.rows("SELECT count(*) FROM chunks")[0][0])
        self._notes["chunks"] = self._num_chunks
        if self._within is not None:
            with self._timed("filter"):
                self._document_ids = documents_within(self._library, self._within)
            self._notes["documents"] = len(self._document_ids)

    def _search_lexical(self, *, is_typing: bool) -> None:
        with self._timed("lexical"):
            outcome = lexical.search(
                self._library,
                self._query,
                self._num_candidates,
                num_chunks=self._num_chunks,
                document_ids=self._document_ids,
                is_typing=is_typing,
            )
        self._notes |= {"terms": list(outcome.terms), "dropped_terms": list(outcome.dropped)}
        self._lexical, self._fused = outcome.hits, None
        self._lexical_is_plain = outcome.is_plain

    def _search_vector(self) -> None:
        try:
            embedder = self._models.embedder
            self._notes["embed_cached"] = getattr(embedder, "is_cached", lambda _: False)(self._query)
            with self._timed("embed"):
                embedding = embedder.encode_query(self._query).embedding
            check_stop()
            with self._timed("vector"):
                ids = self._document_ids
                within = self._models.vectors.chunks_of(ids) if ids is not None else None
                outcome = self._models.index.search(embedding, self._num_candidates, within)
        except ModelError as error:
            if self._mode == "vector":
                raise
            self._degraded.append(at_stage("vector", error.message))
            return
        self._degraded.extend(outcome.degraded)
        self._notes["vector_method"] = outcome.method
        self._note_foreign_embeddings()
        self._vector, self._fused = outcome.hits, None
        if self._vector:
            knows_query = knows_script(embedder.languages, self._query)
            self._vector_weight = self._settings.vector_weight * (1.0 if knows_query else FOREIGN_SHARE)

    def _note_foreign_embeddings(self) -> None:
        """Chunks that another model embedded are invisible to vector search until the next sync."""
        known = [row[0] for row in self._library.rows("SELECT fingerprint FROM fingerprints")]
        if known in ([], [self._models.embedder.fingerprint]):
            return
        num_chunks = int(self._library.rows("SELECT count(*) FROM chunks")[0][0])
        if missing := num_chunks - self._models.vectors.count_vectors():
            text = coded(
                "degraded.foreign",
                "{number} of {total} chunks were embedded by another model; run `edgerag sync`",
                number=missing,
                total=num_chunks,
            )
            self._degraded.append(at_stage("vector", text))

    def _rank(self) -> tuple[dict[int, float], dict[int, float]]:
        """Fuse what was found and load the best; returns the scores of all, and of those that may be shown."""
        if self._fused is None:
            with self._timed("fuse"):
                self._fused = fuse_convex(self._lexical, self._vector, vector_weight=self._vector_weight)
            with self._timed("load"):
                self._loaded = self._chunks.best(list(self._fused), self._num_loaded)
        loaded = self._loaded.by_id
        return self._fused, {chunk_id: score for chunk_id, score in self._fused.items() if chunk_id in loaded}

    def _rerank(self) -> None:
        _, fresh = self._rank()
        if len(fresh) < 2:
            return
        chunk_ids = list(fresh)[: self._settings.rerank_top]
        with self._timed("rerank"):
            try:
                reranker = self._models.reranker
                if reranker is None:
                    return
                codes = self._models.vectors.token_codes(chunk_ids)
                loaded = self._loaded.by_id
                candidates = [RerankCandidate(loaded[i][1].embedded_text, codes.get(i)) for i in chunk_ids]
                scores = reranker.score(self._query, candidates)
            except ModelError as error:
                self._degraded_rerank.append(at_stage("rerank", error.message))
                return
        self._notes["reranker"] = reranker.name
        self._reranked = {chunk_id: float(score) for chunk_id, score in zip(chunk_ids, scores, strict=True)}
        self._rerank_weight = self._weight_of_reranker()

    def _weight_of_reranker(self) -> float:
        """A cross-encoder has languages of its own; late interaction has the embedder's."""
        is_foreign = self._settings.reranker == "maxsim" and not knows_script(
            self._models.embedder.languages, self._query
        )
        return self._settings.rerank_weight * (FOREIGN_SHARE if is_foreign else 1.0)

    def trace(self) -> Trace:
        """What the stages so far have found."""
        with self._working():
            fused, fresh = self._rank()
            final = fuse_rerank(fresh, self._reranked, rerank_weight=self._rerank_weight)
            lexical_scores = {hit.chunk_id: hit.score for hit in self._lexical}
            vector_scores = {hit.chunk_id: hit.score for hit in self._vector}
            loaded = self._loaded.by_id
            passages = tuple(
                Passage(
                    rank,
                    *loaded[chunk_id],
                    Scores(
                        lexical_scores.get(chunk_id),
                        vector_scores.get(chunk_id),
                        fused[chunk_id],
                        self._reranked.get(chunk_id),
                        final[chunk_id],
                    ),
                )
                for rank, chunk_id in enumerate(list(final)[: self._top_k], start=1)
            )
        weights = {"vector_weight": self._vector_weight, "rerank_weight": self._rerank_weight}
        result = SearchResult(
            self._query,
            passages,
            (*self._degraded, *self._loaded.degraded, *self._degraded_rerank),
            self._timings_ms | {"total": self._total_ms},
            self._notes | weights,
        )
        return Trace(
            result,
            tuple(self._lexical),
            tuple(self._vector),
            fused,
            loaded,
            self._reranked,
            final,
            self._vector_weight if self._lexical else float(bool(self._vector)),
            self._rerank_weight,
            self._num_looked_at,
        )
