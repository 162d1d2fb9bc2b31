"""The build ends where a bundle holds what it must not, or lacks what it cannot do without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.packaging_scripts.loading import load

build = load("build")
OURS = {"edgerag.cli": b"", "edgerag_tui.cli": b"", "<pyi_rth>": b""}
SQLITE = "python3.11/lib-dynload/_sqlite3.cpython-311-x86_64-linux-gnu.so"


@pytest.fixture
def frozen(tmp_path: Path) -> Path:
    (tmp_path / "_internal").mkdir()
    (tmp_path / "edgerag").touch()
    return tmp_path


def check(
    frozen: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    modules: dict[str, bytes] = OURS,
    files: tuple[str, ...] = (SQLITE,),
    variant: str = "core",
) -> None:
    monkeypatch.setattr(build.compare, "frozen_modules", lambda program: modules)
    collected: dict[str, Any] = {"files": [[file, "/somewhere", "EXTENSION"] for file in files]}
    build.check_contents(frozen, collected, variant)


def test_a_bundle_of_edgerag_and_its_sqlite_is_taken(frozen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check(frozen, monkeypatch)
    check(frozen, monkeypatch, files=("pysqlite3/_sqlite3.cpython-311-x86_64-linux-gnu.so",))


@pytest.mark.parametrize("module", ["readline", "_curses", "_tkinter"])
def test_a_forbidden_module_of_pythons_own_in_machine_code_ends_the_build(
    frozen: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    file = f"python3.11/lib-dynload/{module}.cpython-311-x86_64-linux-gnu.so"
    with pytest.raises(build.BuildError, match=f"holds what it must not: {module}\\."):
        check(frozen, monkeypatch, files=(SQLITE, file))


def test_a_forbidden_module_inside_the_program_ends_the_build(frozen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(build.BuildError, match=r"must not: llama_cpp, torch\.nn\."):
        check(frozen, monkeypatch, modules=OURS | {"torch.nn": b"", "llama_cpp": b""})
    check(frozen, monkeypatch, modules=OURS | {"llama_cpp": b""}, variant="llm")


@pytest.mark.parametrize("missing", ["edgerag.cli", "edgerag_tui.cli"])
def test_a_bundle_without_edgerag_is_refused(frozen: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    with pytest.raises(build.BuildError, match="lacks edgerag itself"):
        check(frozen, monkeypatch, modules={name: b"" for name in OURS if name != missing})


def test_a_bundle_without_any_sqlite_is_refused(frozen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(build.BuildError, match=r"no SQLite.*libsqlite3-dev.*sqlite_wheel\.py"):
        check(frozen, monkeypatch, files=("sqlite3/dbapi2.py",))


def test_a_working_folder_may_be_named_from_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(build.sys, "argv", ["build.py", "--work", "build/here"])
    assert build.parse_arguments().work == tmp_path / "build/here"
