"""CSV and TSV: each row a line that can be read, found and quoted by itself.

With a header row, a line is `name: value | name: value`: a chunk from the middle of a long table then still
says what its numbers are. Without one it is `a | b`.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Sequence

from edgerag.coded_text import coded
from edgerag.datatypes import ParsedDocument
from edgerag.errors import DocumentError
from edgerag.ingest.formats import file_ending
from edgerag.ingest.parsers.builder import Source, TextBuilder, one_line
from edgerag.ingest.parsers.plain import read_text

_DELIMITERS = ",;\t|"
_SAMPLE_ROWS = 20
_SAMPLE_CHARS = 64 * 1024
_NUMBER = re.compile(r"^[-+]?[\d.,\s]*\d[\d.,\s]*(?:[eE][-+]?\d+)?\s*[%€$£¥]?$")
_MAX_NAME_CHARS = 60


def parse(source: Source) -> ParsedDocument:
    text, warnings = read_text(source)
    builder = TextBuilder(source)
    for warning in warnings:
        builder.warn(warning)
    # The module's own limit, 128 KiB a field, would refuse files that the text limit allows; that one applies
    # here.
    csv.field_size_limit(2**31 - 1)
    delimiter = "\t" if file_ending(source.name) in (".tsv", ".tab") else find_delimiter(text)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=False)
        rows = ([one_line(cell) for cell in row] for row in reader)
        rows = (row for row in rows if any(row))
        first = list(itertools.islice(rows, _SAMPLE_ROWS))
        names = first[0] if has_header(first) else None
        if names is not None:
            builder.line(" | ".join(name for name in names if name))
        for row in itertools.chain(first if names is None else first[1:], rows):
            builder.line(show_row(row, names))
    except csv.Error as error:
        raise DocumentError(
            coded("file.no_table", "is no table ({problem})", problem=error),
            hint=coded("hint.rename_txt", "Rename it to .txt to read it as text."),
        ) from error
    return builder.build("csv")


def find_delimiter(text: str) -> str:
    """The character that parts the first rows into most columns, evenly; a comma when none does."""
    sample = text[:_SAMPLE_CHARS].splitlines()[:_SAMPLE_ROWS]
    best, best_score = ",", 0.0
    for delimiter in _DELIMITERS:
        widths = [len(row) for row in csv.reader(sample, delimiter=delimiter) if row]
        if not widths or max(widths) < 2:
            continue
        typical = max(set(widths), key=widths.count)
        score = typical * (widths.count(typical) / len(widths)) ** 2 if typical > 1 else 0.0
        if score > best_score:
            best, best_score = delimiter, score
    return best


def has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns: short, different names, none of them a number."""
    if len(rows) < 2 or len(rows[0]) < 2:
        return False
    names = [name for name in rows[0] if name]
    is_named = len(names) >= 2 and len(set(names)) == len(names) and len(names) >= len(rows[0]) - 1
    return is_named and all(len(name) <= _MAX_NAME_CHARS and not _NUMBER.match(name) for name in names)


def show_row(row: Sequence[str], names: Sequence[str] | None) -> str:
    """One row as a line; cells beyond the header stand without a name."""
    if names is None:
        return " | ".join(row).rstrip(" |")
    cells = []
    for index, cell in enumerate(row):
        if cell:
            name = names[index] if index < len(names) else ""
            cells.append(f"{name}: {cell}" if name else cell)
    return " | ".join(cells)
