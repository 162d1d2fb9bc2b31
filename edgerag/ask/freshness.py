"""Deleted or changed files are never served: each document is looked at again before a hit on it is shown."""

from __future__ import annotations

import os
from pathlib import Path

from edgerag.datatypes import Document
from edgerag.file_hash import hash_file
from edgerag.file_times import changed_ns, modified_ns, settled_ns

KEPT_HASHES = 1000
_hashes: dict[str, tuple[tuple[int, int, int], str]] = {}
"""By path: size and times of a file, and its hash then. A search while one types looks at the same file with every key,
and a sync, which would settle what is in doubt, may be far away."""


class FreshnessCheck:
    """Remembers its findings, so that a document is looked at once per search."""

    def __init__(self) -> None:
        self._findings: dict[int, str] = {}

    def problem(self, document: Document) -> str:
        """Why the document must not be shown (`deleted`, `changed`, `unreadable`), or nothing."""
        if document.id not in self._findings:
            self._findings[document.id] = _look(document)
        return self._findings[document.id]


def _look(document: Document) -> str:
    path = Path(document.path)
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return "deleted"
    except OSError:
        return "unreadable"
    if status.st_size != document.size_bytes:
        return "changed"
    if document.ctime_ns is not None and _times(status) == (document.mtime_ns, document.ctime_ns):
        return ""
    try:
        content_hash = _hash(path, status)
    except OSError:
        return "unreadable"
    return "" if content_hash == document.content_hash else "changed"


def _hash(path: Path, status: os.stat_result) -> str:
    key, stamp = str(path), (status.st_size, *_times(status))
    known = _hashes.get(key)
    if known is not None and known[0] == stamp:
        return known[1]
    is_settled = settled_ns(status) is not None  # before the file is read
    content_hash = hash_file(path)
    if is_settled:
        if len(_hashes) >= KEPT_HASHES:
            _hashes.clear()
        _hashes[key] = stamp, content_hash
    return content_hash


def _times(status: os.stat_result) -> tuple[int, int]:
    return modified_ns(status), changed_ns(status)
