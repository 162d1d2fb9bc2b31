"""The state of every file of a library, from the database and one `stat` each: no file is read."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgerag.datatypes import FileFailed
from edgerag.file_times import changed_ns, modified_ns
from edgerag.ingest.scan import scan
from edgerag.protocols import StopFlag
from edgerag.storage.library import Library

State = Literal["fresh", "changed", "gone", "unreadable", "failed", "new"]


@dataclass(frozen=True, slots=True)
class FileState:
    path: str
    source_id: int
    source_path: str
    state: State
    """`fresh`: size and time stamps are those that were read; `changed`: they are not (the next sync may still find the
    same content); `gone`: deleted, or its drive is missing; `unreadable`: permission; `failed`: could not be parsed;
    `new`: not read yet."""
    reason: str
    """Why it failed or cannot be read; else empty."""
    document_id: int | None
    """None for files that have no text in the library."""
    title: str
    format: str
    size_bytes: int
    """When it was read; of new ones now."""
    num_chunks: int
    ingested_at: str
    """ISO 8601, UTC; when it failed for failed ones; empty for new ones."""


def file_states(library: Library, *, find_new: bool = False, stop: StopFlag | None = None) -> list[FileState]:
    """Every document and every recorded failure, in order of path.

    Args:
        find_new: Also walk the sources for files that were not read yet.
        stop: Ends early with what is known until then.
    """
    flag = stop or threading.Event()
    sources = {source.id: source.path for source in library.sources()}
    failures = library.failures()
    failed_at = dict(library.rows("SELECT path, failed_at FROM failures"))
    states: dict[str, FileState] = {}
    rows = library.rows(
        "SELECT d.path, d.source_id, d.id, d.title, d.format, d.size_bytes, d.mtime_ns, d.ctime_ns, d.ingested_at, "
        "(SELECT count(*) FROM chunks AS c WHERE c.document_id = d.id) FROM documents AS d ORDER BY d.path"
    )
    for path, source_id, document_id, title, format_name, size_bytes, *times, ingested_at, num_chunks in rows:
        if flag.is_set():
            break
        failure = failures.get(path)
        state, reason = _on_disk(path, size_bytes, *times)
        if failure is not None and state != "gone":
            state, reason = "failed", failure.reason
        states[path] = FileState(
            path, source_id, sources.get(source_id, ""), state, reason, document_id, title, format_name, size_bytes,
            num_chunks, ingested_at,
        )  # fmt: skip
    for path, failure in failures.items():
        if path not in states and not flag.is_set():
            state, _ = _on_disk(path, failure.size_bytes, failure.mtime_ns, failure.ctime_ns)
            states[path] = FileState(
                path, failure.source_id, sources.get(failure.source_id, ""), "gone" if state == "gone" else "failed",
                failure.reason, None, Path(path).stem, "", failure.size_bytes, 0, failed_at.get(path, ""),
            )  # fmt: skip
    if find_new:
        _add_new(states, sources, flag)
    return sorted(states.values(), key=lambda each: each.path)


def _on_disk(path: str, size_bytes: int, mtime_ns: int, ctime_ns: int | None) -> tuple[State, str]:
    try:
        status = Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return "gone", ""
    except OSError as error:
        return "unreadable", error.strerror or str(error)
    except ValueError as error:  # a name that the locale's encoding cannot express
        return "unreadable", str(error)
    # Files that were read right after they were written have no `ctime_ns`: one that is in doubt is not called changed.
    is_same = (status.st_size, modified_ns(status), ctime_ns and changed_ns(status)) == (size_bytes, mtime_ns, ctime_ns)
    return ("fresh" if is_same else "changed"), ""


def _add_new(states: dict[str, FileState], sources: dict[int, str], stop: StopFlag) -> None:
    # The deepest source first: a file belongs to the most specific one that holds it.
    for source_id, source in sorted(sources.items(), key=lambda item: -len(Path(item[1]).parts)):
        for entry in scan([Path(source)], stop):
            if isinstance(entry, FileFailed) or str(entry.path) in states:
                continue
            path = str(entry.path)
            states[path] = FileState(
                path, source_id, source, "new", "", None, entry.path.stem, "", entry.size_bytes, 0, ""
            )
