"""The one place that opens models and a library and wires them to the pipelines."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from edgerag import paths
from edgerag.config import Settings, load_settings
from edgerag.datatypes import Document, IngestEvent, IngestSummary, Sampling, SearchResult
from edgerag.errors import LibraryError
from edgerag.open_models import OpenModels
from edgerag.protocols import StopFlag
from edgerag.storage.library import Library, StoredText

if TYPE_CHECKING:
    # Each import below stands where it is first needed: a search loads no parser, a sync no model.
    from edgerag.answers import Answer, AskEvent, Citation, Exchange
    from edgerag.ask.explain import Explanation
    from edgerag.ask.locate import CitedPlace
    from edgerag.ask.retrieve import Retriever
    from edgerag.ask.why_not import WhyNot
    from edgerag.ingest.file_states import FileState
    from edgerag.storage.conversations import Conversations

Part = TypeVar("Part")
Mode = Literal["hybrid", "lexical", "vector"]
PathLike = str | os.PathLike[str]


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
        """
        from edgerag.syncing import remove_source

        return remove_source(self.library, path)

    def files(self, *, find_new: bool = False, stop: StopFlag | None = None) -> list[FileState]:
        """The state of every file (with `find_new` also of those not read yet) by one `stat` each; none is read."""
        from edgerag.ingest.file_states import file_states

        return file_states(self.library, find_new=find_new, stop=stop)

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
        conversation: int | None = None,
        history: Sequence[Exchange] = (),
        save: bool = False,
        on_event: Callable[[AskEvent], None] | None = None,
    ) -> Answer:
        """Answer a question with quotes that were checked against the documents.

        Args:
            extractive: The best sentences themselves instead of a generated text.
            model: Name of an installed generator; default as `generator`.
            sampling: Default: the settings'.
            conversation: Id of a saved conversation that the question follows up.
            history: Exchanges that it follows up besides, oldest first, for those that are not saved.
            save: Append question and answer to `conversation`, or begin a new one (`Answer.conversation_id`).

        Raises:
            ValueError: The question is blank.
            ModelError: The named generator is missing or damaged.
            LibraryError: There is no such conversation.
        """
        from edgerag.answers import Answer

        events = self.stream_ask(
            question,
            extractive=extractive,
            model=model,
            sampling=sampling,
            conversation=conversation,
            history=history,
            save=save,
        )
        return _last(events, Answer, on_event)

    def stream_ask(
        self,
        question: str,
        *,
        extractive: bool = False,
        model: str | None = None,
        sampling: Sampling | None = None,
        stop: StopFlag | None = None,
        conversation: int | None = None,
        history: Sequence[Exchange] = (),
        save: bool = False,
    ) -> Iterator[AskEvent]:
        """`ask` as a generator of events, the last of which is an `Answer`.

        A stopped answer is saved as far as it came; one whose events are not taken to the end is not saved.
        """
        from edgerag.answers import Answer
        from edgerag.ask.pipeline import ask

        if conversation is not None:
            history = (*self.conversations.history(conversation), *history)
        generator, no_generator = (None, "") if extractive else self.models.generator_for(question, model)
        events = ask(
            question,
            retrieve=lambda query: self._retriever().retrieve(query, top_k=10),
            embedder=self.models.embedder,
            reranker=self.models.reranker,
            generator=generator,
            settings=self.settings,
            extractive=extractive,
            sampling=sampling or self.settings.sampling(),
            stop=stop or threading.Event(),
            no_generator=no_generator,
            timeout_s=self.settings.generate_timeout_s,
            document_text=lambda document_id: self.library.document_text(document_id).text,
            history=history,
        )
        with closing(events):
            for event in events:
                yield self._saved(event, conversation) if save and isinstance(event, Answer) else event

    def _saved(self, answer: Answer, conversation: int | None) -> Answer:
        try:
            return replace(answer, conversation_id=self.conversations.save(answer, conversation))
        except LibraryError as error:
            # The answer is worth more than its record.
            return replace(answer, degraded=(*answer.degraded, f"conversation: not saved: {error}"))

    @cached_property
    def conversations(self) -> Conversations:
        """The saved conversations: list, search, rename, delete."""
        from edgerag.storage.conversations import Conversations

        return Conversations(self.library)

    def export_conversation(self, conversation_id: int) -> str:
        """A conversation as Markdown, every quote with its file, page and heading.

        Raises:
            LibraryError: There is no such conversation.
        """
        from edgerag.ask.transcript import to_markdown

        return to_markdown(self.conversations.get(conversation_id), self.conversations.turns(conversation_id))

    def locate(self, citation: Citation) -> CitedPlace:
        """Where a quote stands today, though its document was renamed, changed or removed since."""
        from edgerag.ask.locate import locate

        return locate(self.library, citation)

    # --- explaining -------------------------------------------------------------------------------

    def explain(
        self,
        question: str,
        *,
        history: Sequence[Exchange] = (),
        extractive: bool = False,
        model: str | None = None,
        top_k: int = 10,
        mode: Mode = "hybrid",
        rerank: bool = True,
    ) -> Explanation:
        """Each hit's score as a sum, the evidence, the exact prompt and the time of each stage; nothing is generated.

        Raises:
            ValueError: The question is blank.
            LibraryError, ModelError: Something needed cannot be read.
        """
        from edgerag.inspecting import explain_question

        return explain_question(
            self.models,
            question,
            history=history,
            generator=None if extractive else self.models.generator_for(question, model)[0],
            top_k=top_k,
            mode=mode,
            rerank=rerank,
        )

    def why_not(
        self,
        question: str,
        document: Document | str,
        *,
        history: Sequence[Exchange] = (),
        extractive: bool = False,
        model: str | None = None,
        top_k: int = 10,
        citations: Sequence[Citation] | None = None,
    ) -> WhyNot:
        """The stage at which a document fell out, with rank and score at each.

        Args:
            document: Or its id, path, or the end of its path; also of a file that was never read.
            citations: Of an answer that was given, to tell whether it cites the document.

        Raises:
            ValueError: The question is blank.
            LibraryError, ModelError: Several documents are called so, or something needed cannot be read.
        """
        from edgerag.inspecting import why_not_document

        return why_not_document(
            self.models,
            question,
            document,
            history=history,
            generator=None if extractive else self.models.generator_for(question, model)[0],
            top_k=top_k,
            citations=citations,
        )

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
        from edgerag.syncing import rebuild_indexes

        rebuild_indexes(self.models, stop=stop or threading.Event())

    def with_settings(self, **changes: object) -> Engine:
        """A second engine on the same library folder with some settings changed; close both."""
        return Engine.open(self.library.folder, settings=replace(self.settings, **changes), create=False)  # type: ignore[arg-type]


def _last(events: Iterator[Any], kind: type[Part], on_event: Callable[[Any], None] | None) -> Part:
    last: object = None
    for event in events:
        if on_event is not None:
            on_event(event)
        last = event
    assert isinstance(last, kind), "a stream of events ends with its result"
    return last
