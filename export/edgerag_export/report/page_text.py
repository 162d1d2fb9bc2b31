"""Names from elsewhere on their way into a page or a chart: one line, and only what XML can hold."""

from __future__ import annotations

import re

from edgerag.cli.safe_text import safe_line

# https://www.w3.org/TR/xml/#charsets; the controls among them are replaced by `safe_line`.
_NOT_XML = re.compile("[\ud800-\udfff\ufffe\uffff]")


def page_text(text: str) -> str:
    """Replace what a screen could obey or XML forbids by U+FFFD; it is still to be escaped."""
    return _NOT_XML.sub("\ufffd", safe_line(text))
