"""Put a model folder in place in one step, and take it away in one step: no half model is ever seen."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from edgerag import paths
from edgerag.coded_text import coded
from edgerag.errors import LibraryError, ModelError, os_reason
from edgerag.file_hash import hash_file
from edgerag.inference.manifest import Manifest, write_manifest
from edgerag.models.disk import check_stop, disk_error, sync_folder
from edgerag.models.store import InstalledModel, check_name, scan
from edgerag.protocols import StopFlag
from edgerag.storage.locks import WriterLock

STAGING_NAME = ".staging"
LOCK_POLL_S = 0.2
COPY_BYTES = 2**20


def staging_folder(name: str) -> Path:
    """Where the model of a name is put together; its downloads survive an interruption here."""
    return _make_folder(paths.models_dir() / STAGING_NAME / check_name(name).casefold())


def install_lock(name: str, stop: StopFlag | None = None) -> contextlib.AbstractContextManager[None]:
    """Hold the right to install or remove the model of a name, waiting for another process that does.

    Raises:
        ModelError: The lock file cannot be written.
        StoppedError: The stop flag was set while waiting.
    """
    # Beside the staging folder, not in it: that one is deleted while the lock is held.
    return _lock(f"{check_name(name).casefold()}.lock", stop)


def pins_lock(stop: StopFlag | None = None) -> contextlib.AbstractContextManager[None]:
    """Hold the right to change the pins; the name of its folder is none that a model can have."""
    return _lock("+pins.lock", stop)


@contextlib.contextmanager
def _lock(folder_name: str, stop: StopFlag | None) -> Iterator[None]:
    folder = _make_folder(paths.models_dir() / STAGING_NAME / folder_name)
    lock = WriterLock(folder)
    while True:
        check_stop(stop)
        try:
            lock.acquire(timeout_s=LOCK_POLL_S)
            break
        except LibraryError as error:
            if isinstance(error.__cause__, OSError):
                raise disk_error(error.__cause__, folder) from error
    try:
        yield
    finally:
        lock.release()


def install_files(name: str, files: dict[str, Path], manifest: Manifest) -> InstalledModel:
    """Move files into a new model folder and rename it into place; the caller holds the install lock.

    Args:
        files: By role, as in the manifest; on the same disk as the models folder.

    Raises:
        ModelError: Another model has the name, or the disk refuses.
    """
    check_name_is_free(name, may_replace=True)
    target = paths.models_dir() / name
    draft = staging_folder(name) / "model"
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        for role, file in files.items():
            place = draft / manifest.files[role].path
            place.parent.mkdir(parents=True, exist_ok=True)
            file.replace(place)
        write_manifest(draft, manifest)
        sync_folder(draft)
        _swap(draft, target)
        sync_folder(target.parent)
    except OSError as error:
        raise disk_error(error, target) from error
    shutil.rmtree(staging_folder(name), ignore_errors=True)
    return InstalledModel(name, target, manifest, bundled=False)


def remove_model(name: str) -> bool:
    """Remove an installed model, a broken model folder, or what an interrupted pull has left.

    Returns:
        Whether there was anything under this name.

    Raises:
        ModelError: The model is part of edgerag, or a file of it is in use.
    """
    models, broken = scan()
    wanted = name.casefold()
    if any(model.bundled and model.name.casefold() == wanted for model in models):
        raise ModelError(
            coded("model.bundled", "{name} is part of edgerag and cannot be removed.", name=name),
            hint=coded("hint.nothing", "Nothing else needs to be done."),
        )
    folders = [model.folder for model in models if model.name.casefold() == wanted]
    folders += [folder.folder for folder in broken if folder.name.casefold() == wanted]
    folders = [folder for folder in folders if folder.parent != paths.BUNDLED_MODELS]
    leftover = paths.models_dir() / STAGING_NAME / check_name(name).casefold()
    if not folders and not leftover.is_dir():
        return False
    with install_lock(name):
        for folder in folders:
            # Renamed first: a deletion that fails half-way leaves no half model.
            grave = staging_folder(name) / f"removed-{uuid.uuid4().hex[:8]}"
            try:
                folder.replace(grave)
            except OSError as error:
                raise ModelError(
                    coded(
                        "model.not_removed",
                        "{folder} cannot be removed: {problem}.",
                        folder=folder,
                        problem=os_reason(error),
                    ),
                    hint=coded("hint.close_users", "Close what is using the model."),
                ) from error
        shutil.rmtree(leftover, ignore_errors=True)
    return True


def check_name_is_free(name: str, *, may_replace: bool) -> None:
    """Refuse a name that a bundled model has, or (unless it may be replaced) any model."""
    wanted = check_name(name).casefold()
    for model in scan()[0]:
        if model.name.casefold() != wanted:
            continue
        if model.bundled:
            raise ModelError(f"{model.name} is part of edgerag and cannot be replaced.", hint="Use another name.")
        if not may_replace:
            raise ModelError(
                f"A model called {model.name} is installed already.",
                hint=f"Give another `--name`, or type `edgerag models remove {model.name}` first.",
            )


def copy_file(source: Path, target: Path, stop: StopFlag | None = None) -> str:
    """Copy a file durably; returns the SHA-256 of what was written."""
    part = target.with_name(target.name + ".part")
    try:
        with source.open("rb") as reading, part.open("wb") as writing:
            while chunk := reading.read(COPY_BYTES):
                check_stop(stop)
                writing.write(chunk)
            writing.flush()
            os.fsync(writing.fileno())
        part.replace(target)
    except OSError as error:
        raise disk_error(error, target) from error
    return hash_file(target)


def _swap(draft: Path, target: Path) -> None:
    """Rename the draft into place; a folder that is there goes first, and comes back if that fails."""
    if not target.exists():
        draft.rename(target)
        return
    old = draft.with_name(f"replaced-{uuid.uuid4().hex[:8]}")
    target.rename(old)
    try:
        draft.rename(target)
    except OSError:
        old.rename(target)
        raise


def _make_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(
            coded(
                "model.folder_not_made",
                "{folder} cannot be created: {problem}.",
                folder=folder,
                problem=os_reason(error),
            ),
            hint=coded("hint.models_folder", "Check its permissions, or name another folder in EDGERAG_MODELS."),
        ) from error
    return folder
