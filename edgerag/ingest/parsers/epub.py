"""EPUB books: chapters in reading order."""

from __future__ import annotations

import posixpath
from typing import Any

from edgerag.coded_text import coded
from edgerag.datatypes import ParsedDocument
from edgerag.errors import DocumentError
from edgerag.ingest.parsers.archive import Archive, parse_xml, resolve
from edgerag.ingest.parsers.builder import Source, TextBuilder
from edgerag.ingest.parsers.html import decode_markup, first_heading, write_html
from edgerag.ingest.parsers.refusals import PICTURES_HINT, no_text

_CONTAINER = "{urn:oasis:names:tc:opendocument:xmlns:container}rootfile"
_OPF = "{http://www.idpf.org/2007/opf}"
_TITLE = "{http://purl.org/dc/elements/1.1/}title"
_ENCRYPTED = "{http://www.w3.org/2001/04/xmlenc#}CipherReference"
_CHAPTER_TYPES = frozenset(("application/xhtml+xml", "text/html", "application/x-dtbook+xml", "text/x-oeb1-document"))


def parse(source: Source) -> ParsedDocument:
    archive = Archive(source.data)
    container = archive.xml("META-INF/container.xml")
    package_name = next((item.get("full-path") or "" for item in container.iter(_CONTAINER)), "")
    package = parse_xml(archive.read(package_name))
    chapters = _chapters(package, posixpath.dirname(package_name))
    if "META-INF/encryption.xml" in archive:
        encrypted = {
            resolve("", item.get("URI") or "") for item in archive.xml("META-INF/encryption.xml").iter(_ENCRYPTED)
        }
        if encrypted.intersection(chapters):  # fonts alone are often scrambled
            raise DocumentError(
                coded("file.drm", "is copy-protected (DRM)"),
                hint=coded("hint.drm", "Get a copy without copy protection."),
            )
    builder = TextBuilder(source)
    for name in chapters:
        if name not in archive:
            builder.warn(f"chapter {name} is missing")
            continue
        text, warnings = decode_markup(archive.read(name))
        for warning in warnings:
            builder.warn(f"{name}: {warning}")
        builder.gap()
        write_html(builder, text, whole_body=True)
        builder.gap()
    if builder.is_empty:
        raise no_text(hint=PICTURES_HINT)
    return builder.build("epub", package.findtext(f".//{_TITLE}") or first_heading(builder))


def _chapters(package: Any, folder: str) -> list[str]:
    """Member names in reading order, without the navigation."""
    items: dict[str, str] = {}
    for item in package.iter(f"{_OPF}item"):
        is_navigation = "nav" in (item.get("properties") or "").split()
        if item.get("media-type") in _CHAPTER_TYPES and not is_navigation:
            items[item.get("id") or ""] = resolve(folder, item.get("href") or "")
    order = [items[entry.get("idref")] for entry in package.iter(f"{_OPF}itemref") if entry.get("idref") in items]
    return list(dict.fromkeys(order or items.values()))
