"""Every error that a caller of edgerag can act on."""

from __future__ import annotations

import errno
from collections.abc import Mapping

from edgerag.coded_text import CodedText, Field, coded


class EdgeragError(Exception):
    """What happened to what; `hint` says what to do next.

    Both are English. Those that a person may meet in an interface are `CodedText`: with a stable code and the values in
    them, so that the interface can say them in its own language.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        """As it was given: `str(error)` loses its code."""
        self.hint = hint

    @property
    def code(self) -> str:
        """Of the message, e.g. `library.locked`; empty where it has none."""
        return self.message.code if isinstance(self.message, CodedText) else ""

    @property
    def fields(self) -> Mapping[str, Field]:
        """The values in the message by name; empty where it has no code."""
        return self.message.fields if isinstance(self.message, CodedText) else {}


class SettingsError(EdgeragError):
    """A setting is missing, unknown or out of range."""


class DocumentError(EdgeragError):
    """One file could not be read or parsed; ingest records it and goes on."""


class LibraryError(EdgeragError):
    """The database is locked, newer than this program, or damaged."""


class StaleIndexError(LibraryError):
    """The vector index does not match the library; rebuilding repairs it."""


class ModelError(EdgeragError):
    """Files missing, hash mismatch, unsupported graph, out of memory."""


_REASONS = {
    errno.EACCES: coded("os.denied", "Permission denied"),
    errno.EPERM: coded("os.denied", "Operation not permitted"),
    errno.ENOENT: coded("os.missing", "No such file or directory"),
    errno.ENOTDIR: coded("os.missing", "Not a directory"),
    errno.ENOSPC: coded("os.full", "No space left on device"),
    errno.EDQUOT: coded("os.full", "Disk quota exceeded"),
    errno.EROFS: coded("os.read_only", "Read-only file system"),
    errno.EIO: coded("os.io", "Input/output error"),
    errno.EISDIR: coded("os.folder", "Is a directory"),
    errno.ELOOP: coded("os.loop", "Too many levels of symbolic links"),
}


def os_reason(error: Exception) -> str:
    """Why the system refused, in its own words; with a code where the reason is a common one."""
    if not isinstance(error, OSError):
        return str(error)
    said = error.strerror or str(error)
    known = _REASONS.get(error.errno or 0)
    return CodedText(said, known.code, {}) if known is not None else said
