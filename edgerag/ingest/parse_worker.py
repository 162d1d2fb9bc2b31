"""The process that parses: reads jobs from stdin, answers on stdout, keeps within its limits.

Started by `edgerag.ingest.parse_pool` as a program of its own rather than through multiprocessing, whose
spawn would import the user's script again. It imports neither numpy nor onnxruntime.
"""

from __future__ import annotations

import hashlib
import os
import queue
import signal
import stat
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO

from edgerag.coded_text import coded, to_json
from edgerag.errors import DocumentError, os_reason
from edgerag.file_times import modified_ns, settled_ns
from edgerag.ingest import limits
from edgerag.ingest.parse import parse_bytes
from edgerag.ingest.parse_messages import encode_document, read_frame, write_frame

READ_BYTES = 1024 * 1024
EXIT_PARENT_GONE = 3


def read_regular_file(path: str, max_file_bytes: int) -> tuple[bytes, os.stat_result]:
    """Read a file once, whole.

    Raises:
        DocumentError: Missing, unreadable, no regular file, or too large.
    """
    try:
        # O_NONBLOCK: a FIFO that took the file's place must not block the open.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123 (a descriptor, not a path)
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise DocumentError(coded("file.not_regular", "is not a regular file"))
            if status.st_size > max_file_bytes:
                raise _too_large(max_file_bytes)
            parts: list[bytes] = []
            length_bytes = 0
            while part := file.read(max(READ_BYTES, status.st_size + 1 - length_bytes)):
                parts.append(part)
                length_bytes += len(part)
                if length_bytes > max_file_bytes:
                    raise _too_large(max_file_bytes)
    except FileNotFoundError as error:
        raise DocumentError(coded("file.gone", "does not exist any more")) from error
    except PermissionError as error:
        raise DocumentError(
            coded("file.denied", "may not be read"),
            hint=coded("hint.file_permissions", "Check the file's permissions."),
        ) from error
    except OSError as error:
        problem = coded("file.os_error", "could not be read ({problem})", problem=os_reason(error))
        raise DocumentError(problem) from error
    return (parts[0] if len(parts) == 1 else b"".join(parts)), status


def _too_large(max_file_bytes: int) -> DocumentError:
    return DocumentError(
        coded("file.too_large", "is larger than {limit} MiB", limit=max_file_bytes // 1024**2),
        hint=coded("hint.max_file", "Raise the setting `max_file_mib`."),
    )


def run_job(job: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Read, hash and parse one file; failures become part of the answer."""
    started, looked_ns = time.monotonic(), time.time_ns()
    header: dict[str, Any] = {"hash": "", "size_bytes": 0, "mtime_ns": 0, "ctime_ns": None}
    body = b""
    try:
        data, status = read_regular_file(job["path"], job["max_file_bytes"])
        header.update(hash=hashlib.sha256(data).hexdigest(), size_bytes=len(data), mtime_ns=modified_ns(status))
        header["ctime_ns"] = settled_ns(status, looked_ns=looked_ns)
        parsed = parse_bytes(data, Path(job["path"]).name, max_text_chars=job["max_text_chars"])
        fields, body = encode_document(parsed)
        header.update(fields, ok=True)
    except DocumentError as error:
        header.update(ok=False, reason=to_json(error.message), hint=to_json(error.hint))
    except MemoryError:
        header.update(
            ok=False,
            reason=to_json(
                coded("file.memory", "needs more than {limit} MiB of memory to be read", limit=job["memory_mib"])
            ),
            hint=to_json(coded("hint.parse_memory", "Raise the setting `parse_memory_mib`, or split the file.")),
            retire=True,
        )
    header["seconds"] = time.monotonic() - started
    return header, body


def main() -> None:
    """Serve jobs until stdin ends; the frozen application comes here too, for `--parse-worker`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    jobs_stream, answers = _private_streams()
    memory_mib = 0
    start_bytes = 0
    jobs: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_read_jobs, args=(jobs_stream, jobs), daemon=True).start()
    while True:
        job = jobs.get()
        if not memory_mib:
            memory_mib = job["memory_mib"]
            start_bytes = limits.address_space_bytes()
            limits.limit_memory(memory_mib)
        limits.limit_cpu(job["timeout_s"])
        header, body = run_job(job)
        grown_bytes = limits.address_space_bytes() - start_bytes
        # Heaps fragment and native libraries leak: a worker near its limit would fail files that are fine.
        header["retire"] = header.get("retire", False) or grown_bytes > memory_mib * 1024 * 1024 // 2
        try:
            write_frame(answers, header, body)
        except OSError:
            os._exit(EXIT_PARENT_GONE)
        del header, body


def _private_streams() -> tuple[BinaryIO, BinaryIO]:
    """Move the protocol off descriptors 0 and 1, so that a native library that prints cannot break it."""
    jobs_stream = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    return jobs_stream, answers


def _read_jobs(stream: BinaryIO, jobs: queue.SimpleQueue[dict[str, Any]]) -> None:
    """Hand jobs on; when the parent closes the pipe or dies, end the process, even amid a parse."""
    while True:
        try:
            frame = read_frame(stream, READ_BYTES)
        except (OSError, ValueError):
            frame = None
        if frame is None:
            os._exit(0)
        jobs.put(frame[0])
