"""What a parse worker may use up: address space and CPU time, where the platform can limit them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

CPU_MARGIN_S = 5
"""A worker's own CPU limit lies this far above the time-out, which the parent enforces by the wall clock."""


def address_space_bytes() -> int:
    """Address space of this process; 0 where the platform does not tell (only Linux does)."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def limit_memory(memory_mib: int) -> None:
    """Let this process grow by `memory_mib` from what it has now.

    Windows has no such limit and macOS accepts but ignores it: there the time and output limits remain.
    """
    if sys.platform == "win32":
        return
    import resource  # POSIX only

    wanted = address_space_bytes() + memory_mib * 1024 * 1024
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    except (OSError, ValueError):  # macOS refuses values below what it has mapped
        return


def limit_cpu(seconds: float) -> None:
    """Let this process use `seconds` more of CPU time; the system ends it beyond.

    The parent kills a worker that takes too long. This is for the case that the parent has been killed itself
    while a native parser holds the interpreter, so that nothing else can notice.
    """
    if sys.platform == "win32":
        return
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF)
    wanted = int(usage.ru_utime + usage.ru_stime + seconds) + CPU_MARGIN_S
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (wanted, hard))
    except (OSError, ValueError):
        return
