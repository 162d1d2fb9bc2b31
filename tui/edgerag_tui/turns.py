"""One question and its answer as far as it has come: what the events of an answer add up to."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from edgerag.sentences import split_sentences

if TYPE_CHECKING:
    from edgerag.answers import Answer, AnswerSentence, Citation, Exchange
    from edgerag.datatypes import Passage
    from edgerag.storage.turns import Turn


class Phase(Enum):
    WAITING = "waiting"
    """Another question is being stopped first."""
    SEARCHING = "searching"
    WRITING = "writing"
    STOPPED = "stopped"
    FAILED = "failed"
    DONE = "done"

    @property
    def is_open(self) -> bool:
        return self in (Phase.WAITING, Phase.SEARCHING, Phase.WRITING)


@dataclass(slots=True)
class TurnState:
    question: str
    phase: Phase = Phase.SEARCHING
    rewritten: str = ""
    """The stand-alone question that was searched instead; empty where the question was taken as it is."""
    rewrite_reason: str = ""
    sentences: list[AnswerSentence] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)
    passages: tuple[Passage, ...] = ()
    draft: str = ""
    """What the generator has said since its last complete sentence; unchecked."""
    replaced: str = ""
    """Why what was said before was withdrawn."""
    abstained: bool = False
    model: str | None = None
    degraded: tuple[str, ...] = ()
    seconds: float | None = None
    timings_ms: dict[str, float] = field(default_factory=dict)
    """By stage; empty for an answer of an earlier day."""
    problem: str = ""
    started: float = field(default_factory=time.monotonic)

    def add_delta(self, text: str) -> None:
        self.phase = Phase.WRITING if self.phase.is_open else self.phase
        self.draft += text

    def add_sentence(self, sentence: AnswerSentence, citations: tuple[Citation, ...]) -> None:
        self.phase = Phase.WRITING if self.phase.is_open else self.phase
        self.sentences.append(sentence)
        self.citations.extend(citations)
        # The engine cuts with the same function, so what is left is the sentence that still grows.
        spans = split_sentences(self.draft)
        rest = self.draft[spans[-1][0] :] if spans else ""
        self.draft = "" if " ".join(rest.split()) == sentence.text else rest

    def replace(self, reason: str) -> None:
        self.sentences.clear()
        self.citations.clear()
        self.draft = ""
        self.replaced = reason

    def finish(self, answer: Answer) -> None:
        """Take the result; a turn that was stopped stays so."""
        if self.phase is not Phase.STOPPED:
            self.phase = Phase.DONE
        self.sentences = list(answer.sentences)
        self.citations = list(answer.citations)
        self.passages = answer.passages
        self.rewritten = answer.rewritten or ""
        self.abstained = answer.abstained
        self.model = answer.model
        self.degraded = answer.degraded
        self.seconds = answer.timings_ms.get("total", 0.0) / 1000
        self.timings_ms = dict(answer.timings_ms)
        self.draft = ""

    def citation(self, marker: int) -> Citation | None:
        return next((citation for citation in self.citations if citation.marker == marker), None)

    def exchange(self) -> Exchange:
        """What a follow-up may refer to."""
        from edgerag.answers import Exchange

        supported = " ".join(sentence.text for sentence in self.sentences if sentence.is_supported)
        return Exchange(self.rewritten or self.question, supported)


def saved_turn(turn: Turn) -> TurnState:
    """A turn of a saved conversation."""
    return TurnState(
        question=turn.question,
        phase=Phase.DONE,
        rewritten=turn.rewritten or "",
        sentences=list(turn.sentences),
        citations=list(turn.citations),
        abstained=turn.abstained,
        model=turn.model,
        degraded=turn.degraded,
        seconds=turn.seconds,
    )
