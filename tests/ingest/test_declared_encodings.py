"""Markup and mail that declare UTF-16 or UTF-32: believed where it can be so, and only there."""

from __future__ import annotations

import pytest

from edgerag.datatypes import ParsedDocument
from edgerag.ingest.parse import parse_bytes


def parse(content: str | bytes, name: str) -> ParsedDocument:
    data = content.encode() if isinstance(content, str) else content
    return parse_bytes(data, name, max_text_chars=1_000_000)


@pytest.mark.parametrize("declared", ["utf-16", "UTF-16LE", "utf-32"])
@pytest.mark.parametrize("text", ["plain, even", "plain, odd", "Größe, naïve", "中文的文件和大家"])
@pytest.mark.parametrize(
    ("head", "name"),
    [
        pytest.param('<meta charset="{}"><p>', "x.html", id="html"),
        pytest.param('<?xml version="1.0" encoding="{}"?><p>', "x.xhtml", id="xhtml"),
        pytest.param('<?xml version="1.0" encoding="{}"?><p>', "x.xml", id="xml"),
        pytest.param("Content-Type: text/html; charset={}\nMIME-Version: 1.0\n\n<p>", "x.eml", id="html e-mail"),
        pytest.param("Content-Type: text/plain; charset={}\nMIME-Version: 1.0\n\n", "x.eml", id="e-mail"),
    ],
)
def test_declared_utf_16_that_can_be_read_as_ascii_is_not_believed(
    head: str, name: str, text: str, declared: str
) -> None:
    end = "</p>" if head.endswith("<p>") else ""
    parsed = parse(f"{head.format(declared)}{text}{end}", name)
    assert (parsed.text, parsed.warnings) == (text, ())


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    ("head", "name"),
    [
        pytest.param('<html><meta charset="utf-16"><p>', "x.html", id="html"),
        pytest.param('<?xml version="1.0" encoding="utf-16"?><p>', "x.xml", id="xml"),
    ],
)
def test_utf_16_is_read_as_what_it_is(head: str, name: str, encoding: str) -> None:
    assert parse(f"{head}Größe 中文</p>".encode(encoding), name).text == "Größe 中文"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_email_text_in_utf_16_is_read(encoding: str) -> None:
    data = f"Content-Type: text/plain; charset={encoding}\n\n".encode() + "Größe 中文".encode(encoding)
    assert parse(data, "x.eml").text == "Größe 中文"
