"""The connections through which a library is read, also where it cannot be written: a CD, a share, another's folder."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgerag.coded_text import coded
from edgerag.errors import LibraryError
from edgerag.storage.sqlite import Connection, connect, translated


class Connections:
    """One connection per thread; made when a thread first asks."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._all: list[Connection] = []
        self._guard = threading.Lock()
        self._is_closed = False

    def current(self) -> Connection:
        """This thread's connection.

        Raises:
            LibraryError: The library was closed, or cannot be opened.
        """
        if self._is_closed:
            raise LibraryError(
                coded("library.closed", "{path} has been closed.", path=self._path),
                hint=coded("hint.reopen", "Open the library again."),
            )
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is not None and self._is_outdated():
            with self._guard:
                self._all.remove(connection)
            connection.close()
            connection = None
        if connection is None:
            connection, self._local.unlocked = open_connection(self._path)
            with self._guard:
                self._all.append(connection)
            self._local.connection = connection
        return connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """This thread's connection, for one SELECT: what is read within is of one state of the library, or an error.

        Raises:
            LibraryError: Damaged, locked, or changed meanwhile where it is read without locks.
        """
        connection = self.current()
        try:
            with translated(self._path):
                yield connection
        except LibraryError as error:
            if self._is_outdated():
                raise _changed(self._path) from error
            raise
        if self._is_outdated():
            raise _changed(self._path)

    def close(self) -> None:
        """Close the connections of all threads."""
        self._is_closed = True
        with self._guard:
            for connection in self._all:
                connection.close()
            self._all.clear()

    def _is_outdated(self) -> bool:
        seen: FileState | None = getattr(self._local, "unlocked", None)
        return seen is not None and seen != file_state(self._path)


@dataclass(frozen=True, slots=True)
class FileState:
    """What changes when anybody writes to a database."""

    device: int
    inode: int
    size_bytes: int
    mtime_ns: int
    pending_bytes: int
    """In the journals: what is not in the database itself yet, or has to be undone in it."""


def file_state(path: Path) -> FileState | None:
    """None where the file is not there or cannot be looked at."""
    try:
        status = path.stat()
        pending_bytes = 0
        for ending in ("-wal", "-journal"):
            with contextlib.suppress(FileNotFoundError):
                pending_bytes += Path(f"{path}{ending}").stat().st_size
    except OSError:
        return None
    return FileState(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, pending_bytes)


def open_connection(path: Path) -> tuple[Connection, FileState | None]:
    """Open a library's database, without locks where nothing can be written beside it.

    A database in WAL mode needs a `-shm` file for its readers' locks. Where nobody has it open and the folder cannot be
    written there is none, and SQLite reads it only as `immutable`: no locks, no look for changes
    (https://www.sqlite.org/wal.html#read_only_databases, https://www.sqlite.org/uri.html#uriimmutable). On a CD that is
    true. Elsewhere somebody else may write, so it is not taken on trust: whoever writes first puts it into the WAL and
    only then into the database, and both show in the `FileState`, which `Connections` compares before and after each
    read. Where another process has the database open, its `-shm` is there and is used, and this is not come to.

    Returns:
        The state that an immutable connection was opened in; None for one with locks, which sees what changes.

    Raises:
        LibraryError: The file cannot be opened or is not SQLite.
    """
    try:
        return connect(path), None
    except LibraryError as error:
        state = file_state(path)
        if error.code not in ("library.read_only", "library.cannot_open") or state is None or _is_writable(path.parent):
            raise
        if state.pending_bytes:
            raise LibraryError(
                error.message,
                hint=coded(
                    "hint.pending",
                    "Another program writes to it, or was killed while it did: open it once where it can be written.",
                ),
            ) from error
        return connect(path, immutable=True), state


def _is_writable(folder: Path) -> bool:
    # Windows tells nothing of folders; there it has to do that SQLite could not make its files.
    return os.name != "nt" and os.access(folder, os.W_OK)


def _changed(path: Path) -> LibraryError:
    return LibraryError(
        coded("library.changed", "{path} was changed by another program while it was read.", path=path),
        hint=coded("hint.once_more", "Run the command again."),
    )
