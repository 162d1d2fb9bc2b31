"""Which sentences of the passages answer a question: the extractive answer, and the evidence of a prompt."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgerag.ask.answer_type import answer_type_fits
from edgerag.ask.headings import SENTENCE_END, find_headings
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
"""So does a heading, and what looks like one: it breaks off, and holds no word that the question has not."""

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
    own_score: float
    """`score` without the share that every sentence of the passage has."""
    holds_all_terms: bool
    """Whether every term of the question stands in it."""
    is_heading: bool = False
    """It tells a generator what the sentences below it are about; it is no answer."""


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
    texts = [span.passage.chunk.text[span.start_chars : span.end_chars] for span in spans]
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
    contexts = _contexts(spans, sentence_terms)
    ranked: list[EvidenceSentence] = []
    for row, span in enumerate(spans):
        ends = SENTENCE_END.search(texts[row])
        is_title = span.is_heading or (not ends and set(content_terms(texts[row])) <= set(wanted))
        own_score = (
            rerank_weight * rerank[row]
            + TERM_WEIGHT * coverage(wanted, sentence_terms[row], weight)
            + CONTEXT_WEIGHT * coverage(wanted, contexts[row], weight)
            + TYPE_BONUS * answer_type_fits(question, texts[row])
            - QUESTION_PENALTY * bool(_ASKS.search(texts[row]))
            - HEADING_PENALTY * is_title
        )
        ranked.append(
            EvidenceSentence(
                passage=span.passage,
                start_chars=span.start_chars,
                end_chars=span.end_chars,
                text=texts[row],
                score=own_score + PASSAGE_WEIGHT * span.passage.scores.final,
                own_score=own_score,
                holds_all_terms=set(wanted) <= sentence_terms[row],
                similarity=similarities[row],
                embedding=encodings[row].embedding,
                is_heading=span.is_heading,
            )
        )
    ranked.sort(key=lambda sentence: (-sentence.score, sentence.passage.rank, sentence.start_chars))
    return _each_text_once(ranked)


def best_sentences(ranked: Sequence[EvidenceSentence], *, top_k: int = 2) -> list[EvidenceSentence]:
    """The extractive answer: the best sentences, without headings and those that fit far worse than the best."""
    answers = [sentence for sentence in ranked if not sentence.is_heading] or list(ranked)
    if not answers:
        return []
    best = answers[0]
    least = best.own_score * (RUNNER_UP_SHARE_OF_FULL if best.holds_all_terms else RUNNER_UP_SHARE)
    return [sentence for sentence in answers[:top_k] if sentence is best or sentence.own_score >= least]


# Of the best sentence's `own_score`: the passage's share would hide how little `He died in 1943.` says on when somebody
# was born. Of 640 questions of XQuAD (en 440, zh 200) 98 % had a second sentence when the whole scores were compared
# and 77 % have one so; none of those left out held the gold answer where the best one did not.
RUNNER_UP_SHARE = 0.35
RUNNER_UP_SHARE_OF_FULL = 0.6
"""Where the best sentence holds every term of the question, and most likely the answer."""


@dataclass(frozen=True, slots=True)
class _Span:
    passage: Passage
    start_chars: int
    end_chars: int
    is_heading: bool


def _candidate_spans(passages: Sequence[Passage]) -> list[_Span]:
    spans: list[_Span] = []
    for passage in passages:
        text = passage.chunk.text
        found = [
            (start, end) for start, end in split_sentences(text) if any(char.isalnum() for char in text[start:end])
        ]
        headings = find_headings(passage, found)
        spans += [_Span(passage, *place, is_heading) for place, is_heading in zip(found, headings, strict=True)]
    return spans[:MAX_SENTENCES]


def _contexts(spans: Sequence[_Span], sentence_terms: Sequence[frozenset[str]]) -> list[frozenset[str]]:
    """The terms of each sentence, of the one before it, and of the headings above both.

    `He died in 1943.` answers a question about Tesla, whom only the sentence before it names. What stands before a
    heading is about something else.
    """
    contexts: list[frozenset[str]] = []
    headings = previous = frozenset[str]()
    before: _Span | None = None
    for span, own in zip(spans, sentence_terms, strict=True):
        if before is None or before.passage is not span.passage:
            headings = previous = frozenset()
        if span.is_heading:
            # Those of all levels stand one below the other, and one of them may be cut behind its number.
            headings = headings | own if before is not None and before.is_heading else own
            contexts.append(own)
            previous = frozenset()
        else:
            contexts.append(own | previous | headings)
            previous = own
        before = span
    return contexts


def _each_text_once(ranked: list[EvidenceSentence]) -> list[EvidenceSentence]:
    seen: dict[str, EvidenceSentence] = {}
    for sentence in ranked:
        seen.setdefault(" ".join(sentence.text.split()).casefold(), sentence)
    return list(seen.values())


def _min_max(scores: list[float]) -> list[float]:
    low, high = min(scores), max(scores)
    return [(score - low) / (high - low) if high > low else 1.0 for score in scores]
