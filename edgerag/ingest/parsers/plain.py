"""Plain text: the file's text as it is."""

from __future__ import annotations

from edgerag.datatypes import ParsedDocument
from edgerag.ingest.encodings import decode_text, decode_warnings, is_binary
from edgerag.ingest.parsers.builder import Source, whole_text
from edgerag.ingest.parsers.refusals import binary


def read_text(source: Source) -> tuple[str, tuple[str, ...]]:
    """Decode a file that should be text.

    Returns:
        Text and warnings.

    Raises:
        DocumentError: It is binary, or too long.
    """
    if is_binary(source.data):
        raise binary()
    text, encoding = decode_text(source.data)
    return text, decode_warnings(text, encoding)


def parse(source: Source) -> ParsedDocument:
    text, warnings = read_text(source)
    return whole_text(source, text, "text", warnings=warnings)
