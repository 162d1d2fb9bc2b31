"""Exact scan against hnswlib by number of vectors: where the threshold of `exact_scan_limit` belongs.

    python -m tests.benchmarks.vector_index [--sizes 10000,25000,50000] [--texts SCIFACT_FOLDER] [--json]

With `--texts` the vectors are real MiniLM embeddings of sentences, multiplied to the wanted number by mixing pairs of
them (0.75 of one, 0.25 of another, a little noise) and normalising; without, clusters in 40 of 384 dimensions. The
table says which. Uniform random vectors would be no test: recall on them says nothing about texts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerag import paths
from edgerag.storage.vector_index import SnapshotRecord, VectorIndex

DIM = 384
NUM_QUERIES = 100
NUM_TEXTS = 3000


class ArraySource:
    """A `VectorSource` over one array; chunk ids from 1."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        self._vectors = vectors
        self._record: SnapshotRecord | None = None

    def change_counter(self) -> int:
        return 1

    def count_vectors(self) -> int:
        return len(self._vectors)

    def read_vectors(self, after_id: int = 0) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        return np.arange(after_id + 1, len(self._vectors) + 1), self._vectors[after_id:].copy()

    def live_ids(self) -> NDArray[np.int64]:
        return np.arange(1, len(self._vectors) + 1)

    def snapshot_record(self) -> SnapshotRecord | None:
        return self._record

    def record_snapshot(self, record: SnapshotRecord) -> None:
        self._record = record


def embed_sentences(folder: Path) -> NDArray[np.float32]:
    """Embeddings of `NUM_TEXTS` sentences of a BEIR corpus."""
    from edgerag.inference.embedder import OnnxEmbedder
    from edgerag.sentences import split_sentences

    sentences: list[str] = []
    with (folder / "corpus.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            text = json.loads(line)["text"]
            sentences.extend(text[start:end] for start, end in split_sentences(text)[:3])
            if len(sentences) >= NUM_TEXTS:
                break
    embedder = OnnxEmbedder.open(paths.BUNDLED_MODELS / "all-MiniLM-L6-v2")
    return np.stack([encoding.embedding for encoding in embedder.encode_documents(sentences[:NUM_TEXTS])])


def clustered(num: int, rng: np.random.Generator) -> NDArray[np.float32]:
    basis = rng.standard_normal((40, DIM))
    centres = rng.standard_normal((200, 40))
    points = centres[rng.integers(0, 200, num)] + 0.8 * rng.standard_normal((num, 40))
    return normalised(points @ basis + 0.5 * rng.standard_normal((num, DIM)))


def multiplied(real: NDArray[np.float32], num: int, rng: np.random.Generator) -> NDArray[np.float32]:
    first, second = real[rng.integers(0, len(real), num)], real[rng.integers(0, len(real), num)]
    noise = 0.01 * rng.standard_normal((num, DIM), dtype=np.float32)
    return normalised(0.75 * first + 0.25 * second + noise)


def normalised(rows: NDArray[Any]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def measure(vectors: NDArray[np.float32], queries: NDArray[np.float32], ef: int) -> dict[str, float]:
    """One size: both searches, interleaved, on the same vectors and queries."""
    source = ArraySource(vectors)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options: dict[str, Any] = {"dim": DIM, "fingerprint": "benchmark", "ef": ef}
        exact = VectorIndex(folder, source, exact_scan_limit=len(vectors), **options)
        started = time.perf_counter()
        outcome = VectorIndex(folder, source, exact_scan_limit=0, **options).build_snapshot(stop=threading.Event())
        build_s = time.perf_counter() - started
        if not outcome.is_built:
            raise SystemExit(outcome.reason)
        graph = VectorIndex(folder, source, exact_scan_limit=0, **options)
        started = time.perf_counter()
        graph.search(queries[0], 10)
        load_s = time.perf_counter() - started
        exact.search(queries[0], 10)
        times: dict[str, list[float]] = {"exact": [], "hnsw": []}
        found = 0
        for query in queries:
            hits = {}
            for label, index in (("exact", exact), ("hnsw", graph)):
                started = time.perf_counter()
                hits[label] = {hit.chunk_id for hit in index.search(query, 10).hits}
                times[label].append((time.perf_counter() - started) * 1000)
            found += len(hits["exact"] & hits["hnsw"])
        size_bytes = sum(path.stat().st_size for path in folder.iterdir())
    return {
        "vectors": len(vectors),
        "build_s": round(build_s, 2),
        "load_s": round(load_s, 3),
        "exact_p50_ms": round(statistics.median(times["exact"]), 3),
        "hnsw_p50_ms": round(statistics.median(times["hnsw"]), 3),
        "recall@10": round(found / (10 * len(queries)), 4),
        "bytes_per_vector": round(size_bytes / len(vectors)),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Exact scan against hnswlib.")
    parser.add_argument("--sizes", default="10000,25000,50000", help="numbers of vectors, with commas")
    parser.add_argument("--texts", type=Path, help="folder with corpus.jsonl; without it, synthetic clusters")
    parser.add_argument("--ef", type=int, default=64)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    real = embed_sentences(arguments.texts) if arguments.texts else None
    rows = []
    for size in map(int, arguments.sizes.split(",")):
        total = size + NUM_QUERIES
        vectors = clustered(total, rng) if real is None else multiplied(real, total, rng)
        rows.append(measure(vectors[:size], vectors[size:], arguments.ef))
    kind = "synthetic clusters" if real is None else f"mixed from {len(real)} real embeddings"
    if arguments.json:
        print(json.dumps({"vectors_are": kind, "ef": arguments.ef, "rows": rows}))
        return
    print(f"vectors: {kind}; ef {arguments.ef}")
    print("  ".join(f"{name:>16}" for name in rows[0]))
    for row in rows:
        print("  ".join(f"{value:>16}" for value in row.values()))


if __name__ == "__main__":
    main()
