"""The rows of a conversation as values: what was asked, what was answered, and what was quoted for it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgerag.answers import AnswerSentence, Citation, Exchange, render_sentence
from edgerag.coded_text import at_stage, coded, from_json
from edgerag.storage.checksums import row_checksum

CHECKED_TURN_COLUMNS = "asked_at, question, rewritten, answer, sentences, abstained, model, degraded"
CITATION_COLUMNS = (
    "marker, document_id, path, title, format, content_hash, size_bytes, mtime_ns, page, heading, start_chars, "
    "end_chars, quote"
)
DAMAGED = at_stage(
    "storage",
    coded("degraded.turn", "a part of this saved answer is damaged and was left out; run `edgerag verify`"),
)


@dataclass(frozen=True, slots=True)
class Conversation:
    id: int
    """Never used again after deletion."""
    title: str
    started_at: str
    """ISO 8601, UTC; also `changed_at`."""
    changed_at: str
    num_turns: int
    """At least 1: a conversation begins with the first saved answer."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A question with its answer, as it was when it was saved."""

    id: int
    conversation_id: int
    ordinal: int
    """Position in the conversation, from 1."""
    asked_at: str
    """ISO 8601, UTC."""
    question: str
    rewritten: str | None
    """The stand-alone question that was searched; None where `question` was."""
    sentences: tuple[AnswerSentence, ...]
    citations: tuple[Citation, ...]
    """Their documents are as they were then; the library may have lost or changed them since."""
    abstained: bool
    model: str | None
    """Generator's name; None for an extractive answer."""
    degraded: tuple[str, ...]
    seconds: float
    """How long the answer took."""

    @property
    def text(self) -> str:
        """The answer as a person reads it: markers in brackets, unsupported sentences flagged."""
        return " ".join(render_sentence(sentence) for sentence in self.sentences)

    @property
    def exchange(self) -> Exchange:
        """What a follow-up may refer to."""
        return Exchange(self.rewritten or self.question, supported_text(self.sentences))


@dataclass(frozen=True, slots=True)
class ConversationHit:
    conversation: Conversation
    turn: Turn | None
    """The turn that fits best; None where only the title fits."""
    snippet: str
    """The part of its question and answer where the query's words stand, on one line; empty without a turn."""


def supported_text(sentences: Sequence[AnswerSentence]) -> str:
    """What of an answer stands in the documents, without markers."""
    return " ".join(sentence.text for sentence in sentences if sentence.is_supported)


def turn_from_row(row: Sequence[Any], citations: tuple[Citation, ...], is_damaged: bool) -> Turn:
    """A turn out of its id, conversation, ordinal, seconds, checksum and `CHECKED_TURN_COLUMNS`.

    A damaged row gives the question alone and says so in `degraded`.
    """
    turn_id, conversation_id, ordinal, seconds, checksum, *fields = row
    asked_at, question, rewritten, _, sentences, abstained, model, degraded = fields
    if row_checksum(*fields) != checksum:
        return Turn(
            turn_id, conversation_id, ordinal, asked_at, str(question), None, (), (), False, None, (DAMAGED,), seconds
        )
    notes = tuple(from_json(note) for note in json.loads(degraded))
    return Turn(
        id=turn_id,
        conversation_id=conversation_id,
        ordinal=ordinal,
        asked_at=asked_at,
        question=question,
        rewritten=rewritten,
        sentences=tuple(
            AnswerSentence(text, tuple(marks), from_json(reason)) for text, marks, reason in json.loads(sentences)
        ),
        citations=citations,
        abstained=bool(abstained),
        model=model,
        degraded=(*notes, DAMAGED) if is_damaged else notes,
        seconds=seconds,
    )


def citation_values(citation: Citation) -> tuple[Any, ...]:
    """The values of `CITATION_COLUMNS`."""
    document = citation.document
    return (
        citation.marker,
        document.id,
        document.path,
        document.title,
        document.format,
        document.content_hash,
        document.size_bytes,
        document.mtime_ns,
        citation.page,
        citation.heading,
        citation.start_chars,
        citation.end_chars,
        citation.quote,
    )
