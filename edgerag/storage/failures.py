"""Files that could not be read or parsed, recorded with the state they were in: a sync tells when to try them again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from edgerag.coded_text import CodedText, from_json, to_json
from edgerag.datatypes import ScannedFile
from edgerag.storage.sqlite import Connection

if TYPE_CHECKING:
    from edgerag.storage.library import Library


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be read or parsed, and the state it was in then."""

    path: str
    source_id: int
    reason: str
    size_bytes: int
    mtime_ns: int
    ctime_ns: int | None
    """As in `ScannedFile`."""
    recipe: str
    """Parser and chunker versions, and the limits that the file was read under."""

    @property
    def code(self) -> str:
        """Of the reason without its hint, e.g. `file.denied`; empty where it has none."""
        reason: object = self.reason
        if isinstance(reason, CodedText) and reason.code == "file.with_hint":
            reason = reason.fields.get("reason")
        return reason.code if isinstance(reason, CodedText) else ""


def load(library: Library) -> dict[str, Failure]:
    """Every recorded failure by its path."""
    sql = (
        "SELECT path, source_id, reason, coded_reason, size_bytes, mtime_ns, ctime_ns, recipe FROM failures "
        "ORDER BY path"
    )
    found: dict[str, Failure] = {}
    for path, source_id, reason, coded_reason, *state in library.rows(sql):
        told = from_json(json.loads(coded_reason)) if coded_reason else reason
        found[path] = Failure(path, source_id, told, *state)
    return found


def record(connection: Connection, source_id: int, file: ScannedFile, reason: str, recipe: str) -> None:
    """Write or replace the failure of a path, within the caller's transaction."""
    values = {
        "path": str(file.path),
        "source_id": source_id,
        "reason": str(reason),
        "coded_reason": json.dumps(to_json(reason), ensure_ascii=False),
        "size_bytes": file.size_bytes,
        "mtime_ns": file.mtime_ns,
        "ctime_ns": file.ctime_ns,
        "recipe": recipe,
        "failed_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    columns, marks = ", ".join(values), ", ".join("?" * len(values))
    updates = ", ".join(f"{name} = excluded.{name}" for name in values if name != "path")
    connection.execute(
        f"INSERT INTO failures ({columns}) VALUES ({marks}) ON CONFLICT (path) DO UPDATE SET {updates}",
        tuple(values.values()),
    )


def forget(connection: Connection, paths: Sequence[str]) -> None:
    """Delete the failures of these paths, within the caller's transaction."""
    connection.executemany("DELETE FROM failures WHERE path = ?", [(path,) for path in paths])
