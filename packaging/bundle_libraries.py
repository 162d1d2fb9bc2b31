"""Which libraries a bundle asks of the system it runs on, read off its files without running any of them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from native_files import is_elf, needed_glibc, read_dynamic

GLIBC_PARTS = (
    "libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1", "libresolv.so.2",
    "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1", "ld-linux-armhf.so.3",
)  # fmt: skip
"""Every system with glibc has them, and a bundle must not bring its own: they fit the kernel's loader alone."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What must be on the system besides the kernel."""

    libraries: dict[str, tuple[str, ...]]
    """Libraries that are neither in the bundle nor part of glibc, and the files that ask for them."""
    glibc: tuple[int, int]
    glibc_file: str
    """The file that needs so new a glibc."""


def wanted_libraries(executable: Path) -> Wanted:
    """Look at every native file of a bundle.

    The executable itself is loaded before any of the bundle's folders is known: what it needs must be on the system
    even if a copy lies in the bundle.
    """
    folder = executable.parent
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink() and is_elf(path)]
    brought = {path.name for path in folder.rglob("*.so*")} | {read_dynamic(path).soname for path in files}
    asked: dict[str, list[str]] = defaultdict(list)
    glibc, glibc_file = (0, 0), ""
    for path in files:
        name = path.relative_to(folder).as_posix()
        section = read_dynamic(path)
        finds_brought = path != executable or any(part.startswith("$ORIGIN") for part in section.search_paths)
        for library in section.needed:
            if library not in GLIBC_PARTS and not (library in brought and finds_brought):
                asked[library].append(name)
        if (needs := needed_glibc(path)) > glibc:
            glibc, glibc_file = needs, name
    return Wanted({library: tuple(names) for library, names in sorted(asked.items())}, glibc, glibc_file)
