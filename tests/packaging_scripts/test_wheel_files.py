"""A rewritten wheel holds what was wanted, says so in its RECORD, and is the same bytes every time."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.packaging_scripts.loading import load

wheel_files = load("wheel_files")
METADATA = "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def a_wheel(path: Path, *, year: int = 2024, twice: bool = False) -> Path:
    files = {
        "thing-1.0.dist-info/METADATA": METADATA,
        "thing-1.0.dist-info/WHEEL": WHEEL,
        "thing-1.0.dist-info/RECORD": "",
        "thing.py": "VALUE = 7\n",
        "include/thing.h": "int thing;\n",
        "data/a,b.bin": "x" * 20_000,
    }
    if twice:
        files["data/copy.bin"] = "x" * 20_000
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in (files if year == 2024 else dict(reversed(files.items()))).items():
            info = zipfile.ZipInfo(name, (year, 5, 4, 3, 2, 0))
            info.external_attr = (0o755 if name.endswith(".bin") else 0o600) << 16
            wheel.writestr(info, text)
    return path


def test_only_wanted_files_stay_and_the_others_are_named(tmp_path: Path) -> None:
    target = tmp_path / "thing-1.0-py3-none-any.whl"
    left_out = wheel_files.rewrite_wheel(a_wheel(tmp_path / "raw.whl"), target, lambda path: "include" not in path)
    assert left_out == ["include/thing.h"]
    with zipfile.ZipFile(target) as wheel:
        assert [info.filename for info in wheel.infolist()] == [
            "data/a,b.bin", "thing-1.0.dist-info/METADATA", "thing-1.0.dist-info/WHEEL", "thing.py",
            "thing-1.0.dist-info/RECORD",
        ]  # fmt: skip
        assert wheel.getinfo("data/a,b.bin").external_attr >> 16 == 0o100755
        record = wheel.read("thing-1.0.dist-info/RECORD").decode()
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"VALUE = 7\n").digest()).decode().rstrip("=")
    assert f"\nthing.py,sha256={digest},10\n" in record
    assert record.startswith('"data/a,b.bin",sha256=')
    assert record.endswith("\nthing-1.0.dist-info/RECORD,,\n")


def test_the_same_content_gives_the_same_bytes_whenever_it_was_made(tmp_path: Path) -> None:
    for number, year in enumerate((2024, 1999)):
        raw = a_wheel(tmp_path / f"raw{number}.whl", year=year)
        wheel_files.rewrite_wheel(raw, tmp_path / f"{number}.whl", lambda path: True)
    assert (tmp_path / "0.whl").read_bytes() == (tmp_path / "1.whl").read_bytes()


def test_pip_installs_a_rewritten_wheel(tmp_path: Path) -> None:
    target = tmp_path / "thing-1.0-py3-none-any.whl"
    wheel_files.rewrite_wheel(a_wheel(tmp_path / "raw.whl"), target, lambda path: True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target"]
    subprocess.run([*command, str(tmp_path / "site"), str(target)], check=True)
    assert (tmp_path / "site/thing.py").read_text() == "VALUE = 7\n"


def test_copies_are_found(tmp_path: Path) -> None:
    assert wheel_files.copies(a_wheel(tmp_path / "one.whl")) == []
    assert wheel_files.copies(a_wheel(tmp_path / "two.whl", twice=True)) == [["data/a,b.bin", "data/copy.bin"]]


def test_a_zip_file_that_is_no_wheel_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as archive:
        archive.writestr("a", "b")
    with pytest.raises(ValueError, match=r"x\.whl is no wheel"):
        wheel_files.rewrite_wheel(tmp_path / "x.whl", tmp_path / "y.whl", lambda path: True)
