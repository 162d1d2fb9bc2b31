"""reStructuredText, LaTeX and Org: the source is the text; headings are located in it."""

from __future__ import annotations

import re

from edgerag.datatypes import Heading, ParsedDocument
from edgerag.ingest.parsers.builder import MAX_HEADING_CHARS, Source, one_line, whole_text
from edgerag.ingest.parsers.plain import read_text

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
# Punctuation that may underline: https://docutils.sourceforge.io/docs/ref/rst/restructuredtext.html#sections
_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1{2,}\s*$")
_MAX_LINE_CHARS = 1000
_TEX_LEVELS = {"part": 1, "chapter": 1, "section": 2, "subsection": 3, "subsubsection": 4, "paragraph": 5}
_TEX_HEADING = re.compile(
    r"^[ \t]*\\(part|chapter|section|subsection|subsubsection|paragraph)\*?(?:\[[^\]\n]*\])?\{", re.MULTILINE
)
_TEX_TITLE = re.compile(r"^[^%\n]*\\title(?:\[[^\]\n]*\])?\{", re.MULTILINE)
_TEX_COMMAND = re.compile(r"\\(?:[a-zA-Z]+\*?|.)|[{}$~]")
_ORG_HEADING = re.compile(
    r"^(\*+)[ \t]+(?:(?:TODO|DONE|NEXT|WAITING)[ \t]+)?(?:\[#[A-Z]\][ \t]+)?"
    r"([^\n]*?)(?:[ \t]+:[\w@#%:]+:)?[ \t]*$",
    re.MULTILINE,
)
_ORG_TITLE = re.compile(r"^#\+title:[ \t]*([^\n]+)$", re.MULTILINE | re.IGNORECASE)


def parse_rst(source: Source) -> ParsedDocument:
    text, warnings = read_text(source)
    headings = find_rst_headings(text)
    title = headings[0].text if headings else ""
    return whole_text(source, text, "rst", title=title, headings=headings, warnings=warnings)


def find_rst_headings(text: str) -> list[Heading]:
    """Titles with an underline, and an overline or none; levels in the order in which the styles appear."""
    lines = [(match.start(), match.group().rstrip()) for match in _LINE.finditer(text)]
    styles: list[tuple[str, bool]] = []
    headings: list[Heading] = []
    for index in range(len(lines) - 1):
        start_chars, line = lines[index]
        underline = lines[index + 1][1]
        if not line or len(line) > _MAX_LINE_CHARS or _ADORNMENT.match(line) or (line[0] in " \t" and index == 0):
            continue
        if not _ADORNMENT.match(underline) or len(underline) < len(line.strip()):
            continue
        above = lines[index - 1][1] if index else ""
        has_overline = bool(above) and above == underline
        # A title stands alone: text before it would make it the last line of a paragraph.
        if (above and not has_overline) or (line[0] in " \t" and not has_overline):
            continue
        style = (underline[0], has_overline)
        if style not in styles:
            styles.append(style)
        name = one_line(line)
        if len(name) <= MAX_HEADING_CHARS:
            headings.append(Heading(styles.index(style) + 1, name, start_chars))
    return headings


def parse_tex(source: Source) -> ParsedDocument:
    text, warnings = read_text(source)
    headings = []
    for match in _TEX_HEADING.finditer(text):
        name = _tex_plain(_braced(text, match.end()))
        if 0 < len(name) <= MAX_HEADING_CHARS:
            headings.append(Heading(_TEX_LEVELS[match.group(1)], name, match.start()))
    found = _TEX_TITLE.search(text)
    title = _tex_plain(_braced(text, found.end())) if found else ""
    return whole_text(source, text, "tex", title=title, headings=headings, warnings=warnings)


def _braced(text: str, start: int) -> str:
    """What stands between an opening brace, which ends at `start`, and its closing one."""
    depth = 1
    for index in range(start, min(len(text), start + _MAX_LINE_CHARS)):
        if text[index] == "{" and text[index - 1] != "\\":
            depth += 1
        elif text[index] == "}" and text[index - 1] != "\\":
            depth -= 1
            if not depth:
                return text[start:index]
    return ""


def _tex_plain(text: str) -> str:
    return one_line(_TEX_COMMAND.sub(" ", text.replace("\\&", "&").replace("\\%", "%").replace("\\_", "_")))


def parse_org(source: Source) -> ParsedDocument:
    text, warnings = read_text(source)
    headings = [
        Heading(len(match.group(1)), one_line(match.group(2)), match.start())
        for match in _ORG_HEADING.finditer(text)
        if 0 < len(one_line(match.group(2))) <= MAX_HEADING_CHARS
    ]
    found = _ORG_TITLE.search(text)
    title = found.group(1) if found else ""
    return whole_text(source, text, "org", title=title, headings=headings, warnings=warnings)
