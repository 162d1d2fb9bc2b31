"""How many cores this process may use: not those that the machine has, but those that it is given."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path

CGROUP_ROOT = Path("/sys/fs/cgroup")
PROC_CGROUP = Path("/proc/self/cgroup")

_Reader = Callable[[Path], float | None]


def usable_cores() -> int:
    """Count the cores that affinity and, in a container, the CPU quota leave to this process; at least 1."""
    # macOS and Windows have no such call.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup_quota()
    # Rounded up: one thread more than a fractional quota is throttled a little, one fewer leaves it unused.
    return max(1, cores if quota is None else min(cores, math.ceil(quota)))


def cgroup_quota(root: Path = CGROUP_ROOT, own: Path = PROC_CGROUP) -> float | None:
    """Return the tightest CPU quota of this process's control groups, in cores; None where there is none.

    Source: https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max) and, for version 1,
    https://docs.kernel.org/scheduler/sched-bwc.html (cpu.cfs_quota_us).
    """
    try:
        lines = own.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    quotas: list[float] = []
    for line in lines:
        _, controllers, group = [*line.split(":", 2), "", ""][:3]
        if not controllers:
            quotas += _quotas(root, group, _read_version_2)
        elif "cpu" in controllers.split(","):
            for mount in dict.fromkeys((controllers, "cpu")):
                quotas += _quotas(root / mount, group, _read_version_1)
    return min(quotas, default=None)


def _quotas(mount: Path, group: str, read: _Reader) -> list[float]:
    """Read the quotas of the group and of all above it; inside a container only the top is visible."""
    parts = [part for part in group.split("/") if part not in ("", "..")]
    folders = [mount.joinpath(*parts[:depth]) for depth in range(len(parts) + 1)]
    found = (read(folder) for folder in folders)
    return [quota for quota in found if quota is not None]


def _read_version_2(folder: Path) -> float | None:
    try:
        quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _read_version_1(folder: Path) -> float | None:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text(encoding="ascii"))
        period = int((folder / "cpu.cfs_period_us").read_text(encoding="ascii"))
        return None if quota <= 0 else quota / period
    except (OSError, ValueError, ZeroDivisionError):
        return None
