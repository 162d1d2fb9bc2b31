"""Changing a library. Every method that changes rows is one transaction, or runs inside the caller's."""

from __future__ import annotations

import contextlib
import json
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgerag.datatypes import ChunkDraft, Encoding, ParsedDocument, ScannedFile
from edgerag.errors import LibraryError
from edgerag.storage import failures, lexical
from edgerag.storage.checksums import chunk_checksum, content_key, document_checksum, row_checksum
from edgerag.storage.sqlite import transaction

if TYPE_CHECKING:
    from edgerag.storage.library import Library

ZLIB_LEVEL = 6
KEPT_EVENTS = 1000


@dataclass(frozen=True, slots=True)
class NewDocument:
    """All that one transaction writes for a document."""

    source_id: int
    file: ScannedFile
    content_hash: str
    """SHA-256 of the file's bytes, hex."""
    recipe: str
    """Parser and chunker versions and settings; another one means parsing again."""
    parsed: ParsedDocument
    chunks: Sequence[ChunkDraft]


class LibraryWriter:
    """The one writer of a library; obtained from `Library.writing`, which holds the lock."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._connection = library.connection()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Group several changes into one commit; nested use joins the outer transaction."""
        if self._connection.in_transaction:
            yield
            return
        with transaction(self._connection, self._library.path):
            yield

    @contextlib.contextmanager
    def part_of_transaction(self) -> Iterator[None]:
        """A part of the caller's transaction: if it raises, it alone is undone, and the rest may go on."""
        self._connection.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            if self._connection.in_transaction:  # a full disk has rolled back all
                self._connection.execute("ROLLBACK TO part")
                self._connection.execute("RELEASE part")
            raise
        self._connection.execute("RELEASE part")

    def add_source(self, path: Path) -> int:
        """Remember a file or folder; returns its id, also where it was known."""
        with self.transaction():
            self._connection.execute(
                "INSERT INTO sources (path, added_at) VALUES (?, ?) ON CONFLICT (path) DO NOTHING",
                (str(path), _now()),
            )
            return int(self._connection.execute("SELECT id FROM sources WHERE path = ?", (str(path),)).fetchone()[0])

    def remove_source(self, source_id: int) -> int:
        """Forget a source and everything derived from it; returns the number of documents."""
        with self.transaction():
            rows = self._connection.execute("SELECT id FROM documents WHERE source_id = ?", (source_id,)).fetchall()
            self.delete_documents([row[0] for row in rows])
            self._connection.execute("DELETE FROM failures WHERE source_id = ?", (source_id,))
            self._connection.execute("DELETE FROM sources WHERE id = ?", (source_id,))
            self.collect_garbage()
        return len(rows)

    def fingerprint_id(self, fingerprint: str, model: str, dim: int) -> int:
        with self.transaction():
            self._connection.execute(
                "INSERT INTO fingerprints (fingerprint, model, dim) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (fingerprint, model, dim),
            )
            row = self._connection.execute(
                "SELECT id FROM fingerprints WHERE fingerprint = ?", (fingerprint,)
            ).fetchone()
        return int(row[0])

    def known_embeddings(self, fingerprint_id: int, keys: Sequence[bytes]) -> dict[bytes, int]:
        """Embedding id by content key, of those keys that are embedded already."""
        known: dict[bytes, int] = {}
        for start in range(0, len(keys), 500):
            some = keys[start : start + 500]
            marks = ",".join("?" * len(some))
            sql = f"SELECT content_hash, id FROM embeddings WHERE fingerprint_id = ? AND content_hash IN ({marks})"
            known.update(self._library.rows(sql, (fingerprint_id, *some)))
        return known

    def store_document(self, new: NewDocument, *, fingerprint_id: int, encodings: dict[bytes, Encoding]) -> int:
        """Write a document with its chunks, embeddings and lexical rows, replacing its former content.

        Chunks whose embedded text is unchanged keep their ids, so that the vector index stays valid for them.

        Args:
            encodings: By content key, for every chunk whose embedding the library does not hold yet.

        Raises:
            LibraryError: An encoding is missing, or the database failed; nothing was changed.
        """
        with self.transaction():
            document_id = self._put_document(new)
            keys = [content_key(draft.embedded_text) for draft in new.chunks]
            embedding_ids = self._put_embeddings(keys, fingerprint_id, encodings)
            self._put_chunks(document_id, new.chunks, keys, embedding_ids)
            failures.forget(self._connection, [str(new.file.path)])
            self._count_change()
        return document_id

    def _put_document(self, new: NewDocument) -> int:
        parsed = new.parsed
        pages = json.dumps([[page.number, page.start_chars, page.end_chars] for page in parsed.pages])
        headings = json.dumps([[h.level, h.text, h.start_chars] for h in parsed.headings], ensure_ascii=False)
        warnings = json.dumps(list(parsed.warnings), ensure_ascii=False)
        text_zlib = zlib.compress(parsed.text.encode("utf-8"), ZLIB_LEVEL)
        path = str(new.file.path)
        values = {
            "source_id": new.source_id,
            "path": path,
            "title": parsed.title,
            "format": parsed.format,
            "content_hash": new.content_hash,
            "size_bytes": new.file.size_bytes,
            "mtime_ns": new.file.mtime_ns,
            "ctime_ns": new.file.ctime_ns,
            "recipe": new.recipe,
            "num_chars": len(parsed.text),
            "ingested_at": _now(),
            "checked_ns": time.time_ns(),
            "checksum": document_checksum(path, parsed.title, new.content_hash, pages, headings, warnings, text_zlib),
            "pages": pages,
            "headings": headings,
            "warnings": warnings,
            "text_zlib": text_zlib,
        }
        columns, marks = ", ".join(values), ", ".join("?" * len(values))
        updates = ", ".join(f"{name} = excluded.{name}" for name in values if name != "path")
        sql = f"INSERT INTO documents ({columns}) VALUES ({marks}) ON CONFLICT (path) DO UPDATE SET {updates}"
        row = self._connection.execute(f"{sql} RETURNING id", tuple(values.values())).fetchone()
        return int(row[0])

    def store_embeddings(self, fingerprint_id: int, encodings: dict[bytes, Encoding]) -> None:
        """Commit embeddings ahead of their document, so that an interrupted long document does not start again."""
        with self.transaction():
            self._put_embeddings(list(encodings), fingerprint_id, encodings)

    def assign_embeddings(self, fingerprint_id: int, chunks: Sequence[tuple[int, bytes]]) -> None:
        """Point (chunk id, content key) rows at the embeddings of another fingerprint, which must be stored."""
        with self.transaction():
            known = self.known_embeddings(fingerprint_id, [key for _, key in chunks])
            self._connection.executemany(
                "UPDATE chunks SET embedding_id = ? WHERE id = ?",
                [(known[key], chunk_id) for chunk_id, key in chunks],
            )
            self._count_change()

    def _put_embeddings(
        self, keys: Sequence[bytes], fingerprint_id: int, encodings: dict[bytes, Encoding]
    ) -> dict[bytes, int]:
        known = self.known_embeddings(fingerprint_id, keys)
        for key in dict.fromkeys(keys):
            if key in known:
                continue
            if key not in encodings:
                raise LibraryError("A chunk came without its embedding.", hint="Please report this as a bug.")
            embedding, codes = encodings[key].embedding.tobytes(), encodings[key].token_codes
            cursor = self._connection.execute(
                "INSERT INTO embeddings (fingerprint_id, content_hash, checksum, embedding) VALUES (?, ?, ?, ?)",
                (fingerprint_id, key, row_checksum(key, embedding), embedding),
            )
            known[key] = int(cursor.lastrowid or 0)
            self._connection.execute(
                "INSERT INTO token_codes (embedding_id, checksum, codes) VALUES (?, ?, ?)",
                (known[key], row_checksum(codes), codes),
            )
        return known

    def _put_chunks(
        self,
        document_id: int,
        drafts: Sequence[ChunkDraft],
        keys: Sequence[bytes],
        embedding_ids: dict[bytes, int],
    ) -> None:
        kept: dict[bytes, list[int]] = {}
        sql = "SELECT id, content_hash FROM chunks WHERE document_id = ? ORDER BY ordinal DESC"
        for chunk_id, key in self._connection.execute(sql, (document_id,)):
            kept.setdefault(key, []).append(chunk_id)
        inserted: list[tuple[int, str]] = []
        for draft, key in zip(drafts, keys, strict=True):
            fields = (
                draft.ordinal,
                draft.start_chars,
                draft.end_chars,
                draft.page,
                draft.heading,
                key,
                embedding_ids[key],
                chunk_checksum(draft.text, draft.start_chars, draft.end_chars, draft.page, draft.heading, key),
                draft.text,
            )
            if kept.get(key):
                self._connection.execute(
                    "UPDATE chunks SET ordinal = ?, start_chars = ?, end_chars = ?, page = ?, heading = ?, "
                    "content_hash = ?, embedding_id = ?, checksum = ?, text = ? WHERE id = ?",
                    (*fields, kept[key].pop()),
                )
                continue
            cursor = self._connection.execute(
                "INSERT INTO chunks (ordinal, start_chars, end_chars, page, heading, content_hash, embedding_id, "
                "checksum, text, document_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*fields, document_id),
            )
            inserted.append((int(cursor.lastrowid or 0), draft.embedded_text))
        lexical.add_rows(self._connection, inserted)
        self._delete_chunks([chunk_id for ids in kept.values() for chunk_id in ids])

    def _delete_chunks(self, chunk_ids: Sequence[int]) -> None:
        lexical.remove_rows(self._connection, chunk_ids)
        self._connection.executemany("DELETE FROM chunks WHERE id = ?", [(chunk_id,) for chunk_id in chunk_ids])

    def delete_documents(self, document_ids: Sequence[int]) -> None:
        """Delete documents with their chunks; their embeddings stay until garbage is collected, because a file that
        comes back (another branch, a drive plugged in again) then costs no embedding."""
        with self.transaction():
            for document_id in document_ids:
                rows = self._connection.execute(
                    "SELECT id FROM chunks WHERE document_id = ?", (document_id,)
                ).fetchall()
                self._delete_chunks([row[0] for row in rows])
                self._connection.execute("DELETE FROM documents WHERE id = ?", (document_id,))
            if document_ids:
                self._count_change()

    def touch_document(self, document_id: int, file: ScannedFile, source_id: int) -> None:
        """The same content under other time stamps or another path: nothing is parsed or embedded, nothing failed."""
        path = str(file.path)
        stamps = (source_id, file.size_bytes, file.mtime_ns, file.ctime_ns, time.time_ns())
        with self.transaction():
            failures.forget(self._connection, [path])
            # Most are where they were; a whole library after an update of edgerag. Their checksum and text stay.
            cursor = self._connection.execute(
                "UPDATE documents SET source_id = ?, size_bytes = ?, mtime_ns = ?, ctime_ns = ?, checked_ns = ? "
                "WHERE id = ? AND path = ?",
                (*stamps, document_id, path),
            )
            if cursor.rowcount:
                return
            row = self._connection.execute(
                "SELECT title, content_hash, pages, headings, warnings, text_zlib, path FROM documents WHERE id = ?",
                (document_id,),
            ).fetchone()
            # A title that came from the file's name follows a rename.
            title = file.path.stem if row[0] == Path(row[6]).stem else row[0]
            self._connection.execute(
                "UPDATE documents SET source_id = ?, size_bytes = ?, mtime_ns = ?, ctime_ns = ?, checked_ns = ?, "
                "path = ?, title = ?, checksum = ? WHERE id = ?",
                (*stamps, path, title, document_checksum(path, title, *row[1:6]), document_id),
            )

    def record_failure(self, source_id: int, file: ScannedFile, reason: str, recipe: str) -> None:
        """Remember that a file failed, and in which state, so that it is tried again only when it has changed."""
        with self.transaction():
            failures.record(self._connection, source_id, file, reason, recipe)

    def forget_failures(self, paths: Sequence[str]) -> None:
        with self.transaction():
            failures.forget(self._connection, paths)

    def record_event(self, kind: str, detail: dict[str, Any]) -> None:
        """Append to the library's history; the oldest entries make room."""
        with self.transaction():
            self._connection.execute(
                "INSERT INTO events (at, kind, detail) VALUES (?, ?, ?)",
                (_now(), kind, json.dumps(detail, ensure_ascii=False)),
            )
            self._connection.execute("DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?", (KEPT_EVENTS,))

    def note_unfinished(self) -> bool:
        """Remember until `forget_unfinished` that reading began now; False where an earlier run is remembered."""
        with self.transaction():
            cursor = self._connection.execute(
                "INSERT INTO meta (name, value) VALUES ('unfinished_since', ?) ON CONFLICT (name) DO NOTHING",
                (int(time.time()),),
            )
            return cursor.rowcount > 0

    def collect_garbage(self) -> int:
        """Delete embeddings that no chunk refers to, and what is left of models without embeddings.

        Returns:
            Number of embeddings deleted.
        """
        with self.transaction():
            cursor = self._connection.execute(
                "DELETE FROM embeddings WHERE id NOT IN "
                "(SELECT embedding_id FROM chunks WHERE embedding_id IS NOT NULL)"
            )
            self._connection.execute("DELETE FROM fingerprints WHERE id NOT IN (SELECT fingerprint_id FROM embeddings)")
            self._connection.execute(
                "DELETE FROM index_snapshots WHERE fingerprint NOT IN (SELECT fingerprint FROM fingerprints)"
            )
        return int(cursor.rowcount)

    def refresh_lexical(self) -> bool:
        """Rebuild the lexical rows if another version of the word splitter wrote them; returns whether it did."""
        with self.transaction():
            return lexical.rebuild_if_outdated(self._connection)

    def _count_change(self) -> None:
        self._connection.execute("UPDATE meta SET value = value + 1 WHERE name = 'change_counter'")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
