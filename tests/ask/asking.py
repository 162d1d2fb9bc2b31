"""Asks the pipeline with fakes, for the tests of its answers."""

from __future__ import annotations

import threading
from typing import Any

from edgerag.answers import Answer, AskEvent
from edgerag.ask.pipeline import ask
from edgerag.config import Settings
from edgerag.datatypes import Sampling, SearchResult
from edgerag.protocols import Generator
from tests.ask.builders import found
from tests.fakes import FakeEmbedder, FakeReranker

QUESTION = "Who led the dredging of the harbour?"
HARBOUR = "The harbour of Varn was dredged in 1912. Ada Holm led the dredging of the harbour. Ships came back in 1913."
MARKET = "The fish market opens at dawn. It is closed on Sundays."
SPACES = " " * 10
"""The passages of `found` begin at offset 10 of their documents."""


def events_of(
    *,
    question: str = QUESTION,
    result: SearchResult | None = None,
    generator: Generator | None = None,
    extractive: bool = False,
    stop: Any = None,
    settings: Settings | None = None,
    sampling: Sampling | None = None,
    **options: Any,
) -> list[AskEvent]:
    return list(
        ask(
            question,
            retrieve=lambda _: result or found(question, HARBOUR, MARKET),
            embedder=options.pop("embedder", FakeEmbedder()),
            reranker=options.pop("reranker", FakeReranker()),
            generator=generator,
            settings=settings or Settings(min_evidence=0.0),
            extractive=extractive,
            sampling=sampling or Sampling(),
            stop=stop or threading.Event(),
            document_text=options.pop("document_text", lambda number: SPACES + {1: HARBOUR, 2: MARKET}[number]),
            **options,
        )
    )


def answer_of(**options: Any) -> Answer:
    last = events_of(**options)[-1]
    assert isinstance(last, Answer)
    return last


def kinds(events: list[AskEvent]) -> list[str]:
    """Names of the events, runs of deltas as one."""
    names = [type(event).__name__ for event in events]
    return [name for place, name in enumerate(names) if place == 0 or names[place - 1] != name or name != "AnswerDelta"]
