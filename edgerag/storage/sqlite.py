"""Opening SQLite: which driver, which journal, and what its errors mean to a person."""

from __future__ import annotations

import contextlib
import importlib
import sqlite3 as standard_sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgerag.coded_text import coded
from edgerag.errors import LibraryError

WAL_SAFE_VERSION = (3, 51, 3)
"""Older versions can lose commits when two connections reset the WAL at once (sqlite.org/wal.html#walresetbug)."""
BUSY_TIMEOUT_MS = 10_000
PAGE_SIZE = 8192
"""Five 384-dimensional embeddings share a page; at 4096 two do."""

Connection = standard_sqlite3.Connection


def _driver() -> Any:
    # The same choice as sqlite-utils makes, so that both sides use one SQLite.
    try:
        return importlib.import_module("pysqlite3.dbapi2")
    except ImportError:
        return standard_sqlite3


driver = _driver()
"""`pysqlite3` where it is installed, else the standard library's module; both have the same interface."""


def is_wal_safe() -> bool:
    return tuple(driver.sqlite_version_info) >= WAL_SAFE_VERSION


def connect(path: Path, *, immutable: bool = False) -> Connection:
    """Open a connection in autocommit mode; transactions are begun explicitly.

    Args:
        immutable: Read only, without locks, and without a look at the WAL: for a file that nobody writes to.

    Raises:
        LibraryError: The file cannot be opened or is not SQLite.
    """
    mode = "ro&immutable=1" if immutable else "rwc"
    with translated(path):
        connection: Connection = driver.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=BUSY_TIMEOUT_MS / 1000,
        )
        try:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA cache_size = -32768")
            connection.execute("PRAGMA schema_version")  # the first read of the file: is it SQLite at all?
        except BaseException:
            connection.close()
            raise
    return connection


def set_journal(connection: Connection) -> None:
    """Choose the journal for this file: WAL where it is safe, so that a search never waits for an ingest.

    On an older SQLite the rollback journal is used instead: a reader may wait for the moment of a commit.
    """
    wanted = "wal" if is_wal_safe() else "truncate"
    current = connection.execute("PRAGMA journal_mode").fetchone()[0]
    if current != wanted:
        connection.execute(f"PRAGMA journal_mode = {wanted}")
    connection.execute("PRAGMA synchronous = FULL")


@contextlib.contextmanager
def transaction(connection: Connection, path: Path) -> Iterator[None]:
    """One write transaction: all of it is committed, or nothing is.

    Raises:
        LibraryError: The disk is full, the database locked or damaged; nothing was changed.
    """
    with translated(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                with contextlib.suppress(driver.Error):  # a full disk has rolled back already
                    connection.execute("ROLLBACK")
            raise


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into `LibraryError`s that say what to do."""
    try:
        yield
    except driver.Error as error:
        message, text = str(error), str(error).lower()
        if "full" in text:
            raise LibraryError(
                coded("library.disk_full", "The disk is full: {path} could not be written.", path=path),
                hint=coded(
                    "hint.free_space", "Free some space and run the command again; what was committed before is safe."
                ),
            ) from error
        if "locked" in text or "busy" in text:
            raise LibraryError(
                coded("library.locked", "{path} is locked by another program.", path=path),
                hint=coded("hint.wait_other", "Wait until it has finished, or end it."),
            ) from error
        if "readonly" in text or "read-only" in text:
            raise LibraryError(
                coded("library.read_only", "{path} cannot be written.", path=path),
                hint=coded("hint.permissions", "Check the permissions of the file and its folder."),
            ) from error
        if "unable to open" in text:
            raise LibraryError(
                coded("library.cannot_open", "{path} cannot be opened.", path=path),
                hint=coded("hint.folder_access", "Check that the folder exists and that you may read and write it."),
            ) from error
        if "malformed" in text or "not a database" in text or "disk i/o" in text or "corrupt" in text:
            raise LibraryError(
                coded("library.damaged", "{path} is damaged: {problem}.", path=path, problem=message),
                hint=coded(
                    "hint.restore",
                    "`edgerag verify` says what is lost; restore a backup, or move the folder away and add the "
                    "sources again.",
                ),
            ) from error
        raise LibraryError(
            coded("library.sqlite", "{path}: {problem}.", path=path, problem=message),
            hint=coded("hint.verify", "`edgerag verify` checks the library."),
        ) from error
