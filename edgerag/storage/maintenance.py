"""`compact` and `backup`."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from edgerag.errors import LibraryError, os_reason
from edgerag.storage.library import INDEX_FOLDER, Library
from edgerag.storage.migrations import check_version
from edgerag.storage.sqlite import connect, translated

BACKUP_PAGES = 256
"""Copied per step; between steps writers get their turn. 2 MiB."""


def compact(library: Library) -> tuple[int, int]:
    """Give unused space back: unreferenced embeddings, FTS segments, free pages.

    Returns:
        Size of the library's files in bytes before and after.

    Raises:
        LibraryError: Another process writes, or the disk has no room for the copy that VACUUM makes.
    """
    before = _size_bytes(library)
    with library.writing() as writer, translated(library.path):
        writer.collect_garbage()
        _delete_unrecorded_snapshots(library)
        connection = library.connection()
        with writer.transaction():
            connection.execute("INSERT INTO chunk_fts (chunk_fts) VALUES ('optimize')")
            connection.execute("INSERT INTO turn_fts (turn_fts) VALUES ('optimize')")
        from sqlite_utils import Database  # 0.2 s: only here

        database = Database(connection, execute_plugins=False)
        database.vacuum()
        database.analyze()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return before, _size_bytes(library)


def backup(library: Library, target: Path, *, progress: Callable[[int, int], None] | None = None) -> int:
    """Copy the database while it is in use, with SQLite's online backup, and check the copy.

    Args:
        target: A file that does not exist yet.
        progress: Called with pages done and pages in all.

    Returns:
        Size of the copy in bytes.

    Raises:
        LibraryError: The target exists, cannot be written, or the copy does not check out; nothing is left behind.
    """
    try:
        if os.path.lexists(target):
            raise _exists(target)
        if not target.parent.is_dir():
            raise LibraryError(f"The folder {target.parent} does not exist.", hint="Make it first.")
        # A folder of its own beside the target: no name in there can be somebody's file, SQLite's journals of the copy
        # are removed with it, and the copy gets the permissions of any new file.
        with tempfile.TemporaryDirectory(
            prefix=".edgerag-backup-", dir=target.parent, ignore_cleanup_errors=True
        ) as folder:
            draft = Path(folder) / "library.db"
            _copy(library, draft, target, progress)
            # link instead of rename: never replaces a file that came into being meanwhile.
            try:
                os.link(draft, target)
            except FileExistsError as error:
                raise _exists(target) from error
            except (OSError, NotImplementedError):
                draft.rename(target)
        return target.stat().st_size
    except OSError as error:
        raise LibraryError(
            f"{target} cannot be written: {os_reason(error)}.", hint="Choose another place, or check its permissions."
        ) from error


def _copy(library: Library, draft: Path, target: Path, progress: Callable[[int, int], None] | None) -> None:
    copy = connect(draft)
    try:
        with library.reading() as connection, translated(target):
            connection.backup(
                copy,
                pages=BACKUP_PAGES,
                progress=(lambda _status, left, total: progress(total - left, total)) if progress else None,
            )
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, also on a read-only medium
            faults = [row[0] for row in copy.execute("PRAGMA quick_check(1)")]
        if faults != ["ok"]:
            raise LibraryError(f"The copy is damaged: {faults[0]}.", hint="`edgerag verify` checks the library.")
        check_version(copy, target)
    finally:
        copy.close()
    with draft.open("rb+") as stream:
        os.fsync(stream.fileno())


def _exists(target: Path) -> LibraryError:
    return LibraryError(f"{target} exists already.", hint="Choose another name; nothing is overwritten.")


def _delete_unrecorded_snapshots(library: Library) -> None:
    """Index files of models that are used no more, or of a process that was killed while it built one."""
    recorded = {row[0] for row in library.rows("SELECT file_name FROM index_snapshots")}
    folder = library.folder / INDEX_FOLDER
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_file() and path.name not in recorded:
            with contextlib.suppress(OSError):  # still mapped by a searching process on Windows: next time
                path.unlink()


def _size_bytes(library: Library) -> int:
    files = [library.path, Path(f"{library.path}-wal")]
    return sum(file.stat().st_size for file in files if file.exists())
