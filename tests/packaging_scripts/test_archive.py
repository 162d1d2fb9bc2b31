"""An archive is the same bytes for the same files, whoever packs it and when."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.packaging_scripts.loading import load

archive = load("archive")
TIME = 1_700_000_000


def a_bundle(folder: Path, *, time: int = TIME) -> Path:
    bundle = folder / "edgerag-1.0-linux-x86_64"
    for name, text in {"_internal/b.so": "b" * 5000, "_internal/a/c.txt": "c", "edgerag": "#!"}.items():
        (bundle / name).parent.mkdir(parents=True, exist_ok=True)
        (bundle / name).write_text(text)
        os.utime(bundle / name, (time, time))
    (bundle / "edgerag").chmod(0o755)
    return bundle


def test_zip_files_that_differ_in_order_alone_become_equal(tmp_path: Path) -> None:
    names = ["re/_parser.pyc", "locale.pyc", "os.pyc"]
    for number, order in enumerate((names, names[::-1])):
        with zipfile.ZipFile(tmp_path / f"{number}.zip", "w") as made:
            for name in order:
                made.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), f"code of {name}")
        archive.sort_zip(tmp_path / f"{number}.zip")
    with zipfile.ZipFile(tmp_path / "0.zip") as ordered:
        assert ordered.namelist() == sorted(names)
        assert ordered.read("os.pyc") == b"code of os.pyc"
    assert (tmp_path / "0.zip").read_bytes() == (tmp_path / "1.zip").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.zip", "1.zip"]


@pytest.mark.parametrize("ending", ["tar.zst", "zip"])
def test_two_archives_of_equal_files_are_equal(tmp_path: Path, ending: str) -> None:
    if ending == "tar.zst":
        pytest.importorskip("zstandard")
    made = []
    for number, time in enumerate((TIME, TIME + 99)):
        (tmp_path / str(number)).mkdir()
        target = tmp_path / f"{number}.{ending}"
        archive.pack(a_bundle(tmp_path / str(number), time=time), target, mtime=TIME)
        made.append(target.read_bytes())
    assert made[0] == made[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", f"0.{ending}", "1", f"1.{ending}"]


def test_a_tar_has_sorted_names_one_owner_one_time_and_keeps_what_may_be_run(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path)
    plain = tmp_path / "bundle.tar"
    with plain.open("wb") as stream:
        archive.write_tar(bundle, archive.bundle_files(bundle), stream, mtime=TIME)
    with tarfile.open(plain) as tar:
        entries = tar.getmembers()
    root = "edgerag-1.0-linux-x86_64"
    below = ["_internal", "_internal/a", "_internal/a/c.txt", "_internal/b.so", "edgerag"]
    assert [entry.name for entry in entries] == [root, *(f"{root}/{name}" for name in below)]
    owners = {(entry.uid, entry.gid, entry.uname, entry.gname, entry.mtime) for entry in entries}
    assert owners == {(0, 0, "root", "root", TIME)}
    assert [entry.mode for entry in entries] == [0o755, 0o755, 0o755, 0o644, 0o644, 0o755]


def test_a_zip_keeps_what_may_be_run(tmp_path: Path) -> None:
    target = tmp_path / "bundle.zip"
    archive.pack(a_bundle(tmp_path), target, mtime=0)
    with zipfile.ZipFile(target) as opened:
        modes = {info.filename.rsplit("/")[-1]: stat.S_IMODE(info.external_attr >> 16) for info in opened.infolist()}
        assert opened.testzip() is None
        assert {info.date_time for info in opened.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert modes == {"b.so": 0o644, "c.txt": 0o644, "edgerag": 0o755}


def test_a_link_is_refused_for_usb_sticks_cannot_hold_it(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path)
    (bundle / "_internal/link.so").symlink_to("b.so")
    with pytest.raises(ValueError, match=r"symbolic links: _internal/link\.so"):
        archive.pack(bundle, tmp_path / "bundle.zip", mtime=TIME)
    assert not list(tmp_path.glob("*.zip*"))


def test_an_unknown_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ends neither"):
        archive.pack(a_bundle(tmp_path), tmp_path / "bundle.rar", mtime=TIME)


def test_sums_are_what_sha256sum_checks(tmp_path: Path) -> None:
    (tmp_path / "b.zip").write_bytes(b"two")
    (tmp_path / "a.tar.zst").write_bytes(b"one")
    (tmp_path / "notes.txt").write_bytes(b"not listed")
    sums = archive.write_sums(tmp_path)
    one, two = (hashlib.sha256(data).hexdigest() for data in (b"one", b"two"))
    assert sums.read_text() == f"{one}  a.tar.zst\n{two}  b.zip\n"
    if os.name == "posix":
        subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)


def test_only_the_program_may_be_run(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, time=5)
    (bundle / "_internal/b.so").chmod(0o777)
    archive.set_times(bundle, TIME)
    assert stat.S_IMODE((bundle / "_internal/b.so").stat().st_mode) == 0o644
    assert stat.S_IMODE((bundle / "edgerag").stat().st_mode) == 0o755
    assert {path.stat().st_mtime for path in bundle.rglob("*")} == {TIME}


def test_windows_gets_a_zip() -> None:
    assert archive.archive_name(Path("dist/x"), "Windows") == "x.zip"
    assert archive.archive_name(Path("dist/x-1.0"), "Linux") == "x-1.0.tar.zst"
