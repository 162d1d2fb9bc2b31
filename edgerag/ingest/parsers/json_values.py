"""JSON and JSON lines: each value on a line with its path, records parted by empty lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from edgerag.datatypes import ParsedDocument
from edgerag.ingest.formats import file_ending
from edgerag.ingest.parsers.builder import Source, TextBuilder, whole_text
from edgerag.ingest.parsers.plain import read_text

_LINES_ENDINGS = (".jsonl", ".ndjson")
_MAX_SHORT_LIST_CHARS = 200


def parse(source: Source) -> ParsedDocument:
    text, warnings = read_text(source)
    try:
        records = list(_read_records(text, is_lines=file_ending(source.name) in _LINES_ENDINGS))
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        return whole_text(source, text, "json", warnings=(*warnings, f"no valid JSON ({reason}); read as text"))
    builder = TextBuilder(source)
    for warning in warnings:
        builder.warn(warning)
    for record in records:
        builder.gap()
        for line in flatten(record):
            builder.line(line)
    title = records[0].get("title") if len(records) == 1 and isinstance(records[0], dict) else ""
    return builder.build("json", title if isinstance(title, str) else "")


def _read_records(text: str, *, is_lines: bool) -> Iterator[Any]:
    """The elements of a top-level list, the lines of a JSON lines file, or the one value there is.

    Raises:
        ValueError: No JSON.
    """
    if not is_lines:
        try:
            value = json.loads(text)
        except ValueError as error:
            # Many files of lines are called .json; one bad line further down must not hide that.
            if "Extra data" not in str(error):
                raise
        else:
            if isinstance(value, list) and any(isinstance(item, dict) for item in value):
                yield from value
            else:
                yield value
            return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from error


def flatten(value: Any) -> Iterator[str]:
    """`path: value` for everything in a value that is not empty; without recursion."""
    pending: list[tuple[str, Any]] = [("", value)]
    while pending:
        path, current = pending.pop()
        if isinstance(current, dict):
            pending += reversed([(f"{path}.{key}" if path else str(key), item) for key, item in current.items()])
        elif isinstance(current, list):
            short = _short_list(current)
            if short is not None:
                yield f"{path}: {short}" if path else short
            else:
                pending += reversed([(f"{path}[{index}]", item) for index, item in enumerate(current)])
        elif current is not None and current != "":
            shown = current if isinstance(current, str) else json.dumps(current)
            yield f"{path}: {shown}" if path else shown


def _short_list(items: list[Any]) -> str | None:
    """`a, b, c` for a list of a few plain values; None for anything else."""
    if not items or not all(isinstance(item, (str, int, float)) for item in items):
        return None
    if len(items) > _MAX_SHORT_LIST_CHARS:
        return None
    text = ", ".join(item if isinstance(item, str) else json.dumps(item) for item in items)
    return text if len(text) <= _MAX_SHORT_LIST_CHARS and "\n" not in text else None
