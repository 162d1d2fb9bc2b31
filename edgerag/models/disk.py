"""Free space, full disks, durable renames, and the stop flag: what every install has to look after."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path

from edgerag.errors import ModelError
from edgerag.protocols import StopFlag

SPARE_BYTES = 64 * 2**20
"""Left free on the disk: SQLite and the system need some."""


class StoppedError(ModelError):
    """The stop flag was set; what was downloaded is kept."""


class DiskFullError(ModelError):
    """The file does not fit; trying another source would not help."""


def check_free_space(folder: Path, needed_bytes: int) -> None:
    """Refuse to begin what cannot end.

    Raises:
        DiskFullError: Fewer bytes are free, less a reserve.
    """
    free_bytes = shutil.disk_usage(folder).free
    if needed_bytes + SPARE_BYTES > free_bytes:
        raise DiskFullError(
            f"{folder} has {free_bytes // 10**6} MB free, and "
            f"{(needed_bytes + SPARE_BYTES) // 10**6 + 1} MB are needed.",
            hint="Free some space, or name a folder on another disk in EDGERAG_MODELS.",
        )


def disk_error(error: OSError, path: Path) -> ModelError:
    """Translate a failed write."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError(
            f"The disk is full: {path} could not be written.",
            hint="Free some space; then run the command again.",
        )
    return ModelError(
        f"{path} cannot be written: {error.strerror or error}.",
        hint="Check the folder's permissions, or name another one in EDGERAG_MODELS.",
    )


def check_stop(stop: StopFlag | None) -> None:
    """Raise if the stop flag is set."""
    if stop is not None and stop.is_set():
        raise StoppedError("The download was stopped.", hint="The same command continues it.")


def sync_folder(folder: Path) -> None:
    """Make a rename within a folder durable; Windows needs and offers nothing of the kind."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # Some network file systems refuse; the files themselves have been synced.
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
