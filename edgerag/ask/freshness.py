"""Deleted or changed files are never served: each document is looked at again before a hit on it is shown."""

from __future__ import annotations

from pathlib import Path

from edgerag.datatypes import Document
from edgerag.file_hash import hash_file
from edgerag.file_times import modified_ns


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
    if modified_ns(status) == document.mtime_ns:
        return ""
    try:
        content_hash = hash_file(path)
    except OSError:
        return "unreadable"
    return "" if content_hash == document.content_hash else "changed"
