"""The writer lock: one process at a time changes a library; readers never take it."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from types import TracebackType

from edgerag.coded_text import coded
from edgerag.errors import LibraryError, os_reason

LOCK_NAME = "writer.lock"
POLL_S = 0.05
OWNER_OFFSET = 1
"""The owner's process id stands behind the byte that Windows locks, because locked bytes cannot be read there."""


class WriterLock:
    """An operating-system lock on a file: freed by the system itself when its process dies, however it dies."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK_NAME
        self._descriptor: int | None = None

    def acquire(self, *, timeout_s: float = 0.0) -> None:
        """Take the lock.

        Raises:
            LibraryError: Another process (or another part of this one) holds it after `timeout_s`.
        """
        if self._descriptor is not None:
            raise LibraryError(
                coded("library.busy_here", "This library is already being written by this program."),
                hint=coded("hint.wait", "Wait for it to end."),
            )
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        except OSError as error:
            raise LibraryError(
                coded(
                    "library.lock_file",
                    "{path} cannot be written: {problem}.",
                    path=self._path,
                    problem=os_reason(error),
                ),
                hint=coded("hint.folder_permissions", "Check the folder's permissions."),
            ) from error
        deadline = time.monotonic() + timeout_s
        while not _try_lock(descriptor):
            if time.monotonic() >= deadline:
                owner = _read_owner(descriptor)
                folder = self._path.parent
                os.close(descriptor)
                raise LibraryError(
                    coded(
                        "library.busy_process",
                        "Another process (process {owner}) is writing to {folder}.",
                        owner=owner,
                        folder=folder,
                    )
                    if owner
                    else coded("library.busy", "Another process is writing to {folder}.", folder=folder),
                    hint=coded(
                        "hint.search_meanwhile",
                        "Searching works meanwhile; run this command again when the other has finished.",
                    ),
                )
            time.sleep(POLL_S)
        self._descriptor = descriptor
        # Only informative, for the message above: a full disk must not turn it into a failure.
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, OWNER_OFFSET, os.SEEK_SET)
            os.write(descriptor, str(os.getpid()).encode())

    def release(self) -> None:
        """Give the lock back; the file stays, because deleting it would race with a process that waits."""
        if self._descriptor is not None:
            _unlock(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> WriterLock:
        if self._descriptor is None:
            self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _read_owner(descriptor: int) -> int:
    with contextlib.suppress(OSError, ValueError):
        os.lseek(descriptor, OWNER_OFFSET, os.SEEK_SET)
        return int(os.read(descriptor, 20))
    return 0


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        with contextlib.suppress(OSError):
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:

    def _try_lock(descriptor: int) -> bool:
        import fcntl  # POSIX only

        try:
            # flock, not lockf: record locks vanish when any descriptor of the file is closed in the process.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)
