"""Download one file so that an interrupted download continues, and a file appears only when it is whole."""

from __future__ import annotations

import http.client
import json
import logging
import os
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

from edgerag.coded_text import coded
from edgerag.errors import ModelError
from edgerag.models.disk import check_free_space, check_stop, disk_error, sync_folder
from edgerag.models.transport import NetworkError, StatusError, request, shown, translate
from edgerag.protocols import StopFlag

logger = logging.getLogger(__name__)

CHUNK_BYTES = 256 * 1024
PROGRESS_INTERVAL_S = 0.1


@dataclass(frozen=True, slots=True)
class Remote:
    """A file on a server (or, with a `file:` URL, on a disk)."""

    url: str
    identity: str
    """What the file is, whatever its URL: a download continues only that of the same identity."""
    sha256: str = ""
    """Known beforehand, so that even a server without validators can be continued from."""
    size_bytes: int = 0
    """0: whatever the server says."""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a failing connection is tried again; bytes that arrive reset the count."""

    attempts: int = 5
    wait_s: float = 1.0
    """Before the second attempt; doubled each time, at most 16 s."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """How far a download is; sent a few times a second."""

    done_bytes: int
    total_bytes: int
    """0 where the server does not say."""


@dataclass(slots=True)
class _State:
    """Kept beside the part file; without it the part file is worth nothing."""

    identity: str
    etag: str = ""
    """Strong validator of the bytes so far; empty where the server gives none."""
    total_bytes: int = 0


class _StartAgain(Exception):  # noqa: N818 - a change of course, not an error
    """The bytes so far belong to another version of the file."""


def download(
    remote: Remote, target: Path, *, stop: StopFlag | None = None, retry: RetryPolicy | None = None
) -> Iterator[Transfer]:
    """Download to `target`, continuing an earlier try; `target` appears complete or not at all.

    The hash is the caller's to check: it decides what a mismatch means.

    Raises:
        NetworkError: Every attempt failed; the part file stays and the next call continues.
        DiskFullError: Not enough room.
        StoppedError: The stop flag was set.
        ModelError: The server offers a file of another size.
    """
    retry = retry or RetryPolicy()
    part, notes = target.with_name(target.name + ".part"), target.with_name(target.name + ".part.json")
    state = _load_state(remote, part, notes)
    failures = 0
    while True:
        before = _size(part)
        try:
            yield from _attempt(remote, part, notes, state, stop)
            break
        except _StartAgain:
            logger.info("%s has changed on the server; starting again", shown(remote.url))
            state = _discard(remote, part, notes)
            failures += 1
            error: NetworkError | None = None
        except NetworkError as caught:
            error = caught
            failures = 1 if _size(part) > before else failures + 1
        if failures >= retry.attempts or (error is not None and not error.is_transient):
            raise error or ModelError(f"{shown(remote.url)} changes with every request.", hint="Try again later.")
        if error is not None:
            logger.info("%s Trying again.", error)
            asked_s = error.retry_after_s if isinstance(error, StatusError) else 0.0
            _wait(max(asked_s, min(retry.wait_s * 2 ** (failures - 1), 16.0)), stop)
    _sync(part)
    part.replace(target)
    notes.unlink(missing_ok=True)
    sync_folder(target.parent)


def _attempt(remote: Remote, part: Path, notes: Path, state: _State, stop: StopFlag | None) -> Iterator[Transfer]:
    """One request, from where the part file ends; returns when the file is whole."""
    check_stop(stop)
    if remote.url.startswith("file:"):
        yield from _copy(remote, part, stop)
        return
    offset = _size(part)
    if offset and state.total_bytes == offset:
        yield Transfer(offset, offset)
        return
    headers = dict(remote.headers)
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if state.etag:
            headers["If-Range"] = state.etag
    try:
        response = request(remote.url, headers)
    except StatusError as error:
        if error.status == 416 and offset:
            raise _StartAgain from error
        raise
    with response:
        offset = _agree(remote, state, response, offset)
        check_free_space(part.parent, max(state.total_bytes - offset, 0))
        notes.write_text(json.dumps(asdict(state)), encoding="utf-8")
        yield Transfer(offset, state.total_bytes)
        with _open_part(part, offset) as stream:
            yield from _receive(remote, response, stream, part, offset, state.total_bytes, stop)


def _agree(remote: Remote, state: _State, response: http.client.HTTPResponse, offset: int) -> int:
    """Compare what the server sends with what was asked for; returns the offset at which its bytes begin."""
    etag = response.headers.get("ETag", "")
    etag = "" if etag.startswith("W/") else etag
    if response.status == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
        total = int(match[2]) if match and match[2] != "*" else 0
        if match is None or int(match[1]) != offset:
            raise _StartAgain
        if (etag and state.etag and etag != state.etag) or (total and state.total_bytes not in (0, total)):
            raise _StartAgain
        state.total_bytes = total or state.total_bytes
    else:
        # The server does not continue, or the file has changed: all of it comes.
        offset = 0
        length = response.headers.get("Content-Length", "")
        state.etag, state.total_bytes = etag, int(length) if length.isascii() and length.isdigit() else 0
    if response.headers.get("Content-Encoding", "identity") not in ("", "identity"):
        raise ModelError(
            f"{shown(remote.url)} is sent compressed, though that was not asked for.",
            hint="Use another proxy or mirror.",
        )
    if remote.size_bytes and state.total_bytes not in (0, remote.size_bytes):
        raise ModelError(
            coded(
                "pull.wrong_size",
                "{url} has {size} bytes, and {expected} are expected.",
                url=shown(remote.url),
                size=state.total_bytes,
                expected=remote.size_bytes,
            ),
            hint=coded("hint.other_file", "It is another file than the catalogue means; it was not downloaded."),
        )
    state.total_bytes = state.total_bytes or remote.size_bytes
    return offset


def _receive(
    remote: Remote,
    response: http.client.HTTPResponse,
    stream: BinaryIO,
    part: Path,
    done_bytes: int,
    total_bytes: int,
    stop: StopFlag | None,
) -> Iterator[Transfer]:
    told_at = time.monotonic()
    while True:
        check_stop(stop)
        try:
            chunk = response.read(CHUNK_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise translate(remote.url, error) from error
        if not chunk:
            break
        done_bytes += len(chunk)
        if total_bytes and done_bytes > total_bytes:
            raise ModelError(
                f"{shown(remote.url)} sends more than the {total_bytes} bytes it announced.",
                hint="Do not use this server.",
            )
        _write(stream, chunk, part)
        if (now := time.monotonic()) - told_at >= PROGRESS_INTERVAL_S:
            told_at = now
            yield Transfer(done_bytes, total_bytes)
    # http.client returns a short body without a word when it is read in pieces.
    if total_bytes and done_bytes < total_bytes:
        raise NetworkError(
            coded(
                "pull.ended",
                "{url} ended after {done} of {total} bytes.",
                url=shown(remote.url),
                done=done_bytes,
                total=total_bytes,
            ),
            hint=coded("hint.continues_there", "Run the same command again: it continues there."),
            is_transient=True,
        )
    yield Transfer(done_bytes, total_bytes)


def _copy(remote: Remote, part: Path, stop: StopFlag | None) -> Iterator[Transfer]:
    """The same for a package index on a disk; there is nothing to continue."""
    path = Path(urllib.request.url2pathname(urllib.parse.urlsplit(remote.url).path))
    try:
        total_bytes = path.stat().st_size
        check_free_space(part.parent, total_bytes)
        with path.open("rb") as source, _open_part(part, 0) as stream:
            while chunk := source.read(CHUNK_BYTES):
                check_stop(stop)
                _write(stream, chunk, part)
                yield Transfer(stream.tell(), total_bytes)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.", hint="Check the index's address.") from error


def _open_part(part: Path, offset: int) -> BinaryIO:
    try:
        stream = part.open("r+b" if offset else "wb")
        stream.seek(offset)
        stream.truncate()
    except OSError as error:
        raise disk_error(error, part) from error
    return stream


def _write(stream: BinaryIO, chunk: bytes, part: Path) -> None:
    try:
        stream.write(chunk)
    except OSError as error:
        raise disk_error(error, part) from error


def _load_state(remote: Remote, part: Path, notes: Path) -> _State:
    """What an earlier try left, if its bytes can be continued."""
    try:
        raw = json.loads(notes.read_text(encoding="utf-8"))
        state = _State(str(raw["identity"]), str(raw["etag"]), int(raw["total_bytes"]))
    except (OSError, ValueError, KeyError, TypeError):
        return _discard(remote, part, notes)
    # Without a validator only the hash at the end can tell a file that was put together from two versions.
    if state.identity != remote.identity or not (state.etag or remote.sha256):
        return _discard(remote, part, notes)
    if state.total_bytes and _size(part) > state.total_bytes:
        return _discard(remote, part, notes)
    return state


def _discard(remote: Remote, part: Path, notes: Path) -> _State:
    part.unlink(missing_ok=True)
    notes.unlink(missing_ok=True)
    return _State(remote.identity)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _sync(path: Path) -> None:
    try:
        with path.open("r+b") as stream:
            os.fsync(stream.fileno())
    except OSError as error:
        raise disk_error(error, path) from error


def _wait(seconds: float, stop: StopFlag | None) -> None:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        check_stop(stop)
        time.sleep(min(left, 0.1))
