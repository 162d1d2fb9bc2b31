"""After a change of the embedder: the stored chunks are embedded again, without parsing anything."""

from __future__ import annotations

from collections.abc import Iterator

from edgerag.datatypes import Encoding, IngestProgress, embedded_text
from edgerag.ingest.batch import Ingester
from edgerag.storage.checksums import content_key
from edgerag.storage.library import Library
from edgerag.storage.writer import LibraryWriter

CHUNKS_PER_COMMIT = 256


def reembed(library: Library, writer: LibraryWriter, ingester: Ingester) -> Iterator[IngestProgress]:
    """Give every chunk whose embedding has another fingerprint one of the present embedder; resumable."""
    sql = (
        "SELECT c.id, c.text, c.heading FROM chunks AS c LEFT JOIN embeddings AS e ON e.id = c.embedding_id "
        "WHERE e.fingerprint_id IS NOT ? AND c.id > ? ORDER BY c.id LIMIT ?"
    )
    last_id = 0
    while rows := library.rows(sql, (ingester.fingerprint_id, last_id, CHUNKS_PER_COMMIT)):
        texts = {content_key(embedded_text(text, heading)): embedded_text(text, heading) for _, text, heading in rows}
        encodings: dict[bytes, Encoding] = {}
        yield from ingester.encode(texts, encodings, "(embedding again)")
        writer.store_embeddings(ingester.fingerprint_id, encodings)
        known = writer.known_embeddings(ingester.fingerprint_id, list(texts))
        keyed = [(chunk_id, content_key(embedded_text(text, heading))) for chunk_id, text, heading in rows]
        writer.assign_embeddings(ingester.fingerprint_id, [pair for pair in keyed if pair[1] in known])
        if len(known) < len(texts):
            return  # stopped
        last_id = rows[-1][0]
