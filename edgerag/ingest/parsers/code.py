"""Source code: the file as it is; top-level definitions as headings."""

from __future__ import annotations

import re

from edgerag.datatypes import Heading, ParsedDocument
from edgerag.ingest.formats import file_ending
from edgerag.ingest.parsers.builder import Source, whole_text
from edgerag.ingest.parsers.plain import read_text

_SCRIPT = r"^(?:export\s+)?(?:default\s+)?(?:async\s+)?(?:function\*?|class|interface|enum|namespace|type)\s+[\w$]+"
_OBJECTS = (
    r"^(?:(?:public|private|protected|internal|abstract|final|sealed|static|open|data|partial|pub)\s+)*"
    r"(?:class|interface|enum|struct|record|trait|object|protocol|extension|namespace|union|func?)\s+[\w.]+"
)
_PATTERNS: dict[str, str] = {
    **dict.fromkeys((".py", ".pyi", ".pyx"), r"^(?:class|def|async def)\s+\w+"),
    **dict.fromkeys((".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".vue", ".svelte"), _SCRIPT),
    ".go": r"^(?:func\s+(?:\([^)]*\)\s*)?\w+|type\s+\w+)",
    ".rs": r"^(?:pub(?:\([^)]*\))?\s+)?(?:unsafe\s+|async\s+|const\s+)*"
           r"(?:fn|struct|enum|trait|impl|mod|union)\b[^{;(]*",
    **dict.fromkeys((".java", ".cs", ".kt", ".kts", ".scala", ".swift", ".groovy", ".dart"), _OBJECTS),
    **dict.fromkeys((".c", ".h", ".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx", ".cu", ".m", ".mm"),
                    r"^(?:(?:typedef\s+)?(?:class|struct|enum|union|namespace)\s+\w+(?=[^;]*$)"
                    r"|[A-Za-z_][\w:<>,*&~ ]*[ *&]~?[\w:~]+\s*\([^;{]*(?=\{?[^;]*$))"),
    **dict.fromkeys((".rb",), r"^(?:class|module|def)\s+[\w.:?!]+"),
    ".php": r"^(?:abstract\s+|final\s+)*(?:class|interface|trait|enum|function)\s+\w+",
    **dict.fromkeys((".sh", ".bash", ".zsh"), r"^(?:function\s+[\w:-]+|[\w:-]+\s*\(\))"),
    ".lua": r"^(?:local\s+)?function\s+[\w.:]+",
    **dict.fromkeys((".pl", ".pm"), r"^(?:sub|package)\s+[\w:]+"),
    ".r": r"^[\w.]+\s*(?:<-|=)\s*function\b",
    ".jl": r"^(?:function|struct|mutable struct|module|macro)\s+[\w.!]+",
    **dict.fromkeys((".ex", ".exs"), r"^\s{0,2}(?:defmodule|def|defp|defmacro)\s+[\w.?!]+"),
    ".sql": r"^(?i:create)\s+(?:(?i:or\s+replace|temp|temporary|unique|materialized)\s+)*\w+\s+"
            r"(?:(?i:if\s+not\s+exists)\s+)?[\w.\"`\[\]]+",
    **dict.fromkeys((".ini", ".cfg", ".conf", ".toml", ".properties"), r"^\[{1,2}[^\]\n]+\]{1,2}"),
    ".proto": r"^(?:message|service|enum)\s+\w+",
    ".graphql": r"^(?:type|input|enum|interface|union|query|mutation|fragment)\s+\w+",
}  # fmt: skip
_MAX_LINE_CHARS = 500
_MAX_NAME_CHARS = 120
_LINE = re.compile(r"[^\n]+")


def parse(source: Source) -> ParsedDocument:
    text, warnings = read_text(source)
    pattern = _PATTERNS.get(file_ending(source.name))
    headings = find_definitions(text, pattern) if pattern else []
    return whole_text(source, text, "code", title=source.name, headings=headings, warnings=warnings)


def find_definitions(text: str, pattern: str) -> list[Heading]:
    """Lines that begin a top-level definition; the heading is its first words as they stand."""
    compiled = re.compile(pattern)
    headings = []
    for line in _LINE.finditer(text):
        if line.end() - line.start() > _MAX_LINE_CHARS:
            continue
        found = compiled.match(line.group())
        if found:
            name = found.group().strip()[:_MAX_NAME_CHARS].rstrip(" {(:")
            if name:
                headings.append(Heading(1, name, line.start()))
    return headings
