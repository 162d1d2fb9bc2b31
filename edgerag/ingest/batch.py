"""Documents on their way into the library: embedded together, committed together, none of them in part."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence

from edgerag.coded_text import coded
from edgerag.datatypes import Encoding, FileFailed, IngestProgress
from edgerag.ingest.names import printable_path
from edgerag.ingest.progress import ProgressMeter
from edgerag.protocols import Embedder, StopFlag
from edgerag.storage.checksums import content_key
from edgerag.storage.writer import LibraryWriter, NewDocument

logger = logging.getLogger(__name__)

FULL_CHUNKS = 256
FULL_DOCUMENTS = 64
"""A commit with synchronous=FULL takes about 4 ms: it is shared by this many documents at most."""
FULL_AGE_S = 2.0
"""Nobody waits longer than this (plus one embedding run) for what was read to be safe."""
ENCODE_SLICE = 32
"""Texts between two looks at the stop flag and two progress events."""
COMMIT_AHEAD = 512
"""Embeddings of one long document are committed this often, so that a restart repeats few of them."""


class Batch:
    """Parsed and chunked documents that wait for their embeddings."""

    def __init__(self) -> None:
        self.documents: list[NewDocument] = []
        self._num_chunks = 0
        self._started = time.perf_counter()

    def add(self, document: NewDocument) -> None:
        self.documents.append(document)
        self._num_chunks += len(document.chunks)

    @property
    def is_full(self) -> bool:
        return (
            self._num_chunks >= FULL_CHUNKS
            or len(self.documents) >= FULL_DOCUMENTS
            or time.perf_counter() - self._started >= FULL_AGE_S
        )


class Ingester:
    """Embeds what is not embedded yet, and commits."""

    def __init__(
        self,
        writer: LibraryWriter,
        embedder: Embedder,
        meter: ProgressMeter,
        timings: dict[str, float],
        stop: StopFlag,
    ) -> None:
        self.meter = meter
        self.not_stored: list[str] = []
        """Paths of documents that an interruption or an error kept out."""
        self.failed: list[FileFailed] = []
        """Documents that the database refused."""
        self.fingerprint_id = writer.fingerprint_id(embedder.fingerprint, embedder.name, embedder.dim)
        self._writer = writer
        self._embedder = embedder
        self._timings = timings
        self._stop = stop

    def flush(self, batch: Batch) -> Iterator[IngestProgress | FileFailed]:
        """Embed and commit a batch; documents whose embeddings are not complete when `stop` is set are left out."""
        if not batch.documents:
            return
        texts = {
            content_key(draft.embedded_text): draft.embedded_text
            for document in batch.documents
            for draft in document.chunks
        }
        current = str(batch.documents[-1].file.path)
        encodings: dict[bytes, Encoding] = {}
        batch_bytes = sum(document.file.size_bytes for document in batch.documents)
        yield from self.encode(texts, encodings, current, batch_bytes=batch_bytes)
        self.meter.embedding_bytes = 0.0
        storing = time.perf_counter()
        num_failed = len(self.failed)
        known = self._writer.known_embeddings(self.fingerprint_id, list(texts))
        with self._writer.transaction():
            for document in batch.documents:
                keys = {content_key(draft.embedded_text) for draft in document.chunks}
                if keys <= known.keys() | encodings.keys():
                    self._store(document, encodings)
                    self.meter.done_files += 1
                    self.meter.done_bytes += document.file.size_bytes
                else:
                    self.not_stored.append(str(document.file.path))
            if self.not_stored:
                # Stopped: what was embedded for documents that are not complete is there when the next run goes on.
                self._writer.store_embeddings(self.fingerprint_id, encodings)
        self._timings["store"] = self._timings.get("store", 0.0) + time.perf_counter() - storing
        yield from self.failed[num_failed:]
        if progress := self.meter.event("ingest", current, always=True):
            yield progress

    def _store(self, document: NewDocument, encodings: dict[bytes, Encoding]) -> None:
        path = str(document.file.path)
        try:
            with self._writer.part_of_transaction():
                self._writer.store_document(document, fingerprint_id=self.fingerprint_id, encodings=encodings)
        except (UnicodeError, OverflowError) as error:
            # A value that SQLite cannot hold, which nobody foresaw: it must not cost the rest of the batch.
            logger.debug("%r could not be stored", path, exc_info=True)
            reason = coded("file.unstorable", "could not be stored ({problem})", problem=error)
            self.failed.append(FileFailed(printable_path(path), reason))
            self.not_stored.append(path)

    def encode(
        self, texts: dict[bytes, str], encodings: dict[bytes, Encoding], current_path: str, *, batch_bytes: int = 0
    ) -> Iterator[IngestProgress]:
        """Embed those texts that the library has no embedding for, longest first.

        Args:
            texts: By content key.
            encodings: Filled with what is not committed ahead.
            batch_bytes: Size of the files that the texts are from; their progress is told in these.
        """
        known = self._writer.known_embeddings(self.fingerprint_id, list(texts))
        self.meter.done_chunks += len(known)
        # Texts of like length in one slice keep both cores busy to its end.
        missing = sorted((key for key in texts if key not in known), key=lambda key: -len(texts[key]))
        for start in range(0, len(missing), ENCODE_SLICE):
            if self._stop.is_set():
                return
            some = missing[start : start + ENCODE_SLICE]
            encoding = time.perf_counter()
            encodings.update(zip(some, self._encode_slice([texts[key] for key in some]), strict=True))
            self._timings["embed"] = self._timings.get("embed", 0.0) + time.perf_counter() - encoding
            self.meter.done_chunks += len(some)
            self.meter.embedded_chunks += len(some)
            self.meter.embedding_bytes = batch_bytes * (start + len(some)) / len(missing)
            if len(encodings) >= COMMIT_AHEAD:
                self._writer.store_embeddings(self.fingerprint_id, encodings)
                encodings.clear()
            if progress := self.meter.event("ingest", current_path):
                yield progress

    def _encode_slice(self, texts: Sequence[str]) -> list[Encoding]:
        return self._embedder.encode_documents(texts)
