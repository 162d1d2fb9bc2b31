"""Native libraries of a bundle: without symbols, without paths of the build machine, and how new a C library they need.

Works on ELF files of 64 bits, that is on Linux; other systems' libraries are left as they are.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

ELF_MAGIC = b"\x7fELF\x02\x01"
"""ELF, 64 bits, little-endian."""
_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NEEDED, _DT_STRTAB, _DT_SONAME, _DT_RPATH, _DT_RUNPATH, _DT_DEBUG = 1, 5, 14, 15, 29, 21
_GLIBC = re.compile(rb"\0GLIBC_(\d+)\.(\d+)(?:\.\d+)?(?=\0)")


class ToolMissingError(Exception):
    """A program that the build needs is not on this machine; the message says which, and how to get it."""


@dataclass(frozen=True, slots=True)
class DynamicSection:
    needed: tuple[str, ...]
    """Libraries it asks for, by the name it asks with."""
    soname: str
    """The name others ask for it with; may be empty."""
    search_paths: tuple[str, ...]
    """Folders written into the file in which to look for them."""
    search_path_places: tuple[tuple[int, int, str], ...]
    """(offset of the entry, offset of its text, text) in the file, for changing it."""


def is_elf(path: Path) -> bool:
    """Whether the file is a native program or library of Linux (64 bits)."""
    with path.open("rb") as file:
        return file.read(6) == ELF_MAGIC


def read_dynamic(path: Path) -> DynamicSection:
    """What a library's dynamic section says.

    Raises:
        ValueError: No ELF file of 64 bits, or a damaged one.
    """
    data = path.read_bytes()
    try:
        return _read_dynamic(data)
    except (struct.error, IndexError) as error:
        raise ValueError(f"{path.name} is no sound ELF file: {error}") from error


def _read_dynamic(data: bytes) -> DynamicSection:
    if data[:6] != ELF_MAGIC:
        raise IndexError("another kind of file")
    segments = _segments(data)
    loads = [(address, offset, size) for kind, offset, address, size, _ in segments if kind == _PT_LOAD]
    dynamic = next(((offset, size) for kind, offset, _, size, _ in segments if kind == _PT_DYNAMIC), (0, 0))
    entries = [
        (at, *struct.unpack_from("<QQ", data, at)) for at in range(dynamic[0], dynamic[0] + dynamic[1], 16)
    ]  # fmt: skip
    addresses = [value for _, tag, value in entries if tag == _DT_STRTAB]
    if not addresses:
        return DynamicSection((), "", (), ())
    strings = next(
        addresses[0] - address + offset for address, offset, size in loads if 0 <= addresses[0] - address < size
    )

    def text(value: int) -> str:
        return data[strings + value : data.index(b"\0", strings + value)].decode("utf-8", "surrogateescape")

    places = tuple(
        (at, strings + value, text(value)) for at, tag, value in entries if tag in (_DT_RPATH, _DT_RUNPATH)
    )  # fmt: skip
    return DynamicSection(
        needed=tuple(text(value) for _, tag, value in entries if tag == _DT_NEEDED),
        soname=next((text(value) for _, tag, value in entries if tag == _DT_SONAME), ""),
        search_paths=tuple(part for *_, paths in places for part in paths.split(":") if part),
        search_path_places=places,
    )


def forget_search_paths(path: Path) -> list[str]:
    """Remove folders of the build machine from where a library looks for others; returns them.

    Those relative to the library itself (`$ORIGIN`) stay. The text is blanked, so that the machine's paths are gone.
    """
    section = read_dynamic(path)
    foreign = [part for part in section.search_paths if not part.startswith("$ORIGIN")]
    if not foreign:
        return []
    with path.open("r+b") as file:
        for entry_at, text_at, paths in section.search_path_places:
            kept = ":".join(part for part in paths.split(":") if part.startswith("$ORIGIN"))
            file.seek(text_at)
            file.write(kept.encode().ljust(len(paths.encode("utf-8", "surrogateescape")), b"\0"))
            if not kept:
                file.seek(entry_at)
                file.write(struct.pack("<QQ", _DT_DEBUG, 0))  # an entry that the loader passes over
    return foreign


def needed_glibc(path: Path) -> tuple[int, int]:
    """The oldest glibc that has every symbol the file asks for; (0, 0) where it asks for none."""
    found = [(int(major), int(minor)) for major, minor in _GLIBC.findall(path.read_bytes())]
    return max(found, default=(0, 0))


def strip_symbols(path: Path) -> int:
    """Remove symbols that nothing at run time looks at; returns the bytes saved, 0 where it would spoil the library.

    Raises:
        ToolMissingError: There is no `strip`.
        OSError: `strip` refused the file.
    """
    program = shutil.which("strip")
    if program is None:
        raise ToolMissingError("`strip` is missing. On Debian and Ubuntu: apt install binutils")
    before = path.stat().st_size
    smaller = path.with_name(path.name + ".stripped")
    done = subprocess.run(
        [program, "--strip-unneeded", "-o", str(smaller), str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or not smaller.is_file():
        smaller.unlink(missing_ok=True)
        raise OSError(f"strip refused {path.name}: {done.stderr.strip()}")
    if smaller.stat().st_size < before and loads_everywhere(smaller.read_bytes()):
        smaller.replace(path)
    else:
        smaller.unlink()
    return before - path.stat().st_size


def loads_everywhere(data: bytes) -> bool:
    """Whether the loader would take the file: every segment as far from a page's begin in the file as in memory.

    patchelf, which wheels are made with, rearranges libraries so that `strip` can put empty segments elsewhere; numpy's
    OpenBLAS then fails with "ELF load command address/offset not page-aligned" (https://github.com/NixOS/patchelf/issues/10).
    """
    return all(
        (address - offset) % max(align, 1) == 0
        for kind, offset, address, _, align in _segments(data)
        if kind == _PT_LOAD
    )


def _segments(data: bytes) -> list[tuple[int, int, int, int, int]]:
    """Kind, offset in the file, address, bytes in the file and alignment of each segment."""
    (table,) = struct.unpack_from("<Q", data, 0x20)
    entry_bytes, count = struct.unpack_from("<HH", data, 0x36)
    found = []
    for number in range(count):
        kind, _, offset, address, _, size, _, align = struct.unpack_from(
            "<IIQQQQQQ", data, table + number * entry_bytes
        )
        found.append((kind, offset, address, size, align))
    return found
