"""Retrieval quality and speed through the ordinary library.

    python -m tests.benchmarks.retrieval ../shared/data/scifact --mode hybrid --json
    python -m tests.benchmarks.retrieval ../shared/data/xquad/xquad.en.json --mode rerank --json

The first run over a set ingests it into `--library` (default: a folder in the system's temporary one, kept for the
next run); the ingest's own figures are printed on stderr.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from pathlib import Path

import edgerag
import edgerag.datatypes
import edgerag.engine
from edgerag.config import Settings
from tests.benchmarks.judged_sets import JudgedSet, load_judged_set, write_documents

MODES = {
    "vector": {"mode": "vector", "rerank": False},
    "lexical": {"mode": "lexical", "rerank": False},
    "hybrid": {"mode": "hybrid", "rerank": False},
    "rerank": {"mode": "hybrid", "rerank": True},
}
TOP_K = 100


def ndcg(ranked: list[str], grades: dict[str, int], *, at: int) -> float:
    """Normalised discounted cumulative gain with linear gains, as trec_eval's `ndcg_cut` (and so BEIR) computes it."""
    gain = sum(grades.get(document, 0) / math.log2(rank + 1) for rank, document in enumerate(ranked[:at], start=1))
    best = sorted(grades.values(), reverse=True)[:at]
    ideal = sum(grade / math.log2(rank + 1) for rank, grade in enumerate(best, start=1))
    return gain / ideal


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="BEIR folder, or a SQuAD file")
    parser.add_argument("--mode", choices=sorted(MODES), default="rerank")
    parser.add_argument("--library", type=Path, help="where the library is kept")
    parser.add_argument("--limit", type=int, help="only the first N queries")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a setting")
    parser.add_argument("--json", action="store_true", help="one JSON line (the default form is the same figures)")
    arguments = parser.parse_args()
    judged = load_judged_set(arguments.folder)
    base = arguments.library or Path(tempfile.gettempdir()) / f"edgerag-benchmark-{arguments.folder.stem}"
    write_documents(judged, base / "documents")
    changes = {name: json.loads(value) for name, value in (pair.split("=", 1) for pair in arguments.set)}
    with edgerag.open_library(base / "library", settings=Settings(**changes)) as library:
        summary = library.add([base / "documents"])
        if summary.added or summary.updated:
            print(
                f"ingest: {summary.chunks} chunks, {summary.embedded_chunks} embedded, {summary.seconds:.1f} s, "
                f"seconds per stage {summary.timings_s}",
                file=sys.stderr,
            )
        figures = measure(library, judged, arguments.mode, arguments.limit)
    figures = {"set": arguments.folder.stem, "mode": arguments.mode, "settings": changes} | figures
    print(json.dumps(figures) if arguments.json else "\n".join(f"{key}: {value}" for key, value in figures.items()))


def measure(library: edgerag.engine.Engine, judged: JudgedSet, mode: str, limit: int | None) -> dict[str, object]:
    """Ask every question once; a document's rank is that of its best chunk."""
    ndcgs, recalls_5, recalls, times = [], [], [], []
    stages: dict[str, list[float]] = {}
    queries = list(judged.queries.items())[:limit]
    library.search(queries[0][1], top_k=TOP_K, **MODES[mode])  # loads the models
    for query_id, query in queries:
        start = time.perf_counter()
        result = library.search(query, top_k=TOP_K, **MODES[mode])
        times.append((time.perf_counter() - start) * 1000)
        for stage, elapsed in result.timings_ms.items():
            stages.setdefault(stage, []).append(elapsed)
        ranked = list(dict.fromkeys(Path(passage.document.path).stem for passage in result.passages))
        grades = judged.relevant[query_id]
        ndcgs.append(ndcg(ranked, grades, at=10))
        recalls_5.append(sum(document in grades for document in ranked[:5]) / len(grades))
        recalls.append(sum(document in grades for document in ranked[:100]) / len(grades))
        broken = [passage for passage in result.passages if not is_exact(library, passage)] if len(times) <= 50 else []
        if broken:
            raise SystemExit(f"hit is not exact: {broken[0]}")
    return {
        "queries": len(queries),
        "ndcg@10": round(sum(ndcgs) / len(ndcgs), 4),
        "recall@5": round(sum(recalls_5) / len(recalls_5), 4),
        "recall@100": round(sum(recalls) / len(recalls), 4),
        "p50_ms": round(percentile(times, 0.5), 2),
        "p95_ms": round(percentile(times, 0.95), 2),
        "stages_p50_ms": {stage: round(percentile(values, 0.5), 2) for stage, values in stages.items()},
    }


def is_exact(library: edgerag.engine.Engine, passage: edgerag.datatypes.Passage) -> bool:
    chunk = passage.chunk
    return library.text(passage.document).text[chunk.start_chars : chunk.end_chars] == chunk.text


if __name__ == "__main__":
    main()
