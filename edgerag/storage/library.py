"""A library on disk: opening it, and reading from it. Changing it is the writer's work (`writer.py`)."""

from __future__ import annotations

import contextlib
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from edgerag.coded_text import coded
from edgerag.datatypes import Chunk, Document, Heading, PageSpan
from edgerag.errors import LibraryError, os_reason
from edgerag.paths import expanded
from edgerag.storage import failures
from edgerag.storage.checksums import chunk_checksum, document_checksum
from edgerag.storage.connections import Connections
from edgerag.storage.locks import WriterLock
from edgerag.storage.migrations import OTHER_FOLDER_HINT, SCHEMA_VERSION, check_version, migrate
from edgerag.storage.sqlite import Connection, set_journal, transaction, translated

if TYPE_CHECKING:
    from edgerag.storage.writer import LibraryWriter

DATABASE_NAME = "library.db"
INDEX_FOLDER = "index"
DOCUMENT_COLUMNS = "id, path, title, format, content_hash, size_bytes, mtime_ns, ctime_ns"
"""Those of `Document`, in its order."""
COUNTED_TABLES = ("sources", "documents", "chunks", "embeddings", "failures", "conversations")
MIGRATION_WAIT_S = 10.0
"""Two programs that are started at once may both find an older library: one of them waits for the other."""
VERIFY_HINT = coded("hint.verify_row", "`edgerag verify` lists every damaged row; adding the file again repairs it.")


@dataclass(frozen=True, slots=True)
class Source:
    """A file or folder that the user asked to have in the library."""

    id: int
    path: str
    added_at: str


@dataclass(frozen=True, slots=True)
class DocumentState:
    """What a sync compares with the file system."""

    id: int
    path: str
    source_id: int
    content_hash: str
    size_bytes: int
    mtime_ns: int
    ctime_ns: int | None
    """As in `ScannedFile`; None in rows of older libraries."""
    recipe: str


@dataclass(frozen=True, slots=True)
class StoredText:
    """The parsed text that all offsets of a document refer to."""

    document: Document
    text: str
    pages: tuple[PageSpan, ...]
    headings: tuple[Heading, ...]
    warnings: tuple[str, ...]


class Library:
    """An open library; any number of threads may read it, each on a connection of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / DATABASE_NAME
        self._connections = Connections(self.path)

    @classmethod
    def open(cls, folder: Path, *, create: bool = True) -> Library:
        """Open a library, bringing an older one's schema up to date.

        Args:
            folder: Holds `library.db` and `index/`.
            create: Make an empty library where there is none.

        Raises:
            LibraryError: No library there (with `create=False`), something else there, damaged, or newer than this
                program.
        """
        library = cls(folder)
        if not library.path.exists():
            if not create:
                raise LibraryError(
                    coded("library.none", "There is no library at {folder}.", folder=folder),
                    hint=coded("hint.start_library", "`edgerag add PATH` starts one."),
                )
            _make_folder(folder)
        elif not library.path.is_file():
            raise LibraryError(
                coded("library.no_file", "{path} is not a file.", path=library.path), hint=OTHER_FOLDER_HINT
            )
        else:
            connection = library.connection()
            if check_version(connection, library.path) == SCHEMA_VERSION:
                return library
        lock = WriterLock(folder)
        lock.acquire(timeout_s=MIGRATION_WAIT_S)
        with lock:
            connection = library.connection()
            migrate(connection, library.path)
            with translated(library.path):
                set_journal(connection)
        return library

    def connection(self) -> Connection:
        """This thread's connection."""
        return self._connections.current()

    def reading(self) -> AbstractContextManager[Connection]:
        """This thread's connection for one SELECT, with SQLite's errors translated; see `Connections.reading`."""
        return self._connections.reading()

    def close(self) -> None:
        """Close the connections of all threads."""
        self._connections.close()

    def __enter__(self) -> Library:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextlib.contextmanager
    def writing(self, *, timeout_s: float = 0.0) -> Iterator[LibraryWriter]:
        """Become the one writer.

        Raises:
            LibraryError: Another process is writing and still is after `timeout_s`.
        """
        from edgerag.storage.writer import LibraryWriter  # deferred: a search never writes

        lock = WriterLock(self.folder)
        lock.acquire(timeout_s=timeout_s)
        try:
            connection = self.connection()
            with translated(self.path):
                set_journal(connection)
            yield LibraryWriter(self)
        finally:
            lock.release()

    # --- reading ----------------------------------------------------------------------------------

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """Run one SELECT, with SQLite's errors translated."""
        with self.reading() as connection:
            return connection.execute(sql, tuple(values)).fetchall()

    def change_counter(self) -> int:
        """Grows with every commit that changes chunks."""
        return int(self.rows("SELECT value FROM meta WHERE name = 'change_counter'")[0][0])

    def counts(self) -> dict[str, int]:
        """Number of sources, documents, chunks, embeddings, failures and conversations."""
        return {table: self.count(table) for table in COUNTED_TABLES}

    def count(self, table: str) -> int:
        return int(self.rows(f"SELECT count(*) FROM {table}")[0][0])

    def unfinished_since(self) -> float | None:
        """When a run began that read files and did not come to its end, in s since the epoch.

        None where there is none, and while one is under way, here or in another process. The next `sync` goes on.
        """
        rows = self.rows("SELECT value FROM meta WHERE name = 'unfinished_since'")
        if not rows:
            return None
        lock = WriterLock(self.folder)
        try:
            lock.acquire()
        except LibraryError:
            return None
        lock.release()
        return float(rows[0][0])

    def forget_unfinished(self) -> None:
        """Let `unfinished_since` be None: the run has ended, or nobody wants to go on with it."""
        if self.rows("SELECT 1 FROM meta WHERE name = 'unfinished_since'"):
            with transaction(self.connection(), self.path):
                self.connection().execute("DELETE FROM meta WHERE name = 'unfinished_since'")

    def sources(self) -> list[Source]:
        return [Source(*row) for row in self.rows("SELECT id, path, added_at FROM sources ORDER BY path")]

    def document_states(self) -> dict[str, DocumentState]:
        """Every document by its path."""
        sql = "SELECT id, path, source_id, content_hash, size_bytes, mtime_ns, ctime_ns, recipe FROM documents"
        return {row[1]: DocumentState(*row) for row in self.rows(sql)}

    def failures(self) -> dict[str, failures.Failure]:
        """Every recorded failure by its path."""
        return failures.load(self)

    def documents(self) -> list[Document]:
        """Every document, by path."""
        return [Document(*row) for row in self.rows(f"SELECT {DOCUMENT_COLUMNS} FROM documents ORDER BY path")]

    def chunk_spans(self, document_id: int) -> list[tuple[int, int]]:
        """Where each chunk of a document begins and ends in its text, in code points, in order."""
        sql = "SELECT start_chars, end_chars FROM chunks WHERE document_id = ? ORDER BY ordinal"
        return [(row[0], row[1]) for row in self.rows(sql, (document_id,))]

    def find_document(self, name: str) -> Document:
        """Find a document by id, path, or the end of a path that only one document has.

        Raises:
            LibraryError: None or several fit.
        """
        # A command line may hand over bytes that are no UTF-8, as lone surrogates, which SQLite refuses.
        name = name.encode("utf-8", "backslashreplace").decode("utf-8")
        columns = f"SELECT {DOCUMENT_COLUMNS} FROM documents"
        # SQLite cannot be asked for a number of 20 digits, Python for one of 5000: there is none.
        with contextlib.suppress(OverflowError, ValueError):
            if name.isdecimal() and (rows := self.rows(f"{columns} WHERE id = ?", (int(name),))):
                return Document(*rows[0])
        absolute = str(expanded(name).absolute())
        if rows := self.rows(f"{columns} WHERE path IN (?, ?)", (name, absolute)):
            return Document(*rows[0])
        ending = "/" + name.replace("\\", "/").lstrip("/")
        rows = [row for row in self.rows(columns) if str(row[1]).replace("\\", "/").endswith(ending)]
        if len(rows) == 1:
            return Document(*rows[0])
        if rows:
            listed = ", ".join(str(row[1]) for row in rows[:5])
            raise LibraryError(
                coded(
                    "library.ambiguous",
                    "{number} documents are called {name}: {listed}.",
                    number=len(rows),
                    name=name,
                    listed=listed,
                ),
                hint=coded("hint.more_path", "Give more of the path."),
            )
        raise LibraryError(
            coded("library.no_document", "The library has no document {name}.", name=name),
            hint=coded("hint.list_documents", "`edgerag status --documents` lists all."),
        )

    def document_text(self, document_id: int) -> StoredText:
        """The parsed text with its pages and headings.

        Raises:
            LibraryError: No such document, or its row is damaged.
        """
        sql = f"SELECT pages, headings, warnings, text_zlib, checksum, {DOCUMENT_COLUMNS} FROM documents WHERE id = ?"
        rows = self.rows(sql, (document_id,))
        if not rows:
            raise LibraryError(coded("library.no_document", "The library has no document {name}.", name=document_id))
        pages, headings, warnings, text_zlib, checksum, *columns = rows[0]
        document = Document(*columns)
        if checksum != document_checksum(
            document.path, document.title, document.content_hash, pages, headings, warnings, text_zlib
        ):
            raise LibraryError(
                coded("library.damaged_text", "The stored text of {path} is damaged.", path=document.path),
                hint=VERIFY_HINT,
            )
        return StoredText(
            document,
            zlib.decompress(text_zlib).decode("utf-8"),
            tuple(PageSpan(*page) for page in json.loads(pages)),
            tuple(Heading(*heading) for heading in json.loads(headings)),
            tuple(json.loads(warnings)),
        )

    def load_chunks(self, chunk_ids: Sequence[int]) -> tuple[dict[int, tuple[Document, Chunk]], list[int]]:
        """Load chunks with their documents.

        Returns:
            By chunk id, those that exist and whose row checksum fits; and the ids of damaged rows, which are never
            served.
        """
        found: dict[int, tuple[Document, Chunk]] = {}
        damaged: list[int] = []
        for start in range(0, len(chunk_ids), 500):
            some = list(chunk_ids[start : start + 500])
            marks = ",".join("?" * len(some))
            sql = (
                "SELECT d.id, d.path, d.title, d.format, d.content_hash, d.size_bytes, d.mtime_ns, d.ctime_ns, c.id, "
                "c.ordinal, c.text, c.start_chars, c.end_chars, c.page, c.heading, c.content_hash, c.checksum "
                f"FROM chunks AS c JOIN documents AS d ON d.id = c.document_id WHERE c.id IN ({marks})"
            )
            for row in self.rows(sql, some):
                chunk_id, ordinal, text, start_chars, end_chars, page, heading, content_hash, checksum = row[8:]
                if checksum != chunk_checksum(text, start_chars, end_chars, page, heading, content_hash):
                    damaged.append(chunk_id)
                    continue
                chunk = Chunk(chunk_id, row[0], ordinal, text, start_chars, end_chars, page, heading)
                found[chunk_id] = (Document(*row[:8]), chunk)
        return found, damaged


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LibraryError(
            coded(
                "library.cannot_make",
                "The library folder {folder} cannot be made: {problem}.",
                folder=folder,
                problem=os_reason(error),
            ),
            hint=OTHER_FOLDER_HINT,
        ) from error
