"""Why a file is refused, where several parsers refuse for the same reason."""

from __future__ import annotations

from edgerag.coded_text import coded
from edgerag.errors import DocumentError

PICTURES_HINT = coded("hint.pictures", "Text in pictures is not read.")


def binary() -> DocumentError:
    """Bytes that are no text, whatever the file's name says."""
    hint = coded("hint.binary", "Its bytes are binary data, whatever the file's name says.")
    return DocumentError(coded("file.binary", "is not text"), hint=hint)


def damaged(problem: object) -> DocumentError:
    """A file that is not what its format asks for."""
    hint = coded("hint.save_again", "Open it in its own program and save it again.")
    return DocumentError(coded("file.damaged", "is damaged ({problem})", problem=problem), hint=hint)


def no_text(*, hint: str = "") -> DocumentError:
    """A file without anything that could be quoted."""
    return DocumentError(coded("file.no_text", "holds no text"), hint=hint)


def protected() -> DocumentError:
    """A file that only a password opens."""
    hint = coded("hint.no_password", "Save a copy without the password and add that.")
    return DocumentError(coded("file.password", "is password-protected"), hint=hint)


def too_long(max_text_chars: int) -> DocumentError:
    """A text above the limit."""
    return DocumentError(
        coded("file.too_long", "holds more than {limit:,} characters of text", limit=max_text_chars),
        hint=coded("hint.max_text", "Split the file, or raise the setting `max_text_chars`."),
    )
