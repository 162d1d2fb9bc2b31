"""The ingest pipeline: scan -> plan -> parse -> chunk -> embed -> store, as a generator of events."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edgerag.coded_text import coded
from edgerag.config import Settings
from edgerag.cores import usable_cores
from edgerag.datatypes import FileFailed, IngestEvent, IngestSummary, ParsedDocument, ScannedFile
from edgerag.errors import DocumentError
from edgerag.file_hash import hash_file
from edgerag.ingest.batch import Batch, Ingester
from edgerag.ingest.changes import FoundFile, Plan, plan_changes
from edgerag.ingest.progress import ProgressMeter
from edgerag.ingest.reembed import reembed
from edgerag.ingest.scan import scan
from edgerag.ingest.versions import CHUNKER_VERSION, PARSER_VERSION
from edgerag.protocols import Embedder, StopFlag
from edgerag.storage.library import DocumentState, Library, Source
from edgerag.storage.writer import LibraryWriter, NewDocument

if TYPE_CHECKING:
    from edgerag.ingest.parse_pool import ParsedFile

MOST_PARSE_WORKERS = 4
"""Embedding is the slower side: more parsers would only hold more texts in memory."""
MISSING_SOURCE = coded(
    "file.missing_source", "not found; its documents stay in the library but are not shown until it is back"
)

EMPTY_SOURCE = coded(
    "file.empty_source",
    "holds nothing at all (is its drive not mounted?); its documents stay in the library but are not shown; "
    "`edgerag remove PATH` forgets them",
)


def ingest(
    library: Library,
    writer: LibraryWriter,
    sources: Sequence[Source],
    *,
    embedder: Embedder,
    budget_tokens: int,
    settings: Settings,
    stop: StopFlag,
) -> Iterator[IngestEvent]:
    """Bring sources up to date.

    Every document is committed whole; ended early (by `stop`, an error or a dead machine), the next run goes on where
    this one was.

    Args:
        budget_tokens: Longest chunk; documents that were cut with another one are cut again.

    Yields:
        `IngestProgress` a few times a second, `FileFailed` for each file that could not be read, and at the end one
        `IngestSummary`.

    Raises:
        LibraryError: The database failed (a full disk, say); what was committed before stays.
        ModelError: The embedder failed.
    """
    started = time.perf_counter()
    meter = ProgressMeter()
    timings: dict[str, float] = {}
    writer.refresh_lexical()
    failed: list[FileFailed] = []
    found, unseen = [], []
    for event in _scan_sources(library, sources, stop):
        if isinstance(event, FileFailed):
            failed.append(event)
            unseen.append(Path(event.path))
            yield event
        else:
            found.append(event)
            meter.total_files += 1
            if progress := meter.event("scan", str(event.file.path)):
                yield progress
    timings["scan"] = time.perf_counter() - started
    if stop.is_set():
        yield _summary(library, Plan(), failed, meter, timings, started, added=0, updated=0, interrupted=True)
        return

    recipe = f"parser {PARSER_VERSION}, chunker {CHUNKER_VERSION}, {budget_tokens} tokens"
    failure_recipe = (
        f"{recipe}, {settings.max_file_mib} MiB, {settings.max_text_chars} characters, {settings.parse_timeout_s:g} s, "
        f"{settings.parse_memory_mib} MiB of memory"
    )
    states = library.document_states()
    plan_started = time.perf_counter()
    plan = plan_changes(
        found,
        states,
        library.failures(),
        recipe=recipe,
        failure_recipe=failure_recipe,
        source_ids=frozenset(source.id for source in sources),
        unseen=tuple(unseen),
        hash_file=partial(_hash_unless_stopped, stop),
    )
    _count_time(timings, "plan", plan_started)
    if stop.is_set():  # what was not hashed any more would count as changed, and what it was moved from as gone
        yield _summary(library, Plan(), failed, meter, timings, started, added=0, updated=0, interrupted=True)
        return
    _apply_cheap_changes(writer, plan)
    failed.extend(FileFailed(failure.path, failure.reason) for failure in plan.still_failing)

    ingester = Ingester(writer, embedder, meter, timings, stop)
    meter.total_files = len(plan.to_parse)
    meter.total_bytes = sum(item.file.size_bytes for item in plan.to_parse)
    meter.started = time.perf_counter()
    added = updated = 0
    by_path = {str(item.file.path): item for item in plan.to_parse}
    batch = Batch()
    if by_path:
        from edgerag.ingest.parse_pool import ParsePool  # deferred: a sync with nothing to do parses nothing

        with ParsePool(
            _num_parse_workers(settings),
            settings.parse_timeout_s,
            settings.parse_memory_mib,
            settings.max_text_chars,
            max_file_mib=settings.max_file_mib,
        ) as pool:
            waiting = time.perf_counter()
            for parsed_file in pool.parse_many([item.file.path for item in plan.to_parse], stop):
                _count_time(timings, "parse_wait", waiting)
                timings["parse"] = timings.get("parse", 0.0) + parsed_file.seconds
                path = str(parsed_file.path)
                item = by_path[path]
                if isinstance(parsed_file.outcome, DocumentError):
                    failure = FileFailed(path, _reason(parsed_file.outcome))
                    failed.append(failure)
                    _record_failure(writer, item, failure.reason, failure_recipe, parsed_file, states.get(path))
                    meter.done_files += 1
                    meter.done_bytes += item.file.size_bytes
                    yield failure
                else:
                    document = _new_document(parsed_file, item, recipe, embedder, budget_tokens, timings, stop)
                    if document is None:
                        break
                    batch.add(document)
                    if path in states:
                        updated += 1
                    else:
                        added += 1
                    if batch.is_full:
                        yield from ingester.flush(batch)
                        batch = Batch()
                if stop.is_set():
                    break
                waiting = time.perf_counter()
    yield from ingester.flush(batch)
    if not stop.is_set():
        yield from reembed(library, writer, ingester)
    failed.extend(ingester.failed)
    not_stored = ingester.not_stored
    added -= sum(1 for path in not_stored if path not in states)
    updated -= sum(1 for path in not_stored if path in states)
    summary = _summary(
        library,
        plan,
        failed,
        meter,
        timings,
        started,
        added=added,
        updated=updated,
        interrupted=stop.is_set(),
    )
    if added or updated or plan.moved or plan.gone:
        writer.record_event(
            "sync",
            {"added": added, "updated": updated, "moved": len(plan.moved), "removed": len(plan.gone)},
        )
    yield summary


def _hash_unless_stopped(stop: StopFlag, path: Path) -> str:
    if stop.is_set():
        raise InterruptedError
    return hash_file(path)


def _new_document(
    parsed_file: ParsedFile,
    item: FoundFile,
    recipe: str,
    embedder: Embedder,
    budget_tokens: int,
    timings: dict[str, float],
    stop: StopFlag,
) -> NewDocument | None:
    """The document with its chunks; None when stopped while it was cut."""
    parsed = parsed_file.outcome
    assert isinstance(parsed, ParsedDocument) and parsed_file.content_hash is not None
    from edgerag.ingest.chunk import iter_chunks  # deferred like the pool

    chunking = time.perf_counter()
    drafts = []
    for draft in iter_chunks(parsed, embedder, budget_tokens=budget_tokens):
        drafts.append(draft)
        if stop.is_set():
            return None
    _count_time(timings, "chunk", chunking)
    # Size and time are those of the bytes that were parsed, not of the scan some time before.
    file = ScannedFile(parsed_file.path, parsed_file.size_bytes, parsed_file.mtime_ns, parsed_file.ctime_ns)
    return NewDocument(item.source_id, file, parsed_file.content_hash, recipe, parsed, drafts)


def _reason(error: DocumentError) -> str:
    return (
        coded("file.with_hint", "{reason}. {hint}", reason=error.message, hint=error.hint)
        if error.hint
        else error.message
    )


def _num_parse_workers(settings: Settings) -> int:
    if settings.parse_workers:
        return settings.parse_workers
    return min(usable_cores(), MOST_PARSE_WORKERS)


def _count_time(timings: dict[str, float], stage: str, started: float) -> None:
    timings[stage] = timings.get(stage, 0.0) + time.perf_counter() - started


def _scan_sources(library: Library, sources: Sequence[Source], stop: StopFlag) -> Iterator[FoundFile | FileFailed]:
    """Every file of the sources, each under the most specific source that holds it."""
    others = {source.id: Path(source.path) for source in library.sources()}
    seen: set[Path] = set()
    for source in sources:
        root = Path(source.path)
        if not os.path.lexists(root):
            yield FileFailed(source.path, MISSING_SOURCE)
            continue
        if _is_empty_folder(root) and library.rows("SELECT 1 FROM documents WHERE source_id = ? LIMIT 1", (source.id,)):
            yield FileFailed(source.path, EMPTY_SOURCE)
            continue
        nested = [path for other, path in others.items() if other != source.id and path.is_relative_to(root)]
        for entry in scan([root], stop):
            if isinstance(entry, FileFailed):
                yield entry
            elif entry.path not in seen and not (nested and _is_below(entry, nested)):
                seen.add(entry.path)
                yield FoundFile(entry, source.id)


def _is_empty_folder(path: Path) -> bool:
    """Whether a folder holds not even a hidden file, as a mount point does while nothing is mounted there."""
    try:
        with os.scandir(path) as entries:
            return next(entries, None) is None
    except OSError:
        return False  # a file, or what the scan will say


def _is_below(file: ScannedFile, folders: Sequence[Path]) -> bool:
    return any(file.path.is_relative_to(folder) for folder in folders)


def _apply_cheap_changes(writer: LibraryWriter, plan: Plan) -> None:
    """Deletions, moves and new time stamps: one commit, before anything slow begins."""
    if not (plan.gone or plan.moved or plan.touched or plan.forgotten_failures):
        return
    with writer.transaction():
        writer.delete_documents([state.id for state in plan.gone])
        for known in (*plan.moved, *plan.touched):
            writer.touch_document(known.state.id, known.found.file, known.found.source_id)
        writer.forget_failures(plan.forgotten_failures)


def _record_failure(
    writer: LibraryWriter,
    item: FoundFile,
    reason: str,
    failure_recipe: str,
    parsed_file: ParsedFile,
    known: DocumentState | None,
) -> None:
    with writer.transaction():
        writer.record_failure(item.source_id, item.file, reason, failure_recipe)
        if known is not None and _has_other_content(known, parsed_file):
            writer.delete_documents([known.id])


def _has_other_content(known: DocumentState, parsed_file: ParsedFile) -> bool:
    """Whether a file that failed holds something else than the document that the library has of it.

    The old text of such a file would be quoted wrongly. That of an untouched one (which was to be cut into other
    chunks, say) is still exact; that of one that merely cannot be read at the moment stays, and is not shown until it
    can be.
    """
    if parsed_file.content_hash is not None:
        return parsed_file.content_hash != known.content_hash
    try:
        if parsed_file.path.stat().st_size != known.size_bytes:
            return os.access(parsed_file.path, os.R_OK)
        return hash_file(parsed_file.path) != known.content_hash
    except OSError:
        return False


def _summary(
    library: Library,
    plan: Plan,
    failed: list[FileFailed],
    meter: ProgressMeter,
    timings: dict[str, float],
    started: float,
    *,
    added: int,
    updated: int,
    interrupted: bool,
) -> IngestSummary:
    return IngestSummary(
        added=added,
        updated=updated,
        unchanged=plan.unchanged + len(plan.touched),
        moved=len(plan.moved),
        removed=len(plan.gone),
        failed=tuple(failed),
        chunks=int(library.rows("SELECT count(*) FROM chunks")[0][0]),
        embedded_chunks=meter.embedded_chunks,
        seconds=time.perf_counter() - started,
        interrupted=interrupted,
        timings_s=timings,
    )
