"""Explanations add up to what was shown, and name the very prompt that the generator would get."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgerag.answers import Exchange
from edgerag.ask.explain import Explanation, explain, standalone_question
from edgerag.ask.pipeline import ask
from edgerag.config import Settings
from edgerag.datatypes import Sampling
from tests.ask.small_library import SmallLibrary
from tests.fakes import FakeGenerator

TEXTS = {
    "heron.txt": "The grey heron stands in shallow water and waits for fish. It is a patient bird.",
    "otter.txt": "The otter swims at night and eats crayfish and fish. It is never seen by day.",
    "bridge.txt": "The bridge over the river was rebuilt from oak in 1911. A storm had taken the old one.",
    "mill.txt": "The mill grinds barley; its wheel was rebuilt twice.",
}
QUESTION = "What does the grey heron wait for in shallow water?"
EASY = Settings(min_evidence=0.0)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[SmallLibrary]:
    small = SmallLibrary(tmp_path, TEXTS)
    yield small
    small.library.close()


def explained(
    small: SmallLibrary, question: str = QUESTION, *, generator: FakeGenerator | None = None, settings: Settings = EASY
) -> Explanation:
    return explain(
        question,
        question,
        small.retriever(settings).trace(question),
        library=small.library,
        embedder=small.embedder,
        reranker=small.reranker,
        generator=generator,
        settings=settings,
        sampling=Sampling(),
    )


def test_parts_add_up_to_the_final_score_and_terms_to_the_lexical_one(small: SmallLibrary) -> None:
    hits = explained(small).hits
    assert [hit.passage.rank for hit in hits] == [1, 2, 3, 4]
    for hit in hits:
        scores = hit.passage.scores
        assert hit.lexical_part + hit.vector_part + hit.rerank_part == pytest.approx(scores.final)
        assert sum(term.score for term in hit.terms) == pytest.approx(scores.lexical or 0.0)
        assert (hit.lexical_rank is None) == (scores.lexical is None)
    assert Path(hits[0].passage.document.path).name == "heron.txt"
    assert (hits[0].lexical_rank, hits[0].vector_rank, hits[0].fused_rank, hits[0].rerank_rank) == (1, 1, 1, 1)
    assert {"grey", "heron", "shallow", "water"} <= {term.term for term in hits[0].terms}


def test_without_reranker_its_part_is_nothing(small: SmallLibrary) -> None:
    small.reranker = None
    for hit in explained(small).hits:
        assert (hit.rerank_part, hit.rerank_rank) == (0.0, None)
        assert hit.lexical_part + hit.vector_part == pytest.approx(hit.passage.scores.final)


def test_prompt_is_the_one_that_the_generator_gets(small: SmallLibrary) -> None:
    generator = FakeGenerator("The grey heron waits for fish.")
    shown = explained(small, generator=generator)
    events = ask(
        QUESTION,
        retrieve=small.retriever(EASY).retrieve,
        embedder=small.embedder,
        reranker=small.reranker,
        generator=generator,
        settings=EASY,
        extractive=False,
        sampling=Sampling(),
        stop=threading.Event(),
    )
    list(events)
    assert generator.prompts == [shown.prompt]
    assert shown.prompt_text.startswith("<|im_start|>system\n")
    assert shown.prompt_tokens > 20
    assert shown.budget_tokens == EASY.evidence_tokens
    used = [use.text for use in shown.evidence if use.is_used]
    assert "The grey heron stands in shallow water and waits for fish." in used
    assert all(text in shown.prompt_text for text in used)


def test_evidence_lies_where_it_says(small: SmallLibrary) -> None:
    shown = explained(small)
    assert shown.prompt == ()
    assert sum(use.is_used for use in shown.evidence) in (1, 2)
    for use in shown.evidence:
        passage = shown.hits[use.passage_rank - 1].passage
        text = small.library.document_text(passage.document.id).text
        assert text[use.start_chars : use.end_chars] == use.text


def test_abstention_has_no_prompt(small: SmallLibrary) -> None:
    shown = explained(small, generator=FakeGenerator(), settings=Settings(min_evidence=1.0))
    assert shown.abstains
    assert (shown.prompt, shown.evidence_score < shown.min_evidence) == ((), True)


def test_every_stage_has_its_time(small: SmallLibrary) -> None:
    timings_ms = explained(small, generator=FakeGenerator()).timings_ms
    assert list(timings_ms)[-1] == "total"
    assert {"lexical", "vector", "fuse", "load", "rerank", "retrieve", "evidence", "prompt"} <= set(timings_ms)


def test_follow_up_is_explained_in_its_stand_alone_form() -> None:
    history = [Exchange("Where does the heron stand?", "")]
    assert standalone_question("and in winter?", history, Settings()) == "Where does the heron stand in winter?"
    assert standalone_question("and in winter?", history, Settings(rewrite_questions=False)) == "and in winter?"
