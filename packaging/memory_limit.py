"""A control group with a memory limit and no swap: what is in it may not use more than a small device has."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
_POLL_S = 0.02
_END_S = 10


class NoControlGroupError(Exception):
    """This system lets nobody, or not us, make one."""


class MemoryLimit:
    """One control group. `peak_bytes` counts memory that cannot be given back; cached files do not count."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        """Make the group.

        Args:
            folder: To create, below a mount of cgroup version 2 or of version 1's memory controller.
            limit_bytes: Of all processes in it together, file cache included.

        Raises:
            NoControlGroupError: It cannot be made: no root, or a container without it.
        """
        self.folder, self.peak_bytes = folder, 0
        self._is_v2 = "memory" not in folder.parent.name and (folder.parent / "cgroup.controllers").exists()
        try:
            folder.mkdir()
            if self._is_v2:
                (folder / "memory.max").write_text(str(limit_bytes))
                (folder / "memory.swap.max").write_text("0")
            else:
                (folder / "memory.limit_in_bytes").write_text(str(limit_bytes))
                with contextlib.suppress(OSError):  # kernels without swap accounting
                    (folder / "memory.memsw.limit_in_bytes").write_text(str(limit_bytes))
        except OSError as error:
            with contextlib.suppress(OSError):
                folder.rmdir()
            raise NoControlGroupError(f"No control group can be made here: {error}. Root is needed.") from error

    def enter(self) -> None:
        """Put the calling process, and whatever it starts, into the group (for `preexec_fn`)."""
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def used_bytes(self) -> int:
        """Anonymous and shared memory of the group's processes now: what can be given back to nobody but to swap."""
        wanted = ("anon", "shmem") if self._is_v2 else ("rss", "shmem")
        lines = (line.split() for line in (self.folder / "memory.stat").read_text().splitlines())
        return sum(int(value) for name, value in lines if name in wanted)

    def num_kills(self) -> int:
        """Processes that the kernel has ended for want of memory."""
        name = "memory.events" if self._is_v2 else "memory.oom_control"
        lines = (line.split() for line in (self.folder / name).read_text().splitlines())
        return sum(int(value) for key, value in lines if key == "oom_kill")

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Follow `peak_bytes` while something runs; it begins at 0."""
        self.peak_bytes, is_over = 0, threading.Event()

        def follow() -> None:
            while not is_over.is_set():
                self.peak_bytes = max(self.peak_bytes, self.used_bytes())
                time.sleep(_POLL_S)

        thread = threading.Thread(target=follow)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def kill(self) -> None:
        """End every process of the group at once."""
        if (self.folder / "cgroup.kill").exists():  # version 2, Linux 5.14
            (self.folder / "cgroup.kill").write_text("1")
            return
        for pid in map(int, (self.folder / "cgroup.procs").read_text().split()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def close(self) -> None:
        """Remove the group, with what a command may have left running in it.

        Raises:
            OSError: The kernel keeps it: a process hangs that cannot be ended.
        """
        deadline = time.monotonic() + _END_S
        while True:
            try:
                self.folder.rmdir()
            except OSError as error:
                if error.errno != errno.EBUSY or time.monotonic() > deadline:
                    raise
            else:
                return
            self.kill()
            time.sleep(_POLL_S)


@contextlib.contextmanager
def memory_limit(limit_bytes: int, root: Path = ROOT) -> Iterator[MemoryLimit]:
    """A fresh group below this system's mount.

    Raises:
        NoControlGroupError: As `MemoryLimit`, or no mount is there.
    """
    mounts = [mount for mount in (root, root / "memory") if (mount / "cgroup.procs").exists()]
    if not mounts:
        raise NoControlGroupError(f"{root} holds no control groups with memory limits.")
    group = MemoryLimit(mounts[0] / f"edgerag-{os.getpid()}", limit_bytes)
    try:
        yield group
    finally:
        group.close()
