"""The one place that opens models and a library and wires them to the pipelines."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from edgerag import paths
from edgerag.config import Settings, load_settings
from edgerag.datatypes import Document, DocumentFilter, Sampling, SearchResult, SearchStage
from edgerag.keeping import LibraryKeeper, PathLike, last_event
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
    from edgerag.storage.conversations import Conversations

Mode = Literal["hybrid", "lexical", "vector"]


class Engine(LibraryKeeper):
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
        folder = paths.chosen_dir(path) if path is not None else paths.default_library_dir()
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

    # --- asking -----------------------------------------------------------------------------------

    def _retriever(self) -> Retriever:
        from edgerag.ask.retrieve import Retriever

        return Retriever(self.library, settings=self.settings, models=self.models)

    def search(
        self,
        query: str,
        *,
        top_k: int = 10,
        mode: Mode = "hybrid",
        rerank: bool = True,
        within: DocumentFilter | None = None,
    ) -> SearchResult:
        """Find the passages that fit a query best.

        Args:
            within: Only in these documents: the best of them are found, however few they are.

        Raises:
            ValueError: The query is blank or `top_k` is not positive.
            LibraryError, ModelError: Something needed cannot be read; `within` names what the library has not.
        """
        return self._retriever().retrieve(query, top_k=top_k, mode=mode, rerank=rerank, within=within)

    def search_stages(
        self,
        query: str,
        *,
        top_k: int = 10,
        mode: Mode = "hybrid",
        rerank: bool = True,
        within: DocumentFilter | None = None,
        is_typing: bool = False,
        stop: StopFlag | None = None,
    ) -> Iterator[SearchStage]:
        """`search` step by step: by words at once, then with the vectors, then reranked; the last is `search`'s result.

        Args:
            is_typing: The last word may be unfinished: by words, it also stands for those that begin with it.
            stop: Ends the search before its next step.
        """
        yield from self._retriever().stages(
            query, top_k=top_k, mode=mode, rerank=rerank, within=within, is_typing=is_typing, stop=stop
        )

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
        within: DocumentFilter | None = None,
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
            within: Answer from these documents only.

        Raises:
            ValueError: The question is blank.
            ModelError: The named generator is missing or damaged.
            LibraryError: There is no such conversation; `within` names what the library has not.
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
            within=within,
        )
        return last_event(events, Answer, on_event)

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
        within: DocumentFilter | None = None,
    ) -> Iterator[AskEvent]:
        """`ask` as a generator of events, the last of which is an `Answer`.

        A stopped answer is saved as far as it came; one whose events are not taken to the end is not saved.
        """
        from edgerag.asking import answer_question

        if conversation is not None:
            history = (*self.conversations.history(conversation), *history)
        events = answer_question(
            self.models,
            question,
            history=history,
            extractive=extractive,
            model=model,
            sampling=sampling,
            within=within,
            stop=stop or threading.Event(),
            save=(lambda answer: self.conversations.save(answer, conversation)) if save else None,
        )
        with closing(events):
            yield from events

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
        within: DocumentFilter | None = None,
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
            within=within,
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

    def with_settings(self, **changes: object) -> Engine:
        """A second engine on the same library folder with some settings changed; close both."""
        return Engine.open(self.library.folder, settings=replace(self.settings, **changes), create=False)  # type: ignore[arg-type]
