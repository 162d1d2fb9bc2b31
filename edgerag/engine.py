"""The one place that opens models and a library and wires them to the pipelines."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from edgerag import paths
from edgerag.config import Settings, load_settings
from edgerag.datatypes import (
    Answer,
    AskEvent,
    Document,
    IngestEvent,
    IngestProgress,
    IngestSummary,
    Sampling,
    SearchResult,
)
from edgerag.errors import DocumentError, LibraryError, ModelError
from edgerag.open_models import OpenModels
from edgerag.protocols import Generator, StopFlag
from edgerag.storage.library import Library, StoredText

if TYPE_CHECKING:
    # Each import below stands where it is first needed: a search loads no parser, a sync no model.
    from edgerag.ask.retrieve import Retriever

Part = TypeVar("Part")
Mode = Literal["hybrid", "lexical", "vector"]
PathLike = str | os.PathLike[str]
SPECIAL_TOKENS = 4
"""Room in a model's longest input for its special tokens; BERT's two and the four of a RoBERTa pair fit."""


class Engine:
    """An open library with its models. Models load when first needed; searches may run in several threads."""

    def __init__(self, library: Library, settings: Settings) -> None:
        self.library = library
        self.settings = settings
        self.models = OpenModels(library, settings)

    @classmethod
    def open(cls, path: PathLike | None = None, *, settings: Settings | None = None, create: bool = True) -> Engine:
        """Open a library; the parameters and errors are those of `edgerag.open_library`.

        Args:
            create: Make an empty library where there is none; otherwise that is a `LibraryError`.
        """
        folder = Path(path).expanduser() if path is not None else paths.default_library_dir()
        return cls(Library.open(folder.absolute(), create=create), settings or load_settings())

    def close(self) -> None:
        """Close the library and release the models."""
        self.models.close()
        self.library.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- adding -----------------------------------------------------------------------------------

    def add(
        self, sources: Sequence[PathLike], *, on_event: Callable[[IngestEvent], None] | None = None
    ) -> IngestSummary:
        """Remember files and folders as sources and bring them up to date.

        Raises:
            DocumentError: A path does not exist; nothing was changed.
            LibraryError: Another process writes, or the disk is full; what was committed before stays.
        """
        return _last(self.stream_add(sources), IngestSummary, on_event)

    def sync(self, *, on_event: Callable[[IngestEvent], None] | None = None) -> IngestSummary:
        """Bring all sources up to date: new, changed, moved and gone files."""
        return _last(self.stream_sync(), IngestSummary, on_event)

    def stream_add(self, sources: Sequence[PathLike], *, stop: StopFlag | None = None) -> Iterator[IngestEvent]:
        """`add` as a generator of events, the last of which is an `IngestSummary`."""
        absolute = [Path(os.path.abspath(Path(source).expanduser())) for source in sources]
        for path in absolute:
            if not os.path.lexists(path):
                raise DocumentError(f"{path} does not exist.", hint="Check the spelling; nothing was added.")
        yield from self._ingest(absolute, stop)

    def stream_sync(self, *, stop: StopFlag | None = None) -> Iterator[IngestEvent]:
        """`sync` as a generator of events, the last of which is an `IngestSummary`."""
        yield from self._ingest(None, stop)

    def _ingest(self, new_sources: list[Path] | None, stop: StopFlag | None) -> Iterator[IngestEvent]:
        from edgerag.inference.deferred import DeferredEmbedder
        from edgerag.ingest.pipeline import ingest

        flag = stop or threading.Event()
        manifest = self.models.embedding_model.manifest
        embedder = DeferredEmbedder(manifest, lambda: self.models.embedder)
        budget_tokens = min(self.settings.chunk_tokens, manifest.max_tokens - SPECIAL_TOKENS)
        with self.library.writing() as writer:
            if new_sources is None:
                chosen = self.library.sources()
            else:
                with writer.transaction():
                    ids = {writer.add_source(path) for path in new_sources}
                chosen = [source for source in self.library.sources() if source.id in ids]
            events = ingest(
                self.library,
                writer,
                chosen,
                embedder=embedder,
                budget_tokens=budget_tokens,
                settings=self.settings,
                stop=flag,
            )
            for event in events:
                if isinstance(event, IngestSummary) and not event.interrupted and self._needs_snapshot(event.chunks):
                    yield IngestProgress("index", 0, 0, event.chunks, "", 0.0, None)
                    # A failure (a full disk, say) is logged, and searches say that they compare every vector.
                    self.models.index.build_snapshot(stop=flag)
                yield event

    def _needs_snapshot(self, num_chunks: int) -> bool:
        # The count first: a small library never has one, and the index would read every vector to say so.
        return num_chunks > self.settings.exact_scan_limit and self.models.index.needs_snapshot()

    def remove(self, path: PathLike) -> int:
        """Forget a source and everything derived from it.

        Returns:
            Number of documents forgotten.

        Raises:
            LibraryError: The path is no source of this library.
        """
        absolute = Path(os.path.abspath(Path(path).expanduser()))
        sources = {Path(source.path): source for source in self.library.sources()}
        if absolute not in sources:
            parent = next((known for known in sources if absolute.is_relative_to(known)), None)
            if parent is not None:
                raise LibraryError(
                    f"{absolute} is part of the source {parent}.",
                    hint=f"Name it in {parent / '.edgeragignore'} and run `edgerag sync`.",
                )
            listed = ", ".join(str(known) for known in sources) or "none"
            raise LibraryError(f"{absolute} is no source of this library.", hint=f"Its sources: {listed}.")
        with self.library.writing() as writer:
            return writer.remove_source(sources[absolute].id)

    # --- asking -----------------------------------------------------------------------------------

    def _retriever(self) -> Retriever:
        from edgerag.ask.retrieve import Retriever

        return Retriever(self.library, settings=self.settings, models=self.models)

    def search(self, query: str, *, top_k: int = 10, mode: Mode = "hybrid", rerank: bool = True) -> SearchResult:
        """Find the passages that fit a query best.

        Raises:
            ValueError: The query is blank or `top_k` is not positive.
            LibraryError, ModelError: Something needed cannot be read.
        """
        return self._retriever().retrieve(query, top_k=top_k, mode=mode, rerank=rerank)

    def ask(
        self,
        question: str,
        *,
        extractive: bool = False,
        model: str | None = None,
        sampling: Sampling | None = None,
        on_event: Callable[[AskEvent], None] | None = None,
    ) -> Answer:
        """Answer a question with quotes that were checked against the documents.

        Args:
            extractive: The best sentences themselves instead of a generated text.
            model: Name of an installed generator; default as `generator`.
            sampling: Default: the settings'.

        Raises:
            ValueError: The question is blank.
            ModelError: The named generator is missing or damaged.
        """
        events = self.stream_ask(question, extractive=extractive, model=model, sampling=sampling)
        return _last(events, Answer, on_event)

    def stream_ask(
        self,
        question: str,
        *,
        extractive: bool = False,
        model: str | None = None,
        sampling: Sampling | None = None,
        stop: StopFlag | None = None,
    ) -> Iterator[AskEvent]:
        """`ask` as a generator of events, the last of which is an `Answer`."""
        from edgerag.ask.pipeline import ask

        generator, no_generator = (None, "") if extractive else self._generator_for(question, model)
        yield from ask(
            question,
            retrieve=lambda query: self._retriever().retrieve(query, top_k=10),
            embedder=self.models.embedder,
            reranker=self.models.reranker,
            generator=generator,
            settings=self.settings,
            extractive=extractive,
            sampling=sampling or default_sampling(self.settings),
            stop=stop or threading.Event(),
            no_generator=no_generator,
            timeout_s=self.settings.generate_timeout_s,
            document_text=lambda document_id: self.library.document_text(document_id).text,
        )

    def _generator_for(self, question: str, name: str | None) -> tuple[Generator | None, str]:
        """The generator, or why there is none; a generator that was asked for by name must work.

        Raises:
            ModelError: The named one is missing or damaged.
        """
        from edgerag.ask.pipeline import NO_GENERATOR
        from edgerag.scripts import knows_script

        if name is not None:
            return self.models.generator(name), NO_GENERATOR
        try:
            model = self.models.generator_model()
            if model is not None and not knows_script(model.manifest.languages, question):
                return None, f"generate: {model.name} does not write the language of this question"
            return self.models.generator(), NO_GENERATOR
        except ModelError as error:
            return None, f"generate: {error} {error.hint}".strip()

    # --- looking after ----------------------------------------------------------------------------

    def document(self, name: str) -> Document:
        """Find a document by id, path, or an unambiguous end of its path."""
        return self.library.find_document(name)

    def text(self, document: Document) -> StoredText:
        """The parsed text that all offsets of hits and citations refer to."""
        return self.library.document_text(document.id)

    def rebuild(self, *, stop: StopFlag | None = None) -> None:
        """Make everything that is derived anew: lexical rows and the vector index's snapshot.

        Raises:
            LibraryError: Another process writes, or the snapshot could not be written.
        """
        from edgerag.storage import lexical

        with self.library.writing() as writer:
            with writer.transaction():
                lexical.rebuild(self.library.connection())
            self.models.index.discard_snapshots()
            if self.models.index.needs_snapshot():
                flag = stop or threading.Event()
                outcome = self.models.index.build_snapshot(stop=flag)
                if not outcome.is_built and not flag.is_set():
                    raise LibraryError(
                        f"The vector index could not be built: {outcome.reason}.",
                        hint="Searching works without it, only slower: every vector is compared.",
                    )

    def with_settings(self, **changes: object) -> Engine:
        """A second engine on the same library folder with some settings changed; close both."""
        return Engine.open(self.library.folder, settings=replace(self.settings, **changes), create=False)  # type: ignore[arg-type]


def default_sampling(settings: Settings) -> Sampling:
    """The settings' way of picking tokens."""
    return Sampling(
        max_tokens=settings.max_tokens,
        temperature=settings.temperature,
        top_p=settings.top_p,
        top_k=settings.top_k,
        repeat_penalty=settings.repeat_penalty,
        stop=settings.stop,
    )


def _last(events: Iterator[Any], kind: type[Part], on_event: Callable[[Any], None] | None) -> Part:
    last: object = None
    for event in events:
        if on_event is not None:
            on_event(event)
        last = event
    assert isinstance(last, kind), "a stream of events ends with its result"
    return last
