"""How strong the evidence for an answer is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgerag.ask.abstain import evidence_score, names_are_missing
from edgerag.ask.extract import rank_sentences
from edgerag.datatypes import Passage
from tests.ask.builders import passage
from tests.fakes import FakeEmbedder

TESLA = passage("Nikola Tesla was born on 10 July 1856 in Smiljan. He died in New York.", title="Inventors")


def score(question: str, *passages: Passage) -> float:
    ranked = rank_sentences(question, passages, embedder=FakeEmbedder(), reranker=None)
    return evidence_score(question, passages, ranked, knows_script=True)


def test_a_name_that_no_passage_has_weighs_more_than_another_word_that_none_has() -> None:
    asked = score("When and where was Nikola Tesla born?", TESLA)
    assert (
        score("When and where was engineer Edison born?", TESLA)
        < score("When and where was engineer edison born?", TESLA) / 4
    )
    assert asked > 0.35


@pytest.mark.parametrize(
    ("question", "missing"),
    [
        pytest.param("When was Edison born?", True, id="nowhere"),
        pytest.param("When was Tesla born?", False, id="in the text"),
        pytest.param("When was Nicola Tesla born?", False, id="one word of the name"),
        pytest.param("Who were the Inventors?", False, id="in the title"),
        pytest.param("What did Kofler write?", False, id="in the path"),
        pytest.param("What does the Energy chapter say?", False, id="in the heading"),
        pytest.param("What was Tesla's first name?", False, id="possessive"),
        pytest.param("Which Teslanian coil is it?", False, id="derived"),
        pytest.param("Did Tesla and Edison meet?", True, id="one of two"),
        pytest.param("Wann wurde der Erfinder geboren?", False, id="German nouns"),
        pytest.param("Thanks. Please tell me when he was born. Where?", False, id="first words of sentences"),
        pytest.param("WHEN WAS TESLA BORN?", False, id="capitals throughout"),
        pytest.param("When Was The Inventor Tesla Born?", False, id="a title"),
        pytest.param("when I'm born and I've died", False, id="I"),
        pytest.param("特斯拉是哪年出生的？", False, id="no capitals"),
    ],
)
def test_a_name_is_missing_where_nothing_of_the_passages_has_it(question: str, missing: bool) -> None:
    chunk = replace(TESLA, chunk=replace(TESLA.chunk, heading="Physics > Energy"))
    chunk = replace(chunk, document=replace(chunk.document, path="/notes/kofler-letters.md"))
    assert names_are_missing(question, [chunk]) is missing


def test_without_passages_there_is_no_evidence() -> None:
    assert evidence_score("When was Tesla born?", [], [], knows_script=True) == 0.0
