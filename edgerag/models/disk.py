"""Free space, full disks, durable renames, and the stop flag: what every install has to look after."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path

from edgerag.coded_text import coded
from edgerag.errors import ModelError, os_reason
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
            coded(
                "pull.no_space",
                "{folder} has {free} MB free, and {needed} MB are needed.",
                folder=folder,
                free=free_bytes // 10**6,
                needed=(needed_bytes + SPARE_BYTES) // 10**6 + 1,
            ),
            hint=coded("hint.other_disk", "Free some space, or name a folder on another disk in EDGERAG_MODELS."),
        )


def disk_error(error: OSError, path: Path) -> ModelError:
    """Translate a failed write."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError(
            coded("pull.disk_full", "The disk is full: {path} could not be written.", path=path),
            hint=coded("hint.free_again", "Free some space; then run the command again."),
        )
    return ModelError(
        coded("pull.unwritable", "{path} cannot be written: {problem}.", path=path, problem=os_reason(error)),
        hint=coded("hint.models_folder", "Check its permissions, or name another folder in EDGERAG_MODELS."),
    )


def check_stop(stop: StopFlag | None) -> None:
    """Raise if the stop flag is set."""
    if stop is not None and stop.is_set():
        raise StoppedError(
            coded("pull.stopped", "The download was stopped."),
            hint=coded("hint.continue", "The same command continues it."),
        )


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
