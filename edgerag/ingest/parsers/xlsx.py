"""Workbooks: a sheet is a heading, a row is a line `a | b`.

Read with zipfile and lxml, row by row: openpyxl needs numpy, a second to import, and has no limits.
Element names: ECMA-376 part 1, section 18.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

from edgerag.datatypes import ParsedDocument
from edgerag.ingest.parsers.archive import SAFE_XML, Archive, check_no_entities, xml_encoding
from edgerag.ingest.parsers.builder import Source, TextBuilder, one_line
from edgerag.ingest.parsers.refusals import damaged, no_text
from edgerag.ingest.parsers.xlsx_numbers import NumberFormats

S = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATION_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_COLUMN = re.compile(r"[A-Z]{1,3}")
_MAX_ALIGNED_COLUMNS = 60
"""In wider rows empty cells are left out instead of showing as ` | | `."""


def parse(source: Source) -> ParsedDocument:
    archive = Archive(source.data)
    relations = archive.relations("")
    main = next((name for kind, name in relations.values() if kind == "officeDocument"), "xl/workbook.xml")
    workbook = archive.xml(main)
    targets = archive.relations(main)
    parts = dict(targets.values())
    strings = _shared_strings(archive, parts.get("sharedStrings"))
    properties = workbook.find(f"{S}workbookPr")
    formats = NumberFormats(
        archive.xml(parts["styles"]) if parts.get("styles") in archive.names else None,
        starts_1904=properties is not None and properties.get("date1904") in ("1", "true"),
    )
    builder = TextBuilder(source)
    has_cells = False
    for sheet in workbook.iter(f"{S}sheet"):
        kind, name = targets.get(sheet.get(_RELATION_ID) or "", ("", ""))
        if kind != "worksheet":
            continue  # a chart sheet has no cells
        if name not in archive:
            builder.warn(f"sheet {sheet.get('name')} is missing")
            continue
        rows = _rows(archive.read(name), strings, formats)
        first = next(rows, None)
        if first is None:
            continue
        has_cells = True
        builder.heading(1, sheet.get("name") or name)
        builder.line(first)
        for row in rows:
            builder.line(row)
    if not has_cells:
        raise no_text()
    return builder.build("xlsx", archive.core_title())


def _shared_strings(archive: Archive, name: str | None) -> list[str]:
    if not name or name not in archive:
        return []
    return [_string(item) for item in _elements(archive.read(name), f"{S}si")]


def _string(element: Any) -> str:
    """Text of a string with its formatted runs, without phonetic guides."""
    texts = [node.text or "" for node in element.iter(f"{S}t") if next(node.iterancestors(f"{S}rPh"), None) is None]
    return one_line("".join(texts))


def _rows(data: bytes, strings: list[str], formats: NumberFormats) -> Iterator[str]:
    for row in _elements(data, f"{S}row"):
        cells: list[str] = []
        for cell in row.iter(f"{S}c"):
            column = _column_index(cell.get("r") or "", len(cells))
            value = _cell_value(cell, strings, formats)
            if not value:
                continue
            if column < _MAX_ALIGNED_COLUMNS:
                cells += [""] * (column - len(cells))
            cells.append(value)
        if len(cells) - cells.count("") == 1:
            yield cells[-1]
        elif cells:
            yield " | ".join(cells).strip()


def _elements(data: bytes, tag: str) -> Iterator[Any]:
    """Elements of a kind one by one, freed once used: sheets are much larger as a tree than as text."""
    import lxml.etree

    check_no_entities(data)
    try:
        for _, element in lxml.etree.iterparse(io.BytesIO(data), tag=tag, encoding=xml_encoding(data), **SAFE_XML):
            yield element
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
    except lxml.etree.XMLSyntaxError as error:
        raise damaged(error) from error


def _cell_value(cell: Any, strings: list[str], formats: NumberFormats) -> str:
    kind = cell.get("t") or "n"
    if kind == "inlineStr":
        inline = cell.find(f"{S}is")
        return "" if inline is None else _string(inline)
    raw = (cell.findtext(f"{S}v") or "").strip()
    if not raw:
        return ""
    if kind == "s":
        return strings[int(raw)] if raw.isdigit() and int(raw) < len(strings) else ""
    if kind == "b":
        return "TRUE" if raw == "1" else "FALSE"
    if kind in ("str", "e", "d"):
        return one_line(raw)
    style = cell.get("s") or "0"
    return formats.show(raw, int(style) if style.isdigit() else 0)


def _column_index(reference: str, following: int) -> int:
    """`C7` is 2; a cell without reference comes after the last one."""
    match = _COLUMN.match(reference)
    if match is None:
        return following
    index = 0
    for letter in match.group():
        index = index * 26 + ord(letter) - ord("A") + 1
    return index - 1
