"""Make a Debian system with nothing in it: no Python, no compiler, no C++ or compression library of the build machine.

    sudo python packaging/minimal_root.py FOLDER [--arch arm64] [--suite bookworm] [--mirror URL]

`self_test.py --root FOLDER` runs a bundle in it. Needs root and debootstrap; for another architecture also
qemu-user-static, whose binfmt_misc registration must be switched on. About 250 MB and two minutes.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

LIBRARY_FOLDERS = ("lib", "lib64", "usr/lib", "usr/local/lib")
PROGRAM_FOLDERS = ("bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin")
TAKEN_OUT = (
    "libstdc++.so*", "libbz2.so*", "liblzma.so*", "libzstd.so*", "liblz4.so*", "libtinfo.so*",
    "libcrypto.so*", "libssl.so*", "libffi.so*", "libexpat.so*", "libsqlite3.so*", "libgomp.so*", "libreadline.so*",
)  # fmt: skip
"""Debian's smallest system still has some of these, for apt. A bundle must bring its own: other systems lack them.
zlib stays: PyInstaller's starter needs the system's, and package managers everywhere need it too."""
UNWANTED_PROGRAMS = ("python*", "gcc*", "cc", "c++*", "g++*", "clang*", "cmake", "ld", "as", "pip*")
MOUNT_POINTS = ("proc", "sys", "dev", "tmp", "home", "media", "srv")
DEBIAN_ARCHITECTURES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class RootError(Exception):
    """No root could be made; the message says why and what to do."""


def host_architecture() -> str:
    """Debian's name of this machine's architecture."""
    return DEBIAN_ARCHITECTURES.get(platform.machine(), platform.machine())


def missing_here(*tools: tuple[str, str]) -> Iterator[str]:
    """What making a root lacks on this machine, one sentence each, with the command that helps.

    Args:
        tools: Programs that are needed besides debootstrap, each with its package.
    """
    if os.name != "posix" or os.geteuid() != 0:
        yield "Making a system, mounting and chroot need root. Run it with sudo."
    for tool, package in (("debootstrap", "debootstrap"), *tools):
        if shutil.which(tool, path=_programs()) is None:
            yield f"{tool} is not installed. On Debian and Ubuntu: apt-get install {package}"


def _programs() -> str:
    """The PATH with the administrator's folders, which `su` leaves out."""
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def debootstrap_command(
    folder: Path, *, arch: str, suite: str, mirror: str = "", include: Sequence[str] = ()
) -> list[str]:
    """The smallest variant; a foreign architecture is only unpacked, its second stage runs inside.

    Args:
        folder: Where.
        arch: Debian's name of the architecture.
        suite: A release of Debian.
        mirror: Address; empty: debootstrap's own.
        include: Packages besides those of the smallest variant.
    """
    options = ["--variant=minbase", f"--arch={arch}"]
    options += ["--foreign"] if arch != host_architecture() else []
    options += [f"--include={','.join(include)}"] if include else []
    return ["debootstrap", *options, suite, os.fspath(folder), *([mirror] if mirror else [])]


def bootstrap(folder: Path, *, arch: str, suite: str, mirror: str = "", include: Sequence[str] = ()) -> None:
    """Make a Debian system in an empty or new folder, as `debootstrap_command` says it.

    Raises:
        RootError: The folder is in use, or a step failed.
    """
    if folder.exists() and any(folder.iterdir()):
        raise RootError(f"{folder} is not empty. Name a new folder, or remove this one.")
    run_step(debootstrap_command(folder, arch=arch, suite=suite, mirror=mirror, include=include))
    if arch != host_architecture():
        run_step(["chroot", os.fspath(folder), "/debootstrap/debootstrap", "--second-stage"])


def make_root(folder: Path, *, arch: str = "", suite: str = "bookworm", mirror: str = "") -> None:
    """Make the system in an empty or new folder, and take out what a bundle could lean on.

    Raises:
        RootError: Not root, a tool is missing, the folder is in use, or a step failed.
    """
    if missing := list(missing_here()):
        raise RootError("\n".join(missing))
    bootstrap(folder, arch=arch or host_architecture(), suite=suite, mirror=mirror)
    strip(folder)


def strip(root: Path) -> list[Path]:
    """Delete the libraries that not every system has, and the package cache; make the mount points.

    Returns:
        What was deleted, relative to `root`.

    Raises:
        RootError: A Python or a compiler is in the system.
    """
    if unwanted := [path.relative_to(root) for path in _find(root, PROGRAM_FOLDERS, UNWANTED_PROGRAMS)]:
        raise RootError(f"{root} is not minimal, it holds {', '.join(map(str, unwanted))}.")
    taken_out = [path.relative_to(root) for path in _find(root, LIBRARY_FOLDERS, TAKEN_OUT)]
    for relative in taken_out:
        (root / relative).unlink()
    shutil.rmtree(root / "var/cache/apt", ignore_errors=True)
    shutil.rmtree(root / "var/lib/apt", ignore_errors=True)
    for name in MOUNT_POINTS:
        (root / name).mkdir(exist_ok=True)
    return taken_out


def _find(root: Path, folders: Sequence[str], patterns: Sequence[str]) -> Iterator[Path]:
    """Files and links by name, in the folders and one level below (`usr/lib/x86_64-linux-gnu`); each once."""
    seen: set[Path] = set()
    for folder in folders:
        base = root / folder
        # `lib` is a link to `usr/lib`, which is searched by its own name; an absolute link would lead out of the root.
        if base.is_symlink() or not base.is_dir():
            continue
        for below in (base, *(path for path in base.iterdir() if path.is_dir() and not path.is_symlink())):
            for pattern in patterns:
                for path in sorted(below.glob(pattern)):
                    if path not in seen and (path.is_file() or path.is_symlink()):
                        seen.add(path)
                        yield path


def run_step(command: Sequence[str]) -> None:
    """Run one step of making a root, whose output is shown only if it fails.

    Raises:
        RootError: It failed; the message has the end of what it printed.
    """
    print("+", *command, file=sys.stderr, flush=True)
    environment = {**os.environ, "PATH": _programs(), "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    result = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode != 0:
        end = "\n".join(result.stdout.splitlines()[-15:])
        raise RootError(f"{command[0]} ended with {result.returncode}:\n{end}")


def add_debian_options(parser: argparse.ArgumentParser, *, suite: str = "bookworm") -> None:
    """Which Debian, and where it comes from."""
    parser.add_argument("--suite", default=suite, help="release of Debian (default: %(default)s)")
    parser.add_argument("--mirror", default="", help="address of a mirror; default: debootstrap's own")


def main() -> int:
    """Make the root that the command line asks for; returns the exit code."""
    parser = argparse.ArgumentParser(description="Make a Debian system with nothing in it.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--arch", default=host_architecture(), help="amd64, arm64, ...; default: this machine's")
    add_debian_options(parser)
    options = parser.parse_args()
    try:
        make_root(options.folder, arch=options.arch, suite=options.suite, mirror=options.mirror)
    except RootError as error:
        print(f"minimal_root: {error}", file=sys.stderr)
        return 2
    print(options.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
