"""Which documents a filter means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgerag.datatypes import DocumentFilter
from edgerag.errors import LibraryError
from edgerag.storage.document_scope import documents_within

PATHS = (
    "notes/a.md",
    "notes/old/b.md",
    "notes/old/c.txt",
    "notes-2/d.md",
    "work/old/e [final].md",
    "work/old/deep/f.md",
)


class Documents:
    """All that a filter asks of a library."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def rows(self, sql: str) -> list[tuple[int, str, str]]:
        return [
            (number, str(self.folder / path), "text" if path.endswith(".txt") else "markdown")
            for number, path in enumerate(PATHS, start=1)
        ]


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Documents:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path)
    return Documents(tmp_path)


def kept(library: Documents, *paths: str, formats: tuple[str, ...] = ()) -> list[int]:
    return list(documents_within(library, DocumentFilter(paths, formats)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("notes", [1, 2, 3]),
        ("notes/", [1, 2, 3]),
        ("./notes/old", [2, 3]),
        ("notes/a.md", [1]),
        ("a.md", [1]),
        ("old", [2, 3, 5, 6]),
        ("old/deep", [6]),
        ("*.txt", [3]),
        ("?.md", [1, 2, 4, 6]),
        ("notes*", [1, 2, 3, 4]),
        ("notes/*.md", [1]),
        ("notes/**/*.md", [1, 2]),
        ("old/*", [2, 3, 5, 6]),
        ("e [final].md", [5]),
        (".", [1, 2, 3, 4, 5, 6]),
    ],
    ids=[
        "folder", "folder with a slash", "folder in a folder", "file", "end of a path", "name anywhere",
        "names anywhere", "ending", "one character", "beginning of a folder's name", "star stays in a folder",
        "two stars cross folders", "pattern anywhere", "brackets are a name", "working folder",
    ],
)  # fmt: skip
def test_a_path_means_a_file_a_folder_or_a_pattern(library: Documents, path: str, expected: list[int]) -> None:
    assert kept(library, path) == expected


def test_the_working_folder_comes_first(library: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(library.folder / "work")
    assert kept(library, "old") == [5, 6]
    assert kept(library, "notes") == [1, 2, 3]
    assert kept(library, str(Path("..", "notes"))) == [1, 2, 3]


def test_absolute_paths_are_found_from_anywhere_and_nowhere_else(library: Documents) -> None:
    assert kept(library, str(library.folder / "notes")) == [1, 2, 3]
    with pytest.raises(LibraryError):
        kept(library, f"{os.sep}notes")


def test_several_paths_add_up_and_formats_narrow_them(library: Documents) -> None:
    assert kept(library, "notes", "f.md") == [1, 2, 3, 6]
    assert kept(library, "notes", formats=("text",)) == [3]
    assert kept(library, formats=("text", "markdown")) == [1, 2, 3, 4, 5, 6]
    assert kept(library, "a.md", formats=("text",)) == []


@pytest.mark.parametrize("path", ["nowhere", "note", "*.pdf", "~nobody-of-this-name/x", "notes/a.md/x"])
def test_a_path_that_fits_nothing_is_told_from_one_that_holds_nothing(library: Documents, path: str) -> None:
    with pytest.raises(LibraryError, match="The library has no document in"):
        kept(library, "notes", path)


def test_an_unknown_format_is_told_with_the_known_ones(library: Documents) -> None:
    with pytest.raises(LibraryError) as caught:
        kept(library, formats=("pdf",))
    assert caught.value.hint == "It has: markdown, text."
