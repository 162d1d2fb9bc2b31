"""How strong the evidence for any answer is: below a threshold edgerag says that it does not know."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import exp

from edgerag.ask.extract import TOP_PASSAGES, EvidenceSentence
from edgerag.ask.terms import content_terms, coverage, is_function_word, stem, terms, words_of
from edgerag.datatypes import Passage

# Logistic regressions on every fourth XQuAD en and every eighth zh question, each asked twice: of all articles, and of
# all but its own. The biases put 0.35 where 97 % of the answerable ones pass; then 94 % of the unanswerable ones are
# refused with the embedder's cosine, 75 % by terms alone. `python -m tests.benchmarks.answers` prints the trade-off.
_BIAS, _BY_COSINE, _BY_SENTENCE, _BY_PASSAGES, _BY_MISSING = -9.85, 12.0, 4.0, 3.0, -0.5
_FOREIGN_BIAS, _FOREIGN_BY_SENTENCE, _FOREIGN_BY_PASSAGE, _FOREIGN_BY_MISSING = -3.7, 7.8, 8.4, -1.6
MAX_MISSING = 2
# Fitted on 160 more questions of XQuAD en whose name was replaced by one that stands nowhere: 0.875 are refused,
# without it 0.66. It costs 4 of 240 answerable ones, where the name is misspelt or the text has it in other words.
_BY_NAMELESS = -2.0
NAME_ROOT_CHARS = 5
"""Names that begin alike are one: `Californian` asks about California."""

# A capital that begins a sentence is no name, and one of several words need not be written out again.
_NAME = re.compile(r"(?<=[^.!?:\s]\s)[A-Z][\w'’-]+(?:\s[A-Z][\w'’-]+)*")
_POSSESSIVE = re.compile(r"['’](?:s|m|d|ll|re|ve)\b")
_GERMAN = frozenset(
    "das dem der des ein eine einem einen einer für ist sind und wann welche welcher welches wer wie wird wo wurde "
    "wurden".split()
)
_NAMES_AND_NUMBERS = re.compile(r"(?<=\s)[A-Z][\w'’-]+|\d[\d.,]*\d|\d")


def evidence_score(
    question: str,
    passages: Sequence[Passage],
    ranked: Sequence[EvidenceSentence],
    *,
    knows_script: bool,
) -> float:
    """Estimate whether the passages hold an answer.

    Args:
        passages: Best first.
        ranked: The sentences of the best passages.
        knows_script: Whether the embedder was trained on the question's script; without it only terms count.

    Returns:
        0 to 1; 0 where there is nothing to answer from.
    """
    if not ranked or not passages:
        return 0.0
    best = [frozenset(terms(passage.chunk.embedded_text)) for passage in passages[:TOP_PASSAGES]]
    together = frozenset().union(*best)
    wanted = content_terms(question)
    by_sentence = max(coverage(wanted, frozenset(terms(sentence.text))) for sentence in ranked)
    # A name or number of the question's that stands nowhere: the documents speak of something else.
    asked_for = {term for name in _NAMES_AND_NUMBERS.findall(question) for term in terms(name)}
    missing = min(len(asked_for - together), MAX_MISSING)
    if knows_script:
        cosine = max(sentence.similarity for sentence in ranked)
        strength = (
            _BIAS
            + _BY_COSINE * cosine
            + _BY_SENTENCE * by_sentence
            + _BY_PASSAGES * coverage(wanted, together)
            + _BY_MISSING * missing
            + _BY_NAMELESS * names_are_missing(question, passages[:TOP_PASSAGES])
        )
    else:
        strength = (
            _FOREIGN_BIAS
            + _FOREIGN_BY_SENTENCE * by_sentence
            + _FOREIGN_BY_PASSAGE * max(coverage(wanted, passage) for passage in best)
            + _FOREIGN_BY_MISSING * missing
        )
    return 1.0 / (1.0 + exp(-strength))


def names_are_missing(question: str, passages: Sequence[Passage]) -> bool:
    """Whether the question names somebody or something that no passage does, nor its heading, title or path.

    `When was Edison born?` finds when Tesla was born, by every other word.
    """
    if not _GERMAN.isdisjoint(question.lower().split()):
        return False  # every noun is capitalised there
    found: set[str] = set()
    for passage in passages:
        found |= set(terms(f"{passage.document.title}\n{passage.document.path}\n{passage.chunk.heading or ''}"))
        found |= set(terms(passage.chunk.text))
    roots = {_root(term) for term in found}
    for name in _NAME.findall(question):
        words = [word for word in words_of(_POSSESSIVE.sub("", name)) if not is_function_word(word)]
        if words and roots.isdisjoint(_root(stem(word)) for word in words):
            return True
    return False


def _root(term: str) -> str:
    return term[:NAME_ROOT_CHARS]
