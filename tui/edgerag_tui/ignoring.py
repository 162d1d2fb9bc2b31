"""Leaving a file or folder of a source out: the line for `.edgeragignore`."""

from __future__ import annotations

import os
import re
from pathlib import Path

from edgerag.errors import EdgeragError, os_reason
from edgerag_tui.strings import say, tr

IGNORE_FILE = ".edgeragignore"


def ignore_line(source: str, path: str, *, is_folder: bool) -> str:
    """The pattern that means this one entry and nothing else.

    Args:
        source: The source's folder, in which the ignore file stands.
    """
    relative = os.path.relpath(path, source).replace(os.sep, "/")
    escaped = re.sub(r"([*?\[\]\\])", r"\\\1", relative)
    # A line of the ignore file cannot hold these.
    escaped = re.sub(r"[\r\n]", "?", escaped)
    if escaped.endswith(" "):
        escaped = escaped[:-1] + "\\ "
    # Anchored by the slash, which also keeps `#` and `!` from meaning anything.
    return f"/{escaped}{'/' if is_folder else ''}"


def leave_out(source: str, line: str) -> Path:
    """Append a line to the source's `.edgeragignore`; returns that file.

    Raises:
        EdgeragError: The file cannot be written.
    """
    file = Path(source, IGNORE_FILE)
    try:
        before = file.read_bytes() if file.exists() else b""
        begin = b"" if not before or before.endswith(b"\n") else b"\n"
        with file.open("ab") as stream:
            stream.write(begin + line.encode("utf-8", "surrogateescape") + b"\n")
    except OSError as error:
        raise EdgeragError(
            tr("errors.unwritable", path=file, problem=say(os_reason(error))), hint=tr("errors.the_line", line=line)
        ) from error
    return file
