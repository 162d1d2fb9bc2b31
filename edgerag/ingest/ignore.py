"""Which entries `.gitignore` and `.edgeragignore` exclude, with git's rules."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edgerag.ingest.ignore_patterns import IgnorePattern, decide, read_patterns

IGNORE_FILES = (".gitignore", ".edgeragignore")
"""Later ones win: `.edgeragignore` may re-include what `.gitignore` excludes."""
_MAX_IGNORE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Rules:
    """The patterns of one folder; they apply to that folder's subtree only."""

    folder: str
    """With a separator at its end."""
    patterns: tuple[IgnorePattern, ...]


class IgnoreRules:
    """The ignore files of a folder and of those above it. Immutable: a subfolder's rules are a new object."""

    __slots__ = ("_levels",)

    def __init__(self, levels: tuple[_Rules, ...] = ()) -> None:
        self._levels = levels

    def __bool__(self) -> bool:
        return bool(self._levels)

    def with_folder(self, folder: str, names: Iterable[str]) -> IgnoreRules:
        """These rules and those of a folder below.

        Args:
            folder: Its absolute path.
            names: What it holds; nothing is read when no ignore file is among it.
        """
        lines: list[str] = []
        for name in IGNORE_FILES:
            if name in names:
                lines += _read_lines(Path(folder, name))
        if not lines:
            return self
        rules = _Rules(folder.rstrip(os.sep) + os.sep, tuple(read_patterns(lines)))
        return IgnoreRules((*self._levels, rules))

    def excludes(self, path: str, *, is_folder: bool) -> bool:
        """Whether an entry is excluded by its own name or path.

        The caller asks for every folder before it descends, so that, as in git, nothing below an excluded
        folder can be included again.
        """
        for rules in reversed(self._levels):  # the nearest file that has an opinion decides
            relative = path[len(rules.folder) :]
            if os.sep != "/":
                relative = relative.replace(os.sep, "/")
            name = relative.rpartition("/")[2]
            decision = decide(rules.patterns, relative, name, is_folder=is_folder)
            if decision is not None:
                return decision
        return False


def rules_above(folder: str) -> IgnoreRules:
    """The rules that a folder inside a git work tree inherits from the folders above it.

    A folder that these rules exclude inherits none: it was named, so it is wanted.
    """
    above: list[str] = []
    current = folder
    while not os.path.lexists(os.path.join(current, ".git")):  # noqa: PTH118 (strings throughout, for speed)
        parent = os.path.dirname(current)  # noqa: PTH120
        if parent == current:
            return IgnoreRules()
        above.append(parent)
        current = parent
    rules = IgnoreRules()
    steps = [*reversed(above), folder]
    for step, below in itertools.pairwise(steps):
        names = [name for name in IGNORE_FILES if Path(step, name).is_file()]
        rules = rules.with_folder(step, names)
        if rules.excludes(below, is_folder=True):
            return IgnoreRules()
    return rules


def _read_lines(file: Path) -> list[str]:
    try:
        with file.open("rb") as opened:
            data = opened.read(_MAX_IGNORE_BYTES)
    except OSError:
        return []  # git, too, goes on without an ignore file that it may not read
    # As the names of files are decoded, so that bytes that are no UTF-8 still match.
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape").split("\n")
