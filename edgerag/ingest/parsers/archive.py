"""Reads zip-based formats and their XML within limits: no bombs, no entities, no network."""

from __future__ import annotations

import io
import posixpath
import struct
import zipfile
import zlib
from typing import Any
from urllib.parse import unquote

from edgerag.coded_text import coded
from edgerag.errors import DocumentError
from edgerag.ingest.encodings import XML_ENCODING, is_wide
from edgerag.ingest.parsers.refusals import damaged, protected

MAX_TOTAL_BYTES = 512 * 1024 * 1024
"""All that is unpacked from one file. The largest real books and workbooks stay far below."""
MAX_MEMBERS = 50_000
MAX_RATIO = 200
"""Unpacked to packed size. Real workbooks reach 30 to 60, a bomb 1,000 (the most deflate can do)."""
RATIO_FREE_BYTES = 32 * 1024 * 1024
"""Members below this are unpacked whatever their ratio."""
_PROLOGUE_BYTES = 64 * 1024
_DECLARATION_BYTES = 256
_CONTENT_FORMATS = {"word/document.xml": "docx", "ppt/presentation.xml": "pptx", "xl/workbook.xml": "xlsx"}
_RELATIONS = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
_OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


class Archive:
    """A zip file in memory; counts what it unpacks."""

    def __init__(self, data: bytes) -> None:
        """Read the directory.

        Raises:
            DocumentError: No zip file, or a suspicious one.
        """
        if data.startswith(_OLE_MAGIC):
            if "EncryptedPackage".encode("utf-16-le") in data:
                raise protected()
            raise DocumentError(
                coded("file.old_office", "is of an old binary Office format"),
                hint=coded("hint.new_office", "Save it as .docx, .xlsx or .pptx and add that."),
            )
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise damaged(error) from error
        if len(self._zip.infolist()) > MAX_MEMBERS:
            raise DocumentError(coded("file.many_parts", "holds more than {limit:,} parts", limit=MAX_MEMBERS))
        self._members = {info.filename: info for info in self._zip.infolist()}
        self._unpacked_bytes = 0

    def __contains__(self, name: str) -> bool:
        return name in self._members

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._members)

    def read(self, name: str) -> bytes:
        """Unpack a member.

        Raises:
            DocumentError: Missing, encrypted, damaged, or too large once unpacked.
        """
        info = self._members.get(name)
        if info is None:
            raise damaged(f"no {name} in it")
        if info.flag_bits & 1:
            raise protected()
        is_bomb = info.file_size > RATIO_FREE_BYTES and info.file_size > MAX_RATIO * max(info.compress_size, 1)
        self._unpacked_bytes += info.file_size
        if is_bomb or self._unpacked_bytes > MAX_TOTAL_BYTES:
            raise DocumentError(
                coded(
                    "file.zip_bomb",
                    "unpacks to more than it may (a zip bomb? {name}: {size:,} bytes)",
                    name=name,
                    size=info.file_size,
                ),
                hint=coded("hint.split_trusted", "If you trust the file, save its content in several smaller ones."),
            )
        try:
            return self._zip.read(info)  # never reads beyond the size declared, which was checked
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            struct.error,
            OSError,
            NotImplementedError,
        ) as error:
            raise damaged(error) from error

    def xml(self, name: str) -> Any:
        """Unpack and parse a member; the root element."""
        return parse_xml(self.read(name))

    def relations(self, part: str) -> dict[str, tuple[str, str]]:
        """Targets of an Office part's relations: (kind, member name) by id."""
        folder, base = posixpath.split(part)
        name = posixpath.join(folder, "_rels", f"{base}.rels")
        if name not in self:
            return {}
        found: dict[str, tuple[str, str]] = {}
        for relation in self.xml(name).iter(_RELATIONS):
            if relation.get("TargetMode") == "External":
                continue
            kind = (relation.get("Type") or "").rsplit("/", 1)[-1]
            found[relation.get("Id") or ""] = (kind, resolve(folder, relation.get("Target") or ""))
        return found

    def core_title(self) -> str:
        """The title in an Office document's properties; empty where there is none."""
        if "docProps/core.xml" not in self:
            return ""
        return self.xml("docProps/core.xml").findtext("{http://purl.org/dc/elements/1.1/}title") or ""


def resolve(folder: str, target: str) -> str:
    """Member name of a reference within a part or book; `..` cannot leave the archive."""
    target = unquote(target.split("#", 1)[0])
    joined = target.lstrip("/") if target.startswith("/") else posixpath.join(folder, target)
    return posixpath.normpath(joined).removeprefix("../").lstrip("/")


def parse_xml(data: bytes, *, recover: bool = False) -> Any:
    """Parse XML that nobody vouches for.

    Raises:
        DocumentError: Malformed, or it declares entities (formats edgerag reads have no use for them).
    """
    import lxml.etree  # deferred: 60 ms

    check_no_entities(data)
    parser = xml_parser(recover=recover, encoding=xml_encoding(data))
    try:
        root = lxml.etree.fromstring(data, parser)
    except (lxml.etree.XMLSyntaxError, ValueError) as error:
        raise damaged(error) from error
    if root is None:
        raise damaged("no XML in it")
    if any("HUGE" in entry.message.upper() for entry in parser.error_log):  # recovering would cut it off silently
        raise DocumentError(
            coded("file.huge_xml", "holds a text above 10 MB, or is nested too deeply"),
            hint=coded("hint.split", "Split the file."),
        )
    declared = root.getroottree().docinfo.internalDTD
    if declared is not None and next(declared.iterentities(), None) is not None:
        raise _entities()
    return root


SAFE_XML: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "dtd_validation": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}
"""Options of every lxml XML parser here: nothing is expanded, nothing fetched."""


def xml_parser(*, recover: bool = False, encoding: str | None = None) -> Any:
    """A parser that expands nothing and fetches nothing."""
    import lxml.etree

    return lxml.etree.XMLParser(**SAFE_XML, recover=recover, encoding=encoding)


def xml_encoding(data: bytes) -> str | None:
    """The encoding to read XML in whatever it declares; None: the one that it declares.

    libxml2 refuses a file that declares UTF-16 and is not in it; programs that write a .NET string to a file make such.
    """
    declared = XML_ENCODING.search(data[:_DECLARATION_BYTES])
    return "utf-8" if declared and is_wide(declared.group(1).decode("ascii")) else None


def check_no_entities(data: bytes) -> None:
    """Refuse entity declarations before anything parses them.

    Raises:
        DocumentError: There are some.
    """
    if b"<!ENTITY" in data[:_PROLOGUE_BYTES] or "<!ENTITY".encode("utf-16-le") in data[:_PROLOGUE_BYTES]:
        raise _entities()


def _entities() -> DocumentError:
    return DocumentError(
        coded("file.entities", "declares XML entities, which are not read"),
        hint=coded("hint.entities", "They can make a small file huge, or fetch others."),
    )


def office_format(data: bytes) -> str | None:
    """Which zip-based format it is, by its content; None for other archives."""
    try:
        archive = Archive(data)
        for name, format_name in _CONTENT_FORMATS.items():
            if name in archive:
                return format_name
        if "mimetype" in archive and archive.read("mimetype").strip() == b"application/epub+zip":
            return "epub"
    except (DocumentError, zipfile.BadZipFile, OSError):
        return None
    return None
