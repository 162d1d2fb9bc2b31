"""The older system: refusals before anything is made, and what its commands see."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging_scripts.loading import SCRIPTS, load

old_root = load("old_root")
SYSTEM = os.environ.get("EDGERAG_TEST_OLD_ROOT", "")
"""What `old_root.py make` made; it takes minutes, so no test does."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    archive = tmp_path / "Python-3.11.99.tar.xz"
    archive.write_bytes(b"source")
    return archive


def test_another_archive_than_the_named_one_is_refused_before_anything_is_made(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old_root.check_source(source, hashlib.sha256(b"source").hexdigest().upper())
    command = ["make", str(tmp_path / "root"), "--python", str(source), "--sha256", "0" * 64]
    assert old_root.main(command) == 2
    assert f"{source} has the SHA-256 41cf6794" in capsys.readouterr().err
    assert not (tmp_path / "root").exists()


def test_without_a_source_it_says_where_there_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert old_root.main(["make", str(tmp_path / "root"), "--python", str(tmp_path / "none.tar.xz")]) == 2
    assert "https://www.python.org/downloads/source/" in capsys.readouterr().err


def test_without_root_it_says_so_and_makes_nothing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert old_root.main(["make", str(tmp_path / "root"), "--python", str(source)]) == 2
    assert "need root. Run it with sudo" in capsys.readouterr().err
    assert not (tmp_path / "root").exists()


def test_a_folder_in_use_is_not_made_a_root(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(old_root, "problems", lambda: iter(()))
    assert old_root.main(["make", str(tmp_path), "--python", str(source)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [source.name]


def test_a_folder_without_its_python_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(old_root, "problems", lambda: iter(()))
    assert old_root.main(["run", str(tmp_path), "--", "true"]) == 2
    assert f"Make one: old_root.py make {tmp_path}" in capsys.readouterr().err


def test_the_system_is_of_this_architecture_and_has_a_compiler(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[list[str]] = []
    minimal_root = sys.modules["minimal_root"]
    monkeypatch.setattr(old_root, "problems", lambda: iter(()))
    monkeypatch.setattr(old_root, "add_python", lambda root, archive: None)
    monkeypatch.setattr(minimal_root, "run_step", steps.append)
    folder = tmp_path / "old"
    assert old_root.main(["make", str(folder), "--python", str(source)]) == 0
    (command,) = steps
    assert command[:3] == ["debootstrap", "--variant=minbase", f"--arch={minimal_root.host_architecture()}"]
    assert command[3].startswith("--include=g++,make,")
    assert command[4:] == ["bullseye", str(folder)]


def test_its_python_is_compiled_with_sqlite_and_tried_with_it() -> None:
    # Only x86-64 has a wheel of pysqlite3: elsewhere Python's own is the one that a bundle gets.
    assert "libsqlite3-dev" in old_root.PACKAGES
    command = f"import sys; sys.modules['_sqlite3'] = None; {old_root.TRIED}"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "_sqlite3" in done.stderr


INSIDE = """
set -e
python3 -c 'import sys; print(sys.prefix, sys.version_info >= (3, 11))'; ldd --version | sed -n 1p; cat /mnt/in/note
"""


@pytest.mark.slow
@pytest.mark.skipif(not SYSTEM, reason="EDGERAG_TEST_OLD_ROOT names no system of old_root.py")
def test_a_command_inside_has_the_compiled_python_and_the_older_c_library(tmp_path: Path) -> None:
    (tmp_path / "note").write_text("seen")
    options = ["--offline", "--bind", f"{tmp_path}:/mnt/in:ro"]
    command = [sys.executable, str(SCRIPTS / "old_root.py"), "run", SYSTEM, *options, "--", "sh", "-c", INSIDE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    python, c_library, note = done.stdout.splitlines()
    assert python == "/opt/python True"
    assert "GLIBC 2.31" in c_library
    assert note == "seen"
