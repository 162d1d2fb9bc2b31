"""Say in which files two bundles differ, and why.

    python packaging/compare.py FOLDER FOLDER

Exit code 0: the same files with the same bytes and permissions; 1: not; 2: these are no two folders with files in them.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archive import bundle_files, is_executable


@dataclass(frozen=True, slots=True)
class Difference:
    file: str
    """Path inside the bundle, or the name of a part of it: `edgerag!module.name`."""
    why: str


def compare(first: Path, second: Path) -> list[Difference]:
    """Every file that is in one bundle only, or has other bytes or permissions; those of the program by module."""
    files = [{path.relative_to(folder).as_posix(): path for path in bundle_files(folder)} for folder in (first, second)]
    found: list[Difference] = []
    for name in sorted({*files[0], *files[1]}):
        one, other = files[0].get(name), files[1].get(name)
        if one is None or other is None:
            found.append(Difference(name, f"only in {first if other is None else second}"))
        elif is_executable(one) != is_executable(other):
            found.append(Difference(name, "may be run in one of them only"))
        elif one.read_bytes() != other.read_bytes():
            found += list(_reasons(name, one, other))
    return found


def _reasons(name: str, one: Path, other: Path) -> Iterator[Difference]:
    if one.parent.name != "_internal" and one.stem == "edgerag":
        modules = [frozen_modules(path) for path in (one, other)]
        for module in sorted({*modules[0], *modules[1]}):
            if modules[0].get(module) != modules[1].get(module):
                yield Difference(
                    f"{name}!{module}", first_difference(modules[0].get(module, b""), modules[1].get(module, b""))
                )
        if modules[0] == modules[1]:
            yield Difference(
                name, f"the starter or the order: {first_difference(one.read_bytes(), other.read_bytes())}"
            )
        return
    yield Difference(name, first_difference(one.read_bytes(), other.read_bytes()))


def frozen_modules(program: Path) -> dict[str, bytes]:
    """Compiled code by module name, out of a frozen program; `<name>` for what the starter itself runs."""
    # Only here: to compare folders, nothing but Python is needed.
    readers: Any = importlib.import_module("PyInstaller.archive.readers")
    reader = readers.CArchiveReader(str(program))
    found = {f"<{name}>": bytes(reader.extract(name)) for name in reader.toc if not name.endswith(".pyz")}
    for archive in (name for name in reader.toc if name.endswith(".pyz")):
        modules = reader.open_embedded_archive(archive)
        found |= {name: bytes(modules.extract(name, raw=True) or b"") for name in modules.toc}
    return found


def first_difference(one: bytes, other: bytes) -> str:
    """Where two byte strings part, with what stands there."""
    if len(one) != len(other):
        return f"{len(one)} and {len(other)} bytes"
    at = next((place for place, (left, right) in enumerate(zip(one, other, strict=True)) if left != right), -1)
    if at < 0:
        return "the same bytes"
    begin = max(0, at - 24)
    return f"from byte {at}: {one[begin : at + 24]!r} and {other[begin : at + 24]!r}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    options = parser.parse_args()
    for folder in (options.first, options.second):
        if not folder.is_dir():
            parser.error(f"{folder} is no folder: bundles are compared unpacked")
        if not bundle_files(folder):
            parser.error(f"{folder} is empty")
    differences = compare(options.first, options.second)
    for difference in differences:
        print(f"{difference.file}: {difference.why}")
    print(f"{len(differences)} differences in {len(bundle_files(options.first))} files")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
