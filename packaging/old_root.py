"""An older Debian on this machine, to build bundles in that older systems can start: the C library decides.

    sudo python packaging/old_root.py make FOLDER --python Python-3.11.N.tar.xz [--sha256 HASH] [--suite bullseye]
    sudo python packaging/old_root.py run FOLDER --bind .:/mnt/edgerag --chdir /mnt/edgerag -- make bundle

A program asks for the C library of the system it was linked on, or a newer one. Of what a bundle holds, packages from
wheels ask for little (manylinux); Python, libstdc++ and the two packages that are compiled ask for this machine's.
Releases of Debian that are old enough have no Python that edgerag works with, so `make` compiles one from its source
distribution (https://www.python.org/downloads/source/), with Debian's OpenSSL and libffi.

Needs root and debootstrap, and a machine of the same architecture. For another one: `foreign_root.py`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import archive
from inside_root import PATH_INSIDE, Bind, add_run_options, enter, environment
from minimal_root import RootError, add_debian_options, bootstrap, host_architecture, missing_here

PACKAGES = (
    "g++", "make", "git", "ca-certificates", "xz-utils", "zstd",
    "libssl-dev", "libffi-dev", "zlib1g-dev", "libbz2-dev", "liblzma-dev", "libsqlite3-dev",
)  # fmt: skip
PYTHON = "/opt/python"
"""Where the compiled Python is, inside; first on the PATH of every command."""
SOURCE = "/mnt/python-source"
COMPILE = f"""
set -e
rm -rf /root/python; mkdir /root/python; tar -xf {SOURCE} -C /root/python --strip-components=1
cd /root/python
./configure --prefix={PYTHON} --enable-shared --without-ensurepip --disable-test-modules \
  LDFLAGS=-Wl,-rpath,{PYTHON}/lib > configure.out 2>&1 || {{ tail -n 15 configure.out; exit 1; }}
make -j"$(nproc)" > make.out 2>&1 || {{ tail -n 15 make.out; exit 1; }}
make install > install.out 2>&1 || {{ tail -n 15 install.out; exit 1; }}
ln -sf python3 {PYTHON}/bin/python
cd /; rm -rf /root/python
"""
TRIED = (
    "import bz2, ctypes, lzma, sqlite3, ssl, sys, venv, zlib; assert sys.version_info >= (3, 11); print(sys.version)"
)


def problems() -> Iterator[str]:
    """What this machine lacks, one sentence each, with the command that helps."""
    return missing_here(("unshare", "util-linux"))


def check_source(source: Path, sha256: str) -> None:
    """See that the archive is there and, if a hash is told, the right one.

    Raises:
        RootError: It is not.
    """
    if not source.is_file():
        raise RootError(f"{source} is no file. Python's source is at https://www.python.org/downloads/source/")
    if not sha256:
        return
    if (found := archive.sha256(source)) != sha256.lower():
        raise RootError(f"{source} has the SHA-256 {found}, not {sha256}.")


def make(folder: Path, source: Path, *, suite: str, mirror: str = "") -> None:
    """Make the system in a new or empty folder and compile Python in it: 1 GB, about five minutes on two cores.

    Args:
        folder: Where.
        source: Python's source distribution, version 3.11 or newer.
        suite: A release of Debian.
        mirror: Address; empty: debootstrap's own.

    Raises:
        RootError: Something is missing here, the folder is in use, or a step failed.
    """
    if missing := list(problems()):
        raise RootError("\n".join(missing))
    bootstrap(folder, arch=host_architecture(), suite=suite, mirror=mirror, include=PACKAGES)
    add_python(folder, source)


def add_python(root: Path, source: Path) -> None:
    """Compile Python inside, without network, and try it.

    Raises:
        RootError: It could not be compiled, or lacks a module that edgerag needs.
    """
    binds = [Bind(source.absolute(), SOURCE, True)]
    variables = environment({}, [])
    for command in (["sh", "-c", COMPILE], [f"{PYTHON}/bin/python3", "-c", TRIED]):
        print("+", command[0], "...", file=sys.stderr, flush=True)
        if enter(root, command, binds=binds, variables=variables, offline=True, folder="/") != 0:
            raise RootError(f"Python could not be compiled in {root}; what it printed stands above.")


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line asks for; returns the exit code, of `run` that of the command inside."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    actions = parser.add_subparsers(dest="action", required=True)
    making = actions.add_parser("make", help="make the system, with Python")
    running = actions.add_parser("run", help="run a command in it")
    for action in (making, running):
        action.add_argument("folder", type=Path)
    making.add_argument("--python", type=Path, required=True, metavar="ARCHIVE", help="Python's source distribution")
    making.add_argument("--sha256", default="", metavar="HASH", help="of that archive")
    add_debian_options(making, suite="bullseye")
    add_run_options(running)
    given = parser.parse_args(arguments)
    try:
        if given.action == "make":
            check_source(given.python, given.sha256)
            make(given.folder, given.python, suite=given.suite, mirror=given.mirror)
            return 0
        if missing := list(problems()):
            raise RootError("\n".join(missing))
        if not (given.folder / PYTHON.lstrip("/") / "bin/python3").exists():
            raise RootError(f"{given.folder} is no such system. Make one: old_root.py make {given.folder} --python ...")
        variables = environment(os.environ, given.setenv, PATH=f"{PYTHON}/bin:{PATH_INSIDE}")
        binds = [Bind.parse(text) for text in given.bind]
        return enter(
            given.folder, given.command, binds=binds, variables=variables, offline=given.offline, folder=given.chdir
        )
    except RootError as error:
        print(f"old_root: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
