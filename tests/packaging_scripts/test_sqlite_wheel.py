"""pysqlite3 with an SQLite of one's own: only a safe version, only the file that was meant, for every system."""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
from pathlib import Path

import pytest

from edgerag.storage.sqlite import WAL_SAFE_VERSION
from tests.packaging_scripts.loading import SCRIPTS, load

sqlite_wheel = load("sqlite_wheel")
REQUIREMENTS = SCRIPTS.parent / "requirements"
HEADER = b'#define SQLITE_VERSION        "3.54.1"\n#define SQLITE_VERSION_NUMBER 3054001\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "sqlite-amalgamation-3540100"
    folder.mkdir()
    (folder / "sqlite3.c").write_bytes(b"int x;\n")
    (folder / "sqlite3.h").write_bytes(HEADER)
    return folder


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_the_two_files_are_found_in_whatever_holds_them(folder: Path, kind: str) -> None:
    path = folder if kind == "folder" else folder.with_suffix(f".{kind}")
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in folder.iterdir():
                archive.write(file, f"{folder.name}/{file.name}")
    elif kind == "tar":
        with tarfile.open(path, "w:gz") as tar:
            tar.add(folder, "package/deps")
    assert sqlite_wheel.read_amalgamation(path) == {"sqlite3.c": b"int x;\n", "sqlite3.h": HEADER}


def test_an_archive_without_the_header_is_refused(folder: Path) -> None:
    (folder / "sqlite3.h").unlink()
    with pytest.raises(sqlite_wheel.BuildError, match=r"holds 0 files sqlite3\.h instead of one"):
        sqlite_wheel.read_amalgamation(folder)


def test_another_file_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<html>")
    with pytest.raises(sqlite_wheel.BuildError, match="cannot be read"):
        sqlite_wheel.read_amalgamation(tmp_path / "page.html")


@pytest.mark.parametrize(
    ("version", "is_safe"), [("3.51.2", False), ("3.51.3", True), ("3.54.1", True), ("3.6.23", False)]
)
def test_only_a_version_with_a_safe_log_is_taken(version: str, is_safe: bool) -> None:
    header = HEADER.replace(b"3.54.1", version.encode())
    if is_safe:
        assert sqlite_wheel.version_of(header) == tuple(map(int, version.split(".")))
    else:
        with pytest.raises(sqlite_wheel.BuildError, match=f"This is SQLite {version}"):
            sqlite_wheel.version_of(header)


def test_it_means_the_same_version_as_edgerag() -> None:
    assert sqlite_wheel.SAFE_VERSION == WAL_SAFE_VERSION


def test_another_archive_than_the_named_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "amalgamation.zip"
    path.write_bytes(b"abc")
    sqlite_wheel.check_hash(path, hashlib.sha3_256(b"abc").hexdigest().upper())
    with pytest.raises(sqlite_wheel.BuildError, match="has the SHA3-256 3a985da74fe225b2"):
        sqlite_wheel.check_hash(path, "0" * 64)


def test_the_lock_files_pin_goes_for_every_system() -> None:
    (pin,) = sqlite_wheel.read_pins((REQUIREMENTS / "tui.txt").read_text("utf-8"), ["pysqlite3"])
    assert "platform_machine" in pin.requirement
    free = sqlite_wheel.without_marker(pin).requirement
    assert free.splitlines()[0] == f"pysqlite3=={pin.version} \\"
    assert free.count("--hash=sha256:") == pin.requirement.count("--hash=sha256:") > 1
