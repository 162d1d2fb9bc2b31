"""What a scan finds and what it leaves out; ignore files against git itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgerag.datatypes import FileFailed, ScannedFile
from edgerag.ingest.scan import scan

GO = threading.Event()
needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links need privileges on Windows")


def make(root: Path, *names: str) -> None:
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name, encoding="utf-8")


def found(root: Path, *sources: Path) -> list[str]:
    results = list(scan(sources or [root], GO))
    assert all(isinstance(result, ScannedFile) for result in results), results
    return [result.path.relative_to(root).as_posix() for result in results if isinstance(result, ScannedFile)]


def failures(sources: Sequence[Path]) -> list[FileFailed]:
    return [result for result in scan(sources, GO) if isinstance(result, FileFailed)]


def test_known_formats_come_in_order_with_size_and_time(tmp_path: Path) -> None:
    make(
        tmp_path,
        "b.md",
        "a/z.pdf",
        "a/y.DOCX",
        "README",
        "Makefile",
        "photo.jpg",
        "data.bin",
        "c/deep/er.txt",
    )
    assert found(tmp_path) == ["Makefile", "README", "b.md", "a/y.DOCX", "a/z.pdf", "c/deep/er.txt"]
    file = next(iter(scan([tmp_path / "b.md"], GO)))
    status = (tmp_path / "b.md").stat()
    assert file == ScannedFile(tmp_path / "b.md", status.st_size, status.st_mtime_ns)


def test_hidden_files_and_program_folders_are_left_out(tmp_path: Path) -> None:
    make(
        tmp_path,
        *(
            ".hidden.md",
            ".git/x.md",
            ".svn/x.md",
            "node_modules/x.md",
            "__pycache__/x.md",
            "keep/x.md",
            "~$x.docx",
        ),
        *("env/pyvenv.cfg", "env/lib/x.md", "cache/CACHEDIR.TAG", "cache/x.md"),
    )
    assert found(tmp_path) == ["keep/x.md"]


def test_what_is_named_itself_is_tried_even_if_hidden_or_of_unknown_format(tmp_path: Path) -> None:
    make(tmp_path, ".notes/x.md", "data.strange", ".gitignore")
    (tmp_path / ".gitignore").write_text("*.strange\n", encoding="utf-8")
    assert found(tmp_path, tmp_path / ".notes", tmp_path / "data.strange") == [".notes/x.md", "data.strange"]


def test_a_file_of_two_sources_comes_once(tmp_path: Path) -> None:
    make(tmp_path, "a/x.md", "a/b/y.md")
    assert found(tmp_path, tmp_path, tmp_path / "a", tmp_path / "a/b/y.md", tmp_path / "a/../a") == [
        "a/x.md",
        "a/b/y.md",
    ]


def test_relative_sources_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "x.md")
    monkeypatch.chdir(tmp_path)
    assert [str(result.path) for result in scan([Path()], GO)] == [str(tmp_path / "x.md")]


def test_a_library_inside_a_source_is_left_out(tmp_path: Path) -> None:
    make(tmp_path, "notes.md", "lib/library.db", "lib/notes.md", "lib/index/a.txt")
    assert found(tmp_path) == ["notes.md"]
    make(tmp_path, "library.db", "index/a.txt")
    assert found(tmp_path) == ["notes.md"]


def test_missing_sources_and_special_files_are_reported(tmp_path: Path) -> None:
    assert failures([tmp_path / "gone"]) == [FileFailed(str(tmp_path / "gone"), "does not exist")]
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.txt")
        make(tmp_path, "x.md")
        assert found(tmp_path) == ["x.md"]
        assert [failure.reason for failure in failures([tmp_path / "pipe.txt"])] == ["is neither a file nor a folder"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_an_unreadable_folder_is_reported_and_the_others_are_scanned(tmp_path: Path) -> None:
    make(tmp_path, "a/x.md", "b/y.md")
    (tmp_path / "a").chmod(0)
    try:
        results = list(scan([tmp_path], GO))
    finally:
        (tmp_path / "a").chmod(0o700)
    assert [result.path for result in results] == [str(tmp_path / "a"), tmp_path / "b/y.md"]


def test_a_folder_that_fails_to_open_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a/x.md", "b/y.md")
    real = os.scandir

    def refuse(path: str) -> object:
        if path == str(tmp_path / "a"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    results = list(scan([tmp_path], GO))
    assert results[0] == FileFailed(str(tmp_path / "a"), "may not be read (check its permissions)")
    assert [result.path for result in results[1:]] == [tmp_path / "b/y.md"]


@needs_links
def test_links_are_followed_to_files_inside_only_and_never_in_circles(tmp_path: Path) -> None:
    source = tmp_path / "source"
    make(source, "real.md", ".store/object", "sub/x.md")
    make(tmp_path, "outside.md")
    (source / "again.md").symlink_to(source / "real.md")
    (source / "annexed.md").symlink_to(".store/object")
    (source / "leaving.md").symlink_to(tmp_path / "outside.md")
    (source / "broken.md").symlink_to("nowhere.md")
    (source / "sub/circle").symlink_to(source)
    (source / "self.md").symlink_to("self.md")
    names = [
        path.relative_to(source).as_posix()
        for path in (r.path for r in scan([source], GO) if isinstance(r, ScannedFile))
    ]
    assert names == ["real.md", "sub/x.md", "annexed.md"]


def test_stopping_ends_the_walk(tmp_path: Path) -> None:
    make(tmp_path, "a.md", "b.md", "c.md")
    stop = threading.Event()
    walk = scan([tmp_path], stop)
    next(walk)
    stop.set()
    assert list(walk) == []


def test_names_keep_the_form_the_file_system_gives(tmp_path: Path) -> None:
    decomposed, composed = "Cafe\u0301.md", "Caf\u00e9.md"
    make(tmp_path, decomposed)
    make(tmp_path, composed)
    assert sorted(found(tmp_path)) == sorted(file.name for file in tmp_path.iterdir())


# --- ignore files ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        pytest.param({".gitignore": "*.md\n"}, ["a/x.txt", "b/a/x.txt", "x.txt"], id="by-ending"),
        pytest.param({".gitignore": "/x.md\n"}, ["a/x.md", "a/x.txt", "b/a/x.md", "b/a/x.txt", "x.txt"], id="anchored"),
        pytest.param({".gitignore": "a/\n"}, ["x.md", "x.txt"], id="folder-anywhere"),
        pytest.param({".gitignore": "/a/\n"}, ["b/a/x.md", "b/a/x.txt", "x.md", "x.txt"], id="folder-anchored"),
        pytest.param(
            {".gitignore": "x.md/\n"}, ["a/x.md", "a/x.txt", "b/a/x.md", "b/a/x.txt", "x.md", "x.txt"], id="folder-only"
        ),
        pytest.param({".gitignore": "*.md\n!/x.md\n"}, ["a/x.txt", "b/a/x.txt", "x.md", "x.txt"], id="negated"),
        pytest.param({".gitignore": "a/\n!a/x.md\n"}, ["x.md", "x.txt"], id="excluded-folder-stays-excluded"),
        pytest.param(
            {".gitignore": "a/*\n!a/x.md\n"},
            ["a/x.md", "b/a/x.md", "b/a/x.txt", "x.md", "x.txt"],
            id="content-excluded",
        ),
        pytest.param({".gitignore": "**/a/x.txt\n"}, ["a/x.md", "b/a/x.md", "x.md", "x.txt"], id="double-star"),
        pytest.param({"b/.gitignore": "*.md\n"}, ["a/x.md", "a/x.txt", "b/a/x.txt", "x.md", "x.txt"], id="nested"),
        pytest.param(
            {".gitignore": "*.md\n", "b/.gitignore": "!x.md\n"},
            ["a/x.txt", "b/a/x.md", "b/a/x.txt", "x.txt"],
            id="nested-wins",
        ),
        pytest.param(
            {".gitignore": "b/\n", "b/.gitignore": "!a\n"},
            ["a/x.md", "a/x.txt", "x.md", "x.txt"],
            id="nested-cannot-rescue",
        ),
        pytest.param({".edgeragignore": "a\n"}, ["x.md", "x.txt"], id="edgeragignore"),
        pytest.param(
            {".gitignore": "*.md\n", ".edgeragignore": "!*.md\n"},
            ["a/x.md", "a/x.txt", "b/a/x.md", "b/a/x.txt", "x.md", "x.txt"],
            id="edgeragignore-wins",
        ),
        pytest.param({".gitignore": "a\n!b\n"}, ["x.md", "x.txt"], id="negation-does-not-reach-below"),
        pytest.param(
            {".gitignore": "# note\n\n\\#x\nx.md \n"}, ["a/x.txt", "b/a/x.txt", "x.txt"], id="comments-and-spaces"
        ),
    ],
)
def test_ignore_files_exclude_as_git_does(tmp_path: Path, rules: dict[str, str], kept: list[str]) -> None:
    make(tmp_path, "x.md", "x.txt", "a/x.md", "a/x.txt", "b/a/x.md", "b/a/x.txt")
    for name, content in rules.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    assert sorted(found(tmp_path)) == kept


def test_a_source_inside_a_work_tree_inherits_its_rules_unless_it_is_excluded_itself(tmp_path: Path) -> None:
    make(tmp_path, "repo/.git/HEAD", "repo/docs/x.md", "repo/docs/draft.md", "repo/build/y.md", "outside.md")
    (tmp_path / ".gitignore").write_text("*.md\n", encoding="utf-8")
    (tmp_path / "repo/.gitignore").write_text("draft.md\nbuild/\n", encoding="utf-8")
    assert found(tmp_path, tmp_path / "repo/docs") == ["repo/docs/x.md"]
    assert found(tmp_path, tmp_path / "repo/build") == ["repo/build/y.md"]


NAMES = ("a", "b", "x.md", "y.md")
# Not made: `x**/y`. Its manual calls those two ordinary asterisks, but git cuts `x` off first and then takes
# them for more.
patterns = st.builds(
    lambda negation, anchor, parts, end: negation + anchor + "/".join(parts) + end,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "", "/"]),
    st.lists(
        st.sampled_from([*NAMES, "*", "**", "*.md", "?", "[ax]*", "[!a]", "\\a", "*.*d"]),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from(["", "", "/"]),
)
ignore_files = st.lists(patterns, min_size=1, max_size=5).map(lambda lines: "\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def git_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("git")
    subprocess.run(["git", "init", "-q", str(folder)], check=True, env=git_environment(folder))
    return folder / ".git"


def git_environment(home: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@settings(max_examples=60, deadline=None)
@given(top=ignore_files, nested=st.none() | ignore_files)
def test_any_ignore_files_exclude_what_git_excludes(
    tmp_path_factory: pytest.TempPathFactory, git_folder: Path, top: str, nested: str | None
) -> None:
    root = tmp_path_factory.mktemp("tree")
    folders = ["", "a/", "b/", "a/a/", "a/b/", "b/a/", "b/b/"]
    make(root, *(f"{folder}{name}" for folder in folders for name in ("x.md", "y.md")))
    (root / ".gitignore").write_text(top, encoding="utf-8")
    if nested is not None:
        (root / "a/.gitignore").write_text(nested, encoding="utf-8")
    listed = subprocess.run(
        [
            "git",
            f"--git-dir={git_folder}",
            f"--work-tree={root}",
            "ls-files",
            "--others",
            "--exclude-standard",
        ],
        cwd=root,
        env=git_environment(root),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert sorted(found(root)) == sorted(name for name in listed if not name.endswith(".gitignore"))
