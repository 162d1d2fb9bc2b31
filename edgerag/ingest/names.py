"""File names that the library cannot hold: it keeps paths as text, and to a POSIX system a name is any bytes."""

from __future__ import annotations

import os

from edgerag.coded_text import coded
from edgerag.datatypes import FileFailed

NOT_UTF8 = coded("file.name_not_utf8", "its name is not valid UTF-8; rename it")


def refused_name(path: str) -> FileFailed | None:
    """The failure of a file whose path is no UTF-8; None for every other path.

    Python hands such names over with lone surrogates, which neither SQLite nor a terminal takes: the failure shows the
    bytes as `\\xe9`. It is not recorded in the library, which could not hold the path either.
    """
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return FileFailed(printable_path(path), NOT_UTF8)
    return None


def printable_path(path: str) -> str:
    """A path as text that can be printed and stored, with `\\xe9` for each byte that is no UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
