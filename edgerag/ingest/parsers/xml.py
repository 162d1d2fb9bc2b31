"""XML of any kind: its text, one block for each element that holds some; titles as headings."""

from __future__ import annotations

from typing import Any

from edgerag.datatypes import ParsedDocument
from edgerag.errors import DocumentError
from edgerag.ingest.encodings import is_binary
from edgerag.ingest.parsers.archive import parse_xml
from edgerag.ingest.parsers.builder import Source, TextBuilder, one_line
from edgerag.ingest.parsers.refusals import binary, no_text

_INLINE = frozenset(
    """
    a abbr acronym b bold citation code command em emphasis filename hi i ital italic link literal q quote ref
    s sc span strong sub sup u ulink uri xref
    """.split()
)
_TITLES = frozenset(("title", "head", "heading"))


def parse(source: Source) -> ParsedDocument:
    if is_binary(source.data):
        raise binary()
    builder = TextBuilder(source)
    root = _read_tree(source.data, builder)
    inline: list[str] = []
    depth = 0

    def flush(tag: str) -> None:
        text = one_line("".join(inline))
        inline.clear()
        if not text:
            return
        if tag in _TITLES:
            builder.heading(min(max(depth - 1, 1), 6), text)
        else:
            builder.line(text)

    import lxml.etree

    for event, element in lxml.etree.iterwalk(root, events=("start", "end")):
        tag = _local_name(element)
        if event == "start":
            depth += 1
            if tag not in _INLINE:
                flush(_local_name(element.getparent()))
            inline.append(element.text or "")
        else:
            if tag not in _INLINE:
                flush(tag)
            depth -= 1
            inline.append(element.tail or "")
    flush("")
    title = next((heading.text for heading in builder.headings), "")
    if builder.is_empty:
        raise no_text()
    return builder.build("xml", title)


def _read_tree(data: bytes, builder: TextBuilder) -> Any:
    """The root element; malformed XML is read as far as it makes sense, with a warning.

    Raises:
        DocumentError: No XML, entities in it, or beyond libxml2's limits (10 MB in one text, 256 levels).
    """
    import lxml.etree  # deferred: 60 ms

    try:
        return parse_xml(data)
    except DocumentError as error:
        if not isinstance(error.__cause__, lxml.etree.XMLSyntaxError):
            raise
        builder.warn("malformed XML; read as far as it makes sense")
        return parse_xml(data, recover=True)


def _local_name(element: Any) -> str:
    if element is None or not isinstance(element.tag, str):
        return ""
    return element.tag.rpartition("}")[2].lower()
