"""E-mail and web archives: headers, the text a reader sees, and the names of what is attached."""

from __future__ import annotations

import email
import email.policy
from email.message import Message

from edgerag.coded_text import coded
from edgerag.datatypes import ParsedDocument
from edgerag.errors import DocumentError
from edgerag.ingest.encodings import decode_text, has_wide_bytes, is_wide
from edgerag.ingest.formats import file_ending
from edgerag.ingest.parsers.builder import Source, TextBuilder, clean_text, one_line
from edgerag.ingest.parsers.html import write_html
from edgerag.ingest.parsers.refusals import no_text

_HEADERS = ("Subject", "From", "To", "Cc", "Date")
_MAX_DEPTH = 4
"""Messages within messages; deeper ones are named only."""
_WEB_ARCHIVES = (".mht", ".mhtml")


def parse(source: Source) -> ParsedDocument:
    message = email.message_from_bytes(source.data, policy=email.policy.default)
    if not message.keys():
        raise DocumentError(coded("file.no_email", "is no e-mail (it has no headers)"))
    builder = TextBuilder(source)
    is_web_archive = file_ending(source.name) in _WEB_ARCHIVES
    _write_message(builder, message, depth=0, with_headers=not is_web_archive)
    if builder.is_empty:
        raise no_text()
    return builder.build("eml", _header(message, "Subject"))


def _write_message(builder: TextBuilder, message: Message, *, depth: int, with_headers: bool = True) -> None:
    if with_headers:
        for name in _HEADERS:
            if value := _header(message, name):
                builder.line(f"{name}: {value}")
        builder.gap()
    attachments: list[str] = []
    _write_part(builder, message, attachments, depth)
    builder.gap()
    for attachment in attachments if with_headers else ():
        builder.line(f"Attachment: {attachment}")
    builder.gap()


def _write_part(builder: TextBuilder, part: Message, attachments: list[str], depth: int) -> None:
    kind = part.get_content_type()
    filename = _filename(part)
    if kind == "message/rfc822":
        inner = part.get_payload(0) if part.is_multipart() else None
        if isinstance(inner, Message) and depth < _MAX_DEPTH:
            builder.gap()
            _write_message(builder, inner, depth=depth + 1)
        else:
            attachments.append(filename or "message")
        return
    if part.is_multipart():
        children = [child for child in part.get_payload() if isinstance(child, Message)]
        if kind == "multipart/alternative":
            children = _best_alternative(children)
        if depth < 50:
            for child in children:
                _write_part(builder, child, attachments, depth + 1)
        return
    if part.get_content_disposition() == "attachment" or kind not in ("text/plain", "text/html"):
        if filename or part.get_content_maintype() != "text":
            attachments.append(f"{filename or 'unnamed'} ({kind})")
        return
    text = _body_text(part)
    builder.gap()
    if kind == "text/html":
        write_html(builder, text, whole_body=True)
    else:
        builder.block(text)


def _best_alternative(children: list[Message]) -> list[Message]:
    """Plain text, unless it is only a stub that points to the HTML."""
    plain = [child for child in children if child.get_content_type() == "text/plain"]
    if plain and len(_body_text(plain[0]).strip()) > 20:
        return plain[:1]
    return children[-1:]


def _body_text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    charset = part.get_content_charset() or ""
    try:
        # The header stands apart from the text, which may be UTF-16; if it is not, decoding it so may still succeed.
        if charset and charset not in ("us-ascii", "ascii") and (not is_wide(charset) or has_wide_bytes(payload)):
            return clean_text(payload.decode(charset))
    except (LookupError, UnicodeError, ValueError):
        pass  # a wrong or unknown charset: the bytes decide
    return decode_text(payload)[0]


def _header(message: Message, name: str) -> str:
    try:
        value = message.get(name)
    except Exception:  # noqa: BLE001 (the standard library's header parser raises many kinds)
        value = next((raw for key, raw in message.raw_items() if key.lower() == name.lower()), "")
    return one_line(clean_text(str(value or "")))


def _filename(part: Message) -> str:
    try:
        return one_line(clean_text(part.get_filename() or ""))
    except Exception:  # noqa: BLE001 (as above)
        return ""
