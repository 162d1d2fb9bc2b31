"""From what was named on a command line to the executable: an archive is unpacked, a folder looked into."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

EXECUTABLE = "edgerag.exe" if sys.platform == "win32" else "edgerag"
ARCHIVE_ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.zst")


class UnpackError(Exception):
    """There is no executable; the message says why and what to do."""


def find_executable(named: Path, folder: Path) -> Path:
    """The executable itself, that of a bundle's folder, or that of an archive, which is unpacked into `folder`.

    Raises:
        UnpackError: Missing, not executable, or an archive that cannot be unpacked or holds no bundle.
    """
    if not named.exists():
        raise UnpackError(f"{named} does not exist.")
    if named.is_file() and named.name.endswith(ARCHIVE_ENDINGS):
        unpack(named, folder)
        inside = [path for path in folder.iterdir() if (path / EXECUTABLE).is_file()]
        if len(inside) != 1:
            raise UnpackError(f"{named} does not hold one folder with {EXECUTABLE} in it.")
        named = inside[0]
    # Not `resolve`: the script of an environment is a file whose folder matters, and so is a link to a bundle.
    found = Path(os.path.abspath(named / EXECUTABLE if named.is_dir() else named))
    if not found.is_file() or not os.access(found, os.X_OK):
        raise UnpackError(f"{found} is not an executable file.")
    return found


def unpack(archive: Path, folder: Path) -> None:
    """Unpack with what this system has.

    Raises:
        UnpackError: It cannot be unpacked.
    """
    folder.mkdir(parents=True)
    try:
        if not archive.name.endswith(".tar.zst"):
            # Python before 3.11.4 has no filters.
            filtered = archive.suffix != ".zip" and hasattr(tarfile, "data_filter")
            shutil.unpack_archive(archive, folder, **({"filter": "data"} if filtered else {}))
            return
        if shutil.which("zstd") is None or shutil.which("tar") is None:
            raise UnpackError("a .tar.zst needs `tar` and `zstd`. On Debian and Ubuntu: apt-get install zstd")
        command = ["tar", "--zstd", "-xf", os.fspath(archive), "-C", os.fspath(folder)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise UnpackError(f"{archive} cannot be unpacked: {done.stderr.strip()[:300]}")
    except (shutil.ReadError, ValueError, OSError) as error:
        raise UnpackError(f"{archive} cannot be unpacked: {error}") from error
