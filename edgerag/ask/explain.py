"""Why a question found what it found: each hit's score as a sum, the evidence, the prompt, the time of each stage."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from edgerag.answers import Exchange
from edgerag.ask.evidence import WeighedEvidence, prepare_prompt, weigh_evidence
from edgerag.ask.extract import EvidenceSentence, best_sentences
from edgerag.ask.fuse import min_max
from edgerag.ask.retrieve import Trace
from edgerag.ask.rewrite import rewrite
from edgerag.config import Settings
from edgerag.datatypes import Passage, PromptPart, Sampling
from edgerag.protocols import Embedder, Generator, Reranker
from edgerag.storage import lexical
from edgerag.storage.library import Library


@dataclass(frozen=True, slots=True)
class TermScore:
    term: str
    """A stemmed word's full form, or a bigram of Chinese, Japanese or Korean."""
    score: float
    """Its share of the hit's lexical score (negated bm25)."""


@dataclass(frozen=True, slots=True)
class HitExplanation:
    """One passage; `lexical_part + vector_part + rerank_part == passage.scores.final`, but for rounding."""

    passage: Passage
    terms: tuple[TermScore, ...]
    """Largest first; together they are `passage.scores.lexical`."""
    lexical_rank: int | None
    """Ranks count from 1 among the candidates; None where that search did not return the chunk."""
    vector_rank: int | None
    fused_rank: int
    rerank_rank: int | None
    """By the reranker's score alone; None where it was not asked."""
    lexical_part: float
    """Normalised lexical score times its weight."""
    vector_part: float
    rerank_part: float


@dataclass(frozen=True, slots=True)
class EvidenceUse:
    """A sentence of the best passages: `document text[start_chars:end_chars] == text`."""

    text: str
    passage_rank: int
    start_chars: int
    end_chars: int
    score: float
    """How well it fits the question; comparable within one question."""
    similarity: float
    """Cosine to the question, -1 to 1."""
    is_used: bool
    """Put into the prompt; without a generator: part of the extractive answer."""


@dataclass(frozen=True, slots=True)
class Explanation:
    question: str
    rewritten: str | None
    """The stand-alone question that was searched; None where `question` was."""
    hits: tuple[HitExplanation, ...]
    evidence: tuple[EvidenceUse, ...]
    """Best first."""
    evidence_score: float
    """How well it supports any answer, 0 to 1; below `min_evidence` edgerag abstains."""
    min_evidence: float
    abstains: bool
    model: str | None
    """The generator the prompt is for; None for an extractive answer."""
    prompt: tuple[PromptPart, ...]
    """Exactly what the generator is given; empty without one, or where edgerag abstains."""
    prompt_tokens: int
    budget_tokens: int
    """For the evidence in the prompt; 0 without one."""
    terms: tuple[str, ...]
    """Searched lexically, rarest first."""
    dropped_terms: tuple[str, ...]
    """Left out because they are too common here."""
    vector_weight: float
    """Share of the vector score in the fused one, 0 to 1."""
    rerank_weight: float
    degraded: tuple[str, ...]
    timings_ms: dict[str, float]
    """By stage, in order; `total` last. Nothing is generated."""
    notes: dict[str, object]

    @property
    def prompt_text(self) -> str:
        """The prompt as one text, control tokens included."""
        return "".join(part.text for part in self.prompt)


def standalone_question(question: str, history: Sequence[Exchange], settings: Settings) -> str:
    """The question that is searched."""
    rewriting = rewrite(question, history) if settings.rewrite_questions else None
    return rewriting.question if rewriting is not None else question


def explain(
    question: str,
    standalone: str,
    trace: Trace,
    *,
    library: Library,
    embedder: Embedder,
    reranker: Reranker | None,
    generator: Generator | None,
    settings: Settings,
    sampling: Sampling,
) -> Explanation:
    """Explain one retrieval and what an answer would be made from; no token is generated.

    Raises:
        LibraryError, ModelError: Something needed cannot be read.
    """
    result = trace.result
    timings_ms = {stage: elapsed for stage, elapsed in result.timings_ms.items() if stage != "total"}
    timings_ms["retrieve"] = result.timings_ms["total"]
    start = time.perf_counter()
    weighed = weigh_evidence(standalone, result.passages, embedder=embedder, reranker=reranker)
    timings_ms["evidence"] = (time.perf_counter() - start) * 1000
    abstains = weighed.is_too_weak(settings)
    start = time.perf_counter()
    used: list[EvidenceSentence] = []
    prompt: tuple[PromptPart, ...] = ()
    budget_tokens = 0
    if generator is not None and not abstains:
        prepared = prepare_prompt(standalone, weighed.ranked, generator=generator, settings=settings, sampling=sampling)
        used, prompt, budget_tokens = prepared.evidence, prepared.parts, prepared.budget_tokens
        timings_ms["prompt"] = (time.perf_counter() - start) * 1000
    elif not abstains:
        used = best_sentences(weighed.ranked)
    timings_ms["total"] = timings_ms["retrieve"] + timings_ms["evidence"] + timings_ms.get("prompt", 0.0)
    return Explanation(
        question=question,
        rewritten=standalone if standalone != question else None,
        hits=_hits(trace, library),
        evidence=_evidence(weighed, used),
        evidence_score=weighed.score,
        min_evidence=settings.min_evidence,
        abstains=abstains,
        model=generator.name if generator is not None else None,
        prompt=prompt,
        prompt_tokens=sum(generator.count_tokens(part.text) for part in prompt) if generator is not None else 0,
        budget_tokens=budget_tokens,
        terms=_texts(result.notes.get("terms")),
        dropped_terms=_texts(result.notes.get("dropped_terms")),
        vector_weight=trace.vector_weight,
        rerank_weight=trace.rerank_weight,
        degraded=(*result.degraded, *weighed.degraded),
        timings_ms=timings_ms,
        notes=dict(result.notes),
    )


def _hits(trace: Trace, library: Library) -> tuple[HitExplanation, ...]:
    passages = trace.result.passages
    shares = lexical.term_scores(
        library, _texts(trace.result.notes.get("terms")), [passage.chunk.id for passage in passages]
    )
    by_lexical = min_max({hit.chunk_id: hit.score for hit in trace.lexical})
    by_vector = min_max({hit.chunk_id: hit.score for hit in trace.vector})
    by_rerank = min_max(trace.reranked)
    lexical_ranks = {hit.chunk_id: hit.rank for hit in trace.lexical}
    vector_ranks = {hit.chunk_id: hit.rank for hit in trace.vector}
    fused_ranks = {chunk_id: rank for rank, chunk_id in enumerate(trace.fused, start=1)}
    rerank_ranks = {
        chunk_id: rank
        for rank, chunk_id in enumerate(sorted(trace.reranked, key=lambda each: -trace.reranked[each]), start=1)
    }
    first_stage = 1.0 - trace.rerank_weight
    return tuple(
        HitExplanation(
            passage=passage,
            terms=tuple(
                TermScore(term, score)
                for term, score in sorted(shares[passage.chunk.id].items(), key=lambda item: -item[1])
            ),
            lexical_rank=lexical_ranks.get(passage.chunk.id),
            vector_rank=vector_ranks.get(passage.chunk.id),
            fused_rank=fused_ranks[passage.chunk.id],
            rerank_rank=rerank_ranks.get(passage.chunk.id),
            lexical_part=first_stage * (1.0 - trace.vector_weight) * by_lexical.get(passage.chunk.id, 0.0),
            vector_part=first_stage * trace.vector_weight * by_vector.get(passage.chunk.id, 0.0),
            rerank_part=trace.rerank_weight * by_rerank.get(passage.chunk.id, 0.0),
        )
        for passage in passages
    )


def _evidence(weighed: WeighedEvidence, used: Sequence[EvidenceSentence]) -> tuple[EvidenceUse, ...]:
    return tuple(
        EvidenceUse(
            sentence.text,
            sentence.passage.rank,
            sentence.passage.chunk.start_chars + sentence.start_chars,
            sentence.passage.chunk.start_chars + sentence.end_chars,
            sentence.score,
            sentence.similarity,
            any(sentence is other for other in used),
        )
        for sentence in weighed.ranked
    )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
