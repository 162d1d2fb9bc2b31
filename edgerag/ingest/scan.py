"""Finds the files of a source: what is there, what is of a known format, what is not ignored.

Left out: hidden files and folders (a leading dot, or the attribute on Windows and macOS), `SKIPPED_FOLDERS`,
virtual environments, folders marked as caches (`CACHEDIR.TAG`), other libraries, owner files of office
programs (`~$...`), whatever `.gitignore` and `.edgeragignore` exclude, and everything that is no regular
file. What the user names himself is always tried.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from edgerag.coded_text import coded
from edgerag.datatypes import FileFailed, ScannedFile
from edgerag.errors import os_reason
from edgerag.file_times import modified_ns, settled_ns
from edgerag.ingest.formats import FORMATS, format_by_name
from edgerag.ingest.ignore import IGNORE_FILES, IgnoreRules, rules_above
from edgerag.ingest.names import printable_path, refused_name
from edgerag.protocols import StopFlag

SKIPPED_FOLDERS = frozenset(
    ("node_modules", "bower_components", "__pycache__", "__macosx", "$recycle.bin",
     "system volume information", "lost+found", "cvs")
)  # fmt: skip
"""Lower case. Made by programs for themselves; nobody keeps documents there."""
_MARKER_FILES = frozenset(("pyvenv.cfg", "CACHEDIR.TAG"))
"""Their presence marks a virtual environment, and a cache (https://bford.info/cachedir/)."""
LIBRARY_FILE = "library.db"
LIBRARY_INDEX_FOLDER = "index"
_HAS_HIDDEN_FLAGS = sys.platform in ("win32", "darwin")


def scan(paths: Sequence[Path], stop: StopFlag) -> Iterator[ScannedFile | FileFailed]:
    """Walk the sources, in the order of their paths; within a folder by name, file links last.

    Args:
        paths: Files and folders; relative ones are taken from the current folder. A file found through two of
            them comes once.
        stop: Ends the walk soon after it is set.

    Yields:
        Absolute paths, spelled as the file system spells them (no change of case or Unicode form). What
        cannot be read, folders too, comes as `FileFailed`: nothing is known then about what lies below it. So does
        each file whose path is no UTF-8.
    """
    seen: set[str] = set()
    for source in sorted({os.path.abspath(path) for path in paths}):
        for found in _scan_source(source, stop):
            if stop.is_set():
                return
            key = str(found.path)
            if key not in seen:
                seen.add(key)
                yield _storable(found)


def _scan_source(source: str, stop: StopFlag) -> Iterator[ScannedFile | FileFailed]:
    try:
        status = os.stat(source)  # noqa: PTH116
    except OSError as error:
        yield _failed(source, error)
        return
    if stat.S_ISDIR(status.st_mode):
        yield from _scan_folder(source, stop)
    elif stat.S_ISREG(status.st_mode):
        yield _scanned(source, status)
    else:
        yield FileFailed(source, coded("file.neither", "is neither a file nor a folder"))


def _scan_folder(root: str, stop: StopFlag) -> Iterator[ScannedFile | FileFailed]:
    links: list[str] = []
    found_real: set[str] = set()
    pending: list[tuple[str, IgnoreRules]] = [(root, rules_above(root))]
    while pending and not stop.is_set():
        folder, rules = pending.pop()
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=_entry_name)
        except OSError as error:
            yield _failed(folder, error)
            continue
        names = {entry.name for entry in listed}
        if folder != root and (LIBRARY_FILE in names or not names.isdisjoint(_MARKER_FILES)):
            continue
        if not names.isdisjoint(IGNORE_FILES):
            rules = rules.with_folder(folder, names)
        folders: list[tuple[str, IgnoreRules]] = []
        for entry in listed:
            name = entry.name
            if name[0] == ".":
                continue
            try:
                if entry.is_symlink():
                    if format_by_name(name) and not rules.excludes(entry.path, is_folder=False):
                        links.append(entry.path)
                elif entry.is_dir(follow_symlinks=False):
                    holds_library = folder == root and LIBRARY_FILE in names and name == LIBRARY_INDEX_FOLDER
                    if not holds_library and _is_wanted_folder(entry, rules):
                        folders.append((entry.path, rules))
                elif _is_known_name(name):
                    if rules and rules.excludes(entry.path, is_folder=False):
                        continue
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode) and not _is_hidden(status):
                        found_real.add(entry.path)
                        yield _scanned(entry.path, status)
            except OSError as error:
                yield _failed(entry.path, error)
        pending += reversed(folders)
    yield from _follow_links(root, sorted(links), found_real, stop)


def _follow_links(
    root: str, links: list[str], found_real: set[str], stop: StopFlag
) -> Iterator[ScannedFile | FileFailed]:
    """File links whose target lies in the same source but was not found itself (as in a git-annex folder).

    Links to folders are not followed: what they hold is either found where it is, or outside the source.
    """
    if not links:
        return
    real_root = os.path.realpath(root)
    prefix = real_root.rstrip(os.sep) + os.sep
    for link in links:
        if stop.is_set():
            return
        target = os.path.realpath(link)
        if not target.startswith(prefix):
            continue
        as_found = os.path.join(root, target[len(prefix) :])  # noqa: PTH118
        if as_found in found_real:
            continue
        try:
            status = os.stat(link)  # noqa: PTH116
        except OSError as error:
            yield _failed(link, error)
            continue
        if stat.S_ISREG(status.st_mode):
            found_real.add(as_found)
            yield _scanned(link, status)


def _scanned(path: str, status: os.stat_result) -> ScannedFile:
    return ScannedFile(Path(path), status.st_size, modified_ns(status), settled_ns(status))


def _storable(found: ScannedFile | FileFailed) -> ScannedFile | FileFailed:
    if isinstance(found, FileFailed):
        return FileFailed(printable_path(found.path), found.reason)
    return refused_name(str(found.path)) or found


def _entry_name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _is_known_name(name: str) -> bool:
    ending = name[name.rfind(".") :] if "." in name else ""
    if ending in FORMATS or format_by_name(name) is not None:
        return not name.startswith("~$")
    return False


def _is_wanted_folder(entry: os.DirEntry[str], rules: IgnoreRules) -> bool:
    if entry.name.lower() in SKIPPED_FOLDERS:
        return False
    if rules and rules.excludes(entry.path, is_folder=True):
        return False
    if not _HAS_HIDDEN_FLAGS:
        return True
    status = entry.stat(follow_symlinks=False)
    # A junction is Windows' link to a folder.
    is_junction = getattr(status, "st_reparse_tag", 0) == getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", -1)
    return not _is_hidden(status) and not is_junction


def _is_hidden(status: os.stat_result) -> bool:
    if not _HAS_HIDDEN_FLAGS:
        return False
    attributes = getattr(status, "st_file_attributes", 0)
    flags = getattr(status, "st_flags", 0)
    return bool(attributes & stat.FILE_ATTRIBUTE_HIDDEN or flags & stat.UF_HIDDEN)


def _failed(path: str, error: OSError) -> FileFailed:
    if isinstance(error, FileNotFoundError):
        return FileFailed(path, coded("file.missing", "does not exist"))
    if isinstance(error, PermissionError):
        return FileFailed(path, coded("file.denied_check", "may not be read (check its permissions)"))
    return FileFailed(path, coded("file.os_error", "could not be read ({problem})", problem=os_reason(error)))
