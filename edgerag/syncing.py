"""Bringing a library up to date: its sources, the ingest pipeline, and the vector index after it.

Stopping is pausing: every document is committed whole, embeddings that were computed are kept even for documents that
were not finished, and sources are remembered before anything is read. A later `sync` goes on from there.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from edgerag.coded_text import coded
from edgerag.datatypes import FileFailed, IngestEvent, IngestProgress, IngestSummary
from edgerag.errors import DocumentError, LibraryError
from edgerag.ingest.names import refused_name
from edgerag.open_models import OpenModels
from edgerag.paths import expanded
from edgerag.protocols import StopFlag
from edgerag.storage.library import Library

PathLike = str | os.PathLike[str]
SPECIAL_TOKENS = 4
"""Room in a model's longest input for its special tokens; BERT's two and the four of a RoBERTa pair fit."""


def add_sources(models: OpenModels, sources: Sequence[PathLike], *, stop: StopFlag | None) -> Iterator[IngestEvent]:
    """Remember files and folders as sources and read them.

    Raises:
        DocumentError: A path does not exist, or is empty; nothing was changed.
    """
    absolute = [absolute_path(source) for source in sources]
    for path in absolute:
        if not os.path.lexists(path):
            raise DocumentError(
                coded("add.missing", "{path} does not exist.", path=path),
                hint=coded("hint.spelling", "Check the spelling; nothing was added."),
            )
    refused = [failure for path in absolute if (failure := refused_name(str(path)))]
    storable = [path for path in absolute if not refused_name(str(path))]
    yield from sync_sources(models, storable, stop=stop, refused=refused)


def sync_sources(
    models: OpenModels,
    new_sources: Sequence[Path] | None,
    *,
    stop: StopFlag | None,
    retried: Sequence[str] = (),
    refused: Sequence[FileFailed] = (),
) -> Iterator[IngestEvent]:
    """Run the ingest pipeline and renew the vector index where that is called for.

    Args:
        new_sources: Remembered first; then only they are read. None: all sources.
        retried: Paths of recorded failures that are tried again though nothing changed.
        refused: Paths that were to be sources and cannot be; they count among what failed.
    """
    from edgerag.inference.deferred import DeferredEmbedder
    from edgerag.ingest.pipeline import ingest

    library, settings = models.library, models.settings
    flag = stop or threading.Event()
    manifest = models.embedding_model.manifest
    embedder = DeferredEmbedder(manifest, lambda: models.embedder)
    budget_tokens = min(settings.chunk_tokens, manifest.max_tokens - SPECIAL_TOKENS)
    began = False
    """Whether it is this run that `unfinished_since` tells of."""
    yield from refused
    with library.writing() as writer:
        if retried:
            writer.forget_failures(retried)
        if new_sources is None:
            chosen = library.sources()
        else:
            with writer.transaction():
                ids = {writer.add_source(path) for path in new_sources}
                began = writer.note_unfinished()
            chosen = [source for source in library.sources() if source.id in ids]
        events = ingest(
            library,
            writer,
            chosen,
            embedder=embedder,
            budget_tokens=budget_tokens,
            settings=settings,
            stop=flag,
        )
        for event in events:
            if new_sources is None and not began and isinstance(event, IngestProgress) and event.stage == "ingest":
                began = True  # a sync that finds nothing to read writes nothing
                writer.note_unfinished()
            if isinstance(event, IngestSummary) and not event.interrupted and _needs_snapshot(models, event.chunks):
                yield IngestProgress("index", 0, 0, event.chunks, "", 0.0, None)
                # A failure (a full disk, say) is logged, and searches say that they compare every vector.
                models.index.build_snapshot(stop=flag)
            if isinstance(event, IngestSummary) and not event.interrupted and (new_sources is None or began):
                library.forget_unfinished()  # what one source got does not finish a run over all
            if isinstance(event, IngestSummary) and refused:
                event = replace(event, failed=(*refused, *event.failed))
            yield event


def retry_failed(
    models: OpenModels, paths: Sequence[PathLike] | None, *, stop: StopFlag | None
) -> Iterator[IngestEvent]:
    """Sync all sources, and try files again that failed before.

    Raises:
        LibraryError: One of the paths is no recorded failure.
    """
    failures = models.library.failures()
    if paths is None:
        retried = list(failures)
    else:
        retried = [str(absolute_path(path)) for path in paths]
        if unknown := [path for path in retried if path not in failures]:
            raise LibraryError(
                coded("add.not_failed", "{path} did not fail.", path=unknown[0]),
                hint=coded("hint.list_failed", "`edgerag status --failed` lists those that did."),
            )
    yield from sync_sources(models, None, stop=stop, retried=retried)


def remove_source(library: Library, path: PathLike) -> int:
    """Forget a source and everything derived from it; returns the number of documents.

    Raises:
        LibraryError: The path is no source of this library.
        DocumentError: It is empty.
    """
    absolute = absolute_path(path)
    sources = {Path(source.path): source for source in library.sources()}
    if absolute not in sources:
        parent = next((known for known in sources if absolute.is_relative_to(known)), None)
        if parent is not None:
            raise LibraryError(
                coded("remove.part_of", "{path} is part of the source {source}.", path=absolute, source=parent),
                hint=coded(
                    "hint.ignore_it", "Name it in {file} and run `edgerag sync`.", file=parent / ".edgeragignore"
                ),
            )
        listed = ", ".join(str(known) for known in sources) or "none"
        raise LibraryError(
            coded("remove.no_source", "{path} is no source of this library.", path=absolute),
            hint=coded("hint.sources", "Its sources: {listed}.", listed=listed),
        )
    with library.writing() as writer:
        return writer.remove_source(sources[absolute].id)


def rebuild_indexes(models: OpenModels, *, stop: StopFlag) -> None:
    """Make everything that is derived anew: lexical rows and the vector index's snapshot.

    Raises:
        LibraryError: Another process writes, or the snapshot could not be written.
    """
    from edgerag.storage import lexical

    library = models.library
    with library.writing() as writer:
        with writer.transaction():
            lexical.rebuild(library.connection())
        models.index.discard_snapshots()
        if models.index.needs_snapshot():
            outcome = models.index.build_snapshot(stop=stop)
            if not outcome.is_built and not stop.is_set():
                raise LibraryError(
                    coded("index.not_built", "The vector index could not be built: {reason}.", reason=outcome.reason),
                    hint=coded("hint.slower", "Searching works without it, only slower: every vector is compared."),
                )


def absolute_path(path: PathLike) -> Path:
    """Absolute, with symbolic links as they are.

    Raises:
        DocumentError: The path is empty. It would stand for the working folder, which nobody means who writes so.
    """
    if not os.fspath(path):
        raise DocumentError(
            coded("paths.empty", "The path is empty."),
            hint=coded("hint.name_path", "Name a file or a folder. In a script: is the variable set?"),
        )
    return Path(os.path.abspath(expanded(path)))


def _needs_snapshot(models: OpenModels, num_chunks: int) -> bool:
    # The count first: a small library never has one, and the index would read every vector to say so.
    return num_chunks > models.settings.exact_scan_limit and models.index.needs_snapshot()
