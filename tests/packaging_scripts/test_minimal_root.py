"""The minimal root: what is taken out of it, and what may not be in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.packaging_scripts.loading import load

minimal_root = load("minimal_root")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """As debootstrap leaves one: `lib` is a link to `usr/lib`."""
    for folder in ("usr/lib/x86_64-linux-gnu", "usr/bin", "var/cache/apt/archives"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "lib").symlink_to("usr/lib")
    (tmp_path / "bin").symlink_to("usr/bin")
    libraries = tmp_path / "usr/lib/x86_64-linux-gnu"
    (libraries / "libstdc++.so.6.0.30").write_text("code")
    (libraries / "libstdc++.so.6").symlink_to("libstdc++.so.6.0.30")
    for name in ("libc.so.6", "libz.so.1", "libgcc_s.so.1"):
        (libraries / name).write_text("code")
    (tmp_path / "usr/bin/dash").write_text("code")
    (tmp_path / "var/cache/apt/archives/x.deb").write_text("code")
    return tmp_path


def test_libraries_that_other_systems_lack_are_taken_out_with_their_links(root: Path) -> None:
    taken = minimal_root.strip(root)
    libraries = Path("usr/lib/x86_64-linux-gnu")
    assert sorted(taken) == [libraries / "libstdc++.so.6", libraries / "libstdc++.so.6.0.30"]
    assert sorted(path.name for path in (root / libraries).iterdir()) == ["libc.so.6", "libgcc_s.so.1", "libz.so.1"]
    assert not (root / "var/cache/apt").exists()
    assert (root / "proc").is_dir()
    assert (root / "srv").is_dir()


@pytest.mark.parametrize("name", ["python3.11", "gcc-12", "cc", "cmake"])
def test_a_root_with_python_or_a_compiler_is_refused(root: Path, name: str) -> None:
    (root / "usr/bin" / name).write_text("code")
    with pytest.raises(minimal_root.RootError, match=f"is not minimal, it holds usr/bin/{name}"):
        minimal_root.strip(root)
    assert (root / "usr/lib/x86_64-linux-gnu/libstdc++.so.6").exists()


def test_another_architecture_is_unpacked_first_and_set_up_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minimal_root.platform, "machine", lambda: "x86_64")
    command = minimal_root.debootstrap_command(Path("/r"), arch="arm64", suite="bookworm", mirror="http://m/debian")
    assert command == [
        "debootstrap", "--variant=minbase", "--arch=arm64", "--foreign", "bookworm", "/r", "http://m/debian",
    ]  # fmt: skip
    command = minimal_root.debootstrap_command(Path("/r"), arch="amd64", suite="bookworm", include=["g++", "make"])
    assert command == [
        "debootstrap", "--variant=minbase", "--arch=amd64", "--include=g++,make", "bookworm", "/r",
    ]  # fmt: skip


def test_without_root_or_into_a_full_folder_nothing_is_begun(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minimal_root.os, "geteuid", lambda: 1000)
    with pytest.raises(minimal_root.RootError, match=r"need root\. Run it with sudo"):
        minimal_root.make_root(root, mirror="http://m")
    monkeypatch.setattr(minimal_root.os, "geteuid", lambda: 0)
    monkeypatch.setattr(minimal_root.shutil, "which", lambda name, path: None)
    with pytest.raises(minimal_root.RootError, match="debootstrap is not installed"):
        minimal_root.make_root(root, mirror="http://m")
    monkeypatch.setattr(minimal_root.shutil, "which", lambda name, path: f"/usr/sbin/{name}")
    with pytest.raises(minimal_root.RootError, match="is not empty"):
        minimal_root.make_root(root, mirror="http://m")


def test_a_failed_debootstrap_is_told_with_its_last_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "debootstrap"
    program.write_text("#!/bin/sh\necho 'E: Failed getting release file'; exit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(minimal_root.os, "geteuid", lambda: 0)
    with pytest.raises(minimal_root.RootError, match=r"ended with 1:\nE: Failed getting release file"):
        minimal_root.make_root(tmp_path / "new", mirror="http://m")
