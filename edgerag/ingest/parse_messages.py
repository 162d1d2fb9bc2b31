"""Messages between the program and its parse workers.

A message is a frame: length of the header (4 bytes), length of the body (8 bytes), a JSON header, and as body
the text in UTF-8. No pickle: a worker reads untrusted files with native code, so the program must not trust
it.
"""

from __future__ import annotations

import json
import struct
from typing import IO, Any

from edgerag.datatypes import Heading, PageSpan, ParsedDocument

FRAME = struct.Struct(">IQ")
MAX_HEADER_BYTES = 256 * 1024 * 1024
"""Room for the headings of any text that the limits allow."""


def write_frame(stream: IO[bytes], header: dict[str, Any], body: bytes = b"") -> None:
    """Write one message and flush it.

    Raises:
        OSError: The other side is gone.
    """
    encoded = json.dumps(header).encode("ascii")
    stream.write(FRAME.pack(len(encoded), len(body)) + encoded)
    if body:
        stream.write(body)
    stream.flush()


def read_frame(stream: IO[bytes], max_body_bytes: int) -> tuple[dict[str, Any], bytes] | None:
    """Read one message; None at the end of the stream.

    Raises:
        ValueError: The message is malformed or longer than allowed.
    """
    start = stream.read(FRAME.size)
    if len(start) < FRAME.size:
        return None
    header_bytes, body_bytes = FRAME.unpack(start)
    if header_bytes > MAX_HEADER_BYTES or body_bytes > max_body_bytes:
        raise ValueError("message too long")
    encoded, body = stream.read(header_bytes), stream.read(body_bytes) if body_bytes else b""
    if len(encoded) < header_bytes or len(body) < body_bytes:
        return None
    header = json.loads(encoded)
    if not isinstance(header, dict):
        raise ValueError("malformed message")
    return header, body


def encode_document(parsed: ParsedDocument) -> tuple[dict[str, Any], bytes]:
    """The header fields and the body of a parsed document."""
    header = {
        "title": parsed.title,
        "format": parsed.format,
        "pages": [(page.number, page.start_chars, page.end_chars) for page in parsed.pages],
        "headings": [(heading.level, heading.text, heading.start_chars) for heading in parsed.headings],
        "warnings": parsed.warnings,
    }
    return header, parsed.text.encode("utf-8")


def decode_document(header: dict[str, Any], body: bytes) -> ParsedDocument:
    """The reverse of `encode_document`, checking as it goes.

    Raises:
        ValueError, KeyError, TypeError: The message is malformed.
    """
    text = body.decode("utf-8")
    pages = tuple(PageSpan(int(number), int(start), int(end)) for number, start, end in header["pages"])
    headings = tuple(Heading(int(level), str(name), int(start)) for level, name, start in header["headings"])
    if any(not 0 <= page.start_chars <= page.end_chars <= len(text) for page in pages):
        raise ValueError("page outside the text")
    if any(not 0 <= heading.start_chars < len(text) for heading in headings):
        raise ValueError("heading outside the text")
    return ParsedDocument(
        text=text,
        title=str(header["title"]),
        format=str(header["format"]),
        pages=pages,
        headings=headings,
        warnings=tuple(str(warning) for warning in header["warnings"]),
    )
