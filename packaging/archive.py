"""Pack a folder so that the same files always give the same archive: .tar.zst on Unix, .zip on Windows."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import io
import os
import stat
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

ZSTD_LEVEL = 19
ZSTD_WINDOW_LOG = 27
"""128 MiB, the most that `zstd -d` and `tar --zstd` take without being told to: the processor variants of llama.cpp
are alike, and all of them are within reach of one another."""
EARLIEST_ZIP_TIME = 315532800
"""1980-01-01, in seconds since 1970."""


def archive_name(folder: Path, system: str) -> str:
    """The archive's file name for a bundle's folder; `system` as `platform.system()` says it."""
    return f"{folder.name}.zip" if system == "Windows" else f"{folder.name}.tar.zst"


def pack(folder: Path, target: Path, *, mtime: int) -> None:
    """Write an archive that unpacks to one folder of the same name.

    Files come in order of path; owner, permissions and times are the same for all. The form is chosen by the ending.

    Args:
        folder: What is packed; it may hold no symbolic links.
        target: A name ending in .tar.zst or .zip; replaced only when the archive is whole.
        mtime: Time of every file, seconds since 1970.

    Raises:
        ValueError: A symbolic link, or another ending.
    """
    partial = target.with_name(f"{target.name}.partial")
    files = bundle_files(folder)
    try:
        if target.name.endswith(".zip"):
            _pack_zip(folder, files, partial, mtime)
        elif target.name.endswith(".tar.zst"):
            with partial.open("wb") as stream, _compressor(stream) as compressed:
                write_tar(folder, files, compressed, mtime=mtime)
        else:
            raise ValueError(f"{target.name} ends neither in .tar.zst nor in .zip.")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def bundle_files(folder: Path) -> list[Path]:
    """Every file of a folder, by its path's text.

    Raises:
        ValueError: One is a symbolic link, which neither FAT-formatted sticks nor Windows can hold.
    """
    paths = sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix())
    links = [path.relative_to(folder).as_posix() for path in paths if path.is_symlink()]
    if links:
        raise ValueError(f"The bundle holds symbolic links: {', '.join(links)}.")
    return [path for path in paths if path.is_file()]


def sort_zip(path: Path) -> None:
    """Put the members of a zip file in order of name; nothing else changes.

    PyInstaller writes Python's base library in the order of a graph whose nodes are sorted by address: one build in
    several differed in two members' places.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        with zipfile.ZipFile(path) as found, zipfile.ZipFile(partial, "w") as ordered:
            for info in sorted(found.infolist(), key=lambda info: info.filename):
                ordered.writestr(info, found.read(info), compress_type=info.compress_type)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def is_executable(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IXUSR)


def _compressor(stream: IO[bytes]) -> contextlib.AbstractContextManager[IO[bytes]]:
    zstandard: Any = importlib.import_module(
        "zstandard"
    )  # of requirements/bundle.txt; its output is that of this version
    parameters = zstandard.ZstdCompressionParameters.from_level(
        ZSTD_LEVEL, window_log=ZSTD_WINDOW_LOG, enable_ldm=True, write_checksum=True, threads=0
    )
    writer: contextlib.AbstractContextManager[IO[bytes]] = zstandard.ZstdCompressor(
        compression_params=parameters
    ).stream_writer(stream, closefd=False)
    return writer


def write_tar(folder: Path, files: list[Path], stream: IO[bytes], *, mtime: int) -> None:
    """Write some of a folder's files as an uncompressed tar."""
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.GNU_FORMAT) as archive:
        for name, path in _entries(folder, files):
            info = tarfile.TarInfo(name)
            info.mtime = mtime
            info.uname = info.gname = "root"
            if path is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(info)
                continue
            info.size = path.stat().st_size
            info.mode = 0o755 if is_executable(path) else 0o644
            with path.open("rb") as file:
                archive.addfile(info, file)


def _pack_zip(folder: Path, files: list[Path], target: Path, mtime: int) -> None:
    when = time.gmtime(max(mtime, EARLIEST_ZIP_TIME))[:6]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, path in _entries(folder, files):
            if path is None:
                continue
            info = zipfile.ZipInfo(name, when)
            info.create_system = 3  # Unix, whatever this machine is: the permissions are meant so
            info.external_attr = (stat.S_IFREG | (0o755 if is_executable(path) else 0o644)) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            info.file_size = path.stat().st_size
            with path.open("rb") as source, archive.open(info, "w") as entry:
                while block := source.read(io.DEFAULT_BUFFER_SIZE * 64):
                    entry.write(block)


def _entries(folder: Path, files: list[Path]) -> Iterator[tuple[str, Path | None]]:
    """Name in the archive and file, folders (None) before what is in them."""
    known: set[str] = set()
    for path in files:
        name = f"{folder.name}/{path.relative_to(folder).as_posix()}"
        parents = [name[:at] for at, letter in enumerate(name) if letter == "/"]
        for parent in parents:
            if parent not in known:
                known.add(parent)
                yield parent, None
        yield name, path


def sha256(path: Path) -> str:
    """Of a whole file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sums(folder: Path) -> Path:
    """Write SHA256SUMS anew for every archive in a folder, in the form `sha256sum -c` reads."""
    archives = sorted(path for path in folder.iterdir() if path.name.endswith((".tar.zst", ".zip", ".cdx.json")))
    target = folder / "SHA256SUMS"
    lines = [f"{sha256(path)}  {path.name}\n" for path in archives]
    target.write_text("".join(lines), encoding="utf-8", newline="\n")
    return target


def set_times(folder: Path, mtime: int) -> None:
    """Give every file and folder the same time and plain permissions: only the program and nothing else may be run."""
    for path in [*folder.rglob("*"), folder]:
        if path.is_dir():
            path.chmod(0o755)
        else:
            path.chmod(0o755 if path.parent == folder and path.stem == "edgerag" else 0o644)
        os.utime(path, (mtime, mtime))
