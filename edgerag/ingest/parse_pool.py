"""Parses files in worker processes: a file that hangs, crashes or eats memory costs that file only."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from edgerag.coded_text import coded, from_json
from edgerag.datatypes import ParsedDocument
from edgerag.errors import DocumentError
from edgerag.ingest.parse_messages import decode_document, read_frame, write_frame
from edgerag.protocols import StopFlag

WINDOW_PER_WORKER = 2
"""Files read ahead for each worker: while the caller embeds, this many parsed texts wait in memory."""
WORKER_FLAG = "--parse-worker"
"""First argument with which a frozen application starts as a parse worker."""
KILL_SIGNAL = 9
_POLL_S = 0.1
_BOOTSTRAP = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from edgerag.ingest.parse_worker import main; main()"
)


_Process = subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """What became of one file. Hash, size and time belong to the very bytes that were parsed."""

    path: Path
    outcome: ParsedDocument | DocumentError
    content_hash: str | None
    """SHA-256 of the bytes, hex; None when they could not be read or the worker died."""
    size_bytes: int
    mtime_ns: int
    ctime_ns: int | None
    """As in `ScannedFile`."""
    seconds: float
    """Reading, hashing and parsing, in the worker."""


class ParsePool:
    """Worker processes, started when files come and kept until the pool is closed.

    with ParsePool(workers=2, timeout_s=120, memory_mib=2048, max_text_chars=10**8) as pool:
        for file in pool.parse_many(paths, stop):
            ...
    """

    def __init__(
        self,
        workers: int,
        timeout_s: float,
        memory_mib: int,
        max_text_chars: int,
        *,
        max_file_mib: int = 1024,
        command: Sequence[str] | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            workers: Most processes at a time, at least 1.
            timeout_s: Longest time for one file; its worker is killed then.
            memory_mib: Address space a worker may take beyond its start (Linux).
            max_text_chars: Longest text one file may turn into.
            max_file_mib: Larger files are refused before they are read.
            command: Program and arguments of a worker; default this interpreter, or the frozen application.
        """
        if workers < 1:
            raise ValueError("workers must be at least 1")
        self._num_workers = workers
        self._timeout_s = timeout_s
        self._max_text_chars = max_text_chars
        self._memory_mib = memory_mib
        self._job = {
            "timeout_s": timeout_s,
            "memory_mib": memory_mib,
            "max_text_chars": max_text_chars,
            "max_file_bytes": max_file_mib * 1024 * 1024,
        }
        self._command = list(command) if command else _worker_command()
        self._lock = threading.Lock()
        self._idle: list[_Process] = []
        self._busy: set[_Process] = set()
        self._is_closed = False

    def __enter__(self) -> ParsePool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every worker; those that are busy are killed."""
        with self._lock:
            self._is_closed = True
            processes = [*self._idle, *self._busy]
            self._idle = []
        for process in processes:
            _end(process)

    def parse_many(self, files: Iterable[Path], stop: StopFlag) -> Iterator[ParsedFile]:
        """Parse files, a few ahead of the caller; results come as they are ready, in any order.

        One iteration at a time. Every file gives exactly one result, unless `stop` is set or the generator is
        closed: then the files under way are given up and the iteration ends.
        """
        jobs: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
        results: queue.SimpleQueue[ParsedFile] = queue.SimpleQueue()
        ended = threading.Event()
        threads: list[threading.Thread] = []
        num_waiting = 0
        window = self._num_workers * WINDOW_PER_WORKER
        remaining = iter(files)
        has_more = True
        try:
            while not stop.is_set():
                while has_more and num_waiting < window:
                    path = next(remaining, None)
                    if path is None:
                        has_more = False
                        break
                    jobs.put(path)
                    num_waiting += 1
                    if len(threads) < min(self._num_workers, num_waiting):
                        thread = threading.Thread(
                            target=self._serve, args=(jobs, results, ended), name="parse", daemon=True
                        )
                        thread.start()
                        threads.append(thread)
                if not num_waiting:
                    return
                try:
                    result = results.get(timeout=_POLL_S)
                except queue.Empty:
                    continue
                num_waiting -= 1
                yield result
        finally:
            ended.set()
            if num_waiting:
                with self._lock:
                    busy = list(self._busy)
                for process in busy:
                    _end(process)
            for _ in threads:
                jobs.put(None)
            for thread in threads:
                thread.join()

    def _serve(
        self,
        jobs: queue.SimpleQueue[Path | None],
        results: queue.SimpleQueue[ParsedFile],
        ended: threading.Event,
    ) -> None:
        """Take jobs until None comes; one thread for each worker process."""
        while (path := jobs.get()) is not None and not ended.is_set():
            try:
                result = self._parse_one(path, ended)
            except Exception as error:  # noqa: BLE001 (must end as a failed file, not hang the queue)
                reason = _unparsable(f"{type(error).__name__}: {error}")
                result = _failure(path, DocumentError(reason))
            results.put(result)

    def _parse_one(self, path: Path, ended: threading.Event) -> ParsedFile:
        while True:
            process, is_fresh = self._take(ended)
            frame, problem, is_timed_out = self._ask(process, path)
            is_usable = frame is not None and not frame[0].get("retire", False) and not is_timed_out
            self._give_back(process, is_usable=is_usable)
            if frame is not None:
                return _result(path, *frame)
            if is_timed_out:
                reason = coded("file.timeout", "took longer than {seconds:g} s to parse", seconds=self._timeout_s)
                hint = coded("hint.parse_timeout", "Raise the setting `parse_timeout_s`.")
                return _failure(path, DocumentError(reason, hint=hint))
            # A used worker may have died for reasons of its own, or full of an earlier file: only a fresh one
            # that dies proves that it is this file.
            if is_fresh or problem:
                # A kill comes from outside, of the system when memory runs out: the file may be sound.
                is_killed = not problem and process.returncode == -KILL_SIGNAL
                advice = coded("hint.retry", "`edgerag sync --retry` tries it again.") if is_killed else ""
                return _failure(path, DocumentError(problem or _crash_reason(process.returncode), hint=advice))

    def _ask(self, process: _Process, path: Path) -> tuple[tuple[dict[str, Any], bytes] | None, str, bool]:
        """Send one job: the answer (None if the worker died), what was wrong with it, was time up."""
        assert process.stdin is not None
        assert process.stdout is not None
        is_timed_out = threading.Event()

        def kill() -> None:
            is_timed_out.set()
            process.kill()

        timer = threading.Timer(self._timeout_s, kill)
        timer.daemon = True
        timer.start()
        try:
            write_frame(process.stdin, {**self._job, "path": os.fspath(path)})
            frame = read_frame(process.stdout, self._max_text_chars * 4)
        except OSError:
            return None, "", is_timed_out.is_set()
        except ValueError as error:
            return None, _unparsable(error), is_timed_out.is_set()
        finally:
            timer.cancel()
        return frame, "", is_timed_out.is_set()

    def _take(self, ended: threading.Event) -> tuple[_Process, bool]:
        """A worker, and whether it is a new one."""
        with self._lock:
            if self._is_closed or ended.is_set():
                raise RuntimeError("the pool is closed")
            while self._idle:
                process = self._idle.pop()
                if process.poll() is None:
                    self._busy.add(process)
                    return process, False
                _end(process)
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
            self._busy.add(process)
            return process, True

    def _give_back(self, process: _Process, *, is_usable: bool) -> None:
        with self._lock:
            self._busy.discard(process)
            if is_usable and not self._is_closed:
                self._idle.append(process)
                return
        _end(process)


def _worker_command() -> list[str]:
    if getattr(sys, "frozen", False):
        return [sys.executable, WORKER_FLAG]
    if not sys.executable:
        raise DocumentError(_unparsable("the path of the Python interpreter is unknown"))
    root = str(Path(__file__).resolve().parents[2])
    search_path = [entry for entry in sys.path if entry]
    if root not in search_path:
        search_path.insert(0, root)
    # -I: neither the current folder nor PYTHON* variables decide what the worker imports; the parent's path
    # does.
    return [sys.executable, "-I", "-c", _BOOTSTRAP, json.dumps(search_path)]


def _end(process: _Process) -> None:
    """Kill and reap; an idle worker has nothing to lose."""
    process.kill()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    process.wait()


def _result(path: Path, header: dict[str, Any], body: bytes) -> ParsedFile:
    outcome: ParsedDocument | DocumentError
    try:
        if header["ok"]:
            outcome = decode_document(header, body)
        else:
            outcome = DocumentError(from_json(header["reason"]), hint=from_json(header["hint"]))
        return ParsedFile(
            path=path,
            outcome=outcome,
            content_hash=str(header["hash"]) or None,
            size_bytes=int(header["size_bytes"]),
            mtime_ns=int(header["mtime_ns"]),
            ctime_ns=None if header["ctime_ns"] is None else int(header["ctime_ns"]),
            seconds=float(header["seconds"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        return _failure(path, DocumentError(_unparsable(f"malformed answer: {error}")))


def _failure(path: Path, error: DocumentError) -> ParsedFile:
    return ParsedFile(path=path, outcome=error, content_hash=None, size_bytes=0, mtime_ns=0, ctime_ns=None, seconds=0.0)


def _crash_reason(returncode: int | None) -> str:
    if returncode is not None and returncode < 0:
        import signal

        with contextlib.suppress(ValueError):
            return _crash(signal.Signals(-returncode).name)
    return _crash(f"exit code {returncode}")


def _crash(how: str) -> str:
    return coded("file.crashed", "crashed its parser ({how})", how=how)


def _unparsable(problem: object) -> str:
    return coded("file.unparsable", "could not be parsed ({problem})", problem=problem)
