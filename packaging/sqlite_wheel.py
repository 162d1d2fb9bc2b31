"""Compile pysqlite3 with an SQLite that is new enough, where it has no wheel (Linux on arm64).

    python packaging/sqlite_wheel.py AMALGAMATION --out wheels [--sha3-256 HASH]

AMALGAMATION is SQLite's source in one file, an archive or a folder that holds `sqlite3.c` and `sqlite3.h`: "C source
code as an amalgamation" of https://sqlite.org/download.html, which names the SHA3-256 beside it. The source of
pysqlite3 has no SQLite in it, and would otherwise be linked to the system's, which in Debian 12 is 3.40.1. With that
edgerag uses the rollback journal: nothing is lost, but a search waits while an ingest commits.

Version and hash of pysqlite3 are those of a file in requirements/, the tools to compile with those of
requirements/native.txt.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import needs_python  # noqa: F401 (first, as it says)
import source_wheels
from source_wheels import BuildError, Pin, read_pins
from wheel_files import rewrite_wheel

ROOT = Path(__file__).resolve().parent.parent
SAFE_VERSION = (3, 51, 3)
"""As `edgerag.storage.sqlite.WAL_SAFE_VERSION`, which cannot be imported before edgerag is installed."""
SOURCES = ("sqlite3.c", "sqlite3.h")
_VERSION = re.compile(rb'^#define SQLITE_VERSION\s+"(\d+)\.(\d+)\.(\d+)"', re.MULTILINE)
_TRIED = """
import sys
sys.path.insert(0, sys.argv[1])
from pysqlite3 import dbapi2
dbapi2.connect(":memory:").execute("CREATE VIRTUAL TABLE t USING fts5(x, tokenize='porter unicode61')")
print(dbapi2.sqlite_version)
"""


def read_amalgamation(path: Path) -> dict[str, bytes]:
    """`sqlite3.c` and `sqlite3.h` out of a zip file, a tar file or a folder, wherever in it they are.

    Raises:
        BuildError: They are not there, or more than once, or the file is no such archive.
    """
    found: dict[str, list[bytes]] = {name: [] for name in SOURCES}
    try:
        if path.is_dir():
            for name in SOURCES:
                found[name] = [file.read_bytes() for file in sorted(path.rglob(name))]
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for member in archive.namelist():
                    if (name := member.rpartition("/")[2]) in found:
                        found[name].append(archive.read(member))
        else:
            with tarfile.open(path) as tar:
                for info in tar:
                    if (name := info.name.rpartition("/")[2]) in found and (stream := tar.extractfile(info)):
                        found[name].append(stream.read())
    except (OSError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise BuildError(f"{path} cannot be read: {error}.") from error
    for name, contents in found.items():
        if len(contents) != 1:
            raise BuildError(f"{path} holds {len(contents)} files {name} instead of one.")
    return {name: contents[0] for name, contents in found.items()}


def version_of(header: bytes) -> tuple[int, int, int]:
    """The version that a `sqlite3.h` declares.

    Raises:
        BuildError: It declares none, or one older than edgerag needs for the write-ahead log.
    """
    match = _VERSION.search(header)
    if match is None:
        raise BuildError("sqlite3.h does not say which version it is.")
    version = (int(match[1]), int(match[2]), int(match[3]))
    if version < SAFE_VERSION:
        raise BuildError(
            f"This is SQLite {_dotted(version)}; before {_dotted(SAFE_VERSION)} its write-ahead log can lose a commit."
        )
    return version


def check_hash(path: Path, sha3_256: str) -> None:
    """Compare a file with the hash that SQLite's download page names.

    Raises:
        BuildError: It is another one, or a folder, which has none.
    """
    if path.is_dir():
        raise BuildError(f"{path} is a folder and has no hash; name the archive.")
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha3_256").hexdigest()
    if found != sha3_256.lower():
        raise BuildError(f"{path} has the SHA3-256 {found}, not {sha3_256}.")


def without_marker(pin: Pin) -> Pin:
    """A pin for every system: the requirements ask for pysqlite3 only where it has wheels."""
    return replace(pin, requirement=re.sub(r"^([^\s;]+)[ \t]*;[^\n\\]*", r"\1 ", pin.requirement, count=1))


def build(amalgamation: Path, out: Path, work: Path, requirements: Path, tools: Path) -> Path:
    """Build the wheel.

    Args:
        amalgamation: As `read_amalgamation` takes it.
        out: Folder for the wheel.
        work: Folder for source, tools and objects, the same as that of `native_wheels`.
        requirements: A compiled requirements file that names pysqlite3.
        tools: The one that names what it is compiled with.

    Raises:
        BuildError: Something could not be fetched or compiled, or the outcome is not what it has to be.
    """
    contents = read_amalgamation(amalgamation)
    version = version_of(contents["sqlite3.h"])
    out, work = out.absolute(), work.absolute()
    out.mkdir(parents=True, exist_ok=True)
    work.mkdir(parents=True, exist_ok=True)
    pins = [without_marker(pin) for pin in read_pins(requirements.read_text("utf-8"), ["pysqlite3"])]
    source_wheels.need_compilers()
    python = source_wheels.make_tools(work / "tools", tools)
    sources = source_wheels.fetch(python, pins, work)
    folder = source_wheels.unpack(sources, pins[0], work)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    raw = source_wheels.compile_wheel(python, folder, work, source_wheels.environment(folder, work))
    wheel = out / raw.name
    rewrite_wheel(raw, wheel, lambda path: True)
    if (found := _tried(python, wheel, work / "tried")) != _dotted(version):
        raise BuildError(f"{wheel.name} brings SQLite {found} instead of {_dotted(version)}.")
    source_wheels.remove_others(wheel)
    return wheel


def _tried(python: Path, wheel: Path, folder: Path) -> str:
    shutil.rmtree(folder, ignore_errors=True)
    with zipfile.ZipFile(io.BytesIO(wheel.read_bytes())) as archive:
        archive.extractall(folder)
    command = [str(python), "-I", "-c", _TRIED, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"{wheel.name} does not work: {done.stderr.strip()[-1000:]}")
    return done.stdout.strip()


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def main(arguments: list[str] | None = None) -> int:
    """Build the wheel that the command line asks for; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("amalgamation", type=Path, help="archive or folder with sqlite3.c and sqlite3.h")
    parser.add_argument("--sha3-256", default="", metavar="HASH", help="of the archive, as the download page names it")
    parser.add_argument("--out", type=Path, default=ROOT / "dist/native", help="folder for the wheel")
    parser.add_argument("--work", type=Path, default=ROOT / "build/native", help="folder for source and objects")
    parser.add_argument("--requirements", type=Path, default=ROOT / "requirements/tui.txt", help="version and hashes")
    parser.add_argument("--tools", type=Path, default=ROOT / "requirements/native.txt", help="what to compile with")
    given = parser.parse_args(arguments)
    try:
        if given.sha3_256:
            check_hash(given.amalgamation, given.sha3_256)
        print(build(given.amalgamation, given.out, given.work, given.requirements, given.tools))
    except BuildError as error:
        print(f"sqlite_wheel: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
