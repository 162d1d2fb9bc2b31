"""Word, PowerPoint, Excel and EPUB files, written here by the usual libraries."""

from __future__ import annotations

import datetime
import io
import zipfile
from pathlib import Path

import pytest

from edgerag.datatypes import ParsedDocument
from edgerag.errors import DocumentError
from edgerag.ingest.parse import parse_bytes

POLICY = Path(__file__).parents[2].parent / "shared" / "data" / "documents" / "debian-policy.epub"


def parse(data: bytes, name: str) -> ParsedDocument:
    parsed = parse_bytes(data, name, max_text_chars=10_000_000)
    for heading in parsed.headings:
        assert parsed.text[heading.start_chars :].startswith(heading.text)
        assert heading.start_chars == 0 or parsed.text[heading.start_chars - 1] == "\n"
    return parsed


def make_docx() -> bytes:
    docx = pytest.importorskip("docx")
    document = docx.Document()
    document.core_properties.title = "Purchase rules"
    document.add_heading("Purchasing", level=1)
    document.add_paragraph("Orders above 5,000 euros need two signatures.")
    document.add_heading("Suppliers", level=2)
    document.add_paragraph("Known suppliers", style="List Bullet")
    document.add_paragraph("New suppliers", style="List Bullet")
    document.add_paragraph("Ask for an offer", style="List Number")
    document.add_paragraph("Compare", style="List Number")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(
        [cell for row in table.rows for cell in row.cells], ["Item", "Price", "Chair", "120"], strict=True
    ):
        cell.text = text
    paragraph = document.add_paragraph("First line")
    paragraph.add_run().add_break()
    paragraph.add_run("second line")
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def test_docx_keeps_headings_lists_and_tables() -> None:
    parsed = parse(make_docx(), "rules.docx")
    assert parsed.text == (
        "Purchasing\n\n"
        "Orders above 5,000 euros need two signatures.\n\n"
        "Suppliers\n\n"
        "- Known suppliers\n"
        "- New suppliers\n"
        "1. Ask for an offer\n"
        "2. Compare\n\n"
        "Item | Price\n"
        "Chair | 120\n\n"
        "First line\nsecond line"
    )
    assert parsed.title == "Purchase rules"
    assert [(heading.level, heading.text) for heading in parsed.headings] == [
        (1, "Purchasing"),
        (2, "Suppliers"),
    ]


def make_zip(members: dict[str, str | bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
DOCX_RELATIONS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r1" Type="http://x/footnotes" Target="footnotes.xml"/></Relationships>'
)


def test_docx_footnotes_follow_and_deleted_text_is_left_out() -> None:
    data = make_zip(
        {
            "word/document.xml": f"<w:document {W}><w:body><w:p><w:r><w:t>Paid</w:t></w:r>"
            '<w:del><w:r><w:delText> never</w:delText></w:r></w:del><w:ins w:id="1"><w:r>'
            '<w:t xml:space="preserve"> monthly</w:t></w:r></w:ins>'
            '<w:r><w:footnoteReference w:id="2"/></w:r></w:p></w:body></w:document>',
            "word/_rels/document.xml.rels": DOCX_RELATIONS,
            "word/footnotes.xml": f"<w:footnotes {W}>"
            '<w:footnote w:type="separator" w:id="0"><w:p/></w:footnote>'
            '<w:footnote w:id="2"><w:p><w:r><w:t>On the first.</w:t></w:r></w:p></w:footnote></w:footnotes>',
        }
    )
    assert parse(data, "pay.docx").text == "Paid monthly[2]\n\n[2] On the first."


def test_docx_text_boxes_come_once() -> None:
    box = "<w:txbxContent><w:p><w:r><w:t>Boxed</w:t></w:r></w:p></w:txbxContent>"
    mc = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    data = make_zip(
        {
            "word/document.xml": f"<w:document {W} {mc}><w:body><w:p><w:r><w:t>Before</w:t></w:r><w:r>"
            f"<mc:AlternateContent><mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback>"
            "</mc:AlternateContent></w:r></w:p></w:body></w:document>"
        }
    )
    assert parse(data, "box.docx").text == "Before\n\nBoxed"


def test_pptx_slides_are_pages_with_titles_and_notes() -> None:
    pptx = pytest.importorskip("pptx")
    presentation = pptx.Presentation()
    first = presentation.slides.add_slide(presentation.slide_layouts[1])
    first.shapes.title.text = "Results"
    first.placeholders[1].text = "Sales rose\nCosts fell"
    first.notes_slide.notes_text_frame.text = "Mention the new shop."
    second = presentation.slides.add_slide(presentation.slide_layouts[5])
    second.shapes.title.text = "Outlook"
    table = second.shapes.add_table(1, 2, 0, 0, 100, 100).table
    table.cell(0, 0).text, table.cell(0, 1).text = "2027", "stable"
    out = io.BytesIO()
    presentation.core_properties.title = ""
    presentation.save(out)
    parsed = parse(out.getvalue(), "talk.pptx")
    assert parsed.text == (
        "Results\n\nSales rose\nCosts fell\n\nNotes: Mention the new shop.\n\nOutlook\n\n2027 | stable"
    )
    assert [(page.number, parsed.text[page.start_chars : page.end_chars]) for page in parsed.pages] == [
        (1, "Results\n\nSales rose\nCosts fell\n\nNotes: Mention the new shop."),
        (2, "Outlook\n\n2027 | stable"),
    ]
    assert [heading.text for heading in parsed.headings] == ["Results", "Outlook"]
    assert parsed.title == "Results"


def test_xlsx_rows_are_lines_with_dates_and_shares_as_shown() -> None:
    openpyxl = pytest.importorskip("openpyxl")
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet.title = "Staff"
    sheet.append(["Name", "Since", "Share", "Salary"])
    sheet.append(["Ada", datetime.date(2021, 3, 1), 0.25, 1234.5])
    sheet.append(["Bo", None, 0.3, 0.1 + 0.2])
    sheet["B2"].number_format = "yyyy-mm-dd"
    sheet["C2"].number_format = sheet["C3"].number_format = "0%"
    workbook.create_sheet("Empty")
    workbook.create_sheet("Notes")["C2"] = "only cell"
    out = io.BytesIO()
    workbook.save(out)
    parsed = parse(out.getvalue(), "staff.xlsx")
    assert parsed.text == (
        "Staff\n\nName | Since | Share | Salary\nAda | 2021-03-01 | 25% | 1234.5\nBo |  | 30% | 0.3\n\n"
        "Notes\n\nonly cell"
    )
    assert [heading.text for heading in parsed.headings] == ["Staff", "Notes"]


def make_epub(chapters: dict[str, str], *, encryption: str = "") -> bytes:
    items = "".join(
        f'<item id="c{index}" href="{name}" media-type="application/xhtml+xml"/>' for index, name in enumerate(chapters)
    )
    order = "".join(f'<itemref idref="c{index}"/>' for index in reversed(range(len(chapters))))
    members: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
        "<rootfiles>"
        '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
        "OEBPS/book.opf": '<package xmlns="http://www.idpf.org/2007/opf" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>The Sea</dc:title></metadata>'
        f"<manifest>{items}</manifest><spine>{order}</spine></package>",
        **{f"OEBPS/{name}": content for name, content in chapters.items()},
    }
    if encryption:
        members["META-INF/encryption.xml"] = (
            '<encryption xmlns:e="http://www.w3.org/2001/04/xmlenc#"><e:EncryptedData><e:CipherData>'
            f'<e:CipherReference URI="{encryption}"/></e:CipherData></e:EncryptedData></encryption>'
        )
    return make_zip(members)


CHAPTER = (
    '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title>'
    "</head><body><h1>{}</h1><p>It was &#8220;calm&#8221;.</p></body></html>"
)


def test_epub_chapters_come_in_reading_order() -> None:
    data = make_epub({"b.xhtml": CHAPTER.format("Storm"), "a.xhtml": CHAPTER.format("Calm")})
    parsed = parse(data, "sea.epub")
    assert parsed.text == "Calm\n\nIt was “calm”.\n\nStorm\n\nIt was “calm”."
    assert parsed.title == "The Sea"
    assert [heading.text for heading in parsed.headings] == ["Calm", "Storm"]


def test_copy_protected_epub_is_refused_but_scrambled_fonts_are_fine() -> None:
    chapters = {"a.xhtml": CHAPTER.format("Calm")}
    with pytest.raises(DocumentError, match="copy-protected"):
        parse(make_epub(chapters, encryption="OEBPS/a.xhtml"), "sea.epub")
    assert parse(make_epub(chapters, encryption="OEBPS/font.otf"), "sea.epub").text.startswith("Calm")


@pytest.mark.skipif(not POLICY.exists(), reason=f"no test data at {POLICY}")
def test_a_real_book_has_its_chapters() -> None:
    parsed = parse(POLICY.read_bytes(), POLICY.name)
    assert parsed.title == "Debian Policy Manual"
    assert "1.3.2. Current process" in [heading.text for heading in parsed.headings]
    assert "The Policy Editors are DPL delegates with responsibility for the contents" in parsed.text


def test_a_protected_office_file_is_refused_with_the_reason() -> None:
    data = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 512 + "EncryptedPackage".encode("utf-16-le")
    with pytest.raises(DocumentError, match="password-protected"):
        parse(data, "secret.docx")


def test_an_old_office_file_is_refused_with_what_to_do() -> None:
    with pytest.raises(DocumentError, match="old binary Office format") as caught:
        parse(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 512, "old.docx")
    assert ".docx" in caught.value.hint


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    data = make_zip({"word/document.xml": b"<" + b" " * 100_000_000})
    assert len(data) < 200_000
    with pytest.raises(DocumentError, match="zip bomb"):
        parse(data, "bomb.docx")


@pytest.mark.parametrize("name", ["a.docx", "a.pptx", "a.xlsx", "a.epub"])
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"PK\x03\x04 not really", id="damaged"),
        pytest.param(make_zip({"x": "y"}), id="other-zip"),
    ],
)
def test_damaged_archives_are_refused(name: str, data: bytes) -> None:
    with pytest.raises(DocumentError, match="is damaged"):
        parse(data, name)


@pytest.mark.parametrize(
    "entity",
    [
        pytest.param('<!ENTITY x SYSTEM "file:///etc/passwd">', id="file"),
        pytest.param('<!ENTITY x SYSTEM "http://127.0.0.1:9/">', id="network"),
        pytest.param('<!ENTITY a "aaaaaaaaaa"><!ENTITY x "&a;&a;&a;&a;&a;&a;&a;&a;">', id="expansion"),
    ],
)
def test_xml_entities_are_never_expanded(entity: str) -> None:
    document = (
        f"<!DOCTYPE d [{entity}]><w:document {W}><w:body><w:p><w:r><w:t>&x;</w:t></w:r></w:p></w:body></w:document>"
    )
    with pytest.raises(DocumentError, match="declares XML entities"):
        parse(make_zip({"word/document.xml": document}), "xxe.docx")
    with pytest.raises(DocumentError, match="declares XML entities"):
        parse(f"<!DOCTYPE d [{entity}]><d>&x;</d>".encode(), "xxe.xml")
