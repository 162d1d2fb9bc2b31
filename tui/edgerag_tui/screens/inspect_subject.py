"""Which question is inspected, and the engine's calls about it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from edgerag.errors import ModelError
from edgerag_tui import messages
from edgerag_tui.evidence import EvidenceItem, evidence_items
from edgerag_tui.tasks import Task
from edgerag_tui.turns import Phase, TurnState

if TYPE_CHECKING:
    from edgerag.answers import Citation
    from edgerag.ask.explain import Explanation
    from edgerag.ask.why_not import WhyNot
    from edgerag.datatypes import Document, DocumentFilter
    from edgerag.engine import Engine, Mode
    from edgerag_tui.app import EdgeragApp
    from edgerag_tui.session import Session
    from edgerag_tui.session_reading import Target

LANE = "inspect"


@dataclass(frozen=True, slots=True)
class Subject:
    question: str
    """As it was put."""
    searched: str
    """The stand-alone question."""
    extractive: bool = False
    model: str | None = None
    """Generator that wrote the answer; None: the one in use."""
    citations: tuple[Citation, ...] | None = None
    """Of the answer; None where none was given."""
    mode: Mode = "hybrid"
    rerank: bool = True
    within: DocumentFilter | None = None
    """Only these documents were searched."""
    timings_ms: dict[str, float] = field(default_factory=dict)
    """Of the answer; empty where none was given or they were not kept."""

    @property
    def is_rewritten(self) -> bool:
        return self.searched != self.question


def last_asked(app: EdgeragApp) -> tuple[TurnState, bool] | None:
    """The turn that the Ask screen shows, and whether answers are extractive there; None before the first question."""
    from edgerag_tui.screens.ask import AskScreen  # the screens are imported when they are opened

    screen = next((screen for screen in app.live_screens if isinstance(screen, AskScreen)), None)
    return None if screen is None or screen.turn is None else (screen.turn, screen.extractive)


def subject_of(turn: TurnState, *, extractive: bool) -> Subject:
    """The subject of a question that was asked.

    What was searched is taken as it was, so that no history is needed to arrive at it again.

    Args:
        extractive: Whether answers are extractive now, for a turn that has none yet.
    """
    is_done = turn.phase is Phase.DONE
    if is_done and not turn.abstained:
        extractive = turn.model is None
    citations = tuple(turn.citations) if is_done else None
    searched = turn.rewritten or turn.question
    model = turn.model if is_done else None
    return Subject(turn.question, searched, extractive, model, citations, timings_ms=dict(turn.timings_ms))


def _generator_of(engine: Engine, subject: Subject) -> str | None:
    """Whose prompt is shown: the answer's generator; None, the one in use, where that is not installed any more."""
    if subject.extractive or subject.model is None:
        return None
    try:
        engine.models.generator_model(subject.model)
    except ModelError:
        return None
    return subject.model


def start_explaining(session: Session, subject: Subject, *, to: Target) -> Task:
    """`Explained`, or `Failed`."""
    return session.run(
        LANE,
        "explain",
        lambda engine, task: engine.explain(
            subject.searched,
            extractive=subject.extractive,
            model=_generator_of(engine, subject),
            mode=subject.mode,
            rerank=subject.rerank,
            within=subject.within,
        ),
        to=to,
        reply=messages.Explained,
    )


def start_why_not(session: Session, subject: Subject, document: Document | str, *, to: Target) -> Task:
    """`AbsenceExplained`, or `Failed`."""
    return session.run(
        LANE,
        "why-not",
        lambda engine, task: engine.why_not(
            subject.searched,
            document,
            extractive=subject.extractive,
            model=_generator_of(engine, subject),
            citations=subject.citations,
        ),
        to=to,
        reply=messages.AbsenceExplained,
    )


def sentence_item(explanation: Explanation, place: int) -> EvidenceItem | None:
    """A sentence of the evidence as something that the Document screen can open."""
    if place >= len(explanation.evidence):
        return None
    use = explanation.evidence[place]
    item = evidence_items([explanation.hits[use.passage_rank - 1].passage], [])[0]
    return replace(item, start_chars=use.start_chars, end_chars=use.end_chars)


def best_chunk_item(outcome: WhyNot) -> EvidenceItem | None:
    """The same for the chunk that came furthest; None where the library holds none."""
    from edgerag.datatypes import Passage, Scores

    if outcome.document is None or outcome.chunk is None:
        return None
    return evidence_items([Passage(1, outcome.document, outcome.chunk, Scores(None, None, 0.0, None, 0.0))], [])[0]
