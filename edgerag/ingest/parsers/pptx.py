"""Presentations: a slide is a page, its title a heading; speaker's notes follow the slide."""

from __future__ import annotations

from typing import Any

from edgerag.datatypes import ParsedDocument
from edgerag.ingest.parsers.archive import Archive
from edgerag.ingest.parsers.builder import Source, TextBuilder, one_line
from edgerag.ingest.parsers.html import first_heading
from edgerag.ingest.parsers.refusals import PICTURES_HINT, no_text

P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_RELATION_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_TITLES = ("title", "ctrTitle")
_FURNITURE = ("dt", "ftr", "sldNum", "hdr", "sldImg")


def parse(source: Source) -> ParsedDocument:
    archive = Archive(source.data)
    relations = archive.relations("")
    main = next((name for kind, name in relations.values() if kind == "officeDocument"), "ppt/presentation.xml")
    targets = archive.relations(main)
    builder = TextBuilder(source)
    for number, entry in enumerate(archive.xml(main).iter(f"{P}sldId"), start=1):
        _, name = targets.get(entry.get(_RELATION_ID) or "", ("", ""))
        builder.start_page(number)
        if name not in archive:
            builder.warn(f"slide {number} is missing")
            continue
        _write_shapes(builder, archive.xml(name), with_title=True)
        for kind, notes in archive.relations(name).values():
            if kind == "notesSlide" and notes in archive:
                _write_notes(builder, archive.xml(notes))
    if builder.is_empty:
        raise no_text(hint=PICTURES_HINT)
    return builder.build("pptx", archive.core_title() or first_heading(builder))


def _write_shapes(builder: TextBuilder, slide: Any, *, with_title: bool) -> None:
    """The title first, wherever it stands in the file, then text and tables in the order of the file."""
    shapes = [
        element for element in slide.iter(f"{P}sp", f"{A}tbl") if next(element.iterancestors(_FALLBACK), None) is None
    ]
    titles = [shape for shape in shapes if with_title and _placeholder(shape) in _TITLES]
    for title in titles:
        builder.heading(1, " ".join(_paragraph_texts(title)))
    for shape in shapes:
        if shape in titles or _placeholder(shape) in _FURNITURE:
            continue
        builder.gap()
        if shape.tag == f"{A}tbl":
            for row in shape.iter(f"{A}tr"):
                cells = [one_line(" ".join(_paragraph_texts(cell))) for cell in row.iter(f"{A}tc")]
                if any(cells):
                    builder.line(" | ".join(cells))
        else:
            for text in _paragraph_texts(shape):
                builder.line(text)


def _write_notes(builder: TextBuilder, notes: Any) -> None:
    texts = [
        text for shape in notes.iter(f"{P}sp") if _placeholder(shape) == "body" for text in _paragraph_texts(shape)
    ]
    if texts:
        builder.block("Notes: " + "\n".join(texts))


def _placeholder(shape: Any) -> str:
    found = shape.find(f"{P}nvSpPr/{P}nvPr/{P}ph")
    return "" if found is None else found.get("type") or "obj"


def _paragraph_texts(element: Any) -> list[str]:
    """The paragraphs that hold text, sub-points indented."""
    texts = []
    for paragraph in element.iter(f"{A}p"):
        parts = [" " if node.tag == f"{A}br" else node.text or "" for node in paragraph.iter(f"{A}t", f"{A}br")]
        text = one_line("".join(parts))
        if text:
            properties = paragraph.find(f"{A}pPr")
            level = "" if properties is None else properties.get("lvl") or ""
            texts.append("  " * (int(level) if level.isdigit() and len(level) == 1 else 0) + text)
    return texts
