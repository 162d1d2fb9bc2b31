"""The sample folder: every format that edgerag reads, in files that their own programs would open."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from edgerag.ingest.formats import FORMATS
from edgerag.ingest.parse import parse_bytes
from tests.packaging_scripts.loading import load

sample_folder = load("sample_folder")
SAMPLES = sample_folder.samples()


def content_of(name: str) -> bytes:
    found: bytes = next(sample.content for sample in SAMPLES if sample.name == name)
    return found


def test_there_is_a_sample_of_every_format() -> None:
    assert {sample.format for sample in SAMPLES} == set(FORMATS.values())


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_sample_is_read_as_its_format_and_says_its_sentence_once(sample) -> None:  # type: ignore[no-untyped-def]
    parsed = parse_bytes(sample.content, sample.name, max_text_chars=100_000)
    assert parsed.format == sample.format
    assert parsed.text.count(sample.sentence) == 1
    start = parsed.text.index(sample.sentence)
    pages = [page.number for page in parsed.pages if page.start_chars <= start < page.end_chars]
    assert pages == ([] if sample.page is None else [sample.page])
    if sample.heading is not None:
        assert [heading.text for heading in parsed.headings if heading.start_chars < start][-1] == sample.heading


def test_names_and_questions_are_unique() -> None:
    assert len({sample.name for sample in SAMPLES}) == len({sample.question for sample in SAMPLES}) == len(SAMPLES)


def test_the_folder_holds_exactly_the_samples(tmp_path: Path) -> None:
    written = sample_folder.write_folder(tmp_path / "a" / "b")
    files = {path.name: path.read_bytes() for path in (tmp_path / "a" / "b").iterdir()}
    assert files == {sample.name: sample.content for sample in written}


def test_word_opens_the_docx() -> None:
    docx = pytest.importorskip("docx")
    paragraphs = docx.Document(io.BytesIO(content_of("warehouse.docx"))).paragraphs
    assert [paragraph.text for paragraph in paragraphs][:2] == ["Lifts", "About the building."]
    assert paragraphs[0].style.name == "Heading 1"


def test_powerpoint_opens_the_pptx() -> None:
    pptx = pytest.importorskip("pptx")
    slides = pptx.Presentation(io.BytesIO(content_of("wind.pptx"))).slides
    assert [slide.shapes.title.text for slide in slides] == ["Wind farm", "Birds"]


def test_excel_opens_the_xlsx() -> None:
    openpyxl = pytest.importorskip("openpyxl")
    sheet = openpyxl.load_workbook(io.BytesIO(content_of("hives.xlsx")))["Beehives"]
    assert [[cell.value for cell in row] for row in sheet][1] == ["Juniper", "Marta Oyelaran", 27]
