"""Documents in the formats of office programs, made with the standard library alone: DOCX, PPTX, XLSX, EPUB, PDF.

A self-test must run beside a bundle on a machine without python-docx and its like. Each file is small but whole: a test
opens them with the libraries that write such files.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
FORMATS = "application/vnd.openxmlformats-officedocument"
W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
P = "http://schemas.openxmlformats.org/presentationml/2006/main"
A = "http://schemas.openxmlformats.org/drawingml/2006/main"
S = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def make_zip(parts: Mapping[str, str | bytes]) -> bytes:
    """Pack in the given order, with one date for all."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in parts.items():
            # An EPUB begins with this file, uncompressed, so that its kind can be read off its first bytes.
            packing = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            archive.writestr(zipfile.ZipInfo(name, (2025, 1, 1, 0, 0, 0)), content, compress_type=packing)
    return out.getvalue()


def make_docx(heading: str, paragraphs: Sequence[str]) -> bytes:
    """A heading and paragraphs below it."""
    body = f'<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>{escape(heading)}</w:t></w:r></w:p>'
    body += "".join(f"<w:p><w:r><w:t>{escape(text)}</w:t></w:r></w:p>" for text in paragraphs)
    style = (
        '<w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/>'
        '<w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style>'
    )
    word = f"{FORMATS}.wordprocessingml"
    return make_zip(
        {
            "[Content_Types].xml": _types(
                {"word/document.xml": f"{word}.document.main+xml", "word/styles.xml": f"{word}.styles+xml"}
            ),
            "_rels/.rels": _relations({"rId1": (f"{OFFICE}/officeDocument", "word/document.xml")}),
            "word/document.xml": f'{XML}<w:document xmlns:w="{W}"><w:body>{body}<w:sectPr/></w:body></w:document>',
            "word/_rels/document.xml.rels": _relations({"rId1": (f"{OFFICE}/styles", "styles.xml")}),
            "word/styles.xml": f'{XML}<w:styles xmlns:w="{W}">{style}</w:styles>',
        }
    )


def make_pptx(slides: Sequence[tuple[str, str]]) -> bytes:
    """Slides of a title and a text."""
    points = f"{FORMATS}.presentationml"
    kinds = {"ppt/presentation.xml": f"{points}.presentation.main+xml"}
    parts: dict[str, str] = {}
    relations: dict[str, tuple[str, str]] = {}
    for number, (title, text) in enumerate(slides, start=1):
        shapes = _shape(2, "title", title) + _shape(3, "body", text)
        kinds[f"ppt/slides/slide{number}.xml"] = f"{points}.slide+xml"
        relations[f"rId{number}"] = (f"{OFFICE}/slide", f"slides/slide{number}.xml")
        parts[f"ppt/slides/slide{number}.xml"] = (
            f'{XML}<p:sld xmlns:p="{P}" xmlns:a="{A}"><p:cSld><p:spTree><p:nvGrpSpPr><p:cNvPr id="1" name=""/>'
            f"<p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>{shapes}</p:spTree></p:cSld></p:sld>"
        )
    listed = "".join(f'<p:sldId id="{255 + n}" r:id="rId{n}"/>' for n in range(1, len(slides) + 1))
    return make_zip(
        {
            "[Content_Types].xml": _types(kinds),
            "_rels/.rels": _relations({"rId1": (f"{OFFICE}/officeDocument", "ppt/presentation.xml")}),
            "ppt/presentation.xml": (
                f'{XML}<p:presentation xmlns:p="{P}" xmlns:r="{OFFICE}"><p:sldIdLst>{listed}</p:sldIdLst>'
                '<p:notesSz cx="6858000" cy="9144000"/></p:presentation>'
            ),
            "ppt/_rels/presentation.xml.rels": _relations(relations),
            **parts,
        }
    )


def _shape(number: int, kind: str, text: str) -> str:
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="{number}" name="{kind}"/><p:cNvSpPr/><p:nvPr><p:ph type="{kind}"/></p:nvPr>'
        f"</p:nvSpPr><p:spPr/><p:txBody><a:bodyPr/><a:p><a:r><a:t>{escape(text)}</a:t></a:r></a:p></p:txBody></p:sp>"
    )


def make_xlsx(sheet: str, rows: Sequence[Sequence[str | int]]) -> bytes:
    """One sheet of texts and whole numbers."""
    lines = ""
    for number, row in enumerate(rows, start=1):
        cells = ""
        for column, value in zip("ABCDEFGHIJ", row, strict=False):
            place = f'r="{column}{number}"'
            if isinstance(value, int):
                cells += f"<c {place}><v>{value}</v></c>"
            else:
                cells += f'<c {place} t="inlineStr"><is><t>{escape(value)}</t></is></c>'
        lines += f'<row r="{number}">{cells}</row>'
    book = f"{FORMATS}.spreadsheetml"
    return make_zip(
        {
            "[Content_Types].xml": _types(
                {"xl/workbook.xml": f"{book}.sheet.main+xml", "xl/worksheets/sheet1.xml": f"{book}.worksheet+xml"}
            ),
            "_rels/.rels": _relations({"rId1": (f"{OFFICE}/officeDocument", "xl/workbook.xml")}),
            "xl/workbook.xml": (
                f'{XML}<workbook xmlns="{S}" xmlns:r="{OFFICE}"><sheets>'
                f'<sheet name="{escape(sheet)}" sheetId="1" r:id="rId1"/></sheets></workbook>'
            ),
            "xl/_rels/workbook.xml.rels": _relations({"rId1": (f"{OFFICE}/worksheet", "worksheets/sheet1.xml")}),
            "xl/worksheets/sheet1.xml": f'{XML}<worksheet xmlns="{S}"><sheetData>{lines}</sheetData></worksheet>',
        }
    )


def _types(kinds: Mapping[str, str]) -> str:
    overrides = "".join(f'<Override PartName="/{name}" ContentType="{kind}"/>' for name, kind in kinds.items())
    return (
        f'{XML}<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>'
    )


def _relations(targets: Mapping[str, tuple[str, str]]) -> str:
    listed = "".join(
        f'<Relationship Id="{key}" Type="{kind}" Target="{target}"/>' for key, (kind, target) in targets.items()
    )
    return f'{XML}<Relationships xmlns="{PACKAGE}/relationships">{listed}</Relationships>'


def make_epub(title: str, chapters: Sequence[tuple[str, str]]) -> bytes:
    """A book of chapters: heading and one paragraph each."""
    parts: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": (
            f'{XML}<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
        ),
    }
    items = order = ""
    for number, (heading, text) in enumerate(chapters):
        items += f'<item id="c{number}" href="c{number}.xhtml" media-type="application/xhtml+xml"/>'
        order += f'<itemref idref="c{number}"/>'
        parts[f"c{number}.xhtml"] = (
            f'{XML}<html xmlns="http://www.w3.org/1999/xhtml"><head><title>{escape(heading)}</title></head>'
            f"<body><h1>{escape(heading)}</h1><p>{escape(text)}</p></body></html>"
        )
    parts["book.opf"] = (
        f'{XML}<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id"><metadata '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="id">urn:edgerag:self-test</dc:identifier>'
        f"<dc:title>{escape(title)}</dc:title><dc:language>en</dc:language></metadata>"
        f"<manifest>{items}</manifest><spine>{order}</spine></package>"
    )
    return make_zip(parts)


def make_pdf(pages: Sequence[tuple[str, Sequence[str]]]) -> bytes:
    """Pages of a heading, which is also a bookmark, and lines of Latin-1 text (PDF 1.4, ISO 32000-1)."""
    objects: dict[int, str] = {
        3: "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    }
    numbers = [10 + 3 * index for index in range(len(pages))]
    for index, (number, (heading, lines)) in enumerate(zip(numbers, pages, strict=True)):
        shown = f"BT /F1 18 Tf 72 760 Td ({_pdf_text(heading)}) Tj ET\n"
        for row, line in enumerate(lines):
            shown += f"BT /F1 11 Tf 72 {720 - 14 * row} Td ({_pdf_text(line)}) Tj ET\n"
        objects[number] = (
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {number + 1} 0 R >>"
        )
        objects[number + 1] = f"<< /Length {len(shown.encode('cp1252'))} >>\nstream\n{shown}endstream"
        before = f" /Prev {numbers[index - 1] + 2} 0 R" if index else ""
        after = f" /Next {numbers[index + 1] + 2} 0 R" if index + 1 < len(numbers) else ""
        objects[number + 2] = (
            f"<< /Title ({_pdf_text(heading)}) /Parent 4 0 R{before}{after} /Dest [{number} 0 R /XYZ 0 800 0] >>"
        )
    kids = " ".join(f"{number} 0 R" for number in numbers)
    objects[1] = "<< /Type /Catalog /Pages 2 0 R /Outlines 4 0 R >>"
    objects[2] = f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>"
    objects[4] = f"<< /First {numbers[0] + 2} 0 R /Last {numbers[-1] + 2} 0 R /Count {len(pages)} >>"
    body = b"%PDF-1.4\n"
    table = "0 1\n0000000000 65535 f \n"
    for number, content in sorted(objects.items()):
        table += f"{number} 1\n{len(body):010d} 00000 n \n"
        body += f"{number} 0 obj\n{content}\nendobj\n".encode("cp1252")
    end = f"xref\n{table}trailer\n<< /Size {max(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    return body + end.encode("ascii")


def _pdf_text(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
