"""Telling new, changed, moved, gone and unchanged files apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgerag.coded_text import coded
from edgerag.datatypes import ScannedFile
from edgerag.ingest.changes import FoundFile, Plan, plan_changes
from edgerag.storage.failures import Failure
from edgerag.storage.library import DocumentState

LONG_AGO = 1_000_000_000_000
DENIED = coded("file.denied", "may not be read")
HASHED: list[str] = []


def state(
    path: str,
    *,
    content: str = "h",
    size: int = 10,
    mtime: int = LONG_AGO,
    recipe: str = "r",
    ctime: int | None = LONG_AGO,
    source_id: int = 1,
    number: int = 1,
) -> DocumentState:
    return DocumentState(number, path, source_id, content, size, mtime, ctime, recipe)


def found(
    path: str, *, size: int = 10, mtime: int = LONG_AGO, ctime: int | None = LONG_AGO, source_id: int = 1
) -> FoundFile:
    return FoundFile(ScannedFile(Path(path), size, mtime, ctime), source_id)


def plan(
    files: list[FoundFile],
    states: list[DocumentState],
    *,
    failures: list[Failure] | None = None,
    hashes: dict[str, str] | None = None,
    unseen: tuple[Path, ...] = (),
) -> Plan:
    HASHED.clear()

    def hash_file(path: Path) -> str:
        HASHED.append(str(path))
        if hashes is None or str(path) not in hashes:
            raise PermissionError(path)
        return hashes[str(path)]

    return plan_changes(
        files,
        {item.path: item for item in states},
        {item.path: item for item in failures or []},
        recipe="r",
        failure_recipe="r, limits",
        source_ids=frozenset({1}),
        unseen=unseen,
        hash_file=hash_file,
    )


def test_same_size_and_times_are_unchanged_without_reading_the_file() -> None:
    result = plan([found("/a")], [state("/a")])
    assert (result.unchanged, result.to_parse, HASHED) == (1, [], [])


def test_new_time_but_same_content_is_only_touched() -> None:
    result = plan([found("/a", mtime=LONG_AGO + 5)], [state("/a")], hashes={"/a": "h"})
    assert [known.state.path for known in result.touched] == ["/a"]
    assert result.to_parse == []


def test_other_size_is_changed_without_hashing() -> None:
    result = plan([found("/a", size=11)], [state("/a")])
    assert [item.file.path for item in result.to_parse] == [Path("/a")]
    assert HASHED == []


@pytest.mark.parametrize(
    ("then", "now"),
    [(LONG_AGO, LONG_AGO + 1), (None, LONG_AGO), (None, None), (LONG_AGO, None)],
    ids=["other change time", "read right after a change, or by an older edgerag", "changed right before both", "now"],
)
def test_file_whose_time_of_change_proves_nothing_is_hashed(then: int | None, now: int | None) -> None:
    file, known = found("/a", ctime=now), state("/a", ctime=then)
    assert len(plan([file], [known], hashes={"/a": "other"}).to_parse) == 1
    assert len(plan([file], [known], hashes={"/a": "h"}).touched) == 1


def test_rename_is_a_move_and_parses_nothing() -> None:
    result = plan([found("/new")], [state("/old")], hashes={"/new": "h"})
    assert [(known.state.path, known.found.file.path) for known in result.moved] == [("/old", Path("/new"))]
    assert (result.gone, result.to_parse) == ([], [])


def test_copy_of_a_file_that_is_still_there_is_new() -> None:
    result = plan([found("/a"), found("/copy")], [state("/a")], hashes={"/copy": "h"})
    assert [item.file.path for item in result.to_parse] == [Path("/copy")]
    assert result.moved == []


def test_two_new_files_with_the_content_of_one_gone_are_one_move_and_one_new() -> None:
    result = plan([found("/x"), found("/y")], [state("/old")], hashes={"/x": "h", "/y": "h"})
    assert len(result.moved) == 1
    assert len(result.to_parse) == 1


def test_rename_to_another_ending_is_parsed_again() -> None:
    result = plan([found("/a.txt")], [state("/a.md")], hashes={"/a.txt": "h"})
    assert (len(result.to_parse), len(result.gone), result.moved) == (1, 1, [])


def test_missing_file_is_gone_but_not_that_of_another_source() -> None:
    result = plan([], [state("/a"), state("/b", source_id=2, number=2)])
    assert [gone.path for gone in result.gone] == ["/a"]


def test_what_lies_below_an_unreadable_folder_is_not_gone() -> None:
    result = plan([], [state("/docs/a"), state("/docs2/b", number=2)], unseen=(Path("/docs"),))
    assert [gone.path for gone in result.gone] == ["/docs2/b"]


def test_other_recipe_parses_again() -> None:
    assert len(plan([found("/a")], [state("/a", recipe="older")]).to_parse) == 1


def failed(reason: str = "is empty", *, recipe: str = "r, limits") -> Failure:
    return Failure("/bad", 1, reason, 10, LONG_AGO, LONG_AGO, recipe)


def test_failed_file_is_not_tried_again_while_nothing_changes() -> None:
    same = plan([found("/bad")], [], failures=[failed()])
    assert (same.still_failing, same.to_parse) == ([failed()], [])
    assert plan([], [], failures=[failed()]).forgotten_failures == ["/bad"]


@pytest.mark.parametrize(
    ("file", "failure"),
    [
        (found("/bad", mtime=LONG_AGO + 1), failed()),
        (found("/bad", size=11), failed()),
        (found("/bad", ctime=LONG_AGO + 1), failed()),
        (found("/bad"), failed(recipe="r, other limits")),
        (found("/bad"), failed(coded("file.os_error", "could not be read ({problem})", problem="EIO"))),
        (found("/bad"), failed(coded("file.with_hint", "{reason}. {hint}", reason=DENIED, hint="Check."))),
    ],
    ids=["written", "other size", "other permissions", "other limits", "system error", "permission, with a hint"],
)
def test_failed_file_is_tried_again_when_something_may_have_mended_it(file: FoundFile, failure: Failure) -> None:
    result = plan([file], [], failures=[failure])
    assert (len(result.to_parse), result.still_failing) == (1, [])


def test_document_of_an_older_recipe_that_failed_is_not_tried_in_each_sync() -> None:
    result = plan([found("/bad")], [state("/bad", recipe="older")], failures=[failed()])
    assert (result.still_failing, result.to_parse, result.gone) == ([failed()], [], [])
