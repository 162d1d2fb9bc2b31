"""Conversations: questions with their checked answers, kept in the library until they are deleted.

A turn is written in one short transaction of its own and without the writer lock, so that an answer is saved while an
ingest runs: the two never touch the same tables, and SQLite itself lets one of them wait for the other's commit.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from edgerag.answers import Answer, Citation, Exchange
from edgerag.coded_text import coded, to_json
from edgerag.datatypes import Document
from edgerag.errors import LibraryError
from edgerag.storage import lexical
from edgerag.storage.checksums import row_checksum
from edgerag.storage.sqlite import transaction, translated
from edgerag.storage.turn_texts import snippet, storable, title_of
from edgerag.storage.turns import (
    CHECKED_TURN_COLUMNS,
    CITATION_COLUMNS,
    Conversation,
    ConversationHit,
    Turn,
    citation_values,
    turn_from_row,
)

if TYPE_CHECKING:
    from edgerag.storage.library import Library

LONGEST_TITLE_CHARS = 200
_CONVERSATIONS = (
    "SELECT c.id, c.title, c.started_at, max(t.asked_at), count(t.id) FROM conversations AS c "
    "JOIN turns AS t ON t.conversation_id = c.id"
)
"""In order of their last turn's id and not of its time: clocks are set back."""


class Conversations:
    """The saved conversations of one library; safe to use from several threads."""

    def __init__(self, library: Library) -> None:
        self._library = library

    # --- reading ----------------------------------------------------------------------------------

    def all(self, top_k: int | None = None) -> list[Conversation]:
        """The conversations, the one that was continued last first.

        Args:
            top_k: At most so many; None: all.
        """
        sql = f"{_CONVERSATIONS} GROUP BY c.id ORDER BY max(t.id) DESC LIMIT ?"
        return [Conversation(*row) for row in self._library.rows(sql, (-1 if top_k is None else top_k,))]

    def last(self) -> Conversation | None:
        """The conversation that was continued last; None where there is none."""
        return next(iter(self.all(1)), None)

    def get(self, conversation_id: int) -> Conversation:
        """One conversation.

        Raises:
            LibraryError: There is none of this id.
        """
        rows = self._library.rows(f"{_CONVERSATIONS} WHERE c.id = ? GROUP BY c.id", (conversation_id,))
        if not rows:
            raise LibraryError(
                coded("library.no_conversation", "The library has no conversation {number}.", number=conversation_id),
                hint=coded("hint.list_conversations", "`edgerag conversations list` lists all."),
            )
        return Conversation(*rows[0])

    def turns(self, conversation_id: int) -> list[Turn]:
        """The turns of a conversation in order; a damaged one says so in its `degraded` and shows no answer.

        Raises:
            LibraryError: There is no such conversation.
        """
        self.get(conversation_id)
        return self._turns("t.conversation_id = ? ORDER BY t.ordinal", (conversation_id,))

    def history(self, conversation_id: int, top_k: int = 4) -> list[Exchange]:
        """The last exchanges of a conversation, oldest first: what a follow-up may refer to.

        Raises:
            LibraryError: There is no such conversation.
        """
        return [turn.exchange for turn in self.turns(conversation_id)[-top_k:]]

    def questions(self, top_k: int) -> list[str]:
        """The questions that were asked last, each once, the latest last."""
        sql = "SELECT question FROM turns GROUP BY question ORDER BY max(id) DESC LIMIT ?"
        return [str(row[0]) for row in reversed(self._library.rows(sql, (top_k,)))]

    def search(self, query: str, top_k: int = 20) -> list[ConversationHit]:
        """Conversations whose title holds the query, then those with a turn whose question or answer holds its words.

        Each conversation comes once, with its best turn. Terms are the lexical search's, so that Chinese, Japanese and
        Korean are found too; the last one may be the beginning of a word.
        """
        query = storable(query)
        wanted = " ".join(query.split()).casefold()
        if not wanted:
            return []
        known = {conversation.id: conversation for conversation in self.all()}
        hits = {
            conversation.id: ConversationHit(conversation, None, "")
            for conversation in known.values()
            if wanted in conversation.title.casefold()
        }
        turn_ids = lexical.search_turns(self._library, query, top_k * 5)
        turns = {turn.id: turn for turn in self._turns(f"t.id IN ({_marks(turn_ids)})", turn_ids)}
        for turn_id in turn_ids:
            turn = turns.get(turn_id)
            if turn is None or turn.conversation_id not in known:
                continue  # deleted by another program since the search
            hit = hits.get(turn.conversation_id)
            if hit is None or hit.turn is None:
                hits[turn.conversation_id] = ConversationHit(
                    known[turn.conversation_id], turn, snippet(f"{turn.question} {turn.text}", query)
                )
        return list(hits.values())[:top_k]

    def _turns(self, condition: str, values: Sequence[Any]) -> list[Turn]:
        rows = self._library.rows(
            f"SELECT t.id, t.conversation_id, t.ordinal, t.seconds, t.checksum, {CHECKED_TURN_COLUMNS} "
            f"FROM turns AS t WHERE {condition}",
            values,
        )
        citations = self._citations([row[0] for row in rows])
        return [turn_from_row(row, *citations.get(row[0], ((), False))) for row in rows]

    def _citations(self, turn_ids: Sequence[int]) -> dict[int, tuple[tuple[Citation, ...], bool]]:
        """The sound citations of each turn, and whether one of them is damaged."""
        found: dict[int, tuple[tuple[Citation, ...], bool]] = {}
        for start in range(0, len(turn_ids), lexical.ID_BATCH):
            some = turn_ids[start : start + lexical.ID_BATCH]
            sql = (
                f"SELECT turn_id, checksum, {CITATION_COLUMNS} FROM turn_citations "
                f"WHERE turn_id IN ({_marks(some)}) ORDER BY turn_id, marker"
            )
            for turn_id, checksum, *fields in self._library.rows(sql, some):
                sound, is_damaged = found.get(turn_id, ((), False))
                if row_checksum(*fields) != checksum:
                    found[turn_id] = (sound, True)
                    continue
                document = Document(*fields[1:8])
                page, heading, start_chars, end_chars, quote = fields[8:]
                citation = Citation(fields[0], document, page, start_chars, end_chars, quote, heading)
                found[turn_id] = ((*sound, citation), is_damaged)
        return found

    # --- changing ---------------------------------------------------------------------------------

    def save(self, answer: Answer, conversation_id: int | None = None) -> int:
        """Append an answer to a conversation, or begin a new one with it; all of it is committed, or nothing.

        Returns:
            The conversation's id.

        Raises:
            LibraryError: No such conversation, or the database could not be written.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        plain = " ".join(sentence.text for sentence in answer.sentences)
        sentences = json.dumps(
            [[s.text, list(s.markers), to_json(s.reason)] for s in answer.sentences], ensure_ascii=False
        )
        degraded = json.dumps([to_json(note) for note in answer.degraded], ensure_ascii=False)
        abstained, model = int(answer.abstained), answer.model
        question = storable(answer.question)
        rewritten = storable(answer.rewritten) if answer.rewritten is not None else None
        fields = (now, question, rewritten, plain, sentences, abstained, model, degraded)
        connection = self._library.connection()
        with transaction(connection, self._library.path):
            if conversation_id is None:
                cursor = connection.execute(
                    "INSERT INTO conversations (title, started_at) VALUES (?, ?)", (title_of(question), now)
                )
                conversation_id = int(cursor.lastrowid or 0)
            elif not connection.execute("SELECT 1 FROM conversations WHERE id = ?", (conversation_id,)).fetchone():
                raise LibraryError(
                    coded(
                        "library.conversation_deleted",
                        "Conversation {number} was deleted meanwhile.",
                        number=conversation_id,
                    ),
                    hint=coded("hint.ask_again", "Ask again to begin a new one."),
                )
            cursor = connection.execute(
                f"INSERT INTO turns (conversation_id, ordinal, seconds, checksum, {CHECKED_TURN_COLUMNS}) "
                "VALUES (?, (SELECT coalesce(max(ordinal), 0) + 1 FROM turns WHERE conversation_id = ?), "
                "?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    conversation_id,
                    conversation_id,
                    answer.timings_ms.get("total", 0.0) / 1000,
                    row_checksum(*fields),
                    *fields,
                ),
            )
            turn_id = int(cursor.lastrowid or 0)
            for citation in answer.citations:
                values = citation_values(citation)
                connection.execute(
                    f"INSERT INTO turn_citations (turn_id, checksum, {CITATION_COLUMNS}) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (turn_id, row_checksum(*values), *values),
                )
            lexical.add_turn(connection, turn_id, question, plain)
        return conversation_id

    def rename(self, conversation_id: int, title: str) -> None:
        """Give a conversation another title.

        Raises:
            ValueError: The title is blank.
            LibraryError: There is no such conversation.
        """
        line = storable(" ".join(title.split())[:LONGEST_TITLE_CHARS])
        if not line:
            raise ValueError("a title must not be blank")
        self.get(conversation_id)
        connection = self._library.connection()
        with transaction(connection, self._library.path):
            connection.execute("UPDATE conversations SET title = ? WHERE id = ?", (line, conversation_id))

    def delete(self, conversation_id: int) -> None:
        """Delete a conversation with all its turns; its pages in the database are overwritten with zeros.

        What the write-ahead log still holds of it goes with `edgerag compact`.

        Raises:
            LibraryError: There is no such conversation.
        """
        self.get(conversation_id)
        connection = self._library.connection()
        with translated(self._library.path):
            connection.execute("PRAGMA secure_delete = ON")
        try:
            with transaction(connection, self._library.path):
                sql = "SELECT id, question, answer FROM turns WHERE conversation_id = ?"
                for turn_id, question, answer in connection.execute(sql, (conversation_id,)).fetchall():
                    lexical.remove_turn(connection, turn_id, question, answer)
                connection.execute("DELETE FROM conversations WHERE id = ?", (conversation_id,))
                # Without it the words of deleted turns stay in the index's older segments.
                connection.execute("INSERT INTO turn_fts (turn_fts) VALUES ('optimize')")
        finally:
            with translated(self._library.path):
                connection.execute("PRAGMA secure_delete = OFF")


def _marks(values: Sequence[Any]) -> str:
    return ",".join("?" * len(values))
