"""Make the PDF, the Word file and the EPUB of this folder from `sources/`; the same bytes every time.

    python examples/make_examples.py [FOLDER]

It needs fpdf2, which `make test` installs; edgerag itself does not.
Nothing is compressed: what deflate gives differs between builds of zlib, and so the files would.
"""

from __future__ import annotations

import datetime
import html
import io
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docx
from docx.enum.style import WD_STYLE_TYPE
from fpdf import FPDF

HERE = Path(__file__).parent
MADE_AT = datetime.datetime(2025, 5, 10, 9, 0, tzinfo=datetime.UTC)
AUTHOR = "The edgerag authors"


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, a paragraph or a table of a source."""

    level: int
    """Of a heading, 1 for the title; 0 for everything else."""
    text: str
    rows: tuple[tuple[str, ...], ...] = ()
    """Of a table, the first of them its head; empty for everything else."""


def read_blocks(path: Path) -> list[Block]:
    """Read the little of Markdown that the sources use: headings, paragraphs of one line, tables."""
    blocks = []
    for part in path.read_text(encoding="utf-8").strip().split("\n\n"):
        if part.startswith("|"):
            lines = [line for line in part.splitlines() if not line.startswith("| ---")]
            rows = tuple(tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines)
            blocks.append(Block(0, "", rows))
        elif part.startswith("#"):
            marks, text = part.split(" ", 1)
            blocks.append(Block(len(marks), text))
        else:
            blocks.append(Block(0, part))
    return blocks


def make_pdf(blocks: list[Block]) -> bytes:
    """A PDF with an outline and numbered pages; each chapter but the first begins a new page."""

    class Manual(FPDF):
        def footer(self) -> None:
            self.set_y(-15)
            self.set_font("Helvetica", size=9)
            self.cell(0, 10, f"{blocks[0].text} - page {self.page_no()}", align="C")

    pdf = Manual(format="A4")
    pdf.set_compression(False)
    pdf.set_creation_date(MADE_AT)
    pdf.set_title(blocks[0].text)
    pdf.set_author(AUTHOR)
    pdf.set_producer("examples/make_examples.py")
    pdf.set_margin(22)
    pdf.set_auto_page_break(True, margin=20)
    pdf.add_page()
    chapters = 0
    for block in blocks:
        if block.level == 2:
            chapters += 1
            if chapters > 1:
                pdf.add_page()
        if block.level:
            pdf.start_section(block.text, level=block.level - 1)
            pdf.set_font("Helvetica", "B", {1: 20, 2: 15, 3: 12}[block.level])
        else:
            pdf.set_font("Helvetica", size=11)
        pdf.multi_cell(0, 9 if block.level else 5.6, block.text, new_x="LMARGIN", new_y="NEXT")
        pdf.ln(2)
    return bytes(pdf.output())


def make_docx(blocks: list[Block]) -> bytes:
    """A Word file with real heading styles and tables."""
    document = docx.Document()
    properties = document.core_properties
    properties.title, properties.author, properties.comments = blocks[0].text, AUTHOR, ""
    properties.created = properties.modified = MADE_AT.replace(tzinfo=None)
    for block in blocks:
        if block.rows:
            table = document.add_table(rows=0, cols=len(block.rows[0]), style="Table Grid")
            for row in block.rows:
                for cell, text in zip(table.add_row().cells, row, strict=True):
                    cell.text = text
        elif block.level:
            document.add_heading(block.text, level=block.level - 1)
        else:
            document.add_paragraph(block.text)
    _leave_out_what_is_unused(document)
    stream = io.BytesIO()
    document.save(stream)
    with zipfile.ZipFile(stream) as made:
        return _zip({name: made.read(name) for name in made.namelist()})


def _leave_out_what_is_unused(document: Any) -> None:
    """Take out what the template of python-docx brings along: 99 table styles, twice over, and a picture."""
    for style in list(document.styles):
        if style.type == WD_STYLE_TYPE.TABLE and style.name not in ("Normal Table", "Table Grid"):
            style.delete()
    for relations in (document.part.rels, document.part.package.rels):
        for key, relation in list(relations.items()):
            if relation.reltype.endswith(("/stylesWithEffects", "/thumbnail")):
                del relations[key]


def make_epub(blocks: list[Block]) -> bytes:
    """An EPUB 3: one file for each chapter, and a table of contents; the title and its preface come first."""
    title = blocks[0].text
    chapters = list(_chapters(blocks))
    files = [f"chapter{number}.xhtml" for number in range(len(chapters))]
    manifest = "".join(
        f'<item id="c{number}" href="{name}" media-type="application/xhtml+xml"/>' for number, name in enumerate(files)
    )
    spine = "".join(f'<itemref idref="c{number}"/>' for number in range(len(files)))
    contents = "".join(
        f'<li><a href="{name}">{html.escape(chapter[0].text)}</a></li>'
        for name, chapter in zip(files, chapters, strict=True)
    )
    parts = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": (
            '<?xml version="1.0" encoding="utf-8"?>\n'
            '<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/>'
            "</rootfiles></container>\n"
        ),
        "OEBPS/content.opf": (
            '<?xml version="1.0" encoding="utf-8"?>\n'
            '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">'
            '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
            '<dc:identifier id="id">urn:edgerag:example:logbook</dc:identifier>'
            f"<dc:title>{html.escape(title)}</dc:title><dc:language>en</dc:language>"
            f"<dc:creator>{AUTHOR}</dc:creator>"
            f'<meta property="dcterms:modified">{MADE_AT:%Y-%m-%dT%H:%M:%SZ}</meta></metadata>'
            f'<manifest><item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
            f"{manifest}</manifest><spine>{spine}</spine></package>\n"
        ),
        "OEBPS/nav.xhtml": _xhtml(
            title, f'<nav epub:type="toc" xmlns:epub="http://www.idpf.org/2007/ops"><ol>{contents}</ol></nav>'
        ),
    }
    for name, chapter in zip(files, chapters, strict=True):
        body = "\n".join(_element(block) for block in chapter)
        parts[f"OEBPS/{name}"] = _xhtml(chapter[0].text, body)
    return _zip({name: text.encode() for name, text in parts.items()})


def _chapters(blocks: list[Block]) -> Iterator[list[Block]]:
    starts = [number for number, block in enumerate(blocks) if block.level in (1, 2)]
    for start, end in zip(starts, [*starts[1:], len(blocks)], strict=True):
        yield blocks[start:end]


def _element(block: Block) -> str:
    tag = f"h{block.level}" if block.level else "p"
    return f"<{tag}>{html.escape(block.text)}</{tag}>"


def _xhtml(title: str, body: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" lang="en" xml:lang="en">'
        f'<head><meta charset="utf-8"/><title>{html.escape(title)}</title></head>\n'
        f"<body>\n{body}\n</body></html>\n"
    )


def _zip(parts: dict[str, bytes]) -> bytes:
    """Pack without compression and with one date for all; the order is that of `parts`."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            entry = zipfile.ZipInfo(name, MADE_AT.timetuple()[:6])
            entry.create_system = 3  # otherwise it says on which system it was packed
            archive.writestr(entry, content)
    return stream.getvalue()


def make_all() -> dict[str, bytes]:
    """The content of each made file, by its name."""
    sources = HERE / "sources"
    return {
        "maintenance.pdf": make_pdf(read_blocks(sources / "maintenance.md")),
        "contract.docx": make_docx(read_blocks(sources / "contract.md")),
        "logbook.epub": make_epub(read_blocks(sources / "logbook.md")),
    }


def main() -> None:
    """Write the made files into the folder named on the command line, or beside this script."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    for name, content in make_all().items():
        (folder / name).write_bytes(content)
        print(f"{folder / name}: {len(content):,} bytes")


if __name__ == "__main__":
    main()
