"""Standard output and standard error, made so that writing to them fails in two ways only, and never for a character.

Only what Python has loaded for itself is imported here: every command pays for it.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class ReaderGoneError(Exception):
    """Nobody reads standard output any longer: `edgerag get ... | head`.

    Not an OSError: click would end the program with 1, which means "nothing found".
    """


class OutputError(Exception):
    """Standard output could not be written; the OSError is its cause."""


def prepare_streams() -> None:
    """Put streams in place of Python's own that

    - are there, though the caller closed them (`>&-`, or pythonw on Windows): what is written goes nowhere;
    - write escapes for what their encoding lacks;
    - raise `ReaderGoneError` and `OutputError` on stdout; on stderr nothing, since a note that nobody can read must not
      cost the result.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # The lowest free number, so the one that was closed: a library's file in its place would get the output.
            number = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - for the whole run
    sys.stdout = _tolerant(sys.stdout, _Results)
    sys.stderr = _tolerant(sys.stderr, _Notes)


def end_output(text: str = "") -> OSError | None:
    """Write what is left, and a text behind it.

    Returns:
        Why standard output could not be written; None also where its reader has enough.
    """
    problem = None
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OutputError as error:
        problem = error.__cause__
    except (ReaderGoneError, BrokenPipeError):
        pass
    except OSError as error:
        problem = error
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    return problem if isinstance(problem, OSError) else None


class _Results(io.FileIO):
    """The descriptor of standard output, below all buffers: `sys.stdout.buffer` ends here too."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            # Windows says EINVAL for a pipe without a reader.
            if error.errno == errno.EPIPE or (sys.platform == "win32" and error.errno == errno.EINVAL):
                raise ReaderGoneError from error
            raise OutputError from error


class _Notes(io.FileIO):
    """The descriptor of standard error."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def _tolerant(stream: Any, kind: type[io.FileIO]) -> Any:
    """The same stream with another end; what is no file, pipe or POSIX terminal stays as it is."""
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    if not isinstance(stream, io.TextIOWrapper) or type(raw) is not io.FileIO:  # the console of Windows, a test's
        return stream
    with contextlib.suppress(OSError):  # the new one will say so
        stream.flush()
    new = kind(stream.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(
        new if raw is buffer else io.BufferedWriter(new),
        encoding=_encoding(stream),
        # Escapes for half a character too, as in the name of a file that is no UTF-8: in JSON that is its right form.
        errors="backslashreplace" if stream.errors in ("strict", "surrogateescape") else stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _encoding(stream: io.TextIOWrapper) -> str:
    """The one that was chosen; UTF-8 where Windows would choose for a pipe or a file.

    It takes the "ANSI" code page, cp1252 in the West, which lacks most characters and is not even what its shells
    expect. `edgerag get` writes UTF-8 as well.
    """
    if sys.platform == "win32" and not stream.isatty() and not os.environ.get("PYTHONIOENCODING"):
        return "utf-8"
    return stream.encoding
