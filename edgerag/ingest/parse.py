"""Bytes and a file name into a parsed document: picks the parser and translates its failures."""

from __future__ import annotations

import logging
from collections.abc import Callable

from edgerag.coded_text import coded
from edgerag.datatypes import ParsedDocument
from edgerag.errors import DocumentError
from edgerag.ingest import formats
from edgerag.ingest.parsers.builder import Source

logger = logging.getLogger(__name__)

Parser = Callable[[Source], ParsedDocument]

supported_endings = formats.supported_endings


def parse_bytes(data: bytes, name: str, *, max_text_chars: int) -> ParsedDocument:
    """Parse a whole file.

    Args:
        data: The file's bytes.
        name: Its name; the ending picks the parser, unless the first bytes contradict it.
        max_text_chars: Longest text that is accepted.

    Raises:
        DocumentError: Empty, damaged, protected, too long, or without text; nothing else is ever raised but
            `MemoryError`.
    """
    if not data or not data.strip(b"\x00\t\n\v\f\r \xef\xbb\xbf\xff\xfe"):
        raise DocumentError(coded("file.empty", "is empty"))
    source = Source(data=data, name=name, max_text_chars=max_text_chars)
    format_name = detect_format(data, name)
    try:
        parsed = parser_for(format_name)(source)
    except DocumentError:
        raise
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:  # third-party parsers raise anything; one bad file must not end a run
        logger.debug("%s parser failed", format_name, exc_info=True)
        raise DocumentError(
            coded(
                "file.unreadable_format",
                "could not be read as {format} ({problem})",
                format=format_name,
                problem=f"{type(error).__name__}: {error}",
            ),
            hint=coded("hint.save_again", "Open it in its own program and save it again."),
        ) from error
    if not parsed.text.strip():
        raise DocumentError(coded("file.no_text", "holds no text"))
    return parsed


def detect_format(data: bytes, name: str) -> str:
    """Name of the parser: by the ending, corrected where the first bytes say plainly what the file is."""
    by_name = formats.format_by_name(name)
    if data.startswith(b"%PDF-") or b"%PDF-" in data[:1024].split(b"\n", 1)[0]:
        return "pdf"
    if by_name in (None, "text") and data[:5].lower() == b"{\\rtf":
        return "rtf"
    if data.startswith(b"PK\x03\x04") and by_name not in ("docx", "pptx", "xlsx", "epub"):
        from edgerag.ingest.parsers.archive import office_format  # deferred: zipfile costs 10 ms

        return office_format(data) or by_name or "text"
    if by_name in ("docx", "pptx", "xlsx") and data[:6].lower().lstrip().startswith((b"<html", b"<!doct")):
        return "html"  # what many web applications export as `.xls` or `.doc`
    return by_name or "text"


def parser_for(format_name: str) -> Parser:
    """The parser of that name; imports are written out so that PyInstaller finds them.

    Raises:
        KeyError: No such parser.
    """
    # Each is imported when its first file comes: a worker that only sees Markdown never loads lxml or pdfium.
    match format_name:
        case "text":
            from edgerag.ingest.parsers import plain

            return plain.parse
        case "markdown":
            from edgerag.ingest.parsers import markdown

            return markdown.parse
        case "html":
            from edgerag.ingest.parsers import html

            return html.parse
        case "pdf":
            from edgerag.ingest.parsers import pdf

            return pdf.parse
        case "docx":
            from edgerag.ingest.parsers import docx

            return docx.parse
        case "pptx":
            from edgerag.ingest.parsers import pptx

            return pptx.parse
        case "xlsx":
            from edgerag.ingest.parsers import xlsx

            return xlsx.parse
        case "epub":
            from edgerag.ingest.parsers import epub

            return epub.parse
        case "csv":
            from edgerag.ingest.parsers import tables

            return tables.parse
        case "eml":
            from edgerag.ingest.parsers import eml

            return eml.parse
        case "json":
            from edgerag.ingest.parsers import json_values

            return json_values.parse
        case "ipynb":
            from edgerag.ingest.parsers import notebook

            return notebook.parse
        case "xml":
            from edgerag.ingest.parsers import xml

            return xml.parse
        case "code":
            from edgerag.ingest.parsers import code

            return code.parse
        case "rst":
            from edgerag.ingest.parsers import markup

            return markup.parse_rst
        case "tex":
            from edgerag.ingest.parsers import markup

            return markup.parse_tex
        case "org":
            from edgerag.ingest.parsers import markup

            return markup.parse_org
        case "rtf":
            from edgerag.ingest.parsers import rtf

            return rtf.parse
    raise KeyError(format_name)
