"""Formats that are text: Markdown, HTML, tables, JSON, e-mail, notebooks, XML, RTF, code, rst, TeX, Org."""

from __future__ import annotations

import email.message
import json
from pathlib import Path

import pytest

from edgerag.datatypes import ParsedDocument
from edgerag.errors import DocumentError
from edgerag.ingest.parse import parse_bytes

CHINESE_PAGE = Path(__file__).parents[2].parent / "shared" / "data" / "documents" / "ch03.zh-cn.html"


def parse(content: str | bytes, name: str) -> ParsedDocument:
    data = content.encode() if isinstance(content, str) else content
    return parse_bytes(data, name, max_text_chars=1_000_000)


def headings(parsed: ParsedDocument) -> list[tuple[int, str, str]]:
    """Level, text, and the line of the parsed text that begins where the heading is said to begin."""
    return [
        (heading.level, heading.text, parsed.text[heading.start_chars :].split("\n", 1)[0])
        for heading in parsed.headings
    ]


def test_plain_text_stays_as_it_is() -> None:
    parsed = parse("  indented\r\n\r\n\r\nend  \n", "note.txt")
    assert parsed == ParsedDocument(text="  indented\n\n\nend  \n", title="note", format="text")


MARKDOWN = """\
---
title: "The plan"
tags: [a]
---

# First `part` #

Text.

    # code, no heading

```python
# comment, no heading
```

Second
part
======

- item
---

| a |
|---|

<!--
# hidden
-->
## [Link](http://x) and *stars* {#id}
####### seven
#no-space
~~~
## in a fence
"""


def test_markdown_headings_are_located_in_the_source() -> None:
    parsed = parse(MARKDOWN, "plan.md")
    assert parsed.text == MARKDOWN
    assert parsed.title == "The plan"
    assert headings(parsed) == [
        (1, "First part", "# First `part` #"),
        (1, "Second part", "Second"),
        (2, "Link and stars", "## [Link](http://x) and *stars* {#id}"),
    ]


def test_markdown_without_front_matter_is_named_after_its_first_heading() -> None:
    assert parse("intro\n\n## small\n\n# Large\n", "x.md").title == "Large"


HTML = """\
<!DOCTYPE html><html><head><title> The
 page </title><style>p {}</style><script>var x = "<p>no</p>";</script></head><body>
<nav><a href="/">Home</a></nav><div role="navigation">Menu</div>
<h1>Big &amp; bold<a class="headerlink" href="#x">¶</a></h1>
<p>One   paragraph
with <b>bo</b>ld&nbsp;text.<br>New line.</p><p>Unclosed
<ul><li>first<li>second <ol start="3"><li>inner</ol></ul>
<table><tr><th>Name</th><th>Age</th></tr><tr><td><p>Ada</p></td><td>36</td></tr></table>
<pre>
def f():
    return 1
</pre>
<p hidden>gone</p><p style="display: none">gone</p><!-- gone --><noscript>gone</noscript>
<h2>Small</h2><div>last</div></body></html>
"""


def test_html_becomes_what_a_reader_sees() -> None:
    parsed = parse(HTML, "page.html")
    assert parsed.text == (
        "Big & bold\n\n"
        "One paragraph with bold text.\nNew line.\n\n"
        "Unclosed\n\n"
        "- first\n- second\n  3. inner\n\n"
        "Name | Age\nAda | 36\n\n"
        "def f():\n    return 1\n\n"
        "Small\n\nlast"
    )
    assert parsed.title == "The page"
    assert headings(parsed) == [(1, "Big & bold", "Big & bold"), (2, "Small", "Small")]


def test_html_main_element_leaves_the_rest_of_the_page_out() -> None:
    body = "It goes on for a while, as articles do. " * 8
    parsed = parse(f"<body><div>Sidebar</div><main><h1>Article</h1><p>{body}</p></main></body>", "x.html")
    assert parsed.text == f"Article\n\n{body.strip()}"
    assert parsed.title == "Article"


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        pytest.param('<meta charset="gb2312">', "gb18030", id="meta"),
        pytest.param('<meta http-equiv="Content-Type" content="text/html; charset=Big5">', "big5", id="http-equiv"),
        pytest.param('<?xml version="1.0" encoding="shift_jis"?>', "cp932", id="xml"),
        pytest.param('<meta charset="utf-8">', "gb18030", id="wrong"),
        pytest.param("", "utf-8", id="none"),
    ],
)
def test_html_is_read_in_its_declared_encoding_if_that_fits(head: str, encoding: str) -> None:
    data = f"{head}<html><body><p>中文的文件和大家</p></body></html>".encode(encoding)
    assert parse(data, "x.htm").text == "中文的文件和大家"


def test_malformed_html_is_read_to_its_end() -> None:
    parsed = parse("<div>" * 1500 + "deep" + "<p>end <b>bold</p></i>", "x.html")
    assert parsed.text == "deep\n\nend bold"
    assert parsed.warnings == ()


def test_html_cut_off_at_its_depth_says_so() -> None:
    parsed = parse("<p>start</p>" + "<div>" * 3000 + "deep", "x.html")
    assert parsed.text == "start"
    assert parsed.warnings == ("nested too deeply; what follows the deepest place was not read",)


def test_malformed_xml_is_read_with_a_warning() -> None:
    parsed = parse("<a><p>one</p><p>two</a>", "x.xml")
    assert parsed.text == "one\ntwo"
    assert parsed.warnings == ("malformed XML; read as far as it makes sense",)


@pytest.mark.skipif(not CHINESE_PAGE.exists(), reason=f"no test data at {CHINESE_PAGE}")
def test_a_real_chinese_page_has_its_headings_and_no_furniture() -> None:
    parsed = parse(CHINESE_PAGE.read_bytes(), CHINESE_PAGE.name)
    assert parsed.title == "第 3 章 系统初始化"
    assert (2, "3.1. 启动过程概述", "3.1. 启动过程概述") in headings(parsed)
    assert "下一页" not in parsed.text


def test_csv_rows_name_their_columns() -> None:
    parsed = parse('Name;Größe;Note\nAda;1,70;"says ""hi"";\nthere"\nBo;;x\n', "t.csv")
    assert parsed.text == 'Name | Größe | Note\nName: Ada | Größe: 1,70 | Note: says "hi"; there\nName: Bo | Note: x'


def test_csv_without_header_and_tsv() -> None:
    assert parse("1,2\n3,4\n", "t.csv").text == "1 | 2\n3 | 4"
    assert parse("id\tword\n1\ta, b\n", "t.tsv").text == "id | word\nid: 1 | word: a, b"


def test_json_values_stand_with_their_paths() -> None:
    value = {"title": "Set", "rows": [{"id": 1, "tags": ["a", "b"]}, {"id": 2, "none": None, "ok": True}]}
    parsed = parse(json.dumps(value), "x.json")
    assert parsed.text == ("title: Set\nrows[0].id: 1\nrows[0].tags: a, b\nrows[1].id: 2\nrows[1].ok: true")
    assert parsed.title == "Set"


def test_records_of_a_list_and_json_lines_are_blocks() -> None:
    records = [{"a": "x"}, {"a": "y", "b": 2}]
    expected = "a: x\n\na: y\nb: 2"
    assert parse(json.dumps(records), "x.json").text == expected
    lines = "\n".join(map(json.dumps, records))
    assert parse(lines, "x.jsonl").text == expected
    assert parse(lines, "x.json").text == expected


def test_broken_json_is_read_as_text_with_a_warning() -> None:
    parsed = parse('{"a": ', "x.json")
    assert parsed.text == '{"a": '
    assert "no valid JSON" in parsed.warnings[0]
    deep = parse("[" * 100_000, "x.json")
    assert deep.text == "[" * 100_000


def test_email_shows_headers_text_and_attachment_names() -> None:
    message = email.message.EmailMessage()
    message["Subject"] = "Größe der Räume"
    message["From"] = "Ada <ada@example.org>"
    message["To"] = "bo@example.org"
    message["Date"] = "Fri, 20 Nov 2026 10:00:00 +0000"
    message.set_content("Dear Bo,\nthe rooms are large enough for us.\n")
    message.add_alternative("<p>Dear <b>Bo</b></p>", subtype="html")
    message.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="plan.pdf")
    parsed = parse(bytes(message), "mail.eml")
    assert parsed.text == (
        "Subject: Größe der Räume\nFrom: Ada <ada@example.org>\nTo: bo@example.org\n"
        "Date: Fri, 20 Nov 2026 10:00:00 +0000\n\n"
        "Dear Bo,\nthe rooms are large enough for us.\n\n"
        "Attachment: plan.pdf (application/pdf)"
    )
    assert parsed.title == "Größe der Räume"


def test_email_with_only_html_and_an_unknown_charset_is_read() -> None:
    data = b"Subject: x\nContent-Type: text/html; charset=nonsense\n\n<p>Hello</p><p>caf\xc3\xa9</p>\n"
    assert parse(data, "mail.eml").text == "Subject: x\n\nHello\n\ncafé"


def test_notebook_cells_are_blocks_with_headings() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Analysis\n", "We load data."]},
        {"cell_type": "code", "source": "# no heading\nx = 1", "outputs": [{"text": "noise"}]},
        {"cell_type": "markdown", "source": "## Result"},
    ]
    parsed = parse(json.dumps({"cells": cells}), "n.ipynb")
    assert parsed.text == "# Analysis\nWe load data.\n\n# no heading\nx = 1\n\n## Result"
    assert headings(parsed) == [(1, "Analysis", "# Analysis"), (2, "Result", "## Result")]


def test_xml_text_is_read_in_blocks() -> None:
    parsed = parse(
        "<?xml version='1.0'?><book><title>The book</title><p>One <b>bold</b> word.</p><p>Two.</p></book>",
        "b.xml",
    )
    assert parsed.text == "The book\n\nOne bold word.\nTwo."
    assert parsed.title == "The book"


def test_rtf_keeps_the_running_text() -> None:
    data = (
        rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0\fswiss Arial;}}{\info{\title The letter}}"
        rb"\pard Dear M\'fcller,\par\par Price: 5 \u8364? {\b bold} \'93quoted\'94.\par{\*\hidden x}"
        rb"\u20013?\u25991?\par {\pict\bin3 abc}}"
    )
    parsed = parse(data, "letter.rtf")
    assert parsed.text == "Dear Müller,\n\nPrice: 5 € bold “quoted”.\n中文"
    assert parsed.title == "The letter"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        pytest.param(
            "m.py",
            "import os\n\nclass A(B):\n    def m(self): ...\n\nasync def run():\n    pass\n",
            [("class A", "class A(B):"), ("async def run", "async def run():")],
            id="python",
        ),
        pytest.param(
            "m.go", "package x\n\nfunc (s *S) Run() {\n}\n", [("func (s *S) Run", "func (s *S) Run() {")], id="go"
        ),
        pytest.param(
            "m.rs",
            "pub fn main() {\n}\nimpl A for B {\n",
            [("pub fn main", "pub fn main() {"), ("impl A for B", "impl A for B {")],
            id="rust",
        ),
        pytest.param(
            "m.js",
            "export default function f() {}\nconst x = 1\n",
            [("export default function f", "export default function f() {}")],
            id="javascript",
        ),
        pytest.param(
            "m.c",
            "int main(int argc, char **argv)\n{\n  foo(1);\n}\nint declared(void);\n",
            [("int main(int argc, char **argv)", "int main(int argc, char **argv)")],
            id="c",
        ),
        pytest.param(
            "m.sql",
            "CREATE TABLE IF NOT EXISTS people (id int);\n",
            [("CREATE TABLE IF NOT EXISTS people", "CREATE TABLE IF NOT EXISTS people (id int);")],
            id="sql",
        ),
        pytest.param("m.toml", "[tool.ruff]\nx = 1\n", [("[tool.ruff]", "[tool.ruff]")], id="toml"),
    ],
)
def test_code_keeps_its_text_and_names_definitions(name: str, content: str, expected: list[tuple[str, str]]) -> None:
    parsed = parse(content, name)
    assert parsed.text == content
    assert [(text, line) for _, text, line in headings(parsed)] == expected


def test_rst_headings_take_their_levels_from_their_order() -> None:
    text = "=====\nTitle\n=====\n\nIntro\n\nPart one\n--------\n\ntext\n\nSub\n~~~\n\nPart two\n--------\n\na\nb\n---\n"
    parsed = parse(text, "doc.rst")
    assert parsed.text == text
    assert headings(parsed) == [
        (1, "Title", "Title"),
        (2, "Part one", "Part one"),
        (3, "Sub", "Sub"),
        (2, "Part two", "Part two"),
    ]
    assert parsed.title == "Title"


def test_tex_headings_are_located_in_the_source() -> None:
    text = "\\title{On \\emph{Cats}}\n% \\section{no}\n\\section{Fur \\& paws}\nText.\n\\subsection*{Tails}\n"
    parsed = parse(text, "cats.tex")
    assert parsed.title == "On Cats"
    assert headings(parsed) == [
        (2, "Fur & paws", "\\section{Fur \\& paws}"),
        (3, "Tails", "\\subsection*{Tails}"),
    ]


def test_org_headings_lose_keywords_and_tags() -> None:
    parsed = parse("#+TITLE: Notes\n* TODO [#A] Buy milk  :shop:home:\ntext\n** Sub\n", "n.org")
    assert parsed.title == "Notes"
    assert headings(parsed) == [(1, "Buy milk", "* TODO [#A] Buy milk  :shop:home:"), (2, "Sub", "** Sub")]


def test_an_unknown_ending_is_tried_as_text_and_junk_refused() -> None:
    assert parse("words", "file.strange").format == "text"
    with pytest.raises(DocumentError, match="is not text"):
        parse(bytes(range(256)) * 10, "file.txt")
