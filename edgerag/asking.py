"""`ask` on an open library: which parts it needs, and what becomes of the answer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import replace

from edgerag.answers import Answer, AskEvent, Exchange
from edgerag.ask.pipeline import ask
from edgerag.ask.retrieve import Retriever
from edgerag.coded_text import at_stage, coded
from edgerag.datatypes import DocumentFilter, Sampling
from edgerag.errors import LibraryError
from edgerag.open_models import OpenModels
from edgerag.protocols import StopFlag

TOP_PASSAGES = 10


def answer_question(
    models: OpenModels,
    question: str,
    *,
    history: Sequence[Exchange],
    extractive: bool,
    model: str | None,
    sampling: Sampling | None,
    within: DocumentFilter | None,
    stop: StopFlag,
    save: Callable[[Answer], int] | None,
) -> Generator[AskEvent, None, None]:
    """See `Engine.stream_ask`.

    Args:
        save: Keeps the answer and returns the id of its conversation; None: it is not kept.
    """
    library, settings = models.library, models.settings
    generator, no_generator = (None, "") if extractive else models.generator_for(question, model)
    retriever = Retriever(library, settings=settings, models=models)
    stored = functools.cache(library.document_text)
    events = ask(
        question,
        retrieve=lambda query: retriever.retrieve(query, top_k=TOP_PASSAGES, within=within),
        embedder=models.embedder,
        reranker=models.reranker,
        generator=generator,
        settings=settings,
        extractive=extractive,
        sampling=sampling or settings.sampling(),
        stop=stop,
        no_generator=no_generator,
        timeout_s=settings.generate_timeout_s,
        document_text=lambda document_id: stored(document_id).text,
        document_pages=lambda document_id: stored(document_id).pages,
        history=history,
    )
    with closing(events):
        for event in events:
            yield _saved(event, save) if save is not None and isinstance(event, Answer) else event


def _saved(answer: Answer, save: Callable[[Answer], int]) -> Answer:
    try:
        return replace(answer, conversation_id=save(answer))
    except LibraryError as error:
        # The answer is worth more than its record.
        problem = coded("degraded.not_saved", "not saved: {problem}", problem=error.message)
        return replace(answer, degraded=(*answer.degraded, at_stage("conversation", problem)))
