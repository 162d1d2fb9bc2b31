"""Which sentences of the passages answer a question: the extractive answer, and the evidence of a prompt."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgerag.ask.answer_type import answer_type_fits
from edgerag.ask.terms import content_terms, coverage, rarity, terms
from edgerag.datatypes import Passage
from edgerag.protocols import Embedder, RerankCandidate, Reranker
from edgerag.scripts import knows_script
from edgerag.sentences import split_sentences

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOP_PASSAGES = 3
"""Passages whose sentences are looked at: with five the best sentence was right no more often (XQuAD en)."""
MAX_SENTENCES = 48
"""Sentences that are encoded for one question; lists and tables split into very many."""
# Fitted on the 990 XQuAD en questions that are not reported, checked on zh; `python -m tests.benchmarks.answers`.
# Best sentence / one of two holds the answer, on the 200 reported: cosine alone 0.73 / 0.87, MaxSim alone 0.85 / 0.91,
# terms alone 0.80 / 0.93, all 0.83 / 0.94.
RERANK_WEIGHT = 0.3
TERM_WEIGHT = 0.5
CONTEXT_WEIGHT = 0.4
PASSAGE_WEIGHT = 0.5
TYPE_BONUS = 0.2
FOREIGN_SHARE = 0.1
"""What is left of the reranker's weight in a script that the embedder was not trained on."""
QUESTION_PENALTY = 0.5
"""A sentence that asks repeats the question's words and answers nothing."""
HEADING_PENALTY = 0.6
"""So does a heading: it breaks off, and holds no word that the question has not."""

_ENDS = re.compile(r"[.!?…。！？｡:：;；][\"'”’»」』）)\]]*$")
_ASKS = re.compile(r"[?？][\"'”’」』）)]*$")


@dataclass(frozen=True, slots=True, eq=False)
class EvidenceSentence:
    """A sentence of a passage: `passage.chunk.text[start_chars:end_chars] == text`."""

    passage: Passage
    start_chars: int
    end_chars: int
    text: str
    score: float
    """How well it fits the question; larger is better, comparable within one question."""
    similarity: float
    """Cosine to the question, -1 to 1."""
    embedding: NDArray[np.float32]


def rank_sentences(
    question: str,
    passages: Sequence[Passage],
    *,
    embedder: Embedder,
    reranker: Reranker | None,
    top_passages: int = TOP_PASSAGES,
) -> list[EvidenceSentence]:
    """Score the sentences of the best passages.

    Args:
        passages: Best first.
        reranker: Judges question and sentence together; None leaves its share out.

    Returns:
        Best first, each text once; sentences of one score in order of passage and place.

    Raises:
        ModelError: The embedder or the reranker failed.
    """
    spans = _candidate_spans(passages[:top_passages])
    if not spans:
        return []
    texts = [passage.chunk.text[start:end] for passage, start, end in spans]
    encodings = embedder.encode_documents(texts)
    query = embedder.encode_query(question).embedding
    similarities = [float(encoding.embedding @ query) for encoding in encodings]
    rerank = [0.0] * len(texts)
    if reranker is not None:
        candidates = [
            RerankCandidate(text, encoding.token_codes) for text, encoding in zip(texts, encodings, strict=True)
        ]
        rerank = _min_max([float(score) for score in reranker.score(question, candidates)])
    rerank_weight = RERANK_WEIGHT * (1.0 if knows_script(embedder.languages, question) else FOREIGN_SHARE)

    wanted = content_terms(question)
    sentence_terms = [frozenset(terms(text)) for text in texts]
    weight = rarity(sentence_terms)
    ranked: list[EvidenceSentence] = []
    for row, (passage, start, end) in enumerate(spans):
        has_previous = row > 0 and spans[row - 1][0] is passage
        # `He died in 1943.` answers a question about Tesla, whom only the sentence before it names.
        context = sentence_terms[row] | sentence_terms[row - 1] if has_previous else sentence_terms[row]
        score = (
            rerank_weight * rerank[row]
            + TERM_WEIGHT * coverage(wanted, sentence_terms[row], weight)
            + CONTEXT_WEIGHT * coverage(wanted, context, weight)
            + PASSAGE_WEIGHT * passage.scores.final
            + TYPE_BONUS * answer_type_fits(question, texts[row])
            - QUESTION_PENALTY * bool(_ASKS.search(texts[row]))
            - HEADING_PENALTY * (not _ENDS.search(texts[row]) and set(content_terms(texts[row])) <= set(wanted))
        )
        ranked.append(
            EvidenceSentence(passage, start, end, texts[row], score, similarities[row], encodings[row].embedding)
        )
    ranked.sort(key=lambda sentence: (-sentence.score, sentence.passage.rank, sentence.start_chars))
    return _each_text_once(ranked)


def best_sentences(ranked: Sequence[EvidenceSentence], *, top_k: int = 2) -> list[EvidenceSentence]:
    """The extractive answer: the best sentences, without those that fit far worse than the best."""
    if not ranked:
        return []
    least = ranked[0].score * RUNNER_UP_SHARE
    return [sentence for sentence in ranked[:top_k] if sentence is ranked[0] or sentence.score >= least]


RUNNER_UP_SHARE = 0.3
"""Below this share of the best score a second sentence only dilutes the answer."""


def _candidate_spans(passages: Sequence[Passage]) -> list[tuple[Passage, int, int]]:
    spans = [
        (passage, start, end)
        for passage in passages
        for start, end in split_sentences(passage.chunk.text)
        if any(character.isalnum() for character in passage.chunk.text[start:end])
    ]
    return spans[:MAX_SENTENCES]


def _each_text_once(ranked: list[EvidenceSentence]) -> list[EvidenceSentence]:
    seen: dict[str, EvidenceSentence] = {}
    for sentence in ranked:
        seen.setdefault(" ".join(sentence.text.split()).casefold(), sentence)
    return list(seen.values())


def _min_max(scores: list[float]) -> list[float]:
    low, high = min(scores), max(scores)
    return [(score - low) / (high - low) if high > low else 1.0 for score in scores]
