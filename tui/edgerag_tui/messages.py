"""What the session tells the screens: one message for each engine event and each change of state.

Those with a `task_id` go to whoever asked for the work; a screen drops the ones whose task it no longer waits for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textual.message import Message

from edgerag_tui.status import Status

if TYPE_CHECKING:
    from edgerag.answers import Answer, AnswerSentence, Citation
    from edgerag.ask.explain import Explanation
    from edgerag.ask.why_not import WhyNot
    from edgerag.cli.doctor import Finding
    from edgerag.datatypes import Document, FileFailed, IngestProgress, IngestSummary, Passage
    from edgerag.models.events import PullEvent
    from edgerag.storage.library import StoredText
    from edgerag.storage.turns import Conversation, ConversationHit, Turn
    from edgerag_tui.job import Job
    from edgerag_tui.models_work import ModelRow
    from edgerag_tui.screens.search_request import SearchFilter
    from edgerag_tui.session_files import Listing
    from edgerag_tui.settings_work import SettingChange, SettingRow


# --- to the application, which passes them on to every screen -------------------------------------


@dataclass
class StatusChanged(Message, bubble=False):
    status: Status


@dataclass
class LibraryChanged(Message, bubble=False):
    """Documents were added, changed or removed; lists of them are out of date."""


@dataclass
class ConversationsChanged(Message, bubble=False):
    """A conversation was saved, renamed or deleted."""


@dataclass
class JobsChanged(Message, bubble=False):
    jobs: tuple[Job, ...]
    """The newest first."""
    is_watching: bool


@dataclass
class JobsOffered(Message, bubble=False):
    """An earlier session has left something undone."""

    jobs: tuple[Job, ...]


@dataclass
class SessionClosed(Message, bubble=False):
    """All work has ended and the library is closed: the application may leave."""


# --- an answer ------------------------------------------------------------------------------------


@dataclass
class AskRewritten(Message, bubble=False):
    task_id: int
    question: str
    rewritten: str
    reason: str


@dataclass
class AskPassages(Message, bubble=False):
    task_id: int
    passages: tuple[Passage, ...]


@dataclass
class AskDelta(Message, bubble=False):
    task_id: int
    text: str


@dataclass
class AskSentence(Message, bubble=False):
    task_id: int
    sentence: AnswerSentence
    citations: tuple[Citation, ...]


@dataclass
class AskReplaced(Message, bubble=False):
    task_id: int
    reason: str


@dataclass
class AskDone(Message, bubble=False):
    task_id: int
    answer: Answer


# --- an ingest ------------------------------------------------------------------------------------


@dataclass
class IngestAdvanced(Message, bubble=False):
    task_id: int
    progress: IngestProgress


@dataclass
class IngestFileFailed(Message, bubble=False):
    task_id: int
    failure: FileFailed


@dataclass
class IngestDone(Message, bubble=False):
    task_id: int
    summary: IngestSummary


# --- reading --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DocumentView:
    """A document as the screen shows it."""

    stored: StoredText
    text: str
    """The stored text as it may be shown (`safe.plain`): the same offsets."""
    start_chars: int
    """Range to show and mark; both 0: the beginning, nothing marked."""
    end_chars: int
    state: str
    """How the range relates to what was cited: `exact`, `moved` or `changed` (the quote is gone)."""
    chunks: tuple[tuple[int, int], ...]
    """Offsets of each chunk, in order."""


@dataclass
class DocumentLoaded(Message, bubble=False):
    task_id: int
    view: DocumentView


@dataclass
class DocumentsListed(Message, bubble=False):
    task_id: int
    documents: list[Document]


@dataclass
class FilesListed(Message, bubble=False):
    task_id: int
    listing: Listing


@dataclass
class ConversationsListed(Message, bubble=False):
    task_id: int
    conversations: list[Conversation]
    hits: list[ConversationHit]
    """What a search found; empty where nothing was searched for."""


@dataclass
class QuestionsListed(Message, bubble=False):
    task_id: int
    questions: list[str]
    """The latest last, without repeats."""


@dataclass
class ConversationLoaded(Message, bubble=False):
    task_id: int
    conversation: Conversation
    turns: list[Turn]


# --- searching and explaining ---------------------------------------------------------------------


@dataclass
class SearchFound(Message, bubble=False):
    """One stage of a search has ended; the next one may order the passages anew."""

    task_id: int
    stage: str
    """`lexical`, `vector` or `rerank`: the last one that had its say."""
    passages: tuple[Passage, ...]
    """Best first."""
    num_documents: int | None
    """Those that the filter leaves; None where all are searched."""
    degraded: tuple[str, ...]
    elapsed_ms: float


@dataclass
class FiltersListed(Message, bubble=False):
    task_id: int
    filters: list[SearchFilter]


@dataclass
class Explained(Message, bubble=False):
    task_id: int
    explanation: Explanation


@dataclass
class AbsenceExplained(Message, bubble=False):
    task_id: int
    outcome: WhyNot


# --- models, settings, checks ---------------------------------------------------------------------


@dataclass
class ModelsListed(Message, bubble=False):
    task_id: int
    rows: list[ModelRow]


@dataclass
class PullAdvanced(Message, bubble=False):
    """A download has begun, come further, or has something to say."""

    task_id: int
    event: PullEvent | None
    """None: it begins now."""


@dataclass
class SettingsListed(Message, bubble=False):
    task_id: int
    rows: list[SettingRow]


@dataclass
class SettingChanged(Message, bubble=False):
    task_id: int
    change: SettingChange


@dataclass
class CheckDone(Message, bubble=False):
    """One check of the doctor's; `Finished` ends them."""

    task_id: int
    finding: Finding


@dataclass
class Finished(Message, bubble=False):
    """Work without a message of its own has ended well."""

    task_id: int
    name: str
    result: Any


@dataclass
class Failed(Message, bubble=False):
    """Work ended with an error."""

    task_id: int
    name: str
    """Of the task, e.g. `ask`, `document`, `sync`."""
    problem: str
    """What happened to what."""
    hint: str
    """What to do next; may be empty."""
