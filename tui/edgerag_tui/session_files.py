"""Looking at the files of a library for the Library screen; rules as in `session.py`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from edgerag_tui import messages
from edgerag_tui.library_tree import Node, build_tree

if TYPE_CHECKING:
    from edgerag.engine import Engine
    from edgerag_tui.session import Session
    from edgerag_tui.session_reading import Target
    from edgerag_tui.tasks import Task

EARLIER_SHOWN = 30


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """A sync of an earlier session or of the command line, out of the library's history."""

    at: str
    """ISO 8601, UTC."""
    added: int
    updated: int
    moved: int
    removed: int


@dataclass(frozen=True, slots=True)
class Listing:
    """What the Library screen shows."""

    roots: tuple[Node, ...]
    earlier: tuple[EarlierRun, ...]


def list_files(session: Session, *, before: float, to: Target) -> Task:
    """Every source and file with its state, new ones too; `FilesListed`.

    Args:
        before: Seconds since the epoch; the history is told up to then.
    """

    def work(engine: Engine, task: Task) -> Listing:
        sources = engine.library.sources()
        files = engine.files(find_new=True, stop=task.stop)
        missing = [source.path for source in sources if not Path(source.path).exists()]
        return Listing(tuple(build_tree(files, sources, missing=missing)), _earlier(engine, before))

    def reply(task_id: int, listing: Listing) -> messages.FilesListed:
        return messages.FilesListed(task_id, listing)

    return session.run("files", "files", work, to=to, reply=reply)


def _earlier(engine: Engine, before: float) -> tuple[EarlierRun, ...]:
    limit = datetime.fromtimestamp(before, UTC).isoformat(timespec="seconds")
    rows = engine.library.rows(
        "SELECT at, detail FROM events WHERE kind = 'sync' AND at < ? ORDER BY id DESC LIMIT ?", (limit, EARLIER_SHOWN)
    )
    runs = []
    for at, detail in rows:
        counts = json.loads(detail)
        runs.append(EarlierRun(at, *(int(counts.get(name, 0)) for name in ("added", "updated", "moved", "removed"))))
    return tuple(runs)
