"""Markdown: the source is the text; headings are located in it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from edgerag.datatypes import Heading, ParsedDocument
from edgerag.ingest.parsers.builder import MAX_HEADING_CHARS, Source, whole_text
from edgerag.ingest.parsers.plain import read_text

# The rules are those of CommonMark 0.31, sections 4.2 (ATX), 4.3 (setext), 4.5 (fences) and 4.6 (comments).
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_NOT_A_PARAGRAPH = re.compile(r" {0,3}(?:>|[-+*][ \t]|\d{1,9}[.)][ \t]|#{1,6}(?:[ \t]|$)|\|)| {4}|\t")
_RULE = re.compile(r" {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$")
_LINK = re.compile(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])")
_EMPHASIS = re.compile(r"(\*\*|__|[*`])(?=\S)(.+?)(?<=\S)\1")
_ANCHOR = re.compile(r"[ \t]*\{[#.][^}]*\}$")
_FRONT_MATTER_END = re.compile(r"^(?:---|\.\.\.|\+\+\+)[ \t]*$", re.MULTILINE)
_FRONT_MATTER_TITLE = re.compile(r"^title[ \t]*[:=][ \t]*(.+?)[ \t]*$", re.MULTILINE)
_MAX_LINE_CHARS = 2000
"""No heading is longer; patterns are not tried on the line of a minified file."""


def parse(source: Source) -> ParsedDocument:
    text, warnings = read_text(source)
    body_start_chars, title = _front_matter(text)
    headings = tuple(find_headings(text, body_start_chars))
    if not title:
        title = next((heading.text for heading in headings if heading.level == 1), "")
    return whole_text(source, text, "markdown", title=title, headings=headings, warnings=warnings)


def find_headings(text: str, start_chars: int = 0) -> Iterator[Heading]:
    """Yield the ATX and setext headings outside code fences and comments, in order."""
    fence = ""
    in_comment = False
    paragraph_start_chars = -1
    paragraph_lines: list[str] = []
    for match in _LINE.finditer(text, start_chars):
        line = match.group().rstrip("\n")
        if len(line) > _MAX_LINE_CHARS:
            paragraph_lines = []
            continue
        if fence:
            stripped = line.strip()
            if stripped.startswith(fence) and not stripped.strip(fence[0]):
                fence = ""
            continue
        if in_comment or line.lstrip().startswith("<!--"):
            in_comment = "-->" not in line
            paragraph_lines = []
            continue
        if opening := _FENCE.match(line):
            fence = opening.group(1)
            paragraph_lines = []
        elif heading := _ATX.match(line):
            paragraph_lines = []
            name = plain_inline(heading.group(2) or "")
            if 0 < len(name) <= MAX_HEADING_CHARS:
                yield Heading(len(heading.group(1)), name, match.start())
        elif paragraph_lines and (underline := _SETEXT.match(line)):
            name = plain_inline(" ".join(paragraph_lines))
            paragraph_lines = []
            if 0 < len(name) <= MAX_HEADING_CHARS:
                yield Heading(1 if underline.group(1)[0] == "=" else 2, name, paragraph_start_chars)
        elif not line.strip() or _RULE.match(line):
            paragraph_lines = []
        elif paragraph_lines:
            paragraph_lines.append(line.strip())
        elif not _NOT_A_PARAGRAPH.match(line):
            paragraph_start_chars, paragraph_lines = match.start(), [line.strip()]


def plain_inline(text: str) -> str:
    """A heading without its links, emphasis, code marks and `{#anchor}`."""
    text = _LINK.sub(r"\1", _ANCHOR.sub("", text))
    return " ".join(_EMPHASIS.sub(r"\2", text).replace("\\", "").split())


def _front_matter(text: str) -> tuple[int, str]:
    """Where the body begins, and the title that YAML or TOML front matter names."""
    first_line = text[: text.find("\n")].rstrip() if "\n" in text else ""
    if first_line not in {"---", "+++"}:
        return 0, ""
    end = _FRONT_MATTER_END.search(text, len(first_line) + 1)
    if end is None:
        return 0, ""
    title = _FRONT_MATTER_TITLE.search(text, 0, end.start())
    return end.end(), title.group(1).strip("\"'") if title else ""
