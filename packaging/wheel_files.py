"""Read and rewrite wheels: files left out, a new RECORD, the same bytes every time.

Source: https://packaging.python.org/en/latest/specifications/binary-distribution-format/
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip file knows; every file gets it, so that two builds differ only where their contents do."""


def rewrite_wheel(source: Path, target: Path, keeps: Callable[[str], bool]) -> list[str]:
    """Write a wheel anew with those of its files that are wanted, in order of name.

    Args:
        source: A wheel.
        target: Where the new one goes; replaced if it is there.
        keeps: Says of a path inside the wheel whether it stays. RECORD always does, rewritten.

    Returns:
        The paths left out, in order of name.

    Raises:
        ValueError: The wheel has no RECORD.
    """
    with zipfile.ZipFile(source) as wheel:
        entries = {info.filename: info for info in wheel.infolist() if not info.is_dir()}
        record = next((name for name in entries if name.endswith(".dist-info/RECORD")), None)
        if record is None:
            raise ValueError(f"{source.name} is no wheel: it has no RECORD.")
        names = sorted(name for name in entries if name != record and keeps(name))
        rows: list[tuple[str, str, str]] = []
        partial = target.with_name(f"{target.name}.partial")
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as rewritten:
            for name in names:
                data = wheel.read(name)
                rows.append((name, f"sha256={_digest(data)}", str(len(data))))
                _add(rewritten, name, data, is_executable=bool(entries[name].external_attr >> 16 & stat.S_IXUSR))
            rows.append((record, "", ""))
            _add(rewritten, record, _csv(rows), is_executable=False)
    partial.replace(target)
    return sorted(set(entries) - set(names) - {record})


def copies(wheel: Path) -> list[list[str]]:
    """Return the groups of files over 10 kB in a wheel that hold the same bytes, each group in order of name."""
    found: dict[str, list[str]] = {}
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            if info.file_size > 10_000:
                found.setdefault(hashlib.sha256(archive.read(info)).hexdigest(), []).append(info.filename)
    return sorted(sorted(group) for group in found.values() if len(group) > 1)


def _add(archive: zipfile.ZipFile, name: str, data: bytes, *, is_executable: bool) -> None:
    info = zipfile.ZipInfo(name, EPOCH)
    info.external_attr = (stat.S_IFREG | (0o755 if is_executable else 0o644)) << 16
    info.create_system = 3  # Unix, whatever this machine is: the permissions above are meant so
    archive.writestr(info, data, zipfile.ZIP_DEFLATED, 9)


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode("ascii")


def _csv(rows: list[tuple[str, str, str]]) -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue().encode("utf-8")
