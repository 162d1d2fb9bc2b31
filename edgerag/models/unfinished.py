"""Downloads that were begun and not finished: pulling the model again goes on with them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from edgerag import paths
from edgerag.errors import LibraryError
from edgerag.models.install import STAGING_NAME, install_lock
from edgerag.storage.locks import WriterLock

LOCK_SUFFIX = ".lock"


@dataclass(frozen=True, slots=True)
class UnfinishedPull:
    name: str
    """Casefolded, as the folder is named; the catalogue finds it so."""
    done_bytes: int


def unfinished_pulls() -> list[UnfinishedPull]:
    """What earlier pulls have left, by name; not those that a process is busy with at the moment."""
    staging = paths.models_dir() / STAGING_NAME
    found = []
    try:
        folders = sorted(folder for folder in staging.iterdir() if folder.is_dir() and folder.suffix != LOCK_SUFFIX)
        for folder in folders:
            done_bytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            if done_bytes and not _is_busy(folder.name):
                found.append(UnfinishedPull(folder.name, done_bytes))
    except OSError:
        pass  # a folder that cannot be read is the business of whoever pulls
    return found


def discard_pull(name: str) -> None:
    """Delete what an unfinished pull has left; an installed model of the name stays.

    Raises:
        ModelError: The name is none, or the folder cannot be written.
    """
    with install_lock(name):
        shutil.rmtree(paths.models_dir() / STAGING_NAME / name.casefold(), ignore_errors=True)


def _is_busy(name: str) -> bool:
    folder = paths.models_dir() / STAGING_NAME / f"{name}{LOCK_SUFFIX}"
    if not folder.is_dir():
        return False
    lock = WriterLock(folder)
    try:
        lock.acquire()
    except LibraryError:
        return True
    lock.release()
    return False
