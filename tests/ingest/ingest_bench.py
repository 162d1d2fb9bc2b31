"""A library, a folder of documents and an embedder that counts, for the tests of the ingest pipeline."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from edgerag.config import Settings
from edgerag.datatypes import IngestSummary
from edgerag.ingest.pipeline import ingest
from edgerag.storage.library import Library
from edgerag.storage.verify import Damage, verify
from tests.fakes import FakeEmbedder

SETTINGS = Settings(parse_workers=1, chunk_tokens=64)


class Bench:
    """A library, a folder of documents and an embedder that counts."""

    def __init__(self, folder: Path) -> None:
        self.documents = folder / "documents"
        self.documents.mkdir()
        self.library = Library.open(folder / "library")
        self.embedder = FakeEmbedder()
        self.stop = threading.Event()

    def write(self, name: str, text: str) -> Path:
        path = self.documents / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        self.age(path)
        return path

    def age(self, path: Path) -> None:
        """Make a file older than the time span in which time stamps are in doubt."""
        status = path.stat()
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns - 10_000_000_000))

    def sync(self, *, settings: Settings = SETTINGS, sources: list[Path] | None = None) -> IngestSummary:
        *_, summary = self.events(settings=settings, sources=sources)
        assert isinstance(summary, IngestSummary)
        return summary

    def events(self, *, settings: Settings = SETTINGS, sources: list[Path] | None = None) -> list[object]:
        with self.library.writing() as writer:
            ids = {writer.add_source(path) for path in sources or [self.documents]}
            chosen = [source for source in self.library.sources() if source.id in ids]
            events = ingest(
                self.library,
                writer,
                chosen,
                embedder=self.embedder,
                budget_tokens=settings.chunk_tokens,
                settings=settings,
                stop=self.stop,
            )
            return list(events)

    def paths(self) -> list[str]:
        return sorted(Path(path).name for path in self.library.document_states())

    def damages(self) -> list[Damage]:
        return [event for event in verify(self.library, threading.Event()) if isinstance(event, Damage)]
