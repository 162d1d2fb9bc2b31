"""What a sync has to do: the files that were found, against what the library knows of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgerag.datatypes import ScannedFile
from edgerag.storage.failures import Failure
from edgerag.storage.library import DocumentState

PASSING_CODES = frozenset(("file.denied", "file.gone", "file.os_error"))
"""Reasons that pass without any change to the file (a folder's permissions, a network drive) and cost no parsing: such
files are tried in each sync."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    file: ScannedFile
    source_id: int
    """The most specific source that holds the path."""


@dataclass(frozen=True, slots=True)
class KnownContent:
    """A document whose content is unchanged, with the file as it is now (time stamp, path or source may differ)."""

    state: DocumentState
    found: FoundFile


@dataclass(slots=True)
class Plan:
    unchanged: int = 0
    touched: list[KnownContent] = field(default_factory=list)
    """Same path and content, other time stamps or source."""
    moved: list[KnownContent] = field(default_factory=list)
    """Same content under another path; the old path is gone."""
    to_parse: list[FoundFile] = field(default_factory=list)
    """New or changed, in the order found."""
    gone: list[DocumentState] = field(default_factory=list)
    still_failing: list[Failure] = field(default_factory=list)
    """Failed before, and neither they nor the limits have changed since: not tried again."""
    forgotten_failures: list[str] = field(default_factory=list)
    """Paths that failed once and are gone, or are sound after all."""


def plan_changes(
    found: Iterable[FoundFile],
    states: Mapping[str, DocumentState],
    failures: Mapping[str, Failure],
    *,
    recipe: str,
    failure_recipe: str,
    source_ids: frozenset[int],
    unseen: tuple[Path, ...],
    hash_file: Callable[[Path], str],
) -> Plan:
    """Tell new, changed, moved, gone and unchanged files apart: by stat first, by hash when in doubt.

    Args:
        found: Every file of the sources `source_ids`.
        states: Every document of the library, by path.
        failures: Every recorded failure, by path.
        recipe: The present way of parsing and chunking; documents made in another way are parsed again.
        failure_recipe: The same with the limits on a file; what failed under others is tried again.
        unseen: Files or folders that could not be read: what lies below them is not gone.
        hash_file: SHA-256 of a file's bytes, hex; raises OSError.
    """
    plan = Plan()
    seen: set[str] = set()
    new: list[FoundFile] = []
    for item in found:
        path = str(item.file.path)
        seen.add(path)
        state = states.get(path)
        failure = failures.get(path)
        if state is None or state.recipe != recipe:
            if failure is not None and _is_same_failure(failure, item, failure_recipe):
                plan.still_failing.append(failure)  # a document that was read in an older way stays as it is
            elif state is None:
                new.append(item)
            else:
                plan.to_parse.append(item)
        elif _is_certainly_unchanged(state, item.file):
            if failure is not None:
                plan.forgotten_failures.append(path)
            if state.source_id == item.source_id:
                plan.unchanged += 1
            else:
                plan.touched.append(KnownContent(state, item))
        elif item.file.size_bytes == state.size_bytes and _hash_or_none(hash_file, item) == state.content_hash:
            plan.touched.append(KnownContent(state, item))
        else:
            plan.to_parse.append(item)
    gone = [
        state
        for path, state in states.items()
        if path not in seen and state.source_id in source_ids and not _lies_below(path, unseen)
    ]
    plan.forgotten_failures += [
        path
        for path, failure in failures.items()
        if path not in seen and failure.source_id in source_ids and not _lies_below(path, unseen)
    ]
    _match_moves(plan, new, gone, recipe, hash_file)
    return plan


def _match_moves(
    plan: Plan, new: list[FoundFile], gone: list[DocumentState], recipe: str, hash_file: Callable[[Path], str]
) -> None:
    by_size: dict[int, list[DocumentState]] = {}
    for state in gone:
        if state.recipe == recipe:
            by_size.setdefault(state.size_bytes, []).append(state)
    moved_ids: set[int] = set()
    for item in new:
        same_size = by_size.get(item.file.size_bytes, [])
        content_hash = _hash_or_none(hash_file, item) if same_size else None
        # Another ending means another parser, so that the text would not be the same.
        match = next(
            (
                state
                for state in same_size
                if state.content_hash == content_hash and Path(state.path).suffix == item.file.path.suffix
            ),
            None,
        )
        if match is None:
            plan.to_parse.append(item)
        else:
            same_size.remove(match)
            moved_ids.add(match.id)
            plan.moved.append(KnownContent(match, item))
    plan.gone = [state for state in gone if state.id not in moved_ids]


def _is_certainly_unchanged(state: DocumentState, file: ScannedFile) -> bool:
    # Size and time of writing alone do not tell two files that changed places from files that stayed.
    return state.ctime_ns is not None and (
        (state.size_bytes, state.mtime_ns, state.ctime_ns) == (file.size_bytes, file.mtime_ns, file.ctime_ns)
    )


def _is_same_failure(failure: Failure, item: FoundFile, failure_recipe: str) -> bool:
    return (
        failure.code not in PASSING_CODES
        and failure.recipe == failure_recipe
        and (failure.size_bytes, failure.mtime_ns, failure.ctime_ns)
        == (item.file.size_bytes, item.file.mtime_ns, item.file.ctime_ns)
    )


def _hash_or_none(hash_file: Callable[[Path], str], item: FoundFile) -> str | None:
    try:
        return hash_file(item.file.path)
    except OSError:
        return None  # parsing will meet the same error and record it


def _lies_below(path: str, folders: tuple[Path, ...]) -> bool:
    return any(Path(path).is_relative_to(folder) for folder in folders)
