"""What changes a library: adding sources, bringing them up to date, forgetting them, rebuilding what is derived."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from edgerag.datatypes import IngestEvent, IngestSummary
from edgerag.open_models import OpenModels
from edgerag.protocols import StopFlag
from edgerag.storage.library import Library

if TYPE_CHECKING:
    # Each import below stands where it is first needed: a search loads no parser.
    from edgerag.ingest.file_states import FileState

Part = TypeVar("Part")
PathLike = str | os.PathLike[str]


class LibraryKeeper:
    """The half of `Engine` that changes its library; a class of its own only because the two are long together."""

    library: Library
    models: OpenModels

    def add(
        self, sources: Sequence[PathLike], *, on_event: Callable[[IngestEvent], None] | None = None
    ) -> IngestSummary:
        """Remember files and folders as sources and bring them up to date.

        Raises:
            DocumentError: A path does not exist, or is empty; nothing was changed.
            LibraryError: Another process writes, or the disk is full; what was committed before stays.
        """
        return last_event(self.stream_add(sources), IngestSummary, on_event)

    def sync(self, *, on_event: Callable[[IngestEvent], None] | None = None) -> IngestSummary:
        """Bring all sources up to date: new, changed, moved and gone files."""
        return last_event(self.stream_sync(), IngestSummary, on_event)

    def stream_add(self, sources: Sequence[PathLike], *, stop: StopFlag | None = None) -> Iterator[IngestEvent]:
        """`add` as a generator of events, ending with an `IngestSummary`; stopped, `stream_sync` goes on from there."""
        from edgerag.syncing import add_sources

        yield from add_sources(self.models, sources, stop=stop)

    def stream_sync(self, *, stop: StopFlag | None = None) -> Iterator[IngestEvent]:
        """`sync` as a generator of events, the last of which is an `IngestSummary`."""
        from edgerag.syncing import sync_sources

        yield from sync_sources(self.models, None, stop=stop)

    def stream_retry(
        self, paths: Sequence[PathLike] | None = None, *, stop: StopFlag | None = None
    ) -> Iterator[IngestEvent]:
        """`stream_sync` that also tries failed files again (None: all); one that never failed is a `LibraryError`."""
        from edgerag.syncing import retry_failed

        yield from retry_failed(self.models, paths, stop=stop)

    def remove(self, path: PathLike) -> int:
        """Forget a source and everything derived from it.

        Returns:
            Number of documents forgotten.

        Raises:
            LibraryError: The path is no source of this library.
            DocumentError: It is empty.
        """
        from edgerag.syncing import remove_source

        return remove_source(self.library, path)

    def files(self, *, find_new: bool = False, stop: StopFlag | None = None) -> list[FileState]:
        """The state of every file (with `find_new` also of those not read yet) by one `stat` each; none is read."""
        from edgerag.ingest.file_states import file_states

        return file_states(self.library, find_new=find_new, stop=stop)

    def rebuild(self, *, stop: StopFlag | None = None) -> None:
        """Make everything that is derived anew: lexical rows and the vector index's snapshot.

        Raises:
            LibraryError: Another process writes, or the snapshot could not be written.
        """
        from edgerag.syncing import rebuild_indexes

        rebuild_indexes(self.models, stop=stop or threading.Event())


def last_event(events: Iterator[Any], kind: type[Part], on_event: Callable[[Any], None] | None) -> Part:
    """Run a stream of events to its end; returns its last event, which is its result."""
    last: object = None
    for event in events:
        if on_event is not None:
            on_event(event)
        last = event
    assert isinstance(last, kind), "a stream of events ends with its result"
    return last
