"""One document on its way through the stages of a search and of an answer: how far it comes, and why no further."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from edgerag.answers import Citation
from edgerag.ask.evidence import WeighedEvidence
from edgerag.ask.extract import TOP_PASSAGES, EvidenceSentence
from edgerag.ask.freshness import FreshnessCheck
from edgerag.ask.retrieve import Trace
from edgerag.coded_text import CodedText, coded
from edgerag.config import Settings
from edgerag.datatypes import Document

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


_STALE = {
    "deleted": (
        coded("why_not.deleted", "Its file was deleted since it was read, so that it is not shown."),
        coded("hint.sync_forgets", "`edgerag sync` forgets it."),
    ),
    "changed": (
        coded("why_not.changed", "Its file was changed since it was read, so that it is not shown."),
        coded("hint.sync_reads", "`edgerag sync` reads it again."),
    ),
    "unreadable": (
        coded("why_not.unreadable", "Its file cannot be read any more, so that it is not shown."),
        coded("hint.check_permissions", "Check its permissions."),
    ),
}
"""What `FreshnessCheck.problem` says, and what may be done about it."""


class Absence:
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
            text = coded("why_not.no_text", "It holds no text that could be searched.")
            self._note(StageOutcome("library", False, text))
            return coded("hint.recognise", "A scanned document needs its text recognised first.")
        text = _counted(
            "why_not.in_library",
            len(self._ids),
            "It is in the library, in {number} chunk.",
            "It is in the library, in {number} chunks.",
        )
        self._note(StageOutcome("library", True, text))
        problem = FreshnessCheck().problem(self._document)
        if problem:
            text, hint = _STALE[problem]
            self._note(StageOutcome("freshness", False, text))
            return hint
        text = coded("why_not.fresh", "Its file is as it was read.")
        self._note(StageOutcome("freshness", True, text))
        found = self._note(self._lexical(terms), ends=False)
        found = self._note(self._vector(vectors, settings), ends=False) or found
        if not found:
            self.fell_out_at = "vector" if self._trace.vector else "lexical"
            return coded(
                "hint.candidates",
                "Ask in the document's own words, or raise the setting `candidates` (now {now}): each search "
                "hands on so many chunks.",
                now=settings.candidates,
            )
        if not self._fused():
            return coded(
                "hint.precise_others",
                "Ask more precisely: other documents fit the question better by words and meaning together.",
            )
        return self._final(settings)

    def _lexical(self, ranks: Ranks) -> StageOutcome:
        searched = searched_terms(self._trace)
        limit = len(self._trace.lexical)
        if not searched:
            dropped = self._trace.result.notes.get("dropped_terms")
            text = coded("why_not.common", "The words of the question are too common here.")
            if not dropped:
                text = coded(
                    "why_not.no_words", "The words of the question are all unknown to the library or too common in it."
                )
            return StageOutcome("lexical", False, text, limit=limit)
        if not ranks:
            text = coded("why_not.none_of", "It holds none of the words {words}.", words=", ".join(searched))
            return StageOutcome("lexical", False, text, limit=limit)
        self.best, (rank, score) = min(ranks.items(), key=lambda item: item[1])
        passed = any(hit.chunk_id in self._ids for hit in self._trace.lexical)
        text = coded("why_not.by_words", "By words its best chunk is number {rank}.", rank=rank)
        if not passed:
            text = coded(
                "why_not.by_words_late",
                "By words its best chunk is number {rank}; the first {limit} go on.",
                rank=rank,
                limit=limit,
            )
        return StageOutcome("lexical", passed, text, rank, score, limit)

    def _vector(self, ranks: Ranks, settings: Settings) -> StageOutcome:
        limit = len(self._trace.vector)
        if not self._trace.vector:
            return StageOutcome(
                "vector", False, coded("why_not.no_meaning", "There was no search by meaning."), limit=limit
            )
        if not ranks:
            text = coded("why_not.no_embedding", "Its chunks have no embedding of the present model.")
            return StageOutcome("vector", False, text, limit=limit)
        chunk_id, (rank, score) = min(ranks.items(), key=lambda item: item[1])
        if not any(hit.chunk_id in self._ids for hit in self._trace.lexical):
            self.best = chunk_id
        passed = any(hit.chunk_id in self._ids for hit in self._trace.vector)
        if passed:
            text = coded(
                "why_not.by_meaning",
                "By meaning its best chunk is number {rank} (cosine {cosine:.2f}).",
                rank=rank,
                cosine=score,
            )
        elif rank <= limit:
            text = coded(
                "why_not.by_meaning_missed",
                "By meaning its best chunk is number {rank} (cosine {cosine:.2f}), but the index, which is not exact, "
                "missed it.",
                rank=rank,
                cosine=score,
            )
        else:
            text = coded(
                "why_not.by_meaning_late",
                "By meaning its best chunk is number {rank} (cosine {cosine:.2f}); the first {limit} go on.",
                rank=rank,
                cosine=score,
                limit=limit,
            )
        return StageOutcome("vector", passed, text, rank, score, limit)

    def _fused(self) -> bool:
        ranks = {chunk_id: rank for rank, chunk_id in enumerate(self._trace.fused, 1) if chunk_id in self._ids}
        self.best = next(
            (chunk_id for chunk_id in ranks if chunk_id in self._trace.loaded), min(ranks, key=ranks.__getitem__)
        )
        rank, score = ranks[self.best], self._trace.fused[self.best]
        limit = self._trace.num_looked_at
        if self.best in self._trace.loaded:
            text = coded("why_not.together", "Words and meaning together: number {rank}.", rank=rank)
            return self._note(StageOutcome("fuse", True, text, rank, score, limit))
        text = coded("why_not.damaged", "Its row in the library is damaged, so that it is not shown.")
        if rank > limit:
            text = coded(
                "why_not.together_late",
                "Words and meaning together: number {rank}; the first {limit} are looked at.",
                rank=rank,
                limit=limit,
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
            text = coded(
                "why_not.reranked", "Number {rank} after the reranker, {before} before it.", rank=rank, before=was
            )
            if self.best not in self._trace.reranked:
                text = coded(
                    "why_not.not_reranked",
                    "The reranker was not asked: only the first {limit} are reranked.",
                    limit=settings.rerank_top,
                )
            passed = not was <= limit < rank
            if not self._note(StageOutcome("rerank", passed, text, rank, self._trace.reranked.get(self.best), limit)):
                return coded(
                    "hint.less_rerank", "`--no-rerank`, or a smaller `rerank_weight`, gives the reranker less say."
                )
        passed = rank <= limit
        text = coded("why_not.passage", "It is passage {rank}.", rank=rank)
        if not passed:
            text = _counted(
                "why_not.beyond",
                limit,
                "It is number {rank}; {number} passage is taken.",
                "It is number {rank}; {number} passages are taken.",
                rank=rank,
            )
        self._note(StageOutcome("top_k", passed, text, rank, score, limit))
        if passed:
            return ""
        return coded("hint.more_passages", "Ask more precisely, or look at more passages: `edgerag search -k`.")

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
            text = coded(
                "why_not.late_passage",
                "It is passage {rank}; sentences are taken from the first {limit} only.",
                rank=rank,
                limit=TOP_PASSAGES,
            )
            if rank <= TOP_PASSAGES:
                text = coded(
                    "why_not.same_sentences",
                    "Its sentences stand in a better passage too, or there were too many before them.",
                )
            self._note(StageOutcome("evidence", False, text, rank, None, TOP_PASSAGES))
            return coded("hint.precise_first", "Ask more precisely, so that it comes among the first.")
        best = ranked[own[0] - 1]
        self.best = best.passage.chunk.id
        text = coded(
            "why_not.sentence", "Its best sentence is number {rank} of {total}.", rank=own[0], total=len(ranked)
        )
        self._note(StageOutcome("evidence", True, text, own[0], best.score))
        if weighed.is_too_weak(settings):
            text = coded(
                "why_not.abstained",
                "Nothing is answered: the evidence scores {score:.2f}, and {least:g} is asked for.",
                score=score,
                least=settings.min_evidence,
            )
            self._note(StageOutcome("prompt", False, text, own[0], best.score))
            return coded("hint.min_evidence", "A smaller `min_evidence` lets weaker evidence through.")
        chosen = [sentence for sentence in used if sentence.passage.document.id == self._document.id]
        if chosen:
            if budget_tokens:
                text = _counted(
                    "why_not.in_prompt",
                    len(chosen),
                    "{number} of its sentences stands in the prompt.",
                    "{number} of its sentences stand in the prompt.",
                )
            else:
                text = _counted(
                    "why_not.in_answer",
                    len(chosen),
                    "{number} of its sentences stands in the answer.",
                    "{number} of its sentences stand in the answer.",
                )
            self._note(StageOutcome("prompt", True, text, own[0], best.score, len(used)))
            return ""
        if budget_tokens:
            text = coded(
                "why_not.no_room",
                "The prompt has room for {number} tokens of evidence, and better sentences filled it.",
                number=budget_tokens,
            )
            self._note(StageOutcome("prompt", False, text, own[0], best.score, len(used)))
            return coded(
                "hint.evidence_tokens",
                "A larger `evidence_tokens` (now {now}) makes room for more.",
                now=settings.evidence_tokens,
            )
        text = _counted(
            "why_not.not_quoted",
            len(used),
            "The answer quotes the best sentence alone, and its best is number {rank}.",
            "The answer quotes the {number} best sentences, and its best is number {rank}.",
            rank=own[0],
        )
        self._note(StageOutcome("prompt", False, text, own[0], best.score, len(used)))
        return ""

    def follow_citations(self, citations: Sequence[Citation]) -> None:
        own = [citation.marker for citation in citations if citation.document.path == self._document.path]
        marks = "".join(f"[{marker}]" for marker in own)
        text = coded("why_not.cited", "The answer cites it: {marks}.", marks=marks)
        if not own:
            text = coded("why_not.not_cited", "The answer rests on other sentences and does not cite it.")
        self._note(StageOutcome("cited", bool(own), text))


def _counted(code: str, number: int, one: str, other: str, **fields: object) -> CodedText:
    """A text about so many of something."""
    return coded(code, one if number == 1 else other, number=number, **fields)


def searched_terms(trace: Trace) -> list[str]:
    terms = trace.result.notes.get("terms")
    return list(terms) if isinstance(terms, list) else []
