"""A follow-up is asked in its stand-alone form, and says so first."""

from __future__ import annotations

import threading

from edgerag.answers import Answer, AskEvent, Exchange, QuestionRewritten
from edgerag.ask.pipeline import ask
from edgerag.config import Settings
from edgerag.datatypes import Sampling, SearchResult
from tests.ask.asking import HARBOUR, QUESTION, events_of
from tests.ask.builders import found
from tests.fakes import FakeEmbedder, FakeGenerator, FakeReranker

HISTORY = (Exchange("When was the harbour dredged?", "The harbour of Varn was dredged in 1912."),)


def follow_up(question: str, *, settings: Settings) -> tuple[list[AskEvent], list[str], FakeGenerator]:
    searched: list[str] = []
    generator = FakeGenerator("Ada Holm led the dredging.")

    def retrieve(query: str) -> SearchResult:
        searched.append(query)
        return found(query, HARBOUR)

    events = ask(
        question,
        retrieve=retrieve,
        embedder=FakeEmbedder(),
        reranker=FakeReranker(),
        generator=generator,
        settings=settings,
        extractive=False,
        sampling=Sampling(),
        stop=threading.Event(),
        history=HISTORY,
    )
    return list(events), searched, generator


def test_stand_alone_question_is_told_first_searched_and_prompted() -> None:
    events, searched, generator = follow_up("who led its dredging?", settings=Settings(min_evidence=0.0))
    assert events[0] == QuestionRewritten(
        "who led its dredging?", "Who led the harbour’s dredging?", '"its" stands for "the harbour"'
    )
    assert searched == ["Who led the harbour’s dredging?"]
    assert "Who led the harbour’s dredging?" in "".join(part.text for part in generator.prompts[0])
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert (answer.question, answer.rewritten) == ("who led its dredging?", "Who led the harbour’s dredging?")
    assert answer.standalone == "Who led the harbour’s dredging?"


def test_setting_switches_it_off() -> None:
    events, searched, _ = follow_up(
        "who led its dredging?", settings=Settings(min_evidence=0.0, rewrite_questions=False)
    )
    assert searched == ["who led its dredging?"]
    assert not any(isinstance(event, QuestionRewritten) for event in events)


def test_question_that_stands_alone_is_asked_as_it_is() -> None:
    events = events_of(question=QUESTION, extractive=True, history=HISTORY)
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert (answer.rewritten, answer.standalone) == (None, QUESTION)
