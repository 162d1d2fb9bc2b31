"""Answers for tests of what is saved of them."""

from __future__ import annotations

from edgerag.answers import Answer, AnswerSentence, Citation
from edgerag.datatypes import Document

HUT = Document(7, "/docs/hut.md", "Hut", "markdown", "a" * 64, 120, 5)


def answer(
    question: str = "Who built the stove?",
    text: str = "The Kvitnes foundry built the stove.",
    *,
    quote: str = "The stove was built in 1987 by the Kvitnes foundry.",
    rewritten: str | None = None,
    document: Document = HUT,
    degraded: tuple[str, ...] = (),
) -> Answer:
    """One supported sentence with its citation, and one that is flagged."""
    return Answer(
        question=question,
        sentences=(AnswerSentence(text, (1,)), AnswerSentence("It cost 40 crowns.", (), "number 40 occurs nowhere")),
        abstained=False,
        model="fake-generator",
        citations=(Citation(1, document, 3, 20, 20 + len(quote), quote, "Hut rules > Stove"),),
        passages=(),
        degraded=degraded,
        timings_ms={"total": 1500.0},
        rewritten=rewritten,
    )
