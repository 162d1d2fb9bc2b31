"""Whatever the bytes are: a document that keeps its promises, or a DocumentError."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgerag.datatypes import ParsedDocument
from edgerag.errors import DocumentError
from edgerag.ingest.formats import FORMATS
from edgerag.ingest.parse import parse_bytes, parser_for, supported_endings

ONE_OF_EACH = {format_name: ending for ending, format_name in FORMATS.items()}
STARTS = [
    b"",
    b"%PDF-1.7\n",
    b"PK\x03\x04",
    b"{\\rtf1 ",
    b"<html>",
    b"<?xml version='1.0'?><a>",
    b"{",
    b"[",
    b"\xff\xfe",
    b"Subject: x\n\n",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    b"# ",
    b"a,b\n",
    b"\\section{",
    b"---\n",
    b"From: =?x?q?",
]
PIECES = st.sampled_from(
    [
        b"<p>",
        b"</p>",
        b"<table><tr><td>",
        b"{",
        b"}",
        b"\\u55357?",
        b"\\'e9",
        b"\n",
        b"\r\n",
        b"# a\n",
        b"==\n",
        b'"',
        b",",
        b";",
        b"[1, 2]",
        b'{"a": ',
        b"\x00",
        b"\xff",
        "中".encode(),
        b"\xd8\x00",
        b"&#0;",
        b"&#55296;",
        b"* x\n",
        b"\\title{",
        b"\x0c",
        b"\xe2\x80\xa8",
        b"Content-Type: multipart/mixed; boundary=x\n\n--x\n",
    ]
)
JUNK = st.builds(
    lambda start, parts: start + b"".join(parts),
    st.sampled_from(STARTS),
    st.lists(PIECES | st.binary(max_size=30), max_size=12),
)


def check_promises(parsed: ParsedDocument) -> None:
    assert parsed.text.strip()
    assert parsed.title
    assert "\r" not in parsed.text
    assert "\x00" not in parsed.text
    (parsed.text + parsed.title).encode("utf-8")  # raises for lone surrogates
    end = 0
    for page in parsed.pages:
        assert end <= page.start_chars < page.end_chars <= len(parsed.text)
        end = page.end_chars
    starts = [heading.start_chars for heading in parsed.headings]
    assert starts == sorted(starts)
    for heading in parsed.headings:
        assert heading.text
        assert heading.text == " ".join(heading.text.split())
        assert parsed.text[heading.start_chars - 1 : heading.start_chars] in ("", "\n")


@pytest.mark.parametrize("format_name", sorted(ONE_OF_EACH))
@settings(max_examples=60, deadline=None)
@given(data=JUNK)
def test_any_bytes_give_a_document_or_a_document_error(format_name: str, data: bytes) -> None:
    try:
        parsed = parse_bytes(data, "file" + ONE_OF_EACH[format_name], max_text_chars=100_000)
    except DocumentError as error:
        assert str(error)
        return
    check_promises(parsed)


def test_every_format_has_a_parser() -> None:
    for format_name in ONE_OF_EACH:
        assert callable(parser_for(format_name))
    assert {".pdf", ".docx", ".md", ".html", ".epub", ".csv", ".eml", ".json", ".py"} <= set(supported_endings())


@pytest.mark.parametrize("data", [b"", b" \n\t\r\n", b"\x00\x00", b"\xef\xbb\xbf", b"\xff\xfe"])
def test_an_empty_file_is_refused(data: bytes) -> None:
    for name in ("a.txt", "a.pdf", "a.docx", "a.json"):
        with pytest.raises(DocumentError, match="is empty"):
            parse_bytes(data, name, max_text_chars=10)


@pytest.mark.parametrize("ending", [".txt", ".md", ".html", ".csv", ".json", ".py", ".rtf", ".xml", ".eml"])
def test_a_text_longer_than_the_limit_is_refused(ending: str) -> None:
    content = {
        ".json": '["' + "word " * 1000 + '"]',
        ".rtf": "{\\rtf1 " + "word " * 1000 + "}",
        ".xml": "<a>" + "word " * 1000 + "</a>",
        ".eml": "Subject: x\n\n" + "word " * 1000,
    }.get(ending, "word " * 1000)
    with pytest.raises(DocumentError, match="holds more than 1,000 characters"):
        parse_bytes(content.encode(), f"a{ending}", max_text_chars=1000)


@pytest.mark.slow
@pytest.mark.parametrize(
    "ending", [".txt", ".md", ".html", ".csv", ".json", ".py", ".rst", ".tex", ".org", ".rtf", ".xml", ".eml"]
)
def test_a_single_line_of_20_mb_is_read_or_refused_in_bounded_time_and_memory(ending: str) -> None:
    line = b"lorem ipsum dolor, sit amet; " * 700_000
    content = {
        ".json": b'["' + line + b'"]',
        ".rtf": b"{\\rtf1 " + line + b"}",
        ".xml": b"<a>" + line + b"</a>",
        ".eml": b"Subject: x\n\n" + line,
    }.get(ending, line)
    started = time.process_time()
    try:
        parsed = parse_bytes(content, f"a{ending}", max_text_chars=100_000_000)
    except DocumentError:
        assert ending == ".xml"  # libxml2's own limit on one text
    else:
        assert len(parsed.text) > 15_000_000
    assert time.process_time() - started < 20


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("a.md", "*" * 20_000, id="markdown-stars"),
        pytest.param("a.md", "# " + "[" * 900, id="markdown-brackets"),
        pytest.param("a.md", "# " + "**a" * 600, id="markdown-emphasis"),
        pytest.param("a.tex", "\\section{" * 5000, id="tex-open-braces"),
        pytest.param("a.org", "* a" + " :x" * 20_000, id="org-tags"),
        pytest.param("a.rst", "=" * 20_000 + "\n" + "=" * 20_000, id="rst-lines"),
        pytest.param("a.c", "a " * 240 + "\n" + "a(" * 240, id="c-words"),
        pytest.param("a.csv", '"' * 50_001, id="csv-quotes"),
        pytest.param("a.html", "<table>" * 3000 + "x", id="html-tables"),
        pytest.param("a.html", "<ul><li>" * 3000 + "x", id="html-lists"),
        pytest.param("a.html", "<meta " * 20_000 + "x", id="html-meta"),
        pytest.param("a.rtf", "{\\rtf1 " + "{" * 50_000 + "x", id="rtf-groups"),
        pytest.param("a.json", '{"a":' * 50_000, id="json-depth"),
        pytest.param(
            "a.eml",
            "Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n" + "--b\n" * 5000,
            id="eml-parts",
        ),
    ],
)
def test_hostile_text_takes_no_long(name: str, content: str) -> None:
    started = time.process_time()
    with contextlib.suppress(DocumentError):
        check_promises(parse_bytes(content.encode(), name, max_text_chars=10_000_000))
    assert time.process_time() - started < 10  # processor time; a pattern that backtracks would take minutes
