"""Jupyter notebooks: text cells with their headings, code cells as they are; outputs are left out."""

from __future__ import annotations

import json
from typing import Any

from edgerag.coded_text import coded
from edgerag.datatypes import Heading, ParsedDocument
from edgerag.errors import DocumentError
from edgerag.ingest.parsers.builder import Source, TextBuilder, clean_text
from edgerag.ingest.parsers.html import first_heading
from edgerag.ingest.parsers.markdown import find_headings
from edgerag.ingest.parsers.plain import read_text


def parse(source: Source) -> ParsedDocument:
    text, warnings = read_text(source)
    try:
        notebook = json.loads(text)
        cells = notebook.get("cells") or [cell for sheet in notebook.get("worksheets", []) for cell in sheet["cells"]]
        contents = [(str(cell.get("cell_type")), _content(cell)) for cell in cells]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DocumentError(coded("file.no_notebook", "is no notebook ({problem})", problem=error)) from error
    builder = TextBuilder(source)
    for warning in warnings:
        builder.warn(warning)
    for kind, content in contents:
        content = clean_text(content).strip("\n").rstrip()
        if not content:
            continue
        start_chars = builder.block(content)
        if kind == "markdown":
            builder.headings += [
                Heading(heading.level, heading.text, start_chars + heading.start_chars)
                for heading in find_headings(content)
            ]
    return builder.build("ipynb", first_heading(builder))


def _content(cell: Any) -> str:
    content = cell.get("source", cell.get("input", ""))
    return content if isinstance(content, str) else "".join(map(str, content))
