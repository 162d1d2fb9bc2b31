"""The schema, as numbered steps. A step that has been released is never edited; new ones are appended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgerag.coded_text import coded
from edgerag.errors import LibraryError
from edgerag.storage.sqlite import PAGE_SIZE, Connection, set_journal, translated

APPLICATION_ID = 0x45524147
"""`ERAG`, in the header of every library: tells our database from any other SQLite file."""

OTHER_FOLDER_HINT = coded("hint.other_library", "Choose another folder with --library.")

STEPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "0001_library",
        (
            "CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
            "INSERT INTO meta (name, value) VALUES ('change_counter', 0), ('lexical_version', 0)",
            """CREATE TABLE sources (
                id INTEGER PRIMARY KEY,
                path TEXT NOT NULL UNIQUE,
                added_at TEXT NOT NULL
            )""",
            """CREATE TABLE documents (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                source_id INTEGER NOT NULL REFERENCES sources (id),
                path TEXT NOT NULL UNIQUE,
                title TEXT NOT NULL,
                format TEXT NOT NULL,
                content_hash TEXT NOT NULL,
                size_bytes INTEGER NOT NULL,
                mtime_ns INTEGER NOT NULL,
                recipe TEXT NOT NULL,
                num_chars INTEGER NOT NULL,
                ingested_at TEXT NOT NULL,
                checked_ns INTEGER NOT NULL,
                checksum INTEGER NOT NULL,
                pages TEXT NOT NULL,
                headings TEXT NOT NULL,
                warnings TEXT NOT NULL,
                text_zlib BLOB NOT NULL
            )""",
            "CREATE INDEX documents_content ON documents (content_hash)",
            """CREATE TABLE failures (
                path TEXT PRIMARY KEY,
                source_id INTEGER NOT NULL REFERENCES sources (id),
                reason TEXT NOT NULL,
                size_bytes INTEGER NOT NULL,
                mtime_ns INTEGER NOT NULL,
                recipe TEXT NOT NULL,
                failed_at TEXT NOT NULL
            ) WITHOUT ROWID""",
            """CREATE TABLE fingerprints (
                id INTEGER PRIMARY KEY,
                fingerprint TEXT NOT NULL UNIQUE,
                model TEXT NOT NULL,
                dim INTEGER NOT NULL
            )""",
            """CREATE TABLE embeddings (
                id INTEGER PRIMARY KEY,
                fingerprint_id INTEGER NOT NULL REFERENCES fingerprints (id),
                content_hash BLOB NOT NULL,
                checksum INTEGER NOT NULL,
                embedding BLOB NOT NULL
            )""",
            "CREATE UNIQUE INDEX embeddings_content ON embeddings (fingerprint_id, content_hash)",
            # Apart from the embeddings: a scan over those must not step over these, which are five times as long.
            """CREATE TABLE token_codes (
                embedding_id INTEGER PRIMARY KEY REFERENCES embeddings (id) ON DELETE CASCADE,
                checksum INTEGER NOT NULL,
                codes BLOB NOT NULL
            )""",
            """CREATE TABLE chunks (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                document_id INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
                ordinal INTEGER NOT NULL,
                start_chars INTEGER NOT NULL,
                end_chars INTEGER NOT NULL,
                page INTEGER,
                heading TEXT,
                content_hash BLOB NOT NULL,
                embedding_id INTEGER REFERENCES embeddings (id),
                checksum INTEGER NOT NULL,
                text TEXT NOT NULL
            )""",
            "CREATE INDEX chunks_document ON chunks (document_id, ordinal)",
            "CREATE INDEX chunks_embedding ON chunks (embedding_id)",
            """CREATE TABLE index_snapshots (
                file_name TEXT PRIMARY KEY,
                sha256 TEXT NOT NULL,
                num_vectors INTEGER NOT NULL,
                max_chunk_id INTEGER NOT NULL,
                dim INTEGER NOT NULL,
                fingerprint TEXT NOT NULL,
                m INTEGER NOT NULL,
                ef_construction INTEGER NOT NULL,
                built_at TEXT NOT NULL
            ) WITHOUT ROWID""",
            """CREATE TABLE events (
                id INTEGER PRIMARY KEY,
                at TEXT NOT NULL,
                kind TEXT NOT NULL,
                detail TEXT NOT NULL
            )""",
            # Contentless: the text stands in `chunks` already. Its rows are deleted with the 'delete' command, which
            # also works on a SQLite that is too old for contentless_delete (3.43).
            """CREATE VIRTUAL TABLE chunk_fts USING fts5 (
                text, content = '', tokenize = 'porter unicode61 remove_diacritics 2'
            )""",
        ),
    ),
    (
        "0002_conversations",
        (
            """CREATE TABLE conversations (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                title TEXT NOT NULL,
                started_at TEXT NOT NULL
            )""",
            """CREATE TABLE turns (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                conversation_id INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
                ordinal INTEGER NOT NULL,
                asked_at TEXT NOT NULL,
                question TEXT NOT NULL,
                rewritten TEXT,
                answer TEXT NOT NULL,
                sentences TEXT NOT NULL,
                abstained INTEGER NOT NULL,
                model TEXT,
                degraded TEXT NOT NULL,
                seconds REAL NOT NULL,
                checksum INTEGER NOT NULL
            )""",
            "CREATE UNIQUE INDEX turns_conversation ON turns (conversation_id, ordinal)",
            # A quote outlives its document: what it was copied from is written out, and `document_id` refers to a row
            # only as long as there is one.
            """CREATE TABLE turn_citations (
                turn_id INTEGER NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
                marker INTEGER NOT NULL,
                document_id INTEGER NOT NULL,
                path TEXT NOT NULL,
                title TEXT NOT NULL,
                format TEXT NOT NULL,
                content_hash TEXT NOT NULL,
                size_bytes INTEGER NOT NULL,
                mtime_ns INTEGER NOT NULL,
                page INTEGER,
                heading TEXT,
                start_chars INTEGER NOT NULL,
                end_chars INTEGER NOT NULL,
                quote TEXT NOT NULL,
                checksum INTEGER NOT NULL,
                PRIMARY KEY (turn_id, marker)
            ) WITHOUT ROWID""",
            """CREATE VIRTUAL TABLE turn_fts USING fts5 (
                text, content = '', tokenize = 'porter unicode61 remove_diacritics 2'
            )""",
        ),
    ),
    (
        "0003_coded_reasons",
        # The reason as JSON that keeps its code and values, for interfaces in other languages; NULL in older rows.
        ("ALTER TABLE failures ADD COLUMN coded_reason TEXT",),
    ),
    (
        "0004_change_times",
        # The time of a file's last change of any kind; NULL where it proves nothing, as in older rows.
        (
            "ALTER TABLE documents ADD COLUMN ctime_ns INTEGER",
            "ALTER TABLE failures ADD COLUMN ctime_ns INTEGER",
        ),
    ),
)
SCHEMA_VERSION = len(STEPS)
"""Stored as `PRAGMA user_version`, so that opening a current library needs no migration code."""


def check_version(connection: Connection, path: Path) -> int:
    """The library's schema version; 0 for an empty file.

    Raises:
        LibraryError: The file is another program's database, or of a newer edgerag.
    """
    with translated(path):
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        application = int(connection.execute("PRAGMA application_id").fetchone()[0])
        # Older versions of edgerag named the application only with the first step, after sqlite-utils had committed
        # its table of steps: whoever was killed in between left a file that holds nothing else.
        known = "_sqlite_migrations" if application == 0 else ""
        tables = connection.execute(
            "SELECT count(*) FROM sqlite_master WHERE tbl_name <> ? AND name NOT LIKE 'sqlite!_%' ESCAPE '!'", (known,)
        )
        num_tables = int(tables.fetchone()[0])
    if num_tables and application != APPLICATION_ID:
        raise LibraryError(
            coded("library.foreign", "{path} is not an edgerag library.", path=path), hint=OTHER_FOLDER_HINT
        )
    if version > SCHEMA_VERSION:
        raise LibraryError(
            coded(
                "library.newer",
                "{path} was written by a newer edgerag (schema {version}; this one knows {known}).",
                path=path,
                version=version,
                known=SCHEMA_VERSION,
            ),
            hint=coded("hint.update_unchanged", "Update edgerag. Nothing was changed."),
        )
    return version


def migrate(connection: Connection, path: Path) -> None:
    """Bring the schema up to date, step by step, each in a transaction of its own. Needs the writer lock."""
    version = check_version(connection, path)
    if version == SCHEMA_VERSION:
        return
    from sqlite_utils import Database, Migrations  # 0.2 s: only when there is something to migrate

    with translated(path):
        if version == 0:
            connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
            # Before anything else is written: a process that is killed on the way leaves a file that is known as ours.
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        set_journal(connection)
        database = Database(connection, execute_plugins=False)
        migrations = Migrations("edgerag")
        for number, (name, statements) in enumerate(STEPS, start=1):
            migrations(name=name)(_step(number, statements))
        migrations.apply(database)


def _step(number: int, statements: tuple[str, ...]) -> Any:
    def apply(database: Any) -> None:
        for statement in statements:
            database.execute(statement)
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {number}")

    apply.__name__ = f"step_{number}"
    return apply
