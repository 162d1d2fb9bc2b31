"""Why a document is not in an answer: the stage at which it fell out, with its rank and score at each."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgerag.answers import Citation
from edgerag.ask.evidence import WeighedEvidence, prepare_prompt, weigh_evidence
from edgerag.ask.extract import TOP_PASSAGES, EvidenceSentence, best_sentences
from edgerag.ask.freshness import FreshnessCheck
from edgerag.ask.retrieve import Trace
from edgerag.config import Settings
from edgerag.datatypes import Chunk, Document, Sampling
from edgerag.errors import LibraryError
from edgerag.protocols import Embedder, Generator, Reranker
from edgerag.storage import lexical
from edgerag.storage.library import Library

Stage = Literal["library", "freshness", "lexical", "vector", "fuse", "rerank", "top_k", "evidence", "prompt", "cited"]
Ranks = Mapping[int, tuple[int, float]]
"""Rank, from 1, and score, by chunk id."""


@dataclass(frozen=True, slots=True)
class StageOutcome:
    """What became of the document's best chunk at one stage."""

    stage: Stage
    passed: bool
    text: str
    """In one sentence."""
    rank: int | None = None
    """From 1, among all that took part in the stage."""
    score: float | None = None
    """On the stage's own scale."""
    limit: int | None = None
    """The last rank that goes on."""


@dataclass(frozen=True, slots=True)
class WhyNot:
    question: str
    rewritten: str | None
    """The stand-alone question that was searched; None where `question` was."""
    path: str
    document: Document | None
    """None where the library has none at this path."""
    chunk: Chunk | None
    """The document's chunk that came furthest; None where it has none."""
    stages: tuple[StageOutcome, ...]
    """In order, up to the one at which it fell out. Of `lexical` and `vector` one is enough to go on."""
    fell_out_at: Stage | None
    """None: it came through all."""
    hint: str
    """What a person may do about it; may be empty."""

    @property
    def reason(self) -> str:
        """Why it fell out, or how far it came, in one sentence."""
        return next((stage.text for stage in self.stages if stage.stage == self.fell_out_at), self.stages[-1].text)


def find_missing(library: Library, name: str) -> WhyNot | Document:
    """The document of this name, or why the library has none.

    Args:
        name: An id, a path, or the end of one.
    """
    try:
        return library.find_document(name)
    except LibraryError:
        path = os.path.abspath(Path(name).expanduser())
        failures = library.failures()
        ending = "/" + name.replace("\\", "/").lstrip("/")
        if any(known.replace("\\", "/").endswith(ending) for known in library.document_states()):
            raise  # several documents are called so
        failed = next((known for known in failures if known == path or known.replace("\\", "/").endswith(ending)), None)
        if failed is not None:
            text, hint = f"It could not be read: {failures[failed].reason}", "`edgerag sync --retry` tries it again."
            path = failed
        elif not os.path.lexists(path):
            text, hint = "The library does not know it, and there is no such file.", "Check the spelling."
        elif any(Path(path).is_relative_to(source.path) for source in library.sources()):
            text = "It lies in a source but was not read: it is new, ignored, or of no known format."
            hint = "`edgerag sync` takes in new files; .gitignore, .edgeragignore and hidden names leave others out."
        else:
            text, hint = "It belongs to no source of this library.", f"`edgerag add {name}` adds it."
        return WhyNot("", None, path, None, None, (StageOutcome("library", False, text),), "library", hint)


def explain_absence(
    question: str,
    standalone: str,
    document: Document,
    trace: Trace,
    *,
    top_k: int,
    library: Library,
    vector_ranks: Callable[[Sequence[int]], Ranks],
    embedder: Embedder,
    reranker: Reranker | None,
    generator: Generator | None,
    settings: Settings,
    sampling: Sampling,
    citations: Sequence[Citation] | None = None,
) -> WhyNot:
    """Follow a document's chunks through a search and the choice of evidence.

    Args:
        vector_ranks: Rank and cosine of chunks among all.
        citations: Of an answer that was given; None leaves that stage out.
    """
    ids = [int(row[0]) for row in library.rows("SELECT id FROM chunks WHERE document_id = ?", (document.id,))]
    run = _Absence(document, ids, trace, top_k)
    hint = run.follow(
        terms=lexical.ranks(library, _terms(trace), ids),
        vectors=vector_ranks(ids) if ids else {},
        settings=settings,
    )
    if run.fell_out_at is None:
        weighed = weigh_evidence(standalone, trace.result.passages, embedder=embedder, reranker=reranker)
        budget_tokens = 0
        if weighed.is_too_weak(settings):
            used: list[EvidenceSentence] = []
        elif generator is None:
            used = best_sentences(weighed.ranked)
        else:
            prepared = prepare_prompt(
                standalone, weighed.ranked, generator=generator, settings=settings, sampling=sampling
            )
            used, budget_tokens = prepared.evidence, prepared.budget_tokens
        hint = run.follow_evidence(
            weighed,
            used,
            budget_tokens,
            settings,
        )
    if run.fell_out_at is None and citations is not None:
        run.follow_citations(citations)
    chunk_id = run.best
    chunks, _ = library.load_chunks([chunk_id]) if chunk_id is not None else ({}, [])
    return WhyNot(
        question,
        standalone if standalone != question else None,
        document.path,
        document,
        chunks[chunk_id][1] if chunk_id in chunks else None,
        tuple(run.stages),
        run.fell_out_at,
        hint,
    )


def _terms(trace: Trace) -> list[str]:
    terms = trace.result.notes.get("terms")
    return list(terms) if isinstance(terms, list) else []


class _Absence:
    """One document on its way through the stages."""

    def __init__(self, document: Document, chunk_ids: Sequence[int], trace: Trace, top_k: int) -> None:
        self._document = document
        self._ids = set(chunk_ids)
        self._trace = trace
        self._top_k = top_k
        self.stages: list[StageOutcome] = []
        self.fell_out_at: Stage | None = None
        self.best: int | None = min(self._ids, default=None)

    def _note(self, stage: StageOutcome, *, ends: bool = True) -> bool:
        self.stages.append(stage)
        if not stage.passed and ends:
            self.fell_out_at = stage.stage
        return stage.passed

    def follow(self, *, terms: Ranks, vectors: Ranks, settings: Settings) -> str:
        """Library to top_k; returns a hint where it fell out."""
        if not self._ids:
            self._note(StageOutcome("library", False, "It holds no text that could be searched."))
            return "A scanned document needs its text recognised first."
        self._note(StageOutcome("library", True, f"It is in the library, in {len(self._ids)} chunks."))
        problem = FreshnessCheck().problem(self._document)
        if problem:
            text = f"Its file was {problem} since it was read, so that it is not shown."
            self._note(StageOutcome("freshness", False, text))
            return "`edgerag sync` reads it again." if problem != "deleted" else "`edgerag sync` forgets it."
        self._note(StageOutcome("freshness", True, "Its file is as it was read."))
        found = self._note(self._lexical(terms), ends=False)
        found = self._note(self._vector(vectors, settings), ends=False) or found
        if not found:
            self.fell_out_at = "vector" if self._trace.vector else "lexical"
            return (
                f"Ask in the document's own words, or raise the setting `candidates` (now {settings.candidates}): each "
                "search hands on so many chunks."
            )
        if not self._fused():
            return "Ask more precisely: other documents fit the question better by words and meaning together."
        return self._final(settings)

    def _lexical(self, ranks: Ranks) -> StageOutcome:
        searched = _terms(self._trace)
        limit = len(self._trace.lexical)
        if not searched:
            dropped = self._trace.result.notes.get("dropped_terms")
            why = "are all unknown to the library or too common in it" if not dropped else "are too common here"
            return StageOutcome("lexical", False, f"The words of the question {why}.", limit=limit)
        if not ranks:
            return StageOutcome("lexical", False, f"It holds none of the words {', '.join(searched)}.", limit=limit)
        self.best, (rank, score) = min(ranks.items(), key=lambda item: item[1])
        passed = any(hit.chunk_id in self._ids for hit in self._trace.lexical)
        text = f"By words its best chunk is number {rank}" + ("." if passed else f"; the first {limit} go on.")
        return StageOutcome("lexical", passed, text, rank, score, limit)

    def _vector(self, ranks: Ranks, settings: Settings) -> StageOutcome:
        limit = len(self._trace.vector)
        if not self._trace.vector:
            return StageOutcome("vector", False, "There was no search by meaning.", limit=limit)
        if not ranks:
            return StageOutcome("vector", False, "Its chunks have no embedding of the present model.", limit=limit)
        chunk_id, (rank, score) = min(ranks.items(), key=lambda item: item[1])
        if not any(hit.chunk_id in self._ids for hit in self._trace.lexical):
            self.best = chunk_id
        passed = any(hit.chunk_id in self._ids for hit in self._trace.vector)
        told = f"By meaning its best chunk is number {rank} (cosine {score:.2f})"
        if passed:
            return StageOutcome("vector", True, f"{told}.", rank, score, limit)
        if rank <= limit:
            return StageOutcome(
                "vector", False, f"{told}, but the index, which is not exact, missed it.", rank, score, limit
            )
        return StageOutcome("vector", False, f"{told}; the first {limit} go on.", rank, score, limit)

    def _fused(self) -> bool:
        ranks = {chunk_id: rank for rank, chunk_id in enumerate(self._trace.fused, 1) if chunk_id in self._ids}
        self.best = next(
            (chunk_id for chunk_id in ranks if chunk_id in self._trace.loaded), min(ranks, key=ranks.__getitem__)
        )
        rank, score = ranks[self.best], self._trace.fused[self.best]
        limit = self._trace.num_looked_at
        if self.best in self._trace.loaded:
            return self._note(
                StageOutcome("fuse", True, f"Words and meaning together: number {rank}.", rank, score, limit)
            )
        text = (
            "Its row in the library is damaged, so that it is not shown."
            if rank <= limit
            else f"Words and meaning together: number {rank}; the first {limit} are looked at."
        )
        return self._note(StageOutcome("fuse", False, text, rank, score, limit))

    def _final(self, settings: Settings) -> str:
        final = {chunk_id: rank for rank, chunk_id in enumerate(self._trace.final, 1)}
        fresh = [chunk_id for chunk_id in self._trace.fused if chunk_id in self._trace.loaded]
        before = {chunk_id: rank for rank, chunk_id in enumerate(fresh, 1)}
        self.best = min(self._ids & final.keys(), key=final.__getitem__)
        rank, was, limit = final[self.best], before[self.best], self._top_k
        score = self._trace.final[self.best]
        if self._trace.reranked:
            text = f"Number {rank} after the reranker, {was} before it."
            if self.best not in self._trace.reranked:
                text = f"The reranker was not asked: only the first {settings.rerank_top} are reranked."
            passed = not was <= limit < rank
            if not self._note(StageOutcome("rerank", passed, text, rank, self._trace.reranked.get(self.best), limit)):
                return "`--no-rerank`, or a smaller `rerank_weight`, gives the reranker less say."
        passed = rank <= limit
        text = f"It is passage {rank}." if passed else f"It is number {rank}; {limit} passages are taken."
        self._note(StageOutcome("top_k", passed, text, rank, score, limit))
        return "" if passed else "Ask more precisely, or look at more passages: `edgerag search -k`."

    def follow_evidence(
        self,
        weighed: WeighedEvidence,
        used: Sequence[EvidenceSentence],
        budget_tokens: int,
        settings: Settings,
    ) -> str:
        """Evidence and prompt; returns a hint where it fell out."""
        ranked, score = weighed.ranked, weighed.score
        rank = min(passage.rank for passage in self._trace.result.passages if passage.chunk.id in self._ids)
        own = [place for place, sentence in enumerate(ranked, 1) if sentence.passage.document.id == self._document.id]
        if not own:
            text = f"It is passage {rank}; sentences are taken from the first {TOP_PASSAGES} only."
            if rank <= TOP_PASSAGES:
                text = "Its sentences stand in a better passage too, or there were too many before them."
            self._note(StageOutcome("evidence", False, text, rank, None, TOP_PASSAGES))
            return "Ask more precisely, so that it comes among the first."
        best = ranked[own[0] - 1]
        self.best = best.passage.chunk.id
        text = f"Its best sentence is number {own[0]} of {len(ranked)}."
        self._note(StageOutcome("evidence", True, text, own[0], best.score))
        if weighed.is_too_weak(settings):
            text = f"Nothing is answered: the evidence scores {score:.2f}, and {settings.min_evidence:g} is asked for."
            self._note(StageOutcome("prompt", False, text, own[0], best.score))
            return "A smaller `min_evidence` lets weaker evidence through."
        chosen = [sentence for sentence in used if sentence.passage.document.id == self._document.id]
        if chosen:
            where = "the prompt" if budget_tokens else "the answer"
            text = f"{len(chosen)} of its sentences stand in {where}."
            self._note(StageOutcome("prompt", True, text, own[0], best.score, len(used)))
            return ""
        if budget_tokens:
            text = f"The prompt has room for {budget_tokens} tokens of evidence, and better sentences filled it."
            self._note(StageOutcome("prompt", False, text, own[0], best.score, len(used)))
            return f"A larger `evidence_tokens` (now {settings.evidence_tokens}) makes room for more."
        text = f"The answer quotes the {len(used)} best sentences, and its best is number {own[0]}."
        self._note(StageOutcome("prompt", False, text, own[0], best.score, len(used)))
        return ""

    def follow_citations(self, citations: Sequence[Citation]) -> None:
        own = [citation.marker for citation in citations if citation.document.path == self._document.path]
        marks = "".join(f"[{marker}]" for marker in own)
        text = f"The answer cites it: {marks}." if own else "The answer rests on other sentences and does not cite it."
        self._note(StageOutcome("cited", bool(own), text))
