"""`explain` and `why_not` on an open library: which parts they need, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from edgerag.answers import Citation, Exchange
from edgerag.ask.explain import Explanation, explain, standalone_question
from edgerag.ask.retrieve import Retriever
from edgerag.ask.why_not import WhyNot, explain_absence, find_missing
from edgerag.datatypes import Document, DocumentFilter
from edgerag.open_models import OpenModels
from edgerag.protocols import Generator

Mode = Literal["hybrid", "lexical", "vector"]


def explain_question(
    models: OpenModels,
    question: str,
    *,
    history: Sequence[Exchange],
    generator: Generator | None,
    top_k: int,
    mode: Mode,
    rerank: bool,
    within: DocumentFilter | None,
) -> Explanation:
    """See `Engine.explain`."""
    library, settings = models.library, models.settings
    standalone = standalone_question(question, history, settings)
    retriever = Retriever(library, settings=settings, models=models)
    return explain(
        question,
        standalone,
        retriever.trace(standalone, top_k=top_k, mode=mode, rerank=rerank, within=within),
        library=library,
        embedder=models.embedder,
        reranker=models.reranker,
        generator=generator,
        settings=settings,
        sampling=settings.sampling(),
    )


def why_not_document(
    models: OpenModels,
    question: str,
    document: Document | str,
    *,
    history: Sequence[Exchange],
    generator: Generator | None,
    top_k: int,
    citations: Sequence[Citation] | None,
) -> WhyNot:
    """See `Engine.why_not`."""
    library, settings = models.library, models.settings
    standalone = standalone_question(question, history, settings)
    found = find_missing(library, document) if isinstance(document, str) else document
    if isinstance(found, WhyNot):
        return replace(found, question=question, rewritten=standalone if standalone != question else None)
    trace = Retriever(library, settings=settings, models=models).trace(standalone, top_k=top_k)
    query = models.embedder.encode_query(standalone).embedding
    return explain_absence(
        question,
        standalone,
        found,
        trace,
        top_k=top_k,
        library=library,
        vector_ranks=lambda chunk_ids: models.index.ranks(query, chunk_ids),
        embedder=models.embedder,
        reranker=models.reranker,
        generator=generator,
        settings=settings,
        sampling=settings.sampling(),
        citations=citations,
    )
