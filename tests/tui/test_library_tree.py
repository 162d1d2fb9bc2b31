"""What the Library screen is made of: the tree of files, typed paths, lines of `.edgeragignore`."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerag.datatypes import FileFailed
from edgerag.ingest.file_states import FileState
from edgerag.ingest.scan import scan
from edgerag.storage.library import Source
from edgerag_tui.ignoring import ignore_line, leave_out
from edgerag_tui.library_tree import Node, build_tree, rows_of
from edgerag_tui.path_completion import complete, read_path


def file(path: str, state: str = "fresh", source: int = 1) -> FileState:
    return FileState(path, source, "/s", state, "", 1, "", "markdown", 10, 2, "2026-01-01T00:00:00+00:00")  # type: ignore[arg-type]


def test_a_tree_has_folders_first_and_sums_what_is_below() -> None:
    files = [file("/s/b.md"), file("/s/a/y.md", "failed"), file("/s/a/x/z.md"), file("/t.md", source=2)]
    roots = build_tree(files, [Source(2, "/t.md", ""), Source(1, "/s", "")], missing=["/t.md"])
    rows = rows_of(roots, {"/s", "/s/a", "/s/a/x"})
    assert [(row.kind, row.path, row.depth, row.num_files, row.num_problems) for row in rows] == [
        ("source", "/s", 0, 3, 1),
        ("folder", "/s/a", 1, 2, 1),
        ("folder", "/s/a/x", 2, 1, 0),
        ("file", "/s/a/x/z.md", 3, 1, 0),
        ("file", "/s/a/y.md", 2, 1, 1),
        ("file", "/s/b.md", 1, 1, 0),
        ("source", "/t.md", 0, 1, 0),
    ]
    assert roots[0].size_bytes == 30 and roots[0].num_chunks == 6
    assert roots[1].is_missing and roots[1].file is not None
    assert [row.path for row in rows_of(roots, set(), only_problems=True)] == ["/s", "/s/a", "/s/a/y.md", "/t.md"]
    assert [row.path for row in rows_of(roots, set(), words="X z")] == ["/s", "/s/a", "/s/a/x", "/s/a/x/z.md"]


@given(st.lists(st.lists(st.sampled_from(["a", "b", "研", "x y"]), min_size=1, max_size=4), max_size=12))
def test_every_file_stands_in_the_tree_once(paths: list[list[str]]) -> None:
    wanted = sorted({"/s/" + "/".join(parts) + "/f.md" for parts in paths})
    root: Node = build_tree([file(path) for path in wanted], [Source(1, "/s", "")])[0]
    assert sorted(found.path for found in root.files()) == wanted
    assert root.num_files == len(wanted)


def test_files_with_composed_and_decomposed_names_are_found_by_either() -> None:
    roots = build_tree([file("/s/cafe\u0301.md")], [Source(1, "/s", "")])
    assert [row.path for row in rows_of(roots, set(), words="café")] == ["/s", "/s/cafe\u0301.md"]


@pytest.mark.parametrize(
    "typed",
    [
        "{}/two words/a.md",
        "'{}/two words/a.md'",
        "{}/two\\ words/a.md",
        "file://{}/two%20words/a.md",
        " {}/two words/a.md ",
        "~/{}/two words/a.md",
        "~/'{}/two words/a.md'",
        "~/file://{}/two%20words/a.md",
    ],
    ids=["plain", "quoted", "escaped", "address", "spaces", "after-the-offer", "dropped", "dropped-address"],
)
def test_a_path_is_understood_as_terminals_paste_it(typed: str, tmp_path: Path) -> None:
    wanted = tmp_path / "two words" / "a.md"
    wanted.parent.mkdir()
    wanted.touch()
    assert read_path(typed.format(tmp_path)) == wanted


def test_completion_knows_home_hidden_files_and_leaves_out_what_cannot_be_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("Notes", "notes 2", ".hidden", "evil\x1b[31m"):
        (tmp_path / name).mkdir()
    (tmp_path / "note.md").touch()
    assert [found.text for found in complete("~/no")] == ["~/Notes/", "~/notes 2/", "~/note.md"]
    assert [found.text for found in complete("~")] == ["~/Notes/", "~/notes 2/", "~/note.md"]
    assert [found.text for found in complete("~/.h")] == ["~/.hidden/"]
    assert complete("~/nowhere/x") == []


@pytest.mark.parametrize("name", ["a.md", "[x] *?.md", "#a.md", "!a.md", "end .md", "中 文.md", "back\\slash.md"])
def test_an_ignore_line_leaves_out_exactly_that_file(name: str, tmp_path: Path) -> None:
    for each in (name, "other.md"):
        (tmp_path / each).write_text("x")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / name).write_text("x")
    leave_out(str(tmp_path), ignore_line(str(tmp_path), str(tmp_path / name), is_folder=False))
    found = [entry for entry in scan([tmp_path], threading.Event()) if not isinstance(entry, FileFailed)]
    assert sorted(os.path.relpath(entry.path, tmp_path) for entry in found) == sorted(["other.md", f"sub/{name}"])


def test_an_ignore_file_without_a_last_newline_keeps_its_last_line(tmp_path: Path) -> None:
    (tmp_path / ".edgeragignore").write_text("*.log")
    leave_out(str(tmp_path), "/a/")
    assert (tmp_path / ".edgeragignore").read_text() == "*.log\n/a/\n"
