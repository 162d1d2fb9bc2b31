"""PDF: text, pages, paragraphs, headings; written here by hand, and one real manual."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgerag.errors import DocumentError
from edgerag.ingest.parse import parse_bytes
from edgerag.ingest.parsers.pdf_furniture import drop_furniture
from edgerag.ingest.parsers.pdf_lines import Line, join_lines, join_texts

POLICY = Path(__file__).parents[2].parent / "shared" / "data" / "documents" / "debian-policy.pdf"


def make_pdf(
    pages: list[list[tuple[float, float, float, str]]],
    *,
    bookmarks: list[tuple[str, int]] = (),  # type: ignore[assignment]
    title: str = "",
    trailer: str = "",
) -> bytes:
    """A PDF with lines of text at (x, y, size); bookmarks point to page indexes."""
    objects: dict[int, str] = {}
    page_numbers = [10 + 2 * index for index in range(len(pages))]
    for number, lines in zip(page_numbers, pages, strict=True):
        shown = "".join(
            "BT /F1 {:g} Tf {:g} {:g} Td ({}) Tj ET\n".format(
                size, x, y, text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
            )
            for x, y, size, text in lines
        )
        objects[number] = (
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {number + 1} 0 R >>"
        )
        objects[number + 1] = f"<< /Length {len(shown)} >>\nstream\n{shown}endstream"
    kids = " ".join(f"{number} 0 R" for number in page_numbers)
    outline = " /Outlines 5 0 R" if bookmarks else ""
    objects[1] = f"<< /Type /Catalog /Pages 2 0 R{outline} >>"
    objects[2] = f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>"
    objects[3] = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
    objects[4] = f"<< /Title ({title}) >>"
    first = 1000
    if bookmarks:
        last = first + len(bookmarks) - 1
        objects[5] = f"<< /First {first} 0 R /Last {last} 0 R /Count {len(bookmarks)} >>"
        for index, (name, page_index) in enumerate(bookmarks):
            number = first + index
            after = f" /Next {number + 1} 0 R" if number < last else ""
            before = f" /Prev {number - 1} 0 R" if index else ""
            objects[number] = (
                f"<< /Title ({name}) /Parent 5 0 R{before}{after} "
                f"/Dest [{page_numbers[page_index]} 0 R /XYZ 0 800 0] >>"
            )
    body = b"%PDF-1.4\n"
    offsets: dict[int, int] = {}
    for number, content in objects.items():
        offsets[number] = len(body)
        body += f"{number} 0 obj\n{content}\nendobj\n".encode("cp1252")
    table = "".join(f"{number} 1\n{offset:010d} 00000 n \n" for number, offset in sorted(offsets.items()))
    end = f"xref\n0 1\n0000000000 65535 f \n{table}trailer\n"
    end += f"<< /Size {max(objects) + 1} /Root 1 0 R /Info 4 0 R {trailer} >>\nstartxref\n{len(body)}\n%%EOF\n"
    return body + end.encode("ascii")


def test_lines_become_paragraphs_and_pages_have_exact_spans() -> None:
    data = make_pdf(
        [
            [
                (72, 780, 18, "Leave of absence"),
                (72, 740, 11, "Every member of staff may take thirty days of paid leave in one calendar"),
                (72, 726, 11, "year. Days that are not taken can be carried over into the following calen-"),
                (72, 712, 11, "dar year."),
                (72, 680, 11, "A second paragraph stands apart."),
            ],
            [],
            [(72, 780, 11, "The third page has one line.")],
        ],
        title="Staff handbook",
    )
    parsed = parse_bytes(data, "handbook.pdf", max_text_chars=10_000)
    assert parsed.text == (
        "Leave of absence\n\n"
        "Every member of staff may take thirty days of paid leave in one calendar year. "
        "Days that are not taken can be carried over into the following calendar year.\n\n"
        "A second paragraph stands apart.\n\n"
        "The third page has one line."
    )
    assert parsed.title == "Staff handbook"
    assert parsed.format == "pdf"
    shown = [(page.number, parsed.text[page.start_chars : page.end_chars]) for page in parsed.pages]
    assert shown[0][0] == 1
    assert shown[0][1].startswith("Leave of absence")
    assert shown[0][1].endswith("stands apart.")
    assert shown[1] == (3, "The third page has one line.")


def test_bookmarks_that_stand_in_the_text_become_headings() -> None:
    data = make_pdf(
        [
            [
                (72, 780, 11, "1 Scope"),
                (72, 766, 11, "This part says what is covered by the agreement and what is"),
            ],
            [(72, 780, 11, "2 Terms"), (72, 766, 11, "Words have their plain meaning.")],
        ],
        bookmarks=[("Scope", 0), ("Terms", 1), ("Not in the text", 1)],
    )
    parsed = parse_bytes(data, "agreement.pdf", max_text_chars=10_000)
    assert [(heading.level, heading.text) for heading in parsed.headings] == [(1, "1 Scope"), (1, "2 Terms")]
    for heading in parsed.headings:
        assert parsed.text[heading.start_chars :].startswith(heading.text + "\n")
    assert parsed.title == "agreement"


def test_a_sentence_that_runs_over_the_page_break_stays_one_paragraph() -> None:
    data = make_pdf(
        [
            [(72, 780, 11, "The tenant pays the rent on the third working day of each month and")],
            [(72, 780, 11, "keeps the receipt.")],
        ]
    )
    parsed = parse_bytes(data, "rent.pdf", max_text_chars=10_000)
    assert parsed.text.endswith("of each month and keeps the receipt.")
    second = parsed.pages[1]
    assert parsed.text[second.start_chars : second.end_chars] == "keeps the receipt."


def test_running_headers_and_page_numbers_are_left_out() -> None:
    pages = [
        [
            (72, 800, 9, f"Annual report {2020}"),
            (72, 700, 11, f"Body of page {name}."),
            (290, 30, 9, str(number)),
        ]
        for number, name in enumerate(["one", "two", "three", "four", "five"], start=7)
    ]
    parsed = parse_bytes(make_pdf(pages), "report.pdf", max_text_chars=10_000)
    assert parsed.text == "\n\n".join(f"Body of page {name}." for name in ["one", "two", "three", "four", "five"])


def test_a_protected_pdf_is_refused_with_the_reason() -> None:
    secret = "<" + "41" * 32 + ">"
    encrypt = f"/Encrypt << /Filter /Standard /V 1 /R 2 /O {secret} /U {secret} /P -4 >> /ID [<00> <00>]"
    data = make_pdf([[(72, 780, 11, "secret")]], trailer=encrypt)
    with pytest.raises(DocumentError, match="password-protected"):
        parse_bytes(data, "secret.pdf", max_text_chars=10_000)


def test_a_pdf_without_text_is_refused_as_scanned() -> None:
    with pytest.raises(DocumentError, match=r"holds no text \(scanned\?\)"):
        parse_bytes(make_pdf([[], []]), "scan.pdf", max_text_chars=10_000)


def test_a_damaged_pdf_is_refused() -> None:
    with pytest.raises(DocumentError, match=r"no readable PDF \(Data format error\)$"):
        parse_bytes(b"%PDF-1.7\n" + b"garbage " * 100, "damaged.pdf", max_text_chars=10_000)


def test_a_pdf_with_another_ending_is_still_read_as_pdf() -> None:
    parsed = parse_bytes(make_pdf([[(72, 780, 11, "Hello there.")]]), "notes.txt", max_text_chars=10_000)
    assert (parsed.format, parsed.text) == ("pdf", "Hello there.")


@pytest.mark.parametrize(
    ("before", "after", "joined"),
    [
        pytest.param("the calen-", "dar year", "the calendar year", id="hyphenated-word"),
        pytest.param("a machine-", "readable file", "a machine-readable file", id="known-compound"),
        pytest.param("pages 12-", "15 of it", "pages 12- 15 of it", id="number-range"),
        pytest.param("Jean-", "Paul", "Jean-Paul", id="capital-after-hyphen"),
        pytest.param("soft\u00ad", "ware", "software", id="soft-hyphen"),
        pytest.param("这是一个", "句子。", "这是一个句子。", id="chinese"),
        pytest.param("two", "words", "two words", id="words"),
    ],
)
def test_lines_are_joined_as_a_reader_would(before: str, after: str, joined: str) -> None:
    assert join_texts(before, after, frozenset({"machine-readable"})) == joined


def test_short_lines_and_list_items_keep_their_line_breaks() -> None:
    lines = [
        Line("You need:", 50, 700, 100, 712),
        Line("• flour and eggs and a good deal of butter and then some", 50, 686, 400, 698),
        Line("more butter", 60, 672, 120, 684),
        Line("• sugar", 50, 658, 90, 670),
    ]
    pieces = join_lines(lines, frozenset())
    assert [piece.text for piece in pieces] == [
        "You need:",
        "• flour and eggs and a good deal of butter and then some more butter",
        "• sugar",
    ]


def test_numbers_at_the_top_that_do_not_count_pages_are_kept() -> None:
    pages = [
        [Line(f"{value} euros"), Line("text"), Line(f"note {value}"), Line(f"page {number} of 14")]
        for number, value in enumerate((9, 3, 17, 4, 90), start=3)
    ]
    drop_furniture(pages)
    assert [[line.text for line in lines] for lines in pages] == [
        [f"{value} euros", f"note {value}"] for value in (9, 3, 17, 4, 90)
    ]


@pytest.mark.skipif(not POLICY.exists(), reason=f"no test data at {POLICY}")
def test_a_real_manual_has_exact_pages_and_headings() -> None:
    parsed = parse_bytes(POLICY.read_bytes(), POLICY.name, max_text_chars=10_000_000)
    assert parsed.title == "Debian Policy Manual"
    assert len(parsed.headings) > 300
    for heading in parsed.headings:
        assert parsed.text[heading.start_chars :].startswith(heading.text)
    ends = [0, *(page.end_chars for page in parsed.pages)]
    for page, previous_end in zip(parsed.pages, ends, strict=False):
        assert previous_end <= page.start_chars < page.end_chars
        assert parsed.text[previous_end : page.start_chars].strip() == ""
    quote = "The Policy Editors are DPL delegates with responsibility for the contents of this document"
    start = parsed.text.index(quote)
    assert [page.number for page in parsed.pages if page.start_chars <= start < page.end_chars] == [14]
    assert "Debian Policy Manual, Release 4.6.2.0" not in parsed.text
