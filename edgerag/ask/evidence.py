"""What an answer may rest on, and how much of it a prompt has room for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgerag.ask.abstain import evidence_score
from edgerag.ask.extract import EvidenceSentence, best_sentences, rank_sentences
from edgerag.ask.prompt import TEMPLATE_MARGIN_TOKENS, build_prompt, choose_evidence
from edgerag.coded_text import at_stage
from edgerag.config import Settings
from edgerag.datatypes import Passage, PromptPart, Sampling
from edgerag.errors import ModelError
from edgerag.protocols import Embedder, Generator, Reranker
from edgerag.scripts import knows_script

BEARING_SHARE = 0.8
"""Of the best sentence's `own_score`: what a generated answer rests on is to fit the question about as well. With
SmolLM2 and 100 questions of XQuAD en, 8 of 35 answers did not; 3 of these held the gold answer, 15 of the others."""


@dataclass(frozen=True, slots=True)
class WeighedEvidence:
    ranked: list[EvidenceSentence]
    """Best first."""
    score: float
    """How well it supports any answer, 0 to 1."""
    degraded: tuple[str, ...] = ()

    def is_too_weak(self, settings: Settings) -> bool:
        """Whether edgerag says that it does not know."""
        return not self.ranked or self.score < settings.min_evidence


@dataclass(frozen=True, slots=True)
class PreparedPrompt:
    evidence: list[EvidenceSentence]
    """In the order in which the prompt has them."""
    parts: tuple[PromptPart, ...]
    budget_tokens: int
    """For all evidence together."""


def weigh_evidence(
    question: str, passages: Sequence[Passage], *, embedder: Embedder, reranker: Reranker | None
) -> WeighedEvidence:
    """Rank the passages' sentences and estimate whether they hold an answer.

    Raises:
        ModelError: The embedder failed; a failing reranker only degrades the ranking.
    """
    degraded: tuple[str, ...] = ()
    try:
        ranked = rank_sentences(question, passages, embedder=embedder, reranker=reranker)
    except ModelError as error:
        if reranker is None:
            raise
        degraded = (at_stage("rerank", error.message),)
        ranked = rank_sentences(question, passages, embedder=embedder, reranker=None)
    score = evidence_score(question, passages, ranked, knows_script=knows_script(embedder.languages, question))
    return WeighedEvidence(ranked, score, degraded)


def bears_on_question(supports: Sequence[EvidenceSentence], ranked: Sequence[EvidenceSentence]) -> bool:
    """Whether sentences that support an answer fit the question as well as those that would be quoted.

    A small model repeats a sentence of its prompt that is faithful to the documents and answers another question.
    """
    quoted = best_sentences(ranked)
    return any(
        support in quoted or (not support.is_heading and support.own_score >= BEARING_SHARE * quoted[0].own_score)
        for support in supports
    )


def prepare_prompt(
    question: str, ranked: Sequence[EvidenceSentence], *, generator: Generator, settings: Settings, sampling: Sampling
) -> PreparedPrompt:
    """Choose the sentences that fit beside question and answer, and put the prompt together."""
    room = generator.context_tokens - sampling.max_tokens - TEMPLATE_MARGIN_TOKENS
    room -= generator.count_tokens(question)
    budget_tokens = min(settings.evidence_tokens, room)
    chosen = choose_evidence(ranked, budget_tokens=budget_tokens, count_tokens=generator.count_tokens)
    return PreparedPrompt(chosen, build_prompt(question, chosen, family=generator.family), budget_tokens)
