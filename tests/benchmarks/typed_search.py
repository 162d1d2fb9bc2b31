"""Searching while one types, and searching in some documents only: what a key costs and what is found.

    python -m tests.benchmarks.typed_search ../shared/data/scifact --limit 50

On the library that `tests.benchmarks.retrieval` has made (or makes). For questions of the set: every beginning of the
last three words is searched as the terminal application does (`search_stages(is_typing=True)`), in turn with the same
text without it. `cost` is in ms, by stage, over all keys; `ndcg@10` compares the first look and the last stage of
questions whose last word lacks its second half, with the last word as a beginning (`typing`) and as a word (`plain`).
`within` is a search in some of the documents: what it costs, and in how many rankings by words and by meaning its
top 10 is what a ranking of everything has as its first 10 of these documents. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import mean

import edgerag
from edgerag.config import Settings
from edgerag.datatypes import DocumentFilter, SearchResult
from edgerag.engine import Engine, Mode
from edgerag.storage.document_scope import documents_within
from tests.benchmarks.judged_sets import JudgedSet, load_judged_set, write_documents
from tests.benchmarks.retrieval import ndcg, percentile

SHARES = (0.01, 0.1, 0.5)
EVERYTHING = 100_000
TOP_K = 30
MODES: tuple[Mode, ...] = ("lexical", "vector")


def documents_of(result: SearchResult) -> list[str]:
    return list(dict.fromkeys(Path(passage.document.path).stem for passage in result.passages))


def beginnings(query: str) -> list[str]:
    """What the box holds after each key of the last three words."""
    words = query.rstrip(" .").split(" ")
    start = len(" ".join(words[:-3])) + 1
    return [text for end in range(start, len(query) + 1) if (text := query[:end].strip())]


def cut(query: str) -> str:
    """Without the second half of the last word."""
    before, space, word = query.rstrip(" .").rpartition(" ")
    return before + space + word[: max(2, len(word) // 2)]


def percentiles(values: list[float]) -> dict[str, float]:
    return {"p50": round(percentile(values, 0.5), 2), "p95": round(percentile(values, 0.95), 2)}


def cost_of_keys(library: Engine, queries: list[str]) -> dict[str, object]:
    times: dict[str, list[float]] = {}
    num_keys = 0
    for query in queries:
        for text in beginnings(query):
            num_keys += 1
            for kind, is_typing in (("typing", True), ("plain", False)):
                start = time.perf_counter()
                for stage in library.search_stages(text, top_k=TOP_K, is_typing=is_typing):
                    elapsed_ms = (time.perf_counter() - start) * 1000
                    times.setdefault(f"{kind}, {stage.name}", []).append(elapsed_ms)
    return {"keys": num_keys, **{name: percentiles(values) for name, values in times.items()}}


def quality(library: Engine, judged: JudgedSet, limit: int | None) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for query_id, query in list(judged.queries.items())[:limit]:
        for kind, is_typing in (("typing", True), ("plain", False)):
            stages = list(library.search_stages(cut(query), top_k=100, is_typing=is_typing))
            for name, stage in (("first look", stages[0]), ("in the end", stages[-1])):
                score = ndcg(documents_of(stage.result), judged.relevant[query_id], at=10)
                found.setdefault(f"{kind}, {name}", []).append(score)
    return {name: round(mean(scores), 4) for name, scores in found.items()}


def some_documents(library: Engine, share: float) -> DocumentFilter:
    """About this share of the documents, by the last letters of their names."""
    paths = [Path(row[0]) for row in library.library.rows("SELECT path FROM documents")]
    length = 1 if share >= 0.1 else 2
    endings = Counter(path.stem[-length:] + path.suffix for path in paths).most_common()
    chosen: list[str] = []
    num_documents = 0
    for ending, number in reversed(endings) if length == 1 else endings:
        if num_documents < share * len(paths) * 0.9:
            chosen.append(f"*{ending}")
            num_documents += number
    return DocumentFilter(paths=tuple(chosen))


def within(library: Engine, queries: list[str], share: float) -> dict[str, object]:
    some = some_documents(library, share)
    kept = set(documents_within(library.library, some))
    times: dict[str, list[float]] = {"ms": [], "everywhere, ms": []}
    num_same = num_rankings = 0
    for query in queries:
        for name, place in (("ms", some), ("everywhere, ms", None)):
            start = time.perf_counter()
            library.search(query, within=place)
            times[name].append((time.perf_counter() - start) * 1000)
        for mode in MODES:
            found = library.search(query, mode=mode, rerank=False, within=some)
            everything = library.search(query, mode=mode, rerank=False, top_k=EVERYTHING)
            if found.notes.get("terms") != everything.notes.get("terms"):
                continue  # none of the telling words stands in these documents: others are searched
            best = [passage for passage in everything.passages if passage.document.id in kept][:10]
            num_rankings += 1
            num_same += [each.chunk.id for each in best] == [each.chunk.id for each in found.passages]
    return {
        "documents": len(kept),
        **{name: percentiles(values) for name, values in times.items()},
        "as brute force": f"{num_same} of {num_rankings}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="BEIR folder, or a SQuAD file")
    parser.add_argument("--library", type=Path, help="where the library is kept")
    parser.add_argument("--limit", type=int, help="only the first N queries")
    parser.add_argument("--only", choices=["cost", "quality", "within"])
    arguments = parser.parse_args()
    judged = load_judged_set(arguments.folder)
    base = arguments.library or Path(tempfile.gettempdir()) / f"edgerag-benchmark-{arguments.folder.stem}"
    write_documents(judged, base / "documents")
    report: dict[str, object] = {"set": arguments.folder.stem}
    with edgerag.open_library(base / "library", settings=Settings()) as library:
        library.add([base / "documents"])
        queries = list(judged.queries.values())[: arguments.limit]
        library.search(queries[0])  # loads the models
        if arguments.only in (None, "cost"):
            report["cost"] = cost_of_keys(library, queries)
        if arguments.only in (None, "quality"):
            report["ndcg@10"] = quality(library, judged, arguments.limit)
        if arguments.only in (None, "within"):
            report["within"] = {str(share): within(library, queries, share) for share in SHARES}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
