"""The models of the settings and the vector index over them, each opened when first needed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from edgerag.coded_text import at_stage, coded, with_hint
from edgerag.config import Settings
from edgerag.errors import EdgeragError, ModelError
from edgerag.protocols import Embedder, Generator, Reranker
from edgerag.storage.library import INDEX_FOLDER, Library

if TYPE_CHECKING:
    # The search path imports neither parsers nor llama.cpp; each import below stands where it is first needed.
    from edgerag.models.store import InstalledModel
    from edgerag.storage.vector_index import VectorIndex
    from edgerag.storage.vectors import LibraryVectors

Part = TypeVar("Part")


class _made_once(Generic[Part]):  # noqa: N801 - used like `property`
    """A part that is made when first read, by one thread only; the others wait for it.

    `functools.cached_property` has no lock since Python 3.12, and two copies of a model are one too many.
    """

    def __init__(self, make: Callable[[Any], Part]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, models: None, owner: type) -> Self: ...
    @overload
    def __get__(self, models: OpenModels, owner: type) -> Part: ...
    def __get__(self, models: OpenModels | None, owner: type) -> Self | Part:
        if models is None:
            return self
        with models._guard:
            lock = models._locks.setdefault(self._name, threading.RLock())
        with lock:  # one for each part: the index is read while the embedder loads
            if self._name not in models._parts:
                models._parts[self._name] = self._make(models)
            part: Part = models._parts[self._name]
            return part


class OpenModels:
    """Everything with weights that one engine uses; safe to share between threads."""

    def __init__(self, library: Library, settings: Settings) -> None:
        self.library = library
        self.settings = settings
        self._guard = threading.RLock()
        self._parts: dict[str, Any] = {}
        self._locks: dict[str, threading.RLock] = {}
        self._preloading: list[threading.Thread] = []
        self._generators: dict[str, Generator] = {}

    def close(self) -> None:
        """Release the models."""
        for thread in self._preloading:
            thread.join()
        with self._guard:
            for part in (*reversed(self._parts.values()), *self._generators.values()):
                if hasattr(part, "close"):
                    part.close()
            self._parts.clear()
            self._generators.clear()

    @_made_once
    def embedding_model(self) -> InstalledModel:
        """Where the embedder is installed, and its manifest; nothing is loaded."""
        from edgerag.models.store import find

        return find(self.settings.embedder, "embedding")

    @_made_once
    def embedder(self) -> Embedder:
        """The embedding model of the settings."""
        from edgerag.inference.embedder import OnnxEmbedder

        return OnnxEmbedder.open(self.embedding_model.folder, threads=self.settings.threads)

    @_made_once
    def reranker(self) -> Reranker | None:
        """The reranker of the settings; None for `none`."""
        from edgerag.inference.embedder import OnnxEmbedder
        from edgerag.inference.reranker import CrossEncoderReranker, MaxSimReranker

        if self.settings.reranker == "none":
            return None
        if self.settings.reranker == "maxsim":
            embedder = self.embedder
            assert isinstance(embedder, OnnxEmbedder)
            return MaxSimReranker(embedder)
        from edgerag.models.store import find

        model = find(self.settings.reranker, "cross-encoder")
        return CrossEncoderReranker.open(model.folder, threads=self.settings.threads)

    def generator_model(self, name: str | None = None) -> InstalledModel | None:
        """A generator by name, or that of the settings, or the first that is installed; None where there is none.

        Raises:
            ModelError: A named one is not installed.
        """
        from edgerag.models.store import find, installed

        if wanted := name or self.settings.generator:
            return find(wanted, "generator")
        return next(iter(installed("generator")), None)

    def generator(self, name: str | None = None) -> Generator | None:
        """The same, loaded.

        Raises:
            ModelError: As `generator_model`, or it is damaged, does not fit into memory, or llama.cpp is not installed.
        """
        model = self.generator_model(name)
        if model is None:
            return None
        with self._guard:
            if model.name not in self._generators:
                from edgerag.inference.generator import LlamaGenerator  # 0.2 s

                self._generators[model.name] = LlamaGenerator.open(
                    model.file("model"),
                    name=model.name,
                    threads=self.settings.threads,
                    context_tokens=self.settings.context_tokens,
                )
            return self._generators[model.name]

    def switch(self, settings: Settings) -> None:
        """Go on with other settings: the reranker and the generator that they name are loaded, the former ones let go.

        What is in use stays until its user is done with it. The embedder and the vector index stay those of the
        beginning: the library was read with them.

        Raises:
            ModelError: A model cannot be loaded; everything is as before.
        """
        before, generators = self.settings, dict(self._generators)
        reranker = self._parts.get("reranker")
        self.settings = settings
        try:
            if settings.reranker != before.reranker:
                self._parts.pop("reranker", None)
                self.reranker  # noqa: B018 - reading it loads it
            if (settings.generator, settings.context_tokens) != (before.generator, before.context_tokens):
                # Not closed: an answer may be under way. The memory is freed with the last reference.
                self._generators = {}
                if settings.generator != before.generator:
                    self.generator()
        except ModelError:
            self.settings, self._generators = before, generators
            if settings.reranker != before.reranker:
                self._parts.pop("reranker", None)
                if reranker is not None:
                    self._parts["reranker"] = reranker
            raise

    def forget_generators(self) -> None:
        """Let go of what is loaded; the next question loads what is installed then."""
        with self._guard:
            self._generators = {}

    def generator_for(self, question: str, name: str | None = None) -> tuple[Generator | None, str]:
        """The generator, or why there is none; a generator that was asked for by name must work.

        Raises:
            ModelError: The named one is missing or damaged.
        """
        from edgerag.ask.pipeline import NO_GENERATOR
        from edgerag.scripts import knows_script

        if name is not None:
            return self.generator(name), NO_GENERATOR
        try:
            model = self.generator_model()
            if model is not None and not knows_script(model.manifest.languages, question):
                return None, at_stage(
                    "generate",
                    coded("degraded.language", "{name} does not write the language of this question", name=model.name),
                )
            return self.generator(), NO_GENERATOR
        except ModelError as error:
            return None, at_stage("generate", with_hint(error.message, error.hint))

    def preload(self) -> None:
        """Load the embedder and the vectors in the background, while this thread does something else.

        Hashing and optimising the model and reading the database release the interpreter's lock: on two cores a program
        that is started for one search saves most of that time. An error shows when the part is used.
        """

        def load(part: Callable[[], object]) -> None:
            with contextlib.suppress(EdgeragError):
                part()

        for part in (lambda: self.embedder, lambda: self.index.preload()):
            thread = threading.Thread(target=load, args=(part,), name="preload", daemon=True)
            thread.start()
            self._preloading.append(thread)

    @_made_once
    def vectors(self) -> LibraryVectors:
        """The library's embeddings of this embedder."""
        from edgerag.storage.vectors import LibraryVectors

        manifest = self.embedding_model.manifest
        return LibraryVectors(self.library, fingerprint=manifest.fingerprint, dim=manifest.dim)

    @_made_once
    def index(self) -> VectorIndex:
        """The vector search."""
        from edgerag.storage.vector_index import VectorIndex

        return VectorIndex(
            self.library.folder / INDEX_FOLDER,
            self.vectors,
            dim=self.embedding_model.manifest.dim,
            fingerprint=self.embedding_model.manifest.fingerprint,
            exact_scan_limit=self.settings.exact_scan_limit,
            ef=self.settings.hnsw_ef,
        )
