"""What comes out of a question: the events of an answer, its sentences with their citations, and past exchanges."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgerag.datatypes import Document, Passage


@dataclass(frozen=True, slots=True)
class Citation:
    """A quote and the place it was copied from: `document text[start_chars:end_chars] == quote`."""

    marker: int
    """The number shown in the answer, from 1."""
    document: Document
    page: int | None
    start_chars: int
    end_chars: int
    quote: str
    heading: str | None = None
    """Heading path above the quote, outermost first; None where there is none."""


@dataclass(frozen=True, slots=True)
class AnswerSentence:
    """A sentence of an answer after checking."""

    text: str
    markers: tuple[int, ...]
    """Citations that support it; empty means unsupported, and it is shown flagged."""
    reason: str = ""
    """Why it is unsupported, e.g. `number 42 occurs in no passage`."""

    @property
    def is_supported(self) -> bool:
        return bool(self.markers)


@dataclass(frozen=True, slots=True)
class Answer:
    question: str
    sentences: tuple[AnswerSentence, ...]
    abstained: bool
    model: str | None
    """Generator's name; None for an extractive answer."""
    citations: tuple[Citation, ...]
    passages: tuple[Passage, ...]
    degraded: tuple[str, ...]
    timings_ms: dict[str, float]
    notes: dict[str, object] = field(default_factory=dict)
    """Prompt tokens, generated tokens, tokens per second, evidence score."""
    rewritten: str | None = None
    """The stand-alone question that was searched and answered in place of a follow-up; None where `question` was."""
    conversation_id: int | None = None
    """Where this answer was saved; None where it was not."""

    @property
    def standalone(self) -> str:
        """The question as it makes sense without those before it."""
        return self.rewritten or self.question

    @property
    def text(self) -> str:
        """The answer as a person reads it: markers in brackets, unsupported sentences flagged."""
        return " ".join(render_sentence(sentence) for sentence in self.sentences)


def render_sentence(sentence: AnswerSentence) -> str:
    """`It rained. [1][2]`, or `It rained. [unsupported]`."""
    marks = "".join(f"[{marker}]" for marker in sentence.markers) or "[unsupported]"
    return f"{sentence.text} {marks}"


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a follow-up may refer to: a question of before, and what was answered."""

    question: str
    """In its stand-alone form."""
    answer: str
    """Its supported sentences, without markers; empty where there was no answer."""


@dataclass(frozen=True, slots=True)
class QuestionRewritten:
    """A follow-up was made a stand-alone question, which is searched and answered in its place."""

    question: str
    """As the person asked."""
    rewritten: str
    reason: str
    """What was carried over, in words: `"it" stands for "the stove"`."""


@dataclass(frozen=True, slots=True)
class PassagesFound:
    """Retrieval has ended; the answer begins."""

    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class AnswerDelta:
    """Raw text from the generator, not yet checked."""

    text: str


@dataclass(frozen=True, slots=True)
class SentenceChecked:
    """A sentence is complete and has its citations or its flag."""

    sentence: AnswerSentence
    citations: tuple[Citation, ...]
    """Those whose marker appears here for the first time."""
    is_settled: bool
    """Whether the answer can no longer be withdrawn: a sentence so far is supported and bears on the question."""


@dataclass(frozen=True, slots=True)
class AnswerReplaced:
    """What was shown so far is withdrawn; an extractive answer follows."""

    reason: str


AskEvent = QuestionRewritten | PassagesFound | AnswerDelta | SentenceChecked | AnswerReplaced | Answer
