"""The example documents: read as a person would read them, and made again to the byte."""

from __future__ import annotations

import html.parser
import importlib.util
import io
import subprocess
import sys
import threading
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from edgerag.datatypes import ParsedDocument
from edgerag.ingest.parse import parse_bytes
from edgerag.ingest.scan import scan

DOCUMENTS = ("contract.docx", "handbook.md", "history.html", "logbook.epub", "maintenance.pdf", "观测手册.md")
MADE = ("contract.docx", "logbook.epub", "maintenance.pdf")


@pytest.fixture(scope="module")
def examples(checkout: Path) -> Path:
    return checkout / "examples"


@pytest.fixture(scope="module")
def parsed(examples: Path) -> Mapping[str, ParsedDocument]:
    return {name: parse_bytes((examples / name).read_bytes(), name, max_text_chars=1_000_000) for name in DOCUMENTS}


@pytest.mark.parametrize(
    ("name", "format_name", "title"),
    [
        ("contract.docx", "docx", "Contract for the carriage of supplies"),
        ("handbook.md", "markdown", "Handbook of the Merle Pass Hut"),
        ("history.html", "html", "A short history of the Merle Pass Cooperative"),
        ("logbook.epub", "epub", "Winter logbook 2024/25"),
        ("maintenance.pdf", "pdf", "Maintenance manual of the Merle Pass Hut"),
        ("观测手册.md", "markdown", "云岭观测站观测手册"),
    ],
    ids=["docx", "markdown", "html", "epub", "pdf", "chinese"],
)
def test_each_example_is_read_without_a_warning_and_has_its_title(
    parsed: Mapping[str, ParsedDocument], name: str, format_name: str, title: str
) -> None:
    document = parsed[name]
    assert (document.format, document.title, document.warnings) == (format_name, title, ())


@pytest.mark.parametrize(
    ("name", "heading", "fact"),
    [
        ("contract.docx", "Section 3 Number and size of loads", "One mule carries up to 85 kilograms"),
        ("contract.docx", "Section 4 Prices", "1,480 euros"),
        ("handbook.md", "Prices", "A night in a dormitory costs 24 euros for members and 37 euros"),
        ("handbook.md", "When something happens", "The assembly point is the flagpole"),
        ("history.html", "The weather station, from 1938", "214 km/h"),
        ("history.html", "The avalanche of 1954", "an avalanche from the Black Couloir"),
        ("logbook.epub", "November", "I call it Pixel."),
        ("logbook.epub", "January", "We were in the kitchen at 23:40."),
        ("maintenance.pdf", "1.1 The turbine", "640 revolutions a minute"),
        ("maintenance.pdf", "3.4 The rain gauge", "200 square centimetres"),
        ("观测手册.md", "雨量计", "雨量计的口径是20厘米"),
        ("观测手册.md", "发报", "频率是5.385兆赫"),
    ],
)
def test_a_fact_stands_under_its_heading(
    parsed: Mapping[str, ParsedDocument], name: str, heading: str, fact: str
) -> None:
    document = parsed[name]
    at = " ".join(document.text.split("\n")).index(fact)  # one character each, so offsets hold
    ruling = [entry.text for entry in document.headings if entry.start_chars <= at][-1]
    assert ruling == heading


def test_the_manual_has_three_pages_and_its_chapters_begin_them(parsed: Mapping[str, ParsedDocument]) -> None:
    manual = parsed["maintenance.pdf"]
    page_of = {}
    for heading in manual.headings:
        for page in manual.pages:
            if page.start_chars <= heading.start_chars < page.end_chars:
                page_of[heading.text] = page.number
    assert len(manual.pages) == 3
    chapters = ("1 Power", "2 Water", "3 Instruments and mast")
    assert [page_of[chapter] for chapter in chapters] == [1, 2, 3]


def test_only_the_six_documents_are_read_from_the_folder(examples: Path) -> None:
    found = list(scan([examples], threading.Event()))
    assert sorted(Path(file.path).name for file in found) == sorted(DOCUMENTS)


def test_the_script_makes_the_committed_files_byte_for_byte(examples: Path, tmp_path: Path) -> None:
    for module in ("docx", "fpdf"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed: `make test` installs what the script needs")
    subprocess.run([sys.executable, str(examples / "make_examples.py"), str(tmp_path)], check=True, timeout=60)
    for name in MADE:
        assert (tmp_path / name).read_bytes() == (examples / name).read_bytes(), name


class _WellFormed(html.parser.HTMLParser):
    """Collects the links of a page, and which tags are open at its end."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.links += [value for name, value in attrs if name == "href" and value]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_epub_begins_with_its_type_and_its_contents_lead_to_files_that_exist(examples: Path) -> None:
    with zipfile.ZipFile(examples / "logbook.epub") as book:
        first = book.infolist()[0]
        assert (first.filename, first.compress_type, book.read(first)) == (
            "mimetype",
            zipfile.ZIP_STORED,
            b"application/epub+zip",
        )
        contents = _WellFormed()
        contents.feed(book.read("OEBPS/nav.xhtml").decode().split("<body>")[1].split("</body>")[0])
        assert contents.open == []
        assert len(contents.links) == 7
        assert {f"OEBPS/{link}" for link in contents.links} <= set(book.namelist())


def test_the_word_file_has_real_headings_and_a_table(examples: Path) -> None:
    docx = pytest.importorskip("docx", reason="python-docx is not installed")
    document = docx.Document(io.BytesIO((examples / "contract.docx").read_bytes()))
    assert [entry.text for entry in document.paragraphs if entry.style.name == "Heading 1"][:2] == [
        "Section 1 Subject",
        "Section 2 Term and notice",
    ]
    assert [cell.text for cell in document.tables[0].rows[1].cells] == [
        "Carriage uphill",
        "kilogram",
        "2.35 euros",
    ]
