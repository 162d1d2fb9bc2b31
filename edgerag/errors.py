"""Every error that a caller of edgerag can act on."""


class EdgeragError(Exception):
    """What happened to what; `hint` says what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


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
