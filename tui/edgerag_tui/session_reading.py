"""The session's calls that read: documents and saved conversations. Rules as in `session.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from textual.message import Message

from edgerag.errors import EdgeragError, os_reason
from edgerag_tui import messages, safe
from edgerag_tui.strings import say, tr

if TYPE_CHECKING:
    from edgerag.answers import Citation
    from edgerag.datatypes import Document
    from edgerag.engine import Engine
    from edgerag_tui.session import Session
    from edgerag_tui.tasks import Task


class Target(Protocol):
    """Who gets the messages: any widget, screen or application."""

    def post_message(self, message: Message) -> bool: ...


class Documents:
    """`session.documents`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def open(self, name: str, *, to: Target, start_chars: int = 0, end_chars: int = 0, state: str = "exact") -> Task:
        """Load a document by id, path or the end of one; `DocumentLoaded`."""

        def work(engine: Engine, task: Task) -> messages.DocumentView:
            document = engine.document(name)
            return _view(engine, document.id, start_chars, end_chars, state)

        return self._session.run("read", "document", work, to=to, reply=messages.DocumentLoaded)

    def open_citation(self, citation: Citation, *, to: Target) -> Task:
        """Load the document of a citation at the place where its quote stands now; `DocumentLoaded`."""

        def work(engine: Engine, task: Task) -> messages.DocumentView:
            place = engine.locate(citation)
            if place.document is None:
                raise EdgeragError(
                    tr("errors.document_gone", path=citation.document.path),
                    hint=tr("errors.it_said", quote=citation.quote),
                )
            # A place that no longer holds the quote is shown, but not marked as if it did.
            end_chars = place.start_chars if place.state == "changed" else place.end_chars
            return _view(engine, place.document.id, place.start_chars, end_chars, place.state)

        return self._session.run("read", "document", work, to=to, reply=messages.DocumentLoaded)

    def find_all(self, *, to: Target) -> Task:
        """Every document, by path; `DocumentsListed`."""

        def work(engine: Engine, task: Task) -> list[Document]:
            return engine.library.documents()

        return self._session.run("read", "documents", work, to=to, reply=messages.DocumentsListed)


class Conversations:
    """`session.conversations`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, query: str = "", *, to: Target) -> Task:
        """The saved conversations, last changed first, or what a search in them finds; `ConversationsListed`."""

        def work(engine: Engine, task: Task) -> tuple[list[Any], list[Any]]:
            if query.strip():
                return [], engine.conversations.search(query)
            return engine.conversations.all(), []

        return self._session.run(
            "read",
            "conversations",
            work,
            to=to,
            reply=lambda task_id, found: messages.ConversationsListed(task_id, found[0], found[1]),
        )

    def questions(self, top_k: int, *, to: Target) -> Task:
        """What was asked last, each question once, the latest last; `QuestionsListed`."""

        def work(engine: Engine, task: Task) -> list[str]:
            return engine.conversations.questions(top_k)

        return self._session.run("read", "questions", work, to=to, reply=messages.QuestionsListed)

    def open(self, conversation_id: int, *, to: Target) -> Task:
        """All turns of a conversation; `ConversationLoaded`."""

        def work(engine: Engine, task: Task) -> tuple[Any, list[Any]]:
            return engine.conversations.get(conversation_id), engine.conversations.turns(conversation_id)

        return self._session.run(
            "read",
            "conversation",
            work,
            to=to,
            reply=lambda task_id, found: messages.ConversationLoaded(task_id, found[0], found[1]),
        )

    def rename(self, conversation_id: int, title: str, *, to: Target) -> Task:
        """`Finished`."""
        return self._change("rename", lambda engine: engine.conversations.rename(conversation_id, title), to=to)

    def delete(self, conversation_id: int, *, to: Target) -> Task:
        """`Finished`."""
        return self._change("delete", lambda engine: engine.conversations.delete(conversation_id), to=to)

    def export(self, conversation_id: int, path: Path, *, to: Target) -> Task:
        """Write its Markdown to a new file; `Finished` with the path.

        A file that exists already is left as it is, which is `Failed`.
        """

        def work(engine: Engine, task: Task) -> str:
            text = engine.export_conversation(conversation_id)
            try:
                with path.open("x", encoding="utf-8") as stream:
                    stream.write(text)
            except OSError as error:
                raise EdgeragError(
                    tr("errors.unwritable", path=path, problem=say(os_reason(error))), hint=tr("errors.other_name")
                ) from error
            return str(path)

        return self._session.run("read", "export", work, to=to)

    def _change(self, name: str, change: Callable[[Engine], object], *, to: Target) -> Task:
        def work(engine: Engine, task: Task) -> None:
            change(engine)
            self._session.announce(messages.ConversationsChanged())

        return self._session.run("read", name, work, to=to)


def _view(engine: Engine, document_id: int, start_chars: int, end_chars: int, state: str) -> messages.DocumentView:
    stored = engine.library.document_text(document_id)
    chunks = tuple(engine.library.chunk_spans(document_id))
    return messages.DocumentView(stored, safe.plain(stored.text), start_chars, end_chars, state, chunks)
