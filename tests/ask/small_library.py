"""A library of a few files, read by the real pipeline with a fake embedder, for tests of what looks into a search."""

from __future__ import annotations

import threading
from pathlib import Path

from edgerag.ask.retrieve import Retriever
from edgerag.config import Settings
from edgerag.ingest.pipeline import ingest
from edgerag.storage.library import Library
from edgerag.storage.vector_index import VectorIndex
from edgerag.storage.vectors import LibraryVectors
from tests.fakes import FakeEmbedder, FakeReranker


class SmallLibrary:
    """Also what the engine hands to a retriever."""

    def __init__(self, folder: Path, texts: dict[str, str]) -> None:
        self.documents = folder / "documents"
        self.documents.mkdir()
        self.library = Library.open(folder / "library")
        self.embedder = FakeEmbedder()
        self.reranker: FakeReranker | None = FakeReranker()
        self.vectors = LibraryVectors(self.library, fingerprint=self.embedder.fingerprint, dim=64)
        self.index = VectorIndex(
            folder / "index",
            self.vectors,
            dim=64,
            fingerprint=self.embedder.fingerprint,
            exact_scan_limit=1000,
            ef=64,
        )
        for name, text in texts.items():
            (self.documents / name).write_text(text, encoding="utf-8")
        self.sync()

    def sync(self) -> None:
        with self.library.writing() as writer:
            writer.add_source(self.documents)
            events = ingest(
                self.library,
                writer,
                self.library.sources(),
                embedder=self.embedder,
                budget_tokens=64,
                settings=Settings(parse_workers=1),
                stop=threading.Event(),
            )
            list(events)

    def retriever(self, settings: Settings | None = None) -> Retriever:
        return Retriever(self.library, settings=settings or Settings(), models=self)
