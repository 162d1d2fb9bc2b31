"""Where a bundle is found, what it asks of the system, where it runs, and how a terminal shows it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.packaging_scripts.fake_program import needs_namespaces, write_program
from tests.packaging_scripts.loading import load

self_test = load("self_test")
unpacked, terminal, bundle_libraries = (sys.modules[name] for name in ("unpacked", "terminal", "bundle_libraries"))
conditions = self_test.conditions


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "edgerag-1.0-linux-x86_64"
    (folder / "_internal").mkdir(parents=True)
    (folder / "edgerag").write_text("#!/bin/sh\n")
    (folder / "edgerag").chmod(0o755)
    return folder


def test_the_executable_is_found_by_itself_and_in_its_folder(bundle: Path, tmp_path: Path) -> None:
    assert unpacked.find_executable(bundle, tmp_path / "u") == bundle / "edgerag"
    assert unpacked.find_executable(bundle / "edgerag", tmp_path / "u") == bundle / "edgerag"
    assert not (tmp_path / "u").exists()


@pytest.mark.parametrize("ending", [".tar.gz", ".tar.zst"])
def test_an_archive_is_unpacked_with_its_permissions(bundle: Path, tmp_path: Path, ending: str) -> None:
    archive = tmp_path / f"edgerag{ending}"
    if ending == ".tar.zst":
        if shutil.which("zstd") is None:
            pytest.skip("zstd is not installed")
        subprocess.run(["tar", "--zstd", "-cf", archive, "-C", tmp_path, bundle.name], check=True)
    else:
        with tarfile.open(archive, "w:gz") as packed:
            packed.add(bundle, bundle.name)
    found = unpacked.find_executable(archive, tmp_path / "u")
    assert found == tmp_path / "u" / bundle.name / "edgerag"
    assert found.stat().st_mode & 0o777 == 0o755


def test_an_archive_without_a_bundle_or_damaged_is_told(tmp_path: Path) -> None:
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as packed:
        packed.writestr("readme", "x")
    with pytest.raises(unpacked.UnpackError, match="does not hold one folder with edgerag"):
        unpacked.find_executable(other, tmp_path / "a")
    damaged = tmp_path / "damaged.tar.gz"
    damaged.write_bytes(b"\x1f\x8b not gzip")
    with pytest.raises(unpacked.UnpackError, match="cannot be unpacked"):
        unpacked.find_executable(damaged, tmp_path / "b")


def test_what_the_executable_needs_must_be_on_the_system_what_others_need_may_be_in_the_bundle(bundle: Path) -> None:
    native = getattr(zlib, "__file__", None)
    if sys.platform != "linux" or native is None:
        pytest.skip("zlib is not a module of its own here")
    shutil.copy(native, bundle / "_internal" / "zlib.so")
    shutil.copy(native, bundle / "edgerag")
    wanted = bundle_libraries.wanted_libraries(bundle / "edgerag")
    assert wanted.libraries == {"libz.so.1": ("_internal/zlib.so", "edgerag")}
    assert wanted.glibc > (2, 0)
    (bundle / "_internal" / "libz.so.1").write_text("no library, but of its name")
    wanted = bundle_libraries.wanted_libraries(bundle / "edgerag")
    assert wanted.libraries == {"libz.so.1": ("edgerag",)}


def place_in_root(tmp_path: Path, bundle: Path) -> Any:
    return self_test.Place(executable=bundle / "edgerag", work=tmp_path / "work", root=tmp_path / "root")


def test_paths_are_translated_into_a_root(tmp_path: Path, bundle: Path) -> None:
    place = place_in_root(tmp_path, bundle)
    for outside, inside in (
        (tmp_path / "work" / "home", "/srv/home"),
        (bundle / "edgerag", "/media/edgerag"),
        (tmp_path / "root" / "opt" / "x", "/opt/x"),
    ):
        assert place.inside(outside) == inside
    with pytest.raises(ValueError, match="cannot be seen inside"):
        place.inside(Path("/etc/passwd"))


def test_an_executable_inside_the_root_is_run_where_it_is(tmp_path: Path) -> None:
    root = tmp_path / "root"
    place = self_test.Place(executable=root / "opt/bin/edgerag", work=tmp_path / "work", root=root)
    command = place.command(["--version"])
    assert command[-2:] == ["/opt/bin/edgerag", "--version"]
    assert "/media" not in command[command.index("-c") + 1]


def test_the_environment_of_a_root_is_only_what_is_named(tmp_path: Path, bundle: Path) -> None:
    place = place_in_root(tmp_path, bundle).changed(user=1000, environment={"HOME": None, "LANG": "C"})
    command = place.command(["doctor"])
    end = command[command.index("sh") + 1 :]
    assert [Path(end[0]).name, *end[1:4]] == ["env", "-i", "PATH=/srv/nothing", "LANG=C"]
    assert [Path(end[4]).name, *end[5:]] == [
        "chroot", "--userspec=+1000:+1000", "--groups=", str(tmp_path / "root"), "/media/edgerag", "doctor",
    ]  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "geteuid") or shutil.which("unshare") is None, reason="namespaces are Linux's")
@pytest.mark.parametrize("without_network", [True, False], ids=["taken-away", "kept"])
def test_root_becomes_another_user_without_a_user_namespace(
    tmp_path: Path, bundle: Path, without_network: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    place = place_in_root(tmp_path, bundle).changed(user=1000, without_network=without_network)
    command = place.command([])
    namespaces = [word for word in command[: command.index("/bin/sh")] if word.startswith("--")]
    assert namespaces == (["--net", "--mount"] if without_network else ["--mount"])


@pytest.mark.skipif(not hasattr(os, "geteuid") or shutil.which("unshare") is None, reason="namespaces are Linux's")
def test_whoever_is_not_root_needs_a_user_namespace_for_mounts(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    command = place_in_root(tmp_path, bundle).changed(without_network=False).command([])
    namespaces = [word for word in command[: command.index("/bin/sh")] if word.startswith("--")]
    assert namespaces == ["--user", "--map-root-user", "--mount"]


def test_another_user_runs_in_mounts_of_its_own_while_the_network_is_kept() -> None:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    needs_namespaces(mounts=True)
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "work").mkdir()
        program = write_program(
            folder, 'while read -r key user rest; do case $key in Uid:) echo "$user";; esac; done < /proc/self/status'
        )
        place = self_test.Place(program, folder / "work", without_network=False, user=1000, read_only_bundle=True)
        ran = place.run([], timeout_s=20)
    assert (ran.status, ran.text.strip(), ran.errors) == (0, "1000", "")


def test_a_bundle_in_a_root_and_the_root_itself_are_read_only(tmp_path: Path, bundle: Path) -> None:
    script = place_in_root(tmp_path, bundle).command([])
    text = script[script.index("-c") + 1]
    root = shlex.quote(str(tmp_path / "root"))
    assert f"mount -o remount,bind,ro {root}/media" in text
    assert text.index(f"remount,bind,ro {root}/media") < text.rindex(f"remount,bind,ro {root} ")


def test_every_condition_is_chosen_by_its_name() -> None:
    assert [name for name, _ in conditions.chosen("all")] == list(conditions.NAMES)
    assert [name for name, _ in conditions.chosen("nobody,link")] == ["nobody", "link"]
    assert conditions.chosen("") == []


SCREEN = """
import os, sys, termios, tty
tty.setraw(0)
os.write(1, b"\\x1b[?1049h\\x1b[2J\\x1b[3;1H\\x1b[1mlibrary\\x1b[0m up to date")
while os.read(0, 1) != b"\\x11": pass
sys.exit(int(sys.argv[1]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX's")
@pytest.mark.parametrize("status", [0, 3])
def test_a_program_in_a_terminal_is_ended_by_its_key(tmp_path: Path, status: int) -> None:
    seen = terminal.drive(
        [sys.executable, "-I", "-c", SCREEN, str(status)], environment={}, folder=tmp_path, timeout_s=30, settle_s=0.1
    )
    assert (seen.status, seen.has_drawn, seen.timed_out) == (status, True, False)
    assert seen.lines == ("library up to date",)


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX's")
def test_a_program_that_draws_nothing_is_ended_at_the_time_limit(tmp_path: Path) -> None:
    seen = terminal.drive(
        [sys.executable, "-I", "-c", "print('loading'); import time; time.sleep(60)"],
        environment={}, folder=tmp_path, timeout_s=2,
    )  # fmt: skip
    assert (seen.has_drawn, seen.timed_out, seen.ending) == (False, True, "it did not end")
    assert seen.lines == ("loading",)
