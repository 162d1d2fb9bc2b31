"""Word documents: paragraphs, headings by style, lists, tables, footnotes.

Read with zipfile and lxml rather than python-docx: that one loads every part before any limit could be
checked. Element names: ECMA-376 part 1, section 17.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgerag.coded_text import coded
from edgerag.datatypes import ParsedDocument
from edgerag.errors import DocumentError
from edgerag.ingest.parsers.archive import Archive
from edgerag.ingest.parsers.builder import Source, TextBuilder, one_line
from edgerag.ingest.parsers.docx_styles import Numbering, Styles
from edgerag.ingest.parsers.html import first_heading
from edgerag.ingest.parsers.refusals import damaged, no_text

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_STRICT_W = b"http://purl.oclc.org/ooxml/wordprocessingml/main"
_TRANSPARENT = frozenset(f"{W}{name}" for name in ("sdt", "sdtContent", "customXml", "ins", "moveTo", "smartTag"))
_MARKS = {f"{W}tab": " ", f"{W}br": "\n", f"{W}cr": "\n", f"{W}noBreakHyphen": "-"}


def parse(source: Source) -> ParsedDocument:
    archive = Archive(source.data)
    relations = archive.relations("")
    main = next((name for kind, name in relations.values() if kind == "officeDocument"), "word/document.xml")
    parts = dict(archive.relations(main).values())
    builder = TextBuilder(source)
    writer = _Writer(
        builder,
        Styles(_part(archive, parts.get("styles"))),
        Numbering(_part(archive, parts.get("numbering"))),
    )
    root = archive.xml(main)
    body = root.find(f"{W}body")
    if body is None:
        if _STRICT_W in archive.read(main)[:4096]:
            raise DocumentError(
                coded("file.strict_xml", "is in the strict Open XML form"),
                hint=coded("hint.ordinary_word", "Save it as an ordinary Word document."),
            )
        raise damaged("no text part in it")
    writer.write(body)
    for kind in ("footnotes", "endnotes"):
        notes = _part(archive, parts.get(kind))
        if notes is not None:
            writer.write_notes(notes)
    if builder.is_empty:
        raise no_text()
    return builder.build("docx", archive.core_title() or first_heading(builder))


def _part(archive: Archive, name: str | None) -> Any:
    return archive.xml(name) if name and name in archive else None


class _Writer:
    def __init__(self, builder: TextBuilder, styles: Styles, numbering: Numbering) -> None:
        self._builder = builder
        self._styles = styles
        self._numbering = numbering

    def write(self, container: Any) -> None:
        """Append the blocks of the body, or of anything that wraps some of them."""
        for element in container:
            if element.tag == f"{W}p":
                self._paragraph(element)
            elif element.tag == f"{W}tbl":
                self._table(element)
            elif element.tag in _TRANSPARENT:
                self.write(element)

    def write_notes(self, notes: Any) -> None:
        """Append the footnotes, each with the number its reference shows."""
        self._builder.gap()
        for note in notes:
            if note.get(f"{W}type") in ("separator", "continuationSeparator", "continuationNotice"):
                continue
            text = one_line(" ".join(_text(paragraph) for paragraph in note.iter(f"{W}p")))
            if text:
                self._builder.line(f"[{note.get(f'{W}id')}] {text}")

    def _paragraph(self, element: Any) -> None:
        properties = element.find(f"{W}pPr")
        text = _text(element).strip()
        if text:
            style = self._styles.of(properties)
            if style.heading_level:
                self._builder.heading(style.heading_level, text)
            elif marker := self._numbering.marker(properties, style):
                self._builder.line(f"{marker}{one_line(text)}")
            else:
                self._builder.block(text)
        for box in _text_boxes(element):
            self.write(box)

    def _table(self, table: Any) -> None:
        self._builder.gap()
        for row in _children(table, f"{W}tr"):
            cells = []
            for cell in _children(row, f"{W}tc"):
                merge = cell.find(f"{W}tcPr/{W}vMerge")
                if merge is not None and merge.get(f"{W}val") != "restart":
                    cells.append("")
                    continue
                cells.append(one_line(" ".join(_text(paragraph) for paragraph in cell.iter(f"{W}p"))))
            while cells and not cells[-1]:
                cells.pop()
            if cells:
                self._builder.line(" | ".join(cells))
        self._builder.gap()


def _children(element: Any, tag: str) -> Iterator[Any]:
    for child in element:
        if child.tag == tag:
            yield child
        elif child.tag in _TRANSPARENT:
            yield from _children(child, tag)


def _text(paragraph: Any) -> str:
    """A paragraph's text as it reads with all changes accepted; text boxes come separately."""
    parts: list[str] = []
    pending = [iter(paragraph)]
    while pending:
        element = next(pending[-1], None)
        if element is None:
            pending.pop()
            continue
        tag = element.tag
        if tag == f"{W}t":
            parts.append(element.text or "")
        elif tag in _MARKS:
            parts.append(_MARKS[tag])
        elif tag in (f"{W}footnoteReference", f"{W}endnoteReference"):
            parts.append(f"[{element.get(f'{W}id')}]")
        elif tag not in (f"{W}pPr", f"{W}rPr", f"{W}del", f"{W}moveFrom", f"{W}txbxContent", _FALLBACK):
            pending.append(iter(element))
    return "".join(parts)


def _text_boxes(paragraph: Any) -> Iterator[Any]:
    for box in paragraph.iter(f"{W}txbxContent"):
        # The same box again, for programs that do not know the first form; and boxes within boxes come with
        # those.
        outer = [ancestor.tag for ancestor in box.iterancestors() if ancestor is not paragraph]
        inside = outer[: outer.index(f"{W}p") + 1] if f"{W}p" in outer else outer
        if _FALLBACK not in inside and f"{W}txbxContent" not in outer:
            yield box
