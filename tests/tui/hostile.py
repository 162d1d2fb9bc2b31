"""Text that tries to style, link, hide, or crash: what a document, a file name or a model may hold."""

from __future__ import annotations

import re

from hypothesis import strategies as st

PIECES = (
    "\x1b[31mred\x1b[0m",
    "\x1b]8;;http://example.org\x1b\\link\x1b]8;;\x1b\\",
    "\x1b]52;c;cGF5\x07",
    "\x9b2J",
    "\x00",
    "\x07\x08\x0c",
    "\r",
    "\t",
    "\n",
    "\u202eevil\u202c",
    "\u2066x\u2069",
    "\u200b\ufeff",
    "\u061c",
    "\U000e0041\U000e007f",
    "[bold red]x[/]",
    "[/]",
    "[@click=app.quit]quit[/]",
    "[link=http://example.org]x[/link]",
    "[",
    "]",
    "\\[",
    "[1]",
    "**bold** `code` _em_",
    "[text](http://example.org)",
    "![image](x)",
    "<script>alert(1)</script>",
    "&amp;",
    "$primary {0} {name} %s",
    "中文字符测试",
    "ｆｕｌｌ",
    "👩‍👩‍👧‍👦",
    "🇳🇴",
    "❤️",
    "e\u0301\u0301\u0301",
    "\u0e33",
    "\udcff",
    "\ud83d",
    "x" * 200,
    " ",
)
hostile_text = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=8)), max_size=8).map("".join)

# What must not stand in any cell of the screen: controls, bidi controls, what cannot be seen, halves of characters.
FORBIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e0fff]"
)
