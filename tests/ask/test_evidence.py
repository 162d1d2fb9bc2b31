"""Whether what supports an answer fits the question."""

from __future__ import annotations

from edgerag.ask.evidence import bears_on_question
from edgerag.ask.extract import EvidenceSentence, rank_sentences
from tests.ask.builders import passage
from tests.fakes import FakeEmbedder

QUESTION = "When was the tower of Varn built?"
TOWER = passage(
    "# Tower of Varn\n\nThe tower of Varn was built in 1847. The tower of Varn was built again in 1901. Once more the "
    "tower of Varn was built in 1950. Cats sleep in the harbour."
)


def ranked() -> list[EvidenceSentence]:
    return rank_sentences(QUESTION, [TOWER], embedder=FakeEmbedder(), reranker=None)


def test_the_sentences_that_would_be_quoted_bear_on_the_question() -> None:
    sentences = ranked()
    assert all(bears_on_question([sentence], sentences) for sentence in sentences[:2])


def test_so_does_a_third_one_that_fits_about_as_well() -> None:
    sentences = ranked()
    assert sentences[2].own_score >= 0.8 * sentences[0].own_score
    assert bears_on_question(sentences[2:3], sentences)


def test_a_heading_and_a_sentence_on_something_else_do_not() -> None:
    sentences = ranked()
    assert sentences[0].text == "The tower of Varn was built in 1847."
    heading = next(sentence for sentence in sentences if sentence.is_heading)
    other = next(sentence for sentence in sentences if sentence.text.startswith("Cats"))
    assert not bears_on_question([heading, other], sentences)
    assert bears_on_question([other, sentences[0]], sentences)


def test_nothing_bears_on_a_question_without_support() -> None:
    assert not bears_on_question([], ranked())
    assert not bears_on_question([], [])
