"""What this process uses: memory, and sockets that could reach a network (there should be none)."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

_DESCRIPTORS = (Path("/proc/self/fd"), Path("/dev/fd"))
_INTERNET = {socket.AF_INET, socket.AF_INET6}


@dataclass(frozen=True, slots=True)
class Vitals:
    memory_bytes: int | None
    """Resident memory of this process; None where the system does not tell."""
    num_sockets: int | None
    """Open AF_INET and AF_INET6 sockets of this process, counted; None where they cannot be counted (Windows)."""


def read_vitals() -> Vitals:
    """Look now; takes well under a millisecond."""
    return Vitals(resident_bytes(), count_internet_sockets())


def resident_bytes() -> int | None:
    """Resident memory; on macOS the largest it has been."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return None


def count_internet_sockets() -> int | None:
    """Every open descriptor is asked what it is, so sockets that native code opened count too."""
    folder = next((folder for folder in _DESCRIPTORS if folder.is_dir()), None)
    if folder is None:
        return None
    return sum(_is_internet_socket(int(entry.name)) for entry in folder.iterdir() if entry.name.isdecimal())


def _is_internet_socket(descriptor: int) -> bool:
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return False
        # A duplicate: closing it leaves the original open. The family is read from the descriptor itself.
        with socket.socket(fileno=os.dup(descriptor)) as found:
            return found.family in _INTERNET
    except OSError:  # closed meanwhile
        return False
