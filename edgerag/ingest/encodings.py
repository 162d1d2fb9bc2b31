"""Turns bytes of unknown encoding into text, and tells text from junk."""

from __future__ import annotations

import codecs
import re

from edgerag.ingest.encoding_scores import best_legacy_encoding, looks_like_text
from edgerag.ingest.parsers.builder import clean_text

SAMPLE_BYTES = 64 * 1024
"""How much is looked at to guess; the whole is decoded once the encoding is known."""

UTF8_DAMAGED = "utf-8, damaged"
"""Encoding name for UTF-8 with invalid bytes; `decode_warnings` puts it into words."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its first two bytes are the same
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MAGIC = (
    b"\x7fELF", b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"PK\x03\x04", b"\x1f\x8b\x08",
    b"BZh9", b"\xfd7zXZ\x00", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    b"MZ\x90\x00",
    b"SQLite format 3\x00", b"\xca\xfe\xba\xbe", b"OggS", b"ID3\x03", b"ID3\x04", b"fLaC", b"wOFF", b"wOF2",
    b"GGUF", b"\x00asm", b"\x93NUMPY", b"\x28\xb5\x2f\xfd",
)  # fmt: skip
_CONTROLS = bytes(set(range(0x20)) - set(b"\t\n\v\f\r\b\x1b")) + b"\x7f"
_MAX_CONTROL_SHARE = 0.01
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
XML_ENCODING = re.compile(rb"<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([A-Za-z0-9_:.-]{2,40})[\"']", re.IGNORECASE)
_ISO_2022_JP = re.compile(rb"\x1b\$[@B]")


def decode_text(data: bytes) -> tuple[str, str]:
    """Decode with the encoding the bytes are most likely in.

    Returns:
        The text, as `clean_text` leaves it, and the encoding's name. Never fails: bytes that do not fit the
        chosen encoding become U+FFFD, which `decode_warnings` reports.
    """
    for bom, name in _BOMS:
        if data.startswith(bom):
            return clean_text(data[len(bom) :].decode(name, "replace")), name
    if (wide := _wide_encoding(data)) is not None:
        return clean_text(data.decode(wide, "replace")), wide
    if _ISO_2022_JP.search(data, 0, SAMPLE_BYTES):
        try:
            return clean_text(data.decode("iso2022_jp")), "iso2022_jp"
        except UnicodeDecodeError:
            pass  # escape sequences by chance: the encodings below decide
    try:
        return clean_text(data.decode("utf-8")), "utf-8"
    except UnicodeDecodeError as error:
        where = error.start
    if _is_damaged_utf8(_sample(data, where)):
        return clean_text(data.decode("utf-8", "replace")), UTF8_DAMAGED
    name = best_legacy_encoding(_sample(data, where))
    return clean_text(data.decode(name, "replace")), name


def decode_warnings(text: str, encoding: str) -> tuple[str, ...]:
    """What a user should know about how a text was decoded."""
    if encoding == UTF8_DAMAGED:
        return (f"{text.count(chr(0xFFFD))} places are not valid UTF-8; each is shown as \ufffd",)
    if encoding != "utf-8":
        lost = text.count("\ufffd")
        damage = f"; {lost} places could not be decoded" if lost else ""
        return (f"read as {encoding}{damage}",)
    return ()


def is_wide(name: str) -> bool:
    """Whether an encoding writes ASCII in more than one byte, as UTF-16 and UTF-32 do.

    A file that names such an encoding in plain ASCII is not in it; browsers take it for UTF-8
    (https://html.spec.whatwg.org/#prescan-a-byte-stream-to-determine-its-encoding). Decoding it so would often succeed,
    and make Chinese characters of it.
    """
    try:
        return codecs.lookup(name).name.startswith(("utf-16", "utf-32"))
    except LookupError:
        return False


def has_wide_bytes(data: bytes) -> bool:
    """Whether bytes may be UTF-16 or UTF-32: nearly every such text has a mark at its beginning, or a NUL in it."""
    return b"\x00" in data or any(data.startswith(bom) for bom, name in _BOMS if is_wide(name))


def is_binary(data: bytes) -> bool:
    """Whether the bytes are no text in any encoding that `decode_text` knows."""
    if data.startswith(_MAGIC):
        return True
    if any(data.startswith(bom) for bom, _ in _BOMS):
        return False
    sample = data[:SAMPLE_BYTES]
    num_controls = len(sample) - len(sample.translate(None, _CONTROLS))
    if num_controls <= len(sample) * _MAX_CONTROL_SHARE:
        return False
    return _wide_encoding(data) is None


def _sample(data: bytes, around: int) -> bytes:
    """Up to `SAMPLE_BYTES` around the first byte beyond ASCII, in whole lines where possible."""
    if len(data) <= SAMPLE_BYTES:
        return data
    start = data.rfind(b"\n", max(0, around - SAMPLE_BYTES // 2), around) + 1
    end = data.rfind(b"\n", start, start + SAMPLE_BYTES)
    return data[start : end if end > around else start + SAMPLE_BYTES]


def _is_damaged_utf8(sample: bytes) -> bool:
    """UTF-8 with a few bad bytes: at least twice as many valid multi-byte sequences as stray bytes.

    Other encodings fall short: their bytes form such sequences by chance only.
    """
    rest, num_valid = _MULTIBYTE.subn(b"", sample)
    num_stray = len(rest) - len(rest.translate(None, bytes(range(0x80, 0x100))))
    return num_valid >= 2 * num_stray


def _wide_encoding(data: bytes) -> str | None:
    """UTF-16 or UTF-32 without a byte order mark; None for everything else."""
    sample = data[:4096]
    has_nul = b"\x00" in sample
    if not has_nul:
        if len(data) % 2 or sample.isascii():
            return None
        try:
            sample[:-4].decode("utf-8") if len(data) > 4096 else sample.decode("utf-8")
        except UnicodeDecodeError as error:
            if error.end >= len(sample) - 4 and len(data) > 4096:
                return None
        else:
            return None
    names = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be") if has_nul else ("utf-16-le", "utf-16-be")
    for name in names:
        width = 4 if "32" in name else 2
        if len(data) % width:
            continue
        try:
            text = sample[: len(sample) // width * width].decode(name)
        except UnicodeDecodeError as error:
            # A surrogate pair cut by the end of the sample is no damage.
            if error.start < len(sample) - 4:
                continue
            text = sample[: error.start].decode(name)
        if looks_like_text(text):
            return name
    return None
