"""The sources and files of a library as a tree; pure, so that a worker thread can build it."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from edgerag.ingest.file_states import FileState
    from edgerag.storage.library import Source

PROBLEMS = ("failed", "unreadable", "gone", "changed", "new")
"""Every state but `fresh`, the gravest first."""


@dataclass(slots=True)
class Node:
    """A source, a folder in it, or a file. A source that is a file has that file, and no children."""

    kind: Literal["source", "folder", "file"]
    path: str
    name: str
    depth: int
    source_path: str
    file: FileState | None = None
    children: list[Node] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)
    """Number of files by state, of everything below."""
    size_bytes: int = 0
    num_chunks: int = 0
    folded_path: str = ""
    """Of a file: what the words of a filter are looked for in."""
    is_missing: bool = False
    """Of a source: it is not where it was."""

    @property
    def num_files(self) -> int:
        return self.states.total()

    @property
    def num_problems(self) -> int:
        return self.num_files - self.states["fresh"]

    def files(self) -> Iterator[FileState]:
        """Every file at or below it."""
        pending = [self]
        while pending:
            node = pending.pop()
            if node.file is not None:
                yield node.file
            pending += reversed(node.children)


def build_tree(files: Iterable[FileState], sources: Sequence[Source], *, missing: Iterable[str] = ()) -> list[Node]:
    """One root for each source, by path; within a folder the folders come first.

    Args:
        missing: Paths of sources that are not there.
    """
    gone = set(missing)
    roots = {
        source.id: Node("source", source.path, source.path, 0, source.path, is_missing=source.path in gone)
        for source in sorted(sources, key=lambda source: source.path)
    }
    folders: dict[tuple[int, str], Node] = {}
    for file in files:
        root = roots.get(file.source_id)
        if root is None:
            continue
        if file.path == root.path:
            root.file, root.folded_path = file, folded(file.path)
            _count((root,), file)
            continue
        above = [root]
        prefix = root.path.rstrip(os.sep) + os.sep
        *parts, name = file.path.removeprefix(prefix).split(os.sep)  # noqa: PTH206 (for speed: a `Path` is slow to make)
        for depth, part in enumerate(parts, 1):
            path = f"{above[-1].path.rstrip(os.sep)}{os.sep}{part}"
            folder = folders.get((file.source_id, path))
            if folder is None:
                folder = Node("folder", path, part, depth, root.path)
                folders[file.source_id, path] = folder
                above[-1].children.append(folder)
            above.append(folder)
        leaf = Node("file", file.path, name, len(above), root.path, file, folded_path=folded(file.path))
        above[-1].children.append(leaf)
        _count((*above, leaf), file)
    for node in (*roots.values(), *folders.values()):
        node.children.sort(key=lambda child: (child.kind == "file", child.name.casefold(), child.name))
    return list(roots.values())


def _count(nodes: Iterable[Node], file: FileState) -> None:
    for node in nodes:
        node.states[file.state] += 1
        node.size_bytes += file.size_bytes
        node.num_chunks += file.num_chunks


def rows_of(roots: Iterable[Node], expanded: set[str], *, words: str = "", only_problems: bool = False) -> list[Node]:
    """The nodes that can be seen, from top to bottom.

    Args:
        expanded: Paths of the nodes whose children are shown.
        words: Each must be in a file's path, whatever its case; then everything that fits is shown, expanded or not.
        only_problems: Leave out files that are up to date.
    """
    wanted = folded(words).split()
    rows: list[Node] = []
    if not wanted and not only_problems:
        pending = list(reversed(list(roots)))
        while pending:
            node = pending.pop()
            rows.append(node)
            if node.path in expanded:
                pending += reversed(node.children)
        return rows

    def add(node: Node) -> bool:
        """Append a node and what fits below it; returns whether there is any."""
        place = len(rows)
        rows.append(node)
        fits = node.is_missing and not wanted
        if node.file is not None and not (only_problems and node.file.state == "fresh"):
            fits = fits or all(word in node.folded_path for word in wanted)
        for child in node.children:
            if not (only_problems and not child.num_problems):
                fits = add(child) or fits
        if not fits:
            del rows[place:]
        return fits

    for root in roots:
        add(root)
    return rows


def folded(text: str) -> str:
    """For comparing: without case, and in one Unicode form, since macOS takes names apart that others keep whole."""
    return unicodedata.normalize("NFC", text).casefold()
