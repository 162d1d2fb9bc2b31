"""HTML: what a reader sees, without scripts, navigation and page furniture."""

from __future__ import annotations

import re
from typing import Any

from edgerag.coded_text import coded
from edgerag.datatypes import ParsedDocument
from edgerag.ingest.encodings import XML_ENCODING, decode_text, decode_warnings, is_binary, is_wide
from edgerag.ingest.parsers.builder import Source, TextBuilder, clean_text
from edgerag.ingest.parsers.html_blocks import HtmlBlocks
from edgerag.ingest.parsers.refusals import binary, no_text

_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{2,40})", re.IGNORECASE)
_HEAD_BYTES = 4096
# What the names mean to browsers: https://encoding.spec.whatwg.org/#names-and-labels
_BROWSER_NAMES = {
    "gb2312": "gb18030", "gbk": "gb18030", "gb_2312-80": "gb18030", "x-gbk": "gb18030", "big5": "big5hkscs",
    "shift_jis": "cp932", "shift-jis": "cp932", "x-sjis": "cp932", "sjis": "cp932", "iso-8859-1": "cp1252",
    "latin1": "cp1252", "us-ascii": "cp1252", "ascii": "cp1252", "iso-8859-9": "cp1254", "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949", "x-user-defined": "cp1252", "utf8": "utf-8",
}  # fmt: skip


def parse(source: Source) -> ParsedDocument:
    if is_binary(source.data):
        raise binary()
    text, warnings = decode_markup(source.data)
    builder = TextBuilder(source)
    for warning in warnings:
        builder.warn(warning)
    title = write_html(builder, text)
    if builder.is_empty:
        raise no_text(hint=coded("hint.script", "The page may be filled in by a script when it is shown."))
    return builder.build("html", title or first_heading(builder))


def first_heading(builder: TextBuilder) -> str:
    """The first of the outermost headings, as title of a document that names none."""
    return min(builder.headings, key=lambda heading: heading.level).text if builder.headings else ""


def decode_markup(data: bytes) -> tuple[str, tuple[str, ...]]:
    """Decode HTML or XML: byte order mark, then what the file declares if that fits, then guessing."""
    head = data[:_HEAD_BYTES]
    declared = XML_ENCODING.search(head) or _META_CHARSET.search(head)
    if declared and not data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        name = declared.group(1).decode("ascii").lower()
        try:
            if not is_wide(name):
                return clean_text(data.decode(_BROWSER_NAMES.get(name, name))), ()
        except (LookupError, UnicodeError, ValueError):
            pass  # unknown or wrong declaration: the bytes decide
    text, encoding = decode_text(data)
    return text, decode_warnings(text, encoding)


def write_html(builder: TextBuilder, markup: str, *, whole_body: bool = False) -> str:
    """Append the visible text of a page.

    Args:
        builder: Gets blocks and headings.
        markup: HTML or XHTML, however malformed.
        whole_body: Keep everything in the body, as a book's chapter needs; otherwise `main` alone where there
            is one, and no navigation.

    Returns:
        The page's title; empty where it has none.
    """
    tree, is_cut = _parse_tree(markup)
    if is_cut:
        builder.warn("nested too deeply; what follows the deepest place was not read")
    if tree is None:
        return ""
    title = " ".join((tree.findtext(".//head/title") or tree.findtext(".//title") or "").split())
    HtmlBlocks(builder, keeps_furniture=whole_body).write(tree if whole_body else _content_root(tree))
    return title


def _parse_tree(markup: str) -> tuple[Any, bool]:
    """The tree (None for no element at all), and whether libxml2 stopped at its limit of 2,048 levels."""
    import lxml.etree  # deferred: 60 ms
    import lxml.html

    # HTML has no entity declarations, so that `huge_tree` only lifts the caps on text length and depth (256
    # levels); the worker's memory limit stands in for them.
    parser = lxml.html.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, huge_tree=True)
    try:
        tree = lxml.html.document_fromstring(markup.encode("utf-8"), parser=parser)
    except (lxml.etree.ParserError, lxml.etree.XMLSyntaxError, ValueError, AssertionError):
        tree = None
    return tree, any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log)


def _content_root(tree: Any) -> Any:
    """The `main` element if there is exactly one, else the body."""
    mains = tree.xpath("//main | //*[@role='main']")
    if len(mains) == 1 and len(mains[0].text_content().strip()) > 200:
        return mains[0]
    body = tree.find("body")
    return tree if body is None else body
