"""From a question to ranked passages: lexical + vector -> fuse -> rerank, with each part's score and time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from edgerag.ask.freshness import FreshnessCheck
from edgerag.ask.fuse import fuse_convex, fuse_rerank
from edgerag.config import Settings
from edgerag.datatypes import Chunk, Document, Hit, Passage, Scores, SearchResult
from edgerag.errors import ModelError
from edgerag.protocols import Embedder, RerankCandidate, Reranker
from edgerag.scripts import knows_script
from edgerag.storage import lexical
from edgerag.storage.library import Library

if TYPE_CHECKING:
    # numpy, 50 ms: a lexical search does without, and any other loads it beside the lexical one.
    from edgerag.storage.vector_index import VectorIndex
    from edgerag.storage.vectors import LibraryVectors

Mode = Literal["hybrid", "lexical", "vector"]
FOREIGN_SHARE = 0.1
"""What is left of the weight of all that rests on the embedder for a question in a script that it was not trained on:
its cosines are close to noise there. With full weights the NDCG@10 of XQuAD zh was 0.954 instead of 0.962."""
OVERFETCH = 20
"""Candidates beyond `top_k` that are looked at, to make up for stale documents."""


@dataclass(slots=True)
class _Run:
    """What one retrieval collects on its way."""

    timings_ms: dict[str, float] = field(default_factory=dict)
    degraded: list[str] = field(default_factory=list)
    notes: dict[str, object] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.timings_ms[stage] = self.timings_ms.get(stage, 0.0) + (time.perf_counter() - start) * 1000


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


class Retriever:
    """Searches one library; safe to use from several threads."""

    def __init__(self, library: Library, *, settings: Settings, models: SearchModels) -> None:
        self._library = library
        self._settings = settings
        self._models = models

    def retrieve(self, query: str, *, top_k: int = 10, mode: Mode = "hybrid", rerank: bool = True) -> SearchResult:
        """Find the passages that fit a query best.

        Args:
            top_k: Passages returned, at least 1.
            mode: Which searches are asked.
            rerank: Whether the reranker has its say.

        Returns:
            Passages best first; whatever was skipped or fell back is in `degraded`.

        Raises:
            ValueError: The query is blank or `top_k` is not positive.
            ModelError: The embedder failed and `mode` is `vector`.
            LibraryError: The database failed.
        """
        return self.trace(query, top_k=top_k, mode=mode, rerank=rerank).result

    def trace(self, query: str, *, top_k: int = 10, mode: Mode = "hybrid", rerank: bool = True) -> Trace:
        """`retrieve` with every list on the way, for explanations."""
        if not query.strip() or top_k < 1:
            raise ValueError("a query must not be blank, and top_k must be at least 1")
        run = _Run()
        start = time.perf_counter()
        num_candidates = max(self._settings.candidates, top_k)
        num_chunks = int(self._library.rows("SELECT count(*) FROM chunks")[0][0])
        lexical_hits = self._search_lexical(run, query, num_candidates, num_chunks) if mode != "vector" else []
        vector_hits = self._search_vector(run, query, num_candidates, mode) if mode != "lexical" else []
        weight = self._vector_weight(query) if vector_hits else 0.0
        with run.timed("fuse"):
            fused = fuse_convex(lexical_hits, vector_hits, vector_weight=weight)
        run.notes |= {"chunks": num_chunks, "vector_weight": weight, "mode": mode}
        with run.timed("load"):
            num_looked_at = max(top_k, self._settings.rerank_top) + OVERFETCH
            loaded = self._load_fresh(run, list(fused), num_looked_at)
        fresh = {chunk_id: score for chunk_id, score in fused.items() if chunk_id in loaded}
        rerank_scores: dict[int, float] = {}
        if rerank and len(fresh) > 1:
            with run.timed("rerank"):
                rerank_scores = self._rerank(run, query, list(fresh)[: self._settings.rerank_top], loaded)
        rerank_weight = self._rerank_weight(query) if rerank_scores else 0.0
        run.notes["rerank_weight"] = rerank_weight
        final = fuse_rerank(fresh, rerank_scores, rerank_weight=rerank_weight)
        lexical_scores = {hit.chunk_id: hit.score for hit in lexical_hits}
        vector_scores = {hit.chunk_id: hit.score for hit in vector_hits}
        passages = tuple(
            Passage(
                rank,
                *loaded[chunk_id],
                Scores(
                    lexical_scores.get(chunk_id),
                    vector_scores.get(chunk_id),
                    fused[chunk_id],
                    rerank_scores.get(chunk_id),
                    final[chunk_id],
                ),
            )
            for rank, chunk_id in enumerate(list(final)[:top_k], start=1)
        )
        run.timings_ms["total"] = (time.perf_counter() - start) * 1000
        return Trace(
            SearchResult(query, passages, tuple(run.degraded), run.timings_ms, run.notes),
            tuple(lexical_hits),
            tuple(vector_hits),
            fused,
            loaded,
            rerank_scores,
            final,
            weight if lexical_hits else float(bool(vector_hits)),
            rerank_weight,
            num_looked_at,
        )

    def _search_lexical(self, run: _Run, query: str, top_k: int, num_chunks: int) -> list[Hit]:
        with run.timed("lexical"):
            outcome = lexical.search(self._library, query, top_k, num_chunks=num_chunks)
        run.notes |= {"terms": list(outcome.terms), "dropped_terms": list(outcome.dropped)}
        return outcome.hits

    def _search_vector(self, run: _Run, query: str, top_k: int, mode: Mode) -> list[Hit]:
        try:
            embedder = self._models.embedder
            run.notes["embed_cached"] = getattr(embedder, "is_cached", lambda _: False)(query)
            with run.timed("embed"):
                embedding = embedder.encode_query(query).embedding
            with run.timed("vector"):
                outcome = self._models.index.search(embedding, top_k)
        except ModelError as error:
            if mode == "vector":
                raise
            run.degraded.append(f"vector: {error}")
            return []
        run.degraded.extend(outcome.degraded)
        run.notes["vector_method"] = outcome.method
        self._note_foreign_embeddings(run)
        return list(outcome.hits)

    def _note_foreign_embeddings(self, run: _Run) -> None:
        """Chunks that another model embedded are invisible to vector search until the next sync."""
        known = [row[0] for row in self._library.rows("SELECT fingerprint FROM fingerprints")]
        if known in ([], [self._models.embedder.fingerprint]):
            return
        num_chunks = int(self._library.rows("SELECT count(*) FROM chunks")[0][0])
        if missing := num_chunks - self._models.vectors.count_vectors():
            run.degraded.append(
                f"vector: {missing} of {num_chunks} chunks were embedded by another model; run `edgerag sync`"
            )

    def _rerank_weight(self, query: str) -> float:
        """A cross-encoder has languages of its own; late interaction has the embedder's."""
        is_foreign = self._settings.reranker == "maxsim" and not knows_script(self._models.embedder.languages, query)
        return self._settings.rerank_weight * (FOREIGN_SHARE if is_foreign else 1.0)

    def _vector_weight(self, query: str) -> float:
        weight = self._settings.vector_weight
        return weight * (1.0 if knows_script(self._models.embedder.languages, query) else FOREIGN_SHARE)

    def _load_fresh(self, run: _Run, chunk_ids: list[int], wanted: int) -> dict[int, tuple[Document, Chunk]]:
        """Load the best `wanted` chunks whose rows are sound and whose files are as they were read."""
        freshness = FreshnessCheck()
        loaded: dict[int, tuple[Document, Chunk]] = {}
        stale: Counter[tuple[str, str]] = Counter()
        num_damaged = 0
        for start in range(0, len(chunk_ids), wanted):
            some = chunk_ids[start : start + wanted]
            rows, damaged = self._library.load_chunks(some)
            num_damaged += len(damaged)
            for chunk_id in some:
                if chunk_id not in rows:
                    continue
                document = rows[chunk_id][0]
                if problem := freshness.problem(document):
                    stale[document.path, problem] += 1
                else:
                    loaded[chunk_id] = rows[chunk_id]
            if len(loaded) >= wanted:
                break
        if num_damaged:
            run.degraded.append(f"storage: {num_damaged} damaged rows were left out; run `edgerag verify`")
        run.degraded.extend(
            f"freshness: {path} was {problem} since it was read; run `edgerag sync`" for path, problem in sorted(stale)
        )
        return loaded

    def _rerank(
        self, run: _Run, query: str, chunk_ids: list[int], loaded: Mapping[int, tuple[Document, Chunk]]
    ) -> dict[int, float]:
        try:
            reranker = self._models.reranker
            if reranker is None:
                return {}
            codes = self._models.vectors.token_codes(chunk_ids)
            candidates = [RerankCandidate(loaded[i][1].embedded_text, codes.get(i)) for i in chunk_ids]
            scores = reranker.score(query, candidates)
        except ModelError as error:
            run.degraded.append(f"rerank: {error}")
            return {}
        run.notes["reranker"] = reranker.name
        return {chunk_id: float(score) for chunk_id, score in zip(chunk_ids, scores, strict=True)}
