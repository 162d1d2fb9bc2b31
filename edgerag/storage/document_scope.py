"""Which documents a filter means: by file, folder or pattern, and by format."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Collection, Iterator

from edgerag.coded_text import coded
from edgerag.datatypes import DocumentFilter
from edgerag.errors import LibraryError
from edgerag.paths import expanded
from edgerag.storage.library import Library

CHUNKS_OF = "SELECT id FROM chunks WHERE document_id IN (SELECT value FROM json_each(?))"
"""One bound value for any number of documents, see `ids_json`; answered from the index `chunks_document` alone."""
_WILDCARD = re.compile("[*?]")
"""No brackets: `report [final].pdf` is a name oftener than `[a-c]` is a pattern."""
_PART = re.compile(r"\*\*/|\*\*|\*|\?|[^*?]+")
_MEANS = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def documents_within(library: Library, wanted: DocumentFilter) -> tuple[int, ...]:
    """Ids of the documents that a filter leaves, ascending.

    Raises:
        LibraryError: A path or a format that it names fits no document at all: rather a slip than a wish.
    """
    rows = library.rows("SELECT id, path, format FROM documents")
    ids = {int(row[0]) for row in rows if not wanted.formats or row[2] in wanted.formats}
    formats = {str(row[2]) for row in rows}
    if unknown := [name for name in wanted.formats if name not in formats]:
        raise LibraryError(
            coded("library.no_format", "The library has no documents of the format {name}.", name=unknown[0]),
            hint=coded("hint.formats", "It has: {names}.", names=", ".join(sorted(formats)) or "–"),
        )
    if wanted.paths:
        documents = [(int(row[0]), _folded(str(row[1]))) for row in rows]
        ids &= set().union(*(_documents_at(name, documents) for name in wanted.paths))
    return tuple(sorted(ids))


def ids_json(ids: Collection[int]) -> str:
    """Ids as one value to bind, for `json_each`."""
    return json.dumps(list(ids))


def _documents_at(name: str, documents: list[tuple[int, str]]) -> set[int]:
    for fits in _matchers(name):
        if found := {number for number, path in documents if fits(path)}:
            return found
    raise LibraryError(
        coded("library.none_in", "The library has no document in {path}.", path=name),
        hint=coded(
            "hint.documents_in",
            "`edgerag status --documents` lists all; give a file, a folder, or a pattern such as '*.md'.",
        ),
    )


def _matchers(name: str) -> Iterator[Callable[[str], bool]]:
    """The file or folder of this name as seen from the working folder; then wherever these parts stand in a path."""
    path = expanded(name)
    # A bare pattern means names at any depth, as in a .gitignore: `*.md` is rarely about one folder alone.
    if len(path.parts) > 1 or not _WILDCARD.search(name):
        yield _matcher(_folded(os.path.abspath(path)), anywhere=False)
    if not path.is_absolute():
        yield _matcher(_folded(os.path.normpath(path)), anywhere=True)


def _matcher(name: str, *, anywhere: bool) -> Callable[[str], bool]:
    """Whether a path is this one, or lies in it."""
    if not _WILDCARD.search(name):
        if anywhere:
            return lambda path: f"/{name}/" in f"{path}/"
        inside = name.rstrip("/") + "/"
        return lambda path: path == name or path.startswith(inside)
    regex = re.compile(("(?:^|/)" if anywhere else "^") + _translated(name) + "(?:/|$)", re.DOTALL)
    return lambda path: regex.search(path) is not None


def _translated(pattern: str) -> str:
    """A pattern as a regular expression: `*` and `?` stay within a name, `**` crosses folders."""
    return "".join(_MEANS.get(part) or re.escape(part) for part in _PART.findall(pattern))


def _folded(path: str) -> str:
    """Parted by `/`; where the system does not tell cases apart (Windows), neither is it here."""
    return os.path.normcase(path).replace(os.sep, "/")
